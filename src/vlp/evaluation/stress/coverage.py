"""Coverage-guided malformed policies: libFuzzer goes where the check has not been.

No policy may crash the check, and none that it accepts may be refused by the second opinion.

    python -m vlp.evaluation.stress.coverage --n 10000000 --seconds 600 --out DIR [--keep FOLDER]

Needs `atheris`, which nothing else here does: `pip install atheris`.
"""

import argparse
import copy
import json
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from vlp.core.errors import MissingComponent

# Only what is imported within `_fuzz` is traced: the rest of vlp is imported where it is used.


class Target:
    """What is called with every input, and counts.

    Args:
        stats: file that the counts are written to, every thousand inputs and at the end.
    """

    def __init__(self, stats: Path) -> None:
        from vlp.evaluation.stress.second_opinion import SecondOpinion
        from vlp.policy.checks import check_policy
        from vlp.sim.fake.robot import fake_manifest

        self._check, self._manifest, self._stats = check_policy, fake_manifest(), stats
        self._second = SecondOpinion(self._manifest)
        self.n, self.codes, self.faults = 0, Counter[str](), list[dict[str, str]]()
        self._times = np.zeros(10_001, np.int64)  # of 0.01 ms each; the last one is for all that took longer
        self._slowest_ms = 0.0

    def __call__(self, data: bytes) -> None:
        """Check one input."""
        began_s = time.thread_time()
        try:
            plan, report = self._check(data, self._manifest)
        except Exception as error:  # a crash is what is looked for, whatever it is
            self._fault(f"crash: {type(error).__name__}: {error}", data)
        else:
            took_ms = (time.thread_time() - began_s) * 1e3
            self._times[min(int(took_ms * 100), 10_000)] += 1
            self._slowest_ms = max(self._slowest_ms, took_ms)
            self.codes[verdict(plan, report)] += 1
            if plan is not None and (why := self._second.objection(data)):
                self._fault(f"accepted: {why}", data)
        self.n += 1
        if self.n % 1000 == 0:
            self.write()

    def _fault(self, why: str, data: bytes) -> None:
        if len(self.faults) < 20:
            self.faults.append({"fault": why[:300], "text": repr(data[:4000])})

    def write(self) -> None:
        """Write the counts."""
        below = np.cumsum(self._times) / max(int(self._times.sum()), 1)
        quantiles = {name: round(float(np.searchsorted(below, q) + 1) / 100, 2) for name, q in (("p50", 0.5), ("p99", 0.99))}
        told = {"n": self.n, "cpu_ms": {**quantiles, "max": round(self._slowest_ms, 2)}}
        told |= {"codes": dict(self.codes.most_common()), "faults": self.faults}
        fresh = self._stats.with_suffix(".new")
        fresh.write_text(json.dumps(told, indent=2) + "\n")
        fresh.replace(self._stats)


def verdict(plan: Any, report: Any) -> str:
    """Return what the check says in one word: "accepted", or the code of the first issue."""
    return "accepted" if plan is not None else report.issues[0].code


def _fuzz(n: int, seed: int, seconds: int, corpus: Path, stats: Path) -> None:
    """Fuzz in this process, which libFuzzer ends; only what is imported here first is traced."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["vlp.policy"]):
        import_module("vlp.policy.checks")
    from vlp.evaluation.stress.malformed import SPOILERS, dumps
    from vlp.evaluation.stress.random_policies import random_policy
    from vlp.sim.fake.robot import fake_manifest

    target = Target(stats)
    rng, manifest = random.Random(seed), fake_manifest()
    pool = [policy for _ in range(400) if (policy := random_policy(rng, manifest)).get("subtasks")]
    for i, policy in enumerate(pool[:100]):
        (corpus / f"valid_{i}").write_text(dumps(policy))

    def mutate(data: bytes, max_size: int, chance: int) -> bytes:
        draw = random.Random(chance)
        if draw.random() < 0.7:
            return atheris.Mutate(data, max_size)
        spoiled = draw.choice(SPOILERS)(draw, copy.deepcopy(draw.choice(pool)))
        return (spoiled if isinstance(spoiled, bytes) else spoiled.encode("utf-8", "surrogatepass"))[:max_size]

    words = corpus.with_suffix(".dict")
    spelled = [*manifest.primitives, *manifest.places, *(a.name for p in manifest.primitives.values() for a in p.arguments)]
    spelled += ["do", "as", "goal", "seen", "subtasks", "name", "steps", "cannot", "in", "on", "next_to", "at", "clear", "$a"]
    words.write_text("".join(f'"\\"{word}\\""\n' for word in dict.fromkeys(spelled)))
    bounds = [f"-runs={n}", f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=4096", "-timeout=20", f"-dict={words}"]

    def one(data: bytes) -> None:
        target(data)
        if target.n >= n - 1:
            target.write()

    atheris.Setup(["fuzz", *bounds, "-verbosity=0", str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


def run(n: int, seed: int, seconds: int = 600, keep: Path | None = None) -> dict[str, Any]:
    """Fuzz in a child process until a count or a time is reached.

    Args:
        n: most inputs.
        seed: of libFuzzer and of the policies it begins with.
        seconds: most time.
        keep: folder for a small corpus: for each verdict some of the inputs with which libFuzzer reached new code.

    Returns:
        the counts, the CPU time of a check (tracing included) and the faults.

    Raises:
        MissingComponent: atheris is not installed.
    """
    try:
        import_module("atheris")
    except ImportError:
        raise MissingComponent("coverage-guided fuzzing needs atheris.", "Install it with: pip install atheris.") from None
    with tempfile.TemporaryDirectory() as folder:
        corpus, stats = Path(folder) / "corpus", Path(folder) / "stats.json"
        corpus.mkdir()
        began_s = time.monotonic()
        child = multiprocessing.get_context("spawn").Process(target=_fuzz, args=(n, seed, seconds, corpus, stats))
        child.start()
        child.join()
        told = json.loads(stats.read_text()) if stats.exists() else {"n": 0, "faults": []}
        told |= {"seconds": round(time.monotonic() - began_s), "reached_new_code": len(list(corpus.iterdir()))}
        if child.exitcode:
            told["faults"].append({"fault": f"the fuzzer ended with status {child.exitcode}", "text": ""})
        if keep is not None:
            _keep(corpus, keep)
        return told


def _keep(corpus: Path, folder: Path) -> None:
    """Keep the shortest inputs of every verdict, named by it."""
    from vlp.policy.checks import check_policy
    from vlp.sim.fake.robot import fake_manifest

    folder.mkdir(parents=True, exist_ok=True)
    kept, manifest = Counter[str](), fake_manifest()
    for file in sorted(corpus.iterdir(), key=lambda file: (file.stat().st_size, file.name)):
        data = file.read_bytes()
        word = verdict(*check_policy(data, manifest))
        if kept[word] < 8 and len(data) < 4000:
            (folder / f"{word}.{kept[word]}").write_bytes(data)
            kept[word] += 1


def main() -> int:
    """Fuzz from the command line; returns 1 when something was found, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--keep", type=Path, help="folder for a small corpus")
    options = parser.parse_args()
    summary = run(options.n, options.seed, options.seconds, options.keep)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "summary.json").write_text(json.dumps({"coverage": summary}, indent=2) + "\n")
    print(json.dumps(summary, indent=2))
    return 1 if summary["faults"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
