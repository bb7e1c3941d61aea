"""P9: policies a second that several robots get from one model in process, over those that one robot gets."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np

from vlp.core.messages import Message
from vlp.core.timing import in_turns
from vlp.evaluation.planning import grammar, prompt, prompt_messages
from vlp.evaluation.speed.replanning import opened
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.models.transformers_model import TransformersModel


def policies_a_second(effort: Effort, policies_a_robot: int = 3) -> list[Measured]:
    """P9: robots that ask at once, each its own scenes one after the other, against one robot that asks for all of them.

    Args:
        effort: how.
        policies_a_robot: in each turn.
    """
    model, inner = opened(effort.base)
    robots, least = (32, 15.0) if isinstance(inner, TransformersModel) and inner.device.type == "cuda" else (4, 1.5)
    scenes = [prompt(i, "test", "test") for i in range(robots * policies_a_robot)]
    asked = [prompt_messages(*scene, model.profile) for scene in scenes]
    taken_s: dict[str, list[float]] = {"one": [], "several": []}
    work: dict[str, dict[str, int]] = {}

    def ask(arm: str, number: int) -> list[str]:
        inner.forget()
        before = asdict(inner.batch.work)

        def run(own: Sequence[list[Message]]) -> list[str]:
            texts = []
            for messages in own:
                began = time.perf_counter()
                texts.append(model.generate(messages, grammar=grammar(), max_tokens=1024).text)
                taken_s[arm].append(time.perf_counter() - began)
            return texts

        with ThreadPoolExecutor(number) as pool:
            found = list(pool.map(run, [asked[robot::number] for robot in range(number)]))
        work[arm] = {name: count - before[name] for name, count in asdict(inner.batch.work).items()}
        return [found[i % number][i // number] for i in range(len(asked))]

    timed = in_turns(
        {"one": lambda: ask("one", 1), "several": lambda: ask("several", robots)},
        effort.repeats,
        progress=effort.counting("turns"),
    )
    p95 = {
        arm: float(np.quantile(values[len(asked) :], 0.95)) for arm, values in taken_s.items()
    }  # but for the turn that warms
    more: dict[str, Any] = {"p95_s": p95, "work_of_the_last_turn": work}
    passes = {arm: f"{counted['passes']:,}" for arm, counted in work.items()}
    said = (
        f"{robots} threads, each with {policies_a_robot} scenes of the test split, at one object of {inner.name!r}, against one"
        f" thread with all {len(asked)} of them: equal replies; what was read and written is forgotten before each turn. The"
        f" 95th percentile of one policy is {p95['one']:.3g} s alone and {p95['several']:.3g} s among {robots}; the last turn"
        f" had {passes['one']} and {passes['several']} passes of the language part."
    )
    ratio = timed.ratio("one", "several")
    return [Measured("P9", f"policies a second, {robots} robots over one", ratio, said, at_least=least, more=more)]
