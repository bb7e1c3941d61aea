import io
from dataclasses import asdict

import kit
import pytest
from PIL import Image

from vlp.core.errors import UsageError
from vlp.data.from_runs import from_runs
from vlp.data.lint import lint
from vlp.data.sample import Sample
from vlp.data.store import Store, StoreWriter, merge
from vlp.journal import Event, Journal
from vlp.policy.model import Plan, Policy
from vlp.runtime.memory import RunMemory

STATE = asdict(kit.example(0, "a" * 64).state)
FIRST, SECOND = kit.put_policy("red cube", "green bowl"), kit.put_policy("red cube", "blue bowl")


def jpeg(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(kit.picture(seed)).save(buffer, format="JPEG", quality=90)
    return buffer.getvalue()


def policy_event(revision: int, policy: dict, triggers: list[str]) -> Event:
    plan = Plan(Policy.from_json(policy), kit.manifest().version)
    data = {"revision": revision, "policy": plan.to_json(), "steps": [], "diff": None, "claim": "done"}
    return Event("policy", {**data, "triggers": triggers})


def look(seed: int) -> Event:
    return Event("observation", {"purpose": "plan", "state": STATE, "seconds": 0.1, "stamp_s": 3.5}, blob=jpeg(seed))


def write_run(folder, outcome="success", verdict=True, trigger="new-instruction", version="", seed=7):
    """A run with two policies: the second one after a trigger."""
    versions = {"manifest": version or kit.manifest().version}
    started = {"run_id": folder.name, "instruction": "x", "robot": "hsr", "world": "tabletop", "seed": seed, "model": "m"}
    journal = Journal(folder / "journal.db")
    journal.append(
        Event("run-started", {**started, "versions": versions, "options": {}}),
        Event("instruction", {"text": "put the red cube in the green bowl", "source": "person"}),
        look(1),
        policy_event(1, FIRST, []),
    )
    if trigger == "new-instruction":
        journal.append(Event("instruction", {"text": "no, the blue bowl", "source": "person"}))
    else:
        result = {"key": "k", "status": "failed", "value": None, "code": "not-found", "message": "none in view"}
        step = {"revision": 1, "id": "1.1", "key": "k", "do": "locate", "status": "failed", "result": result}
        journal.append(Event("step-finished", step))
    journal.append(Event("trigger", {"name": trigger, "detail": "why"}), look(2), policy_event(2, SECOND, [trigger]))
    end = {"outcome": outcome, "reason": "", "claim": "done", "verdict": verdict}
    journal.append(Event("run-finished", end))
    journal.close()
    return folder


def harvest(out, *runs):
    manifest = kit.manifest()
    return from_runs(out, runs, manifest, lambda: RunMemory(manifest.primitives))


def test_a_successful_run_gives_a_sample_per_policy_with_the_memory_of_that_moment(tmp_path):
    found = harvest(tmp_path / "s", write_run(tmp_path / "r1"))
    assert (found.kept, found.aside) == (2, 0)
    first, second = Store(tmp_path / "s")
    assert (first.instruction, first.policy, first.memory.instructions) == (
        "put the red cube in the green bowl", FIRST, ("put the red cube in the green bowl",),
    )  # fmt: skip
    assert second.memory.instructions == ("put the red cube in the green bowl", "no, the blue bowl")
    assert second.memory.trigger == "why"
    assert second.source["scene_seed"] == 7 and second.source["stamp_s"] == 3.5
    assert lint(tmp_path / "s").ok
    assert harvest(tmp_path / "s", tmp_path / "r1").kept == 0, "the same run is not taken twice"


def test_the_prompt_of_a_sample_is_the_one_the_model_was_given(tmp_path):
    harvest(tmp_path / "s", write_run(tmp_path / "r1", trigger="step-failed"))
    (sample,) = Store(tmp_path / "s")
    text = sample.messages(kit.picture(2), kit.manifest(), "brief")[0].parts[1]
    assert isinstance(text, str) and "failed: locate red cube (not-found)" in text


def test_a_policy_that_a_failed_step_ended_is_set_aside(tmp_path):
    found = harvest(tmp_path / "s", write_run(tmp_path / "r1", trigger="step-failed"))
    assert (found.kept, found.aside) == (1, 1)
    assert found.splits == {"train": 2}
    (waiting,) = Store(tmp_path / "s" / "aside")
    assert waiting.source["set_aside"] == "a step of it failed"


def test_a_policy_that_a_person_did_not_agree_to_is_set_aside_and_the_edited_one_is_kept(tmp_path):
    """A policy that a person put right before it moved would have been learnt from, since its run was a success."""
    run = tmp_path / "r1"
    started = {"run_id": "r1", "instruction": "x", "robot": "hsr", "world": "tabletop", "seed": 7, "model": "m"}
    journal = Journal(run / "journal.db")
    journal.append(
        Event("run-started", {**started, "versions": {"manifest": kit.manifest().version}, "options": {}}),
        Event("instruction", {"text": "put the red cube in the blue bowl", "source": "person"}),
        look(1),
        policy_event(1, FIRST, []),
        Event("confirm-answered", {"revision": 1, "answer": "edit", "by": "terminal"}),
        policy_event(2, SECOND, []),
        Event("confirm-answered", {"revision": 2, "answer": "yes", "by": "terminal"}),
        Event("run-finished", {"outcome": "success", "reason": "", "claim": "done", "verdict": None}),
    )
    journal.close()
    found = harvest(tmp_path / "s", run)
    assert (found.kept, found.aside) == (1, 1)
    assert next(iter(Store(tmp_path / "s"))).policy == SECOND


@pytest.mark.parametrize(("outcome", "verdict"), [("failure", None), ("success", False), ("timeout", True)])
def test_runs_that_did_not_succeed_are_set_aside_until_they_are_corrected(tmp_path, outcome, verdict):
    found = harvest(tmp_path / "s", write_run(tmp_path / "r1", outcome, verdict))
    assert (found.kept, found.aside) == (0, 2)
    aside = tmp_path / "s" / "aside"
    with pytest.raises(UsageError, match="2 samples are still set aside"):
        merge(tmp_path / "s", [aside])
    corrected = []
    for sample in Store(aside):
        source = {k: v for k, v in sample.source.items() if k != "set_aside"}
        corrected.append(Sample.from_json({**sample.to_json(), "policy": SECOND, "source": source}))
    with StoreWriter(tmp_path / "fixed", {"hsr": kit.manifest()}) as writer:
        for sample in corrected:
            writer.add_image(Store(aside).image_bytes(sample.images[0]))
            writer.add(sample)
    assert merge(tmp_path / "s", [tmp_path / "fixed"]) == 2
    assert lint(tmp_path / "s").ok


def test_runs_of_another_robot_are_passed_over(tmp_path):
    found = harvest(tmp_path / "s", write_run(tmp_path / "r1", version="9"))
    assert (found.kept, found.aside) == (0, 0)
    assert "manifest 9" in next(iter(found.passed_over.values()))


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no journal"):
        harvest(tmp_path / "s", tmp_path)
    assert not (tmp_path / "s").exists()
