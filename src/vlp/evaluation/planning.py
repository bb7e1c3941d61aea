"""Suites about policies as text: right for the scene, well-formed, and how long they take."""

import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from vlp.core.images import Rgb
from vlp.core.messages import Message
from vlp.core.observation import RobotState
from vlp.evaluation.suites import Options, Row, opened_model
from vlp.models.protocol import Model, Reply
from vlp.models.turns import Turns, turns_of
from vlp.perception.perceiving import with_perceptions
from vlp.policy.checks import check_policy
from vlp.policy.model import State
from vlp.primitives.manifest import Manifest
from vlp.primitives.schema import policy_schema
from vlp.prompt.render import Memory, plan_messages, repair_messages
from vlp.sim import expert
from vlp.sim.language.changes import sample_change
from vlp.sim.language.families import FAMILIES, sample_task
from vlp.sim.language.task import Split, Task
from vlp.sim.open import manifest_of
from vlp.sim.symbolic import is_right
from vlp.sim.truth import Truth
from vlp.sim.worlds.seeds import seed_of
from vlp.sim.worlds.tabletop.frames import arranged
from vlp.sim.worlds.tabletop.kept import kept_frame
from vlp.sim.worlds.tabletop.labels import seen_truth
from vlp.sim.worlds.tabletop.true_state import truth_of

PHRASINGS: tuple[Split, Split] = ("train", "test")


@cache
def manifest() -> Manifest:
    """Return the manifest that a run on the simulated robot has."""
    return with_perceptions(manifest_of())


@cache
def grammar() -> dict[str, Any]:
    """Return the schema of policies over that manifest."""
    return policy_schema(manifest())


def planning(index: int, options: Options, out: Path) -> list[Row]:
    """Ask for two policies on one image: in a phrasing of the training set, and in one kept for test."""
    del out
    return planning_rows(opened_model(options.model), index, options.split)


def planning_rows(model: Model, index: int, seeds: str) -> list[Row]:
    """Return a model's two answers to a case, and whether they are right (see `planning`).

    Args:
        model: the model.
        index: number of the case.
        seeds: the split whose scenes it comes from.
    """
    rows = []
    for split in PHRASINGS:
        rgb, truth, task = prompt(index, seeds, split)
        reply = ask(rgb, truth, task, model)
        plan, report = check_policy(reply.text, manifest(), State(at=truth.at, holding=truth.holding))
        right, why = (False, str(report.issues[0])) if plan is None else is_right(plan.policy.to_json(), truth, task)
        row: Row = {"phrasing": split, "family": task.family, "instruction": task.instruction, "before": task.before}
        row |= {"words": _said(reply, truth, task, turns_of(model))}
        row |= {"valid": plan is not None, "success": right, "total_s": round(reply.timings_s.get("total", 0.0), 4)}
        if not right:
            row |= {"cause": f"{'wrong' if plan else 'refused'}: {why}", "answer": reply.text[:2000], "seed": index}
            row |= {"said": reply.said[:1000]}
        rows.append(row)
    return rows


def _said(reply: Reply, truth: Truth, task: Task, turns: Turns | None) -> str:
    """Return whether what a model says before its policy is what the expert would say, to the letter; "none" says nothing."""
    _, spoke, words = reply.said.rpartition("\n")
    if turns is None or not spoke:
        return "none"
    return "right" if words == turns.words(expert.plan(truth, task)) else "other"


def schema(index: int, options: Options, out: Path) -> list[Row]:
    """Ask for one policy, half of them in phrasings kept for test, and look only at its form."""
    import jsonschema

    from vlp.policy.parse import parse_json

    del out
    rgb, truth, task = prompt(index, options.split, "test" if index % 2 else "train")
    reply = ask(rgb, truth, task, opened_model(options.model))
    value, report = parse_json(reply.text)
    cause = "" if report.ok else f"does not parse: {report.issues[0]}"
    if report.ok:
        errors = sorted(jsonschema.Draft202012Validator(grammar()).iter_errors(value), key=str)
        cause = f"does not match: {errors[0].message[:200]}" if errors else ""
    row: Row = {"family": task.family, "success": not cause, "cause": cause, "total_s": reply.timings_s.get("total")}
    return [row if row["success"] else {**row, "instruction": task.instruction, "answer": reply.text[:2000]}]


