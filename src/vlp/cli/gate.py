"""`vlp gate parity|keeps|plans`: what a tuned model must pass. Exit status 0 passed, 1 failed, 2 bad input, 3 missing."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import tyro

from vlp.cli.bars import Bars
from vlp.cli.names import RecordedBase
from vlp.core.errors import UsageError, not_installed
from vlp.models.catalogue import SERVED, with_name

Tuned = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TUNED")]
Json = Annotated[bool, tyro.conf.arg(name="json")]


def parity(
    tuned: Tuned,
    base: RecordedBase = "",
    merged: str = "",
    url: str = "",
    model_name: str = "",
    data: str = "",
    n: int = 50,
    split: str = "validation",
    tolerance: float = 0.0,
    max_tokens: int = 256,
    device: str = "",
    out: str = "gates",
    json_: Json = False,
) -> int:
    """Check that the model that is used is the one that was trained: the same prompts give the same tokens.

    The model as the trainer computes it (adapter beside the weights), its merged folder, and a server where one is named,
    decode greedily without a grammar. Log-probabilities must agree within the tolerance, and two replies may part only
    where both tokens are equally likely within it. An adapter with a key that the base has no place for is refused by name.

    Args:
        tuned: the folder of a run or of an adapter; a model folder to compare with a server alone.
        merged: the merged folder; by default one is made for the while, where there is an adapter or a run.
        url: of a server that serves it, e.g. http://127.0.0.1:8000/v1; its key is the environment's VLP_MODEL_KEY.
        model_name: which of the server's models, where it lists several.
        data: folder of samples whose prompts are used; by default simulated scenes.
        n: prompts.
        split: of the samples or scenes: train, validation or test.
        tolerance: how far two log-probabilities of a token may be apart; 0 takes 0.001 for float32 weights, 0.1 for
            float16, 0.3 for bfloat16.
        max_tokens: limit on each reply.
        device: cpu, cuda, cuda:1, ...; by default a GPU where there is one.
        out: folder for parity.json and parity.md.
        json_: print the whole report as JSON.
    """
    _least(n=n, max_tokens=max_tokens)
    if not 0 <= tolerance < 10:
        raise UsageError(f"--tolerance {tolerance} is out of bounds.", "Give 0 to 10.")
    gates, found = _gates("parity"), _gates("tuned")
    if data:
        from vlp.data.store import Store

        prompts = gates.sample_prompts(Store(data), n, split)
    else:
        prompts = gates.scene_prompts(n, split)
    served = {"url": with_name(url, model_name), "key": os.environ.get("VLP_MODEL_KEY", "")}
    given = {"merged": merged, **served, "tolerance": tolerance}
    with Bars() as bars:
        report = gates.parity(
            found.find_tuned(tuned, base), prompts, **given, device=device or None, max_tokens=max_tokens, progress=bars.moved
        )
    return tell(report, Path(out), json_)


def keeps(
    tuned: Tuned,
    base: str = "",
    model_name: str = "",
    questions: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    n: int = 200,
    bar: float = 0.85,
    device: str = "",
    out: str = "gates",
    json_: Json = False,
) -> int:
    """Check that a tuned model still sees and answers: a fixed set of visual questions, before and after.

    Args:
        tuned: the folder of a run or of an adapter, a model folder, or the URL of a server.
        base: the model before tuning; by default what the record says.
        model_name: which of a server's models, where it lists several.
        questions: folder with questions.jsonl and images, beside the simulated questions; may be repeated, with folders
            of different names.
        n: simulated questions; 0 for none.
        bar: the share of the base's score that must be left.
        device: cpu, cuda, cuda:1, ...; by default a GPU where there is one.
        out: folder for keeps.json and keeps.md.
        json_: print the whole report as JSON.
    """
    if n < 0 or not 0 < bar <= 1:
        raise UsageError(f"--n {n} or --bar {bar} is out of bounds.", "Give 0 or more questions, and a bar up to 1.")
    gates, found = _gates("keeps"), _gates("tuned").find_tuned(with_name(tuned, model_name), base)
    asked = gates.read_sets([Path(folder) for folder in questions])
    found.needed_base()
    asked += gates.simulated_questions(n)
    with Bars() as bars:
        report = gates.keeps(*_openers(found, device), asked, found.name, bar, bars.moved)
    return tell(report, Path(out), json_)


def plans(
    tuned: Tuned,
    base: str = "",
    model_name: str = "",
    n: int = 150,
    split: str = "validation",
    at_least: float = 0.0,
    device: str = "",
    out: str = "gates",
    json_: Json = False,
) -> int:
    """Compare the rate of right policies, base against tuned, on prompts from scenes that nobody trained on.

    It passes when the tuned model has right policies at all, and no fewer than its base.

    Args:
        tuned: the folder of a run or of an adapter, a model folder, or the URL of a server.
        base: the model before tuning; by default what the record says.
        model_name: which of a server's models, where it lists several.
        n: scenes, two prompts each.
        split: whose scenes: validation, or test for the last figures.
        at_least: the share of right policies that is asked for, 0 to 1.
        device: cpu, cuda, cuda:1, ...; by default a GPU where there is one.
        out: folder for plans.json and plans.md.
        json_: print the whole report as JSON.
    """
    _least(n=n)
    gates, found = _gates("plans"), _gates("tuned").find_tuned(with_name(tuned, model_name), base)
    found.needed_base()
    with Bars() as bars:
        report = gates.plans(*_openers(found, device), n, found.name, split, at_least, bars.moved)
    return tell(report, Path(out), json_)


def tell(report: Any, out: Path, json_: bool = False) -> int:
    """Write a gate's report, print it, and return its exit status."""
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    report.write(out)
    if json_:
        print(json.dumps(asdict(report)))
        return 0 if report.passed else 1
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{report.gate}: {'passed' if report.passed else 'FAILED'}", style="green" if report.passed else "bold red")
    console.print(report.said, markup=False)
    if report.rows:
        table = Table(*report.rows[0])
        for row in report.rows:
            table.add_row(*row.values())
        console.print(table)
    if not report.passed and report.failures:
        console.print(f"the first of {len(report.failures)}: {report.failures[0][:300]}", markup=False)
    console.print(f"written to {out / report.gate}.json and .md", markup=False)
    return 0 if report.passed else 1


def _gates(name: str) -> ModuleType:
    """Return a module of `vlp.evaluation.gates`; raises MissingComponent when something it needs is not installed."""
    import importlib

    try:
        return importlib.import_module(f"vlp.evaluation.gates.{name}")
    except ImportError as error:
        raise not_installed("gates need", error, "train,sim") from None


def _openers(found: Any, device: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return what opens the base, and what opens the tuned model; a server is asked as `vlp run` would."""
    options = {"device": device} if device else {}
    if not found.model.startswith(SERVED):
        return lambda: found.open_base(**options), lambda: found.open(**options)
    from vlp.cli.run import open_chosen

    return lambda: found.open_base(**options), lambda: open_chosen(found.model)


def _least(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise UsageError(f"--{name.replace('_', '-')} {value} is too small.", "Give 1 or more.")
