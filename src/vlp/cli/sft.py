"""`vlp train sft|tokens|merge|export|mean`: a planner fine-tuned on samples."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import tyro

from vlp.cli.bars import Bars
from vlp.cli.names import BaseModel, RecordedBase
from vlp.core.errors import MissingComponent, UsageError, closest, not_installed
from vlp.core.messages import counted
from vlp.data.lint import SampleCheck
from vlp.models.catalogue import DEFAULT_MODEL

Json = Annotated[bool, tyro.conf.arg(name="json")]
Folder = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
Folders = Annotated[list[str], tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER...")]


def sft(
    data: str = "samples",
    out: str = "run-sft",
    base: BaseModel = DEFAULT_MODEL,
    adapter: str = "decoder",
    epochs: int | None = None,
    batch: int = 8,
    rate: float | None = None,
    seed: int = 0,
    samples: int = 0,
    micro: int = 0,
    precision: str = "",
    recompute: str = "auto",
    save_every: int = 20,
    rehearse: int | None = None,
    tower_share: float | None = None,
    words: str | None = None,
    device: str = "",
    resume: bool = False,
    skip_lint: bool = False,
    skip_gates: bool = False,
    dry_run: bool = False,
    json_: Json = False,
) -> int:
    """Fine-tune a planner on samples: LoRA on the language decoder, or on the end of its vision tower too.

    The loss counts the model's own words only: the policy, and what it says before. Killed at any moment, it goes on
    with --resume, along the same curve. For several processes: `accelerate launch --multi_gpu --num_processes 2 -m
    vlp.cli.main train sft ...`.

    At the end the gates are run (see `vlp gate`); exit status 1 when one fails. What was trained stays.

    Args:
        data: folder of samples; its training split is trained on.
        out: folder of the run: checkpoints, curve.jsonl, curve.png, and the adapter (or model).
        adapter: decoder (LoRA on the language decoder), vision+decoder (on the end of the vision tower too), or full.
        epochs: how often each sample is seen; by default 2, as in the paper, and 4 for small models.
        batch: examples in a step (samples and rehearsed questions), over all processes.
        rate: highest learning rate; by default 2e-4 for adapters and 1e-5 for full, 2e-3 and 3e-4 for small models.
        seed: of the adapter's first weights and of the order.
        samples: how many of the training split, from its beginning; 0 for all.
        micro: samples that a process passes through the model at a time; 0 for its whole share of a step.
        precision: float32 or bfloat16; by default bfloat16 on a GPU that has it, else float32.
        recompute: compute activations again in the backward pass to save memory: yes, no or auto (large models).
        save_every: steps between checkpoints.
        rehearse: questions on each image, learned as the base answers them; by default none, and 1 for small models.
        tower_share: the vision tower's share of the rate; by default 1, and 0.05 for small models.
        words: which words before a policy are taught: all, or agreed (with the base); by default all, agreed for small models.
        device: cpu, cuda, cuda:1, ...; by default a GPU where there is one.
        resume: go on with the run at OUT.
        skip_lint: train on samples that have faults.
        skip_gates: do not run the gates at the end (`vlp gate` runs them by themselves).
        dry_run: only say what would be trained, in how many steps and how much memory; needs no weights, and no samples.
        json_: print JSON.
    """
    library = _library("sft")
    from vlp.training.recipe import Recipe

    recipe = Recipe(
        adapter, epochs, batch, rate, seed, samples, micro, precision, recompute, save_every, rehearse, tower_share, words
    )
    recipe.check()
    if dry_run:
        return _tell_outlook(base, data, recipe, device, json_)
    if not skip_gates:
        _gates_module()  # what is missing is said before an hour of training, not after it
    with Bars() as bars:
        options = {"resume": resume, "device": device or None, "skip_lint": skip_lint, "checks": _checks()}
        made = library.train_sft(base, data, out, recipe, **options, progress=bars.moved, say=bars.say)
    if not bars.main:
        return 0
    if not json_:
        print(f"{made}: trained. The curve is in {Path(out) / 'curve.png'}.", flush=True)
    passed = {} if skip_gates else _gates(base, data, Path(out), device, json_)
    if json_:
        print(json.dumps({"made": str(made), "run": out, "gates": passed}))
    return 0 if all(passed.values()) else 1


def _tell_outlook(base: str, data: str, recipe: Any, device: str, json_: bool) -> int:
    """Print what a run would come to, without one."""
    library = _library("outlook")
    found = library.outlook(base, data, recipe, device or None)
    print(json.dumps(found) if json_ else "\n".join(library.outlook_lines(found, data)))
    return 0


def _checks() -> list[SampleCheck]:
    """Return what samples are looked through for: with the simulator installed, also what only it can tell."""
    try:
        from vlp.episodes.right import every_check
    except ImportError as error:
        from vlp.data.lint import default_checks

        print(f"without {error.name}, policies of simulated samples are not carried out to check them.", file=sys.stderr)
        return default_checks()
    return every_check()


def _gates(base: str, data: str, out: Path, device: str, quiet: bool) -> dict[str, bool]:
    """Run the gates on what a run made, and return which of them it passed."""
    import gc

    from vlp.cli.gate import tell

    gates = _gates_module()
    gc.collect()  # the trainer refers to itself, and its model would take room beside the ones to compare
    passed: dict[str, bool] = {}
    if missing := gates.left_out(out):
        print(missing, file=sys.stderr)
    with Bars() as bars:
        for report in gates.run_gates(out, base, data, device or None, bars.moved):
            passed[report.gate] = report.passed
            if not quiet:
                tell(report, out / "gates")
    return passed


def _gates_module() -> ModuleType:
    """Return the gates; raises MissingComponent when something they need is not installed."""
    try:
        from vlp.evaluation.gates import after_training
    except ImportError as error:
        raise MissingComponent(
            f"the gates at the end need {error.name}.",
            "Install it with: pip install 'vlp[sim]', or leave them out: --skip-gates.",
        ) from None
    return after_training


def tokens(data: str = "samples", base: BaseModel = DEFAULT_MODEL, sample: str = "", json_: Json = False) -> int:
    """Show one sample as the trainer takes it by default: the model's own words, which count in the loss, in colour.

    Args:
        data: folder of samples.
        sample: its id; by default the first one.
        json_: print JSON: a list of [text, whether it counts].
    """
    library = _library("examples")
    from vlp.data.store import Store
    from vlp.models.catalogue import find_folder
    from vlp.models.folder import check_folder
    from vlp.models.transformers_model import TransformersModel
    from vlp.training.recipe import Recipe

    store = Store(data)
    found = next((s for s in store if sample in ("", s.id)), None)
    if found is None:
        near = closest(sample, [s.id for s in store]) if sample else None
        hint = f"Did you mean {near!r}?" if near else "`vlp data stats` counts what is there."
        raise UsageError(f"no sample {sample[:80]!r} in {data[:300]!r}.", hint)
    folder = check_folder(find_folder(base))
    model, usual = TransformersModel(folder.path), Recipe().settled(folder.parameters)
    example = library.Examples(store, model, agreed=usual.words == "agreed").example(found)
    shown = library.shown_tokens(example, model)
    if json_:
        print(json.dumps(shown, ensure_ascii=False))
        return 0
    _print_tokens(shown)
    print(f"\n{found.id}: {example.counted_tokens} of {counted(len(example.ids), 'token')} count in the loss.")
    return 0


def merge(adapter: Folder, out: str, base: RecordedBase = "", dtype: str = "") -> int:
    """Add an adapter into the weights of its base: one model folder in safetensors, with hashes and a card.

    An adapter with a weight that the base has no place for is refused, by the name of the weight.

    Args:
        adapter: folder of a LoRA adapter.
        out: the new model folder; must not exist.
        dtype: float32, bfloat16 or float16; by default float32 for small models, bfloat16 for others.
    """
    folder = _library("export").merge(adapter, base, out, dtype)
    print(f"{out}: {folder.name}, {folder.parameters:,} parameters.")
    return 0


def export(run: Folder, out: str, base: str = "", dtype: str = "") -> int:
    """Write what a run of `vlp train sft` made as one model folder: weights, hashes, card with data, scores and limits.

    Args:
        run: the run's folder.
        out: the new model folder; must not exist.
        base: where the base is now; by default what the run was told.
        dtype: float32, bfloat16 or float16; by default float32 for small models, bfloat16 for others.
    """
    folder = _library("export").export(run, out, base, dtype)
    print(f"{out}: {folder.name}, {folder.parameters:,} parameters.")
    return 0


def mean(models: Folders, out: str) -> int:
    """Write the model whose every weight is the mean of the same weight of others that come from one training.

    Args:
        models: two or more model folders; everything but the weights is of the first.
        out: the new model folder; must not exist.
    """
    folder = _library("mean").mean(models, out)
    print(f"{out}: {folder.name}, {folder.parameters:,} parameters.")
    return 0


def _library(name: str) -> ModuleType:
    """Return a module of `vlp.training`; raises MissingComponent when something it needs is not installed."""
    import importlib

    try:
        return importlib.import_module(f"vlp.training.{name}")
    except ImportError as error:
        raise not_installed("fine-tuning needs", error, "train,data") from None


def _print_tokens(shown: list[tuple[str, bool]]) -> None:
    from rich.console import Console
    from rich.text import Text

    console, text = Console(markup=False), Text()
    counted = ("bold green", "bold cyan")
    for number, (piece, counts) in enumerate(shown):
        if not console.is_terminal and counts and (number == 0 or not shown[number - 1][1]):
            text.append(">>> ")
        text.append(piece, style=counted[number % 2] if counts else "dim")
    if not console.is_terminal:
        text.append(" <<<")
    console.print(text, soft_wrap=True)