def latency(index: int, options: Options, out: Path) -> list[Row]:
    """Time one policy from instruction to checked plan, corrections included."""
    del out
    rgb, truth, task = prompt(index, options.split, "test")
    model, start = opened_model(options.model), time.perf_counter()
    ask(rgb, truth, task, model) if index == 0 else None  # the first call of a process warms caches
    start = time.perf_counter()
    first = messages = prompt_messages(rgb, truth, task, model.profile)
    stages = {"said": 0.0, "prompt": 0.0, "prefill": 0.0, "decode": 0.0, "check": 0.0}
    tokens, plan = 0, None
    for _ in range(3):
        reply = _policy(model, messages)
        for stage in ("said", "prompt", "prefill", "decode"):
            stages[stage] += reply.timings_s.get(stage, 0.0)
        tokens += reply.tokens.get("reply", 0)
        checking = time.perf_counter()
        plan, report = check_policy(reply.text, manifest(), State(at=truth.at, holding=truth.holding))
        stages["check"] += time.perf_counter() - checking
        if plan is not None:
            break
        messages = repair_messages(first, reply.text, report, model.profile, model.can.turns)
    row: Row = {f"{stage}_s": round(seconds, 5) for stage, seconds in stages.items()}
    row |= {"whole_s": round(time.perf_counter() - start, 4), "reply_tokens": tokens, "family": task.family}
    return [{**row, "success": plan is not None, "cause": "" if plan else "no valid policy"}]


def prompt(index: int, seeds: str, phrasing: Split) -> tuple[Rgb, Truth, Task]:
    """Return image, true state and task of a case; the families take turns as far as the scenes allow."""
    families = list(FAMILIES)
    wanted = {families[index % len(families)]: 1.0}
    for scene in range(240):  # where one allows no task of the family, another does
        seed, rng = seed_of(seeds, index + 40_000 * scene), Random(f"planning {seeds} {index} {phrasing} {scene}")
        # Rendering takes 60 ms: it is done where the family may well find a task.
        if sample_task(_before_settling(seed), rng, phrasing, wanted) is None:
            continue
        frame = kept_frame(seed)
        truth = seen_truth(frame.labels())
        task = sample_task(truth, rng, phrasing, wanted) if frame.before_things else None
        if task is not None and rng.random() < 0.2:  # the instruction corrects an earlier one
            task = sample_change(truth, task, rng, phrasing) or task
        if task is not None:
            return frame.rgb, truth, task
    raise RuntimeError(f"no scene allows a task of the family {[*wanted]} for case {index}")


def _before_settling(seed: int) -> Truth:
    """Return the state of a frame as it was arranged, which is nearly that of the picture."""
    scene, held, _ = arranged(seed)
    truth = truth_of(scene)
    if held is None:
        return truth
    item = replace(truth.objects[held.phrase], support="hand", relation="in")
    return replace(truth, objects={**truth.objects, held.phrase: item}, holding=held.phrase)


def ask(rgb: Rgb, truth: Truth, task: Task, model: Model) -> Reply:
    """Return the model's reply to the prompt of a run in this state."""
    messages = prompt_messages(rgb, truth, task, model.profile)
    start = time.perf_counter()
    reply = _policy(model, messages)
    reply.timings_s.setdefault("total", time.perf_counter() - start)
    return reply


def _policy(model: Model, messages: list[Message]) -> Reply:
    return model.generate(messages, grammar=grammar(), max_tokens=2048)


def prompt_messages(rgb: Rgb, truth: Truth, task: Task, profile: str) -> list[Message]:
    """Return the messages that ask for a policy in this state, in the wording of a profile."""
    state = RobotState(truth.at, truth.holding, {}, (0.0, 0.0, 0.0), 0.0, (0.0, 0.0, 0.0))
    said = (task.before, task.instruction) if task.before else (task.instruction,)
    memory = Memory(instructions=said, holding=truth.holding, at=truth.at)
    return plan_messages(rgb, task.instruction, state, memory, manifest(), profile)
