import contextlib
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import kit
import numpy as np
import pytest

from vlp.core.errors import UsageError
from vlp.data.lint import CHECKS, default_checks, lint
from vlp.data.sample import Sample, make_sample
from vlp.data.similar import NEAR_LEVELS, difference_levels, fingerprint, named_words, phrasing, same_picture
from vlp.data.store import Store, StoreWriter

N, SHARE = 100, 0.05
Lines = list[dict]


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    kit.write(folder, N)
    return folder


def reseal(folder: Path, lines: Lines) -> None:
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with contextlib.suppress(UsageError):  # unreadable lines may have been planted
        StoreWriter(folder).close()


def image_of(folder: Path, line: dict) -> Path:
    return folder / "images" / f"{line['images'][0]}.png"


def remade(line: dict, **changes) -> dict:
    """Return a line with something else in it and an id that fits."""
    s = replace(Sample.from_json(line), **changes)
    stem = s.id[:-11]
    return make_sample(stem, s.images, s.instruction, s.robot, s.state, s.memory, s.policy, s.source, s.split).to_json()


# Each of these plants one kind of fault in a line and returns the lines it becomes, the faulty one last.


def truncate(folder: Path, line: dict, lines: Lines) -> Lines:
    path = image_of(folder, line)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return [line]


def delete(folder: Path, line: dict, lines: Lines) -> Lines:
    image_of(folder, line).unlink()
    return [line]


def replace_image(folder: Path, line: dict, lines: Lines) -> Lines:
    with StoreWriter(folder.parent / "other", {"hsr": kit.manifest()}) as writer:
        name = writer.add_image(kit.picture(5000 + lines.index(line)))
    shutil.copy(folder.parent / "other" / "images" / f"{name}.png", image_of(folder, line))
    return [line]


def overwrite_with_anothers(folder: Path, line: dict, lines: Lines) -> Lines:
    other = lines[(lines.index(line) + 7) % len(lines)]
    image_of(folder, line).write_bytes(image_of(folder, other).read_bytes())
    return [line]


def swap_names(folder: Path, line: dict, lines: Lines) -> Lines:
    same_split = [other for other in lines if other["split"] == line["split"] and other is not line]
    return [{**line, "images": same_split[0]["images"]}]


def break_schema(folder: Path, line: dict, lines: Lines) -> Lines:
    return [{**line, "state": {**line["state"], "at": 5}}]


def unknown_primitive(folder: Path, line: dict, lines: Lines) -> Lines:
    policy = json.loads(json.dumps(line["policy"]))
    policy["subtasks"][0]["steps"][1]["do"] = "teleport"
    return [{**line, "policy": policy}]


def grasp_twice(folder: Path, line: dict, lines: Lines) -> Lines:
    policy = json.loads(json.dumps(line["policy"]))
    policy["subtasks"][0]["steps"].append(policy["subtasks"][0]["steps"][1])
    return [{**line, "policy": policy}]


def repeat_with_noise(folder: Path, line: dict, lines: Lines) -> Lines:
    sample = Sample.from_json(line)
    rng = np.random.default_rng(1)
    rgb = Store(folder).image(sample).astype(int)
    rgb = rgb + 6 + rng.integers(-2, 3, rgb.shape)
    with StoreWriter(folder) as writer:
        image = writer.add_image(np.clip(rgb, 0, 255).astype(np.uint8))
    return [line, remade(line, images=(image,), source={**sample.source, "scene_seed": 10_000 + lines.index(line)})]


def same_scene_in_test(folder: Path, line: dict, lines: Lines) -> Lines:
    train = next(other for other in lines if other["split"] == "train")
    moved = {**line["source"], "scene_seed": train["source"]["scene_seed"]}
    return [{**line, "split": "test" if line["split"] == "train" else line["split"], "source": moved}]


def copy_to_test(folder: Path, line: dict, lines: Lines) -> Lines:
    sample = Sample.from_json(line)
    return [line, remade(line, split="test", source={**sample.source, "scene_seed": 20_000}, id="t-" + sample.id)]


def trained_phrasing(folder: Path, line: dict, lines: Lines) -> Lines:
    sample = Sample.from_json(line)
    text = "put the red cube in the green bowl"
    memory = replace(sample.memory, instructions=(text,))
    return [remade(line, instruction=text, memory=memory, policy=kit.put_policy("red cube", "green bowl"))]


def same_id(folder: Path, line: dict, lines: Lines) -> Lines:
    return [line, line]


PLANTS: dict[str, tuple[Callable, str, str]] = {
    "truncated": (truncate, "truncated-image", ""),
    "missing": (delete, "missing-image", ""),
    "replaced": (replace_image, "altered-image", ""),
    "swapped files": (overwrite_with_anothers, "swapped-image", ""),
    "swapped names": (swap_names, "exchanged", ""),
    "schema": (break_schema, "unreadable", ""),
    "primitive": (unknown_primitive, "policy-unknown-primitive", ""),
    "precondition": (grasp_twice, "policy-hand-not-empty", ""),
    "near-duplicate": (repeat_with_noise, "near-duplicate", ""),
    "scene leak": (same_scene_in_test, "leak-scene", "test"),
    "sample leak": (copy_to_test, "leak-sample", "train"),
    "phrasing leak": (trained_phrasing, "leak-phrasing", "test"),
    "same id": (same_id, "same-id", ""),
}


