"""Throw malformed policies at the check and count what must not happen: a crash, or a policy accepted."""

import copy
import json
import platform
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from vlp.evaluation.stress.malformed import SPOILERS
from vlp.evaluation.stress.random_policies import random_policy
from vlp.policy.checks import check_policy
from vlp.primitives.manifest import Manifest
from vlp.sim.fake.robot import fake_manifest


def run_fuzz(n: int, seed: int, out: str | Path) -> dict[str, Any]:
    """Check malformed policies and write what happened.

    Args:
        n: how many; each is malformed by construction (see `vlp.evaluation.stress.malformed`).
        seed: the same seed gives the same policies.
        out: folder for `summary.json` and, when there are any, `faults.jsonl` with every crash and wrong acceptance.

    Returns:
        the summary: n, crashes, wrongly_accepted, quantiles of the check's time in milliseconds
        (`wall_ms` by the clock, `cpu_ms` without what other processes took), and per way of spoiling its number, its
        slowest check by CPU time and the codes reported.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    rng, manifest = random.Random(seed), fake_manifest()
    pool = _pool(rng, manifest)
    wall_ms, cpu_ms = np.zeros(n), np.zeros(n)
    kinds = {spoil.__name__: _Kind() for spoil in SPOILERS}
    faults: list[dict[str, Any]] = []
    for i in range(n):
        spoil = SPOILERS[i % len(SPOILERS)]
        text = spoil(rng, copy.deepcopy(rng.choice(pool)))
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        fault, codes = _check(text, manifest)
        wall_ms[i], cpu_ms[i] = (time.perf_counter() - wall_s) * 1e3, (time.thread_time() - cpu_s) * 1e3
        kinds[spoil.__name__].add(float(cpu_ms[i]), codes)
        if fault:
            faults.append({"case": i, "spoiled": spoil.__name__, "fault": fault, "text": repr(text[:4000])})
    accepted = sum(fault["fault"] == "accepted" for fault in faults)
    summary = {
        "n": n,
        "seed": seed,
        "crashes": len(faults) - accepted,
        "wrongly_accepted": accepted,
        "wall_ms": _quantiles(wall_ms),
        "cpu_ms": _quantiles(cpu_ms),
        "python": platform.python_version(),
        "spoiled": {name: kind.to_json() for name, kind in kinds.items()},
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    if faults:
        (folder / "faults.jsonl").write_text("".join(json.dumps(fault) + "\n" for fault in faults))
    return summary


class _Kind:
    """What was seen of one way of spoiling."""

    def __init__(self) -> None:
        self.n, self.slowest_ms, self.codes = 0, 0.0, Counter[str]()

    def add(self, time_ms: float, codes: list[str]) -> None:
        self.n += 1
        self.slowest_ms = max(self.slowest_ms, time_ms)
        self.codes.update(codes)

    def to_json(self) -> dict[str, Any]:
        return {"n": self.n, "slowest_ms": round(self.slowest_ms, 3), "codes": dict(self.codes.most_common())}


def _pool(rng: random.Random, manifest: Manifest) -> list[dict[str, Any]]:
    """Return valid policies with at least one step; the spoilers need something to spoil.

    They are drawn once and spoiled again and again: drawing costs more than spoiling.
    """
    pool: list[dict[str, Any]] = []
    while len(pool) < 400:
        policy = random_policy(rng, manifest)
        if policy.get("subtasks"):
            pool.append(policy)
    return pool


def _check(text: str | bytes, manifest: Manifest) -> tuple[str, list[str]]:
    """Return the fault, a crash or "accepted" ("" when it was refused in order), and the distinct codes of the first report."""
    try:
        plan, report = check_policy(text, manifest)
    except Exception as error:  # a crash is what is looked for, whatever it is
        return f"crash: {type(error).__name__}: {error}"[:300], []
    if plan is not None or report.ok:
        return "accepted", []
    return "", sorted({issue.code for issue in report.issues})


def _quantiles(times_ms: np.ndarray) -> dict[str, float]:
    values = np.percentile(times_ms, [50, 99, 100]) if len(times_ms) else np.zeros(3)
    return {name: round(float(value), 4) for name, value in zip(("p50", "p99", "max"), values, strict=True)}
