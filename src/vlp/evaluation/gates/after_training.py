"""The gates at the end of `vlp train sft`, on what the run made."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vlp.data.store import Store
from vlp.evaluation.gates.keeps import keeps, simulated_questions
from vlp.evaluation.gates.parity import parity, sample_prompts
from vlp.evaluation.gates.plans import ROBOT, plans
from vlp.evaluation.gates.report import GateReport
from vlp.evaluation.gates.tuned import find_tuned
from vlp.training.recipe import read_record

Progress = Callable[[str, int, int], None]


def run_gates(
    run: Path, base: str, data: str | Path, device: str | None = None, progress: Progress = lambda what, done, all_: None,
    *, prompts: int = 20, questions: int = 100, scenes: int = 25,
) -> Iterator[GateReport]:  # fmt: skip
    """Yield the report of each gate, written to the run's folder, as it ends, but for one that is `left_out`.

    Args:
        run: the run's folder.
        base: what it was tuned from.
        data: the samples it was trained on; parity asks those of validation, or of training where there are none.
        device: "cpu", "cuda", ...; None takes a GPU where there is one.
        progress: told (what is going on, done, all).
        prompts, questions, scenes: how many each gate asks: enough to see what is broken; `vlp gate` measures with more.
    """
    tuned, store = find_tuned(str(run), base), Store(data)
    split = "validation" if next(iter(store.samples("validation")), None) else "train"
    where: dict[str, Any] = {"device": device} if device else {}

    def told(gate: str) -> Progress:
        return lambda what, done, all_: progress(f"{gate}, {what}", done, all_)

    def parity_() -> GateReport:
        return parity(tuned, sample_prompts(store, prompts, split), device=device, progress=told("parity"))

    def keeps_() -> GateReport:
        asked = simulated_questions(questions)
        return keeps(lambda: tuned.open_base(**where), lambda: tuned.open(**where), asked, tuned.name, progress=told("keeps"))

    def plans_() -> GateReport:
        return plans(lambda: tuned.open_base(**where), lambda: tuned.open(**where), scenes, tuned.name, progress=told("plans"))

    for gate in (parity_, keeps_) if left_out(run) else (parity_, keeps_, plans_):
        report = gate()
        report.write(run / "gates")
        yield report


def left_out(run: Path) -> str:
    """Return which gate has nothing to ask the model of a run, and why; "" where all have."""
    data = read_record(run).get("data") or {}
    if data.get("replies") and data["replies"] == data.get("samples"):
        return "plans: left out, the samples ask for no policies."
    robots = data.get("robots", [])
    if ROBOT in robots:
        return ""
    named = ", ".join(map(str, robots)) or "no robot that is named"
    return f"plans: left out, its scenes are of {ROBOT}, and the samples are of {named}."