def test_no_false_alarm_on_the_clean_set(clean):
    report = lint(clean)
    assert report.faults == []
    assert report.samples == N


@pytest.mark.parametrize("kind", PLANTS)
def test_every_planted_fault_is_found_and_named(kind, clean, tmp_path):
    plant, code, split = PLANTS[kind]
    folder = tmp_path / "set"
    shutil.copytree(clean, folder)
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    candidates = [line for line in lines if split in ("", line["split"])]
    chosen = random.Random(kind).sample(candidates, int(SHARE * N))
    planted, out = set(), []
    for line in lines:
        made = plant(folder, line, lines) if line in chosen else [line]
        if line in chosen:
            planted.add(made[-1]["id"])
        out += made
    reseal(folder, out)
    report = lint(folder)
    found = {fault.sample for fault in report.faults if fault.code == code}
    assert planted <= found
    assert found == planted, "named samples that have no such fault"


def test_the_whole_mixture_is_found(clean, tmp_path):
    """Every fault that leaves the others alone, planted at once: each is still found."""
    folder = tmp_path / "set"
    shutil.copytree(clean, folder)
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    kinds = ["truncated", "missing", "replaced", "swapped names", "schema", "primitive", "precondition", "same id"]
    chosen = random.Random(1).sample(range(N), len(kinds) * 5)
    job = {index: kinds[i // 5] for i, index in enumerate(chosen)}
    expected, out = set(), []
    for i, line in enumerate(lines):
        made = PLANTS[job[i]][0](folder, line, lines) if i in job else [line]
        if i in job:
            expected.add((made[-1]["id"], PLANTS[job[i]][1]))
        out += made
    reseal(folder, out)
    assert expected <= {(fault.sample, fault.code) for fault in lint(folder).faults}


def test_a_change_that_nothing_else_sees_breaks_the_seal(clean, tmp_path):
    folder = tmp_path / "set"
    shutil.copytree(clean, folder)
    text = (folder / "samples.jsonl").read_text()
    (folder / "samples.jsonl").write_text(text.replace('"height_m":0.1', '"height_m":0.2', 1))
    assert [fault.code for fault in lint(folder).faults] == ["not-sealed"]
    StoreWriter(folder).close()
    assert lint(folder).ok


def test_a_class_that_is_nearly_all_or_nearly_nothing_is_told(tmp_path):
    with StoreWriter(tmp_path, {"hsr": kit.manifest()}) as writer:
        for i in range(120):
            sample = kit.example(i, writer.add_image(kit.picture(i)))
            family = "throw" if i == 0 else "pick" if i < 40 else "put"
            writer.add(replace(sample, source={**sample.source, "family": family}))
    messages = [fault.message for fault in lint(tmp_path).faults if fault.code == "unbalanced"]
    assert len(messages) == 2
    assert "80 of 120" in messages[0] and "'put'" in messages[0]
    assert "only 1 of 120" in messages[1] and "'throw'" in messages[1]


def test_pictures_are_told_apart_and_known_again():
    prints = [fingerprint(kit.picture(i)) for i in range(60)]
    nearest = min(difference_levels(a, b) for i, a in enumerate(prints) for b in prints[:i])
    assert nearest > 2 * NEAR_LEVELS
    rng = np.random.default_rng(0)
    for i in range(20):
        rgb = kit.picture(i).astype(int)
        noisy = np.clip(rgb + 8 + rng.integers(-3, 4, rgb.shape), 0, 255).astype(np.uint8)
        assert same_picture(prints[i], fingerprint(noisy))


def test_phrasings_are_sentences_without_names():
    names = {"red", "cube", "green", "bowl", "blue", "screw", "driver", "tub"}

    def of(text: str, a: str = "red cube", b: str = "green bowl") -> str:
        sample = kit.example(0, "a" * 64)
        memory = replace(sample.memory, instructions=(text,))
        return phrasing(replace(sample, instruction=text, memory=memory, policy=kit.put_policy(a, b)), names)

    assert of("Put the red cube in the green bowl!") == of("put the blue screw driver in the tub", "screw driver", "tub")
    assert named_words(replace(kit.example(0, "a" * 64), policy=kit.put_policy("red cube", "tub"))) >= {"red", "cubes", "tub"}
    assert of("put the red cube in the green bowl") != of("put the red cube next to the green bowl")


def test_checks_can_be_left_out_by_name(clean):
    assert len(default_checks(skip=["leakage"])) == len(CHECKS) - 1
    with pytest.raises(UsageError, match="unknown check 'leak'"):
        default_checks(skip=["leak"])
