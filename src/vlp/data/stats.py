"""What is in a dataset, in numbers."""

from collections import Counter
from pathlib import Path
from statistics import mean, median
from typing import Any

from vlp.core.errors import UsageError
from vlp.data.store import Store


def stats(folder: str | Path) -> dict[str, Any]:
    """Return counts and lengths as plain data.

    Args:
        folder: a store.

    Raises:
        UsageError: no store, a line that is no sample, or a policy without steps.
    """
    counters: dict[str, Counter[str]] = {
        name: Counter() for name in ("split", "family", "outcome", "question", "source", "robot", "primitive")
    }
    images: set[str] = set()
    sentences: Counter[str] = Counter()
    measured = ("instruction words", "policy characters", "steps", "subtasks", "reply characters")
    lengths: dict[str, list[int]] = {name: [] for name in measured}
    for sample in Store(folder):
        images.update(sample.images)
        sentences[sample.instruction] += 1
        subtasks = sample.policy.get("subtasks") or []
        try:
            steps = [dict(step) for subtask in subtasks for step in subtask["steps"]]
        except (KeyError, TypeError, ValueError):
            said = f"the policy of sample {sample.id} has no steps that can be counted."
            raise UsageError(said, "`vlp data lint` names every fault.") from None
        counters["split"][sample.split] += 1
        counters["family"][sample.family] += 1
        counters["outcome"][sample.outcome] += 1
        counters["question"][str(sample.source.get("question", "again" if sample.memory.steps else "first"))] += 1
        counters["source"][str(sample.source["kind"])] += 1
        counters["robot"][sample.robot] += 1
        counters["primitive"].update(str(step.get("do")) for step in steps)
        lengths["instruction words"].append(len(sample.instruction.split()))
        if sample.question:
            lengths["reply characters"].append(len(sample.reply))
            continue
        lengths["policy characters"].append(len(sample.target))
        lengths["steps"].append(len(steps))
        lengths["subtasks"].append(len(subtasks))
    return {
        "samples": sentences.total(),
        "images": len(images),
        "different instructions": len(sentences),
        "counts": {name: dict(counter.most_common()) for name, counter in counters.items()},
        "lengths": {name: _spread(values) for name, values in lengths.items() if values},
    }


def stats_lines(found: dict[str, Any]) -> list[str]:
    """Return what `stats` found as lines for people."""
    lines = [", ".join(f"{found[name]} {name}" for name in ("samples", "images", "different instructions"))]
    for name, counts in found["counts"].items():
        lines += ["", name]
        width = max((len(word) for word in counts), default=0)
        most = max(counts.values(), default=1)
        lines += [f"  {w:<{width}}  {n:>6}  {'█' * max(1, round(24 * n / most))}" for w, n in counts.items()]
    lines += ["", "lengths"]
    width = max((len(name) for name in found["lengths"]), default=0)
    for name, s in found["lengths"].items():
        lines.append(f"  {name:<{width}}  mean {s['mean']:g}, median {s['median']:g}, {s['least']} to {s['most']}")
    return lines


def _spread(values: list[int]) -> dict[str, float]:
    return {"mean": round(mean(values), 1), "median": median(values), "least": min(values), "most": max(values)}
