"""Supervised fine-tuning on samples: one page from the store to an adapter, on TRL, PEFT and Accelerate.

The defaults are those of the paper (arXiv 2512.19178: LoRA on 800 samples, 2 epochs) where it says them; `Recipe` and
`vlp.training.lora` say which values are ours.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.messages import counted
from vlp.data.lint import SampleCheck, lint
from vlp.data.sample import Sample
from vlp.data.store import Store
from vlp.models.adapter import RECORD, weight_hashes
from vlp.models.catalogue import find_folder
from vlp.models.folder import ModelFolder, check_folder, sha256
from vlp.models.loading import find_device, quiet
from vlp.models.shape import build_shape
from vlp.models.transformers_model import TransformersModel
from vlp.training import lora
from vlp.training.checkpoint import last_checkpoint, write_folder
from vlp.training.curve import cut_curve, plot_curve, read_curve
from vlp.training.examples import Batcher, Examples, TrainingExample, as_dataset, training_order
from vlp.training.export import write_model
from vlp.training.known_images import image_input
from vlp.training.memory import free_bytes, memory_need, refuse_what_cannot_fit
from vlp.training.model_card import model_card
from vlp.training.policy_trainer import CurveWriter, PolicyTrainer, trainer_settings
from vlp.training.recipe import (
    ADAPTER,
    CHECKPOINTS,
    CURVE,
    MODEL,
    PLOT,
    Recipe,
    make_record,
    read_record,
    same_run,
    slow_half,
    write_record,
)  # fmt: skip

Progress = Callable[[str, int, int], None]


def train_sft(
    base: str,
    data: str | Path,
    out: str | Path,
    recipe: Recipe,
    *,
    resume: bool = False,
    device: str | None = None,
    skip_lint: bool = False,
    checks: Sequence[SampleCheck] | None = None,
    progress: Progress = lambda what, done, total: None,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Fine-tune a base on the training split of a store, and return the folder of the adapter (or model, for "full").

    Args:
        base: as `vlp.models.catalogue.find_folder` takes it.
        data: a store of samples.
        out: folder of the run: `run.json`, checkpoints, `curve.jsonl`, `curve.png`, and `adapter` or `model` in the end.
        recipe: how.
        resume: go on with a run that stopped.
        device: "cpu", "cuda", ...; None takes a GPU where there is one.
        skip_lint: train on samples that have faults.
        checks: what samples are looked through for; None takes `vlp.data.lint.default_checks`.
        progress: told (what is going on, done, all).
        say: told what a person should know before training begins, a line at a time; by one process of several.

    Raises:
        UsageError: samples with faults, a base that cannot be trusted, a run that is not the one to go on with.
        MissingComponent: not enough memory, or the disk is full; the last checkpoint stands, and the run can be taken up.
        TaskFailed: the loss or its gradient is no longer a number.
    """
    recipe.check()
    out, store = Path(out), Store(data)
    samples = _training_samples(store, recipe, skip_lint, checks)
    folder = check_folder(find_folder(base))
    recipe = recipe.settled(folder.parameters)
    record = make_record(_base_record(base, folder), _data_record(store, samples), recipe)
    where = find_device(device)
    recompute = recipe.recomputes(folder.parameters)
    settings = trainer_settings(recipe, out, where, recompute)
    where, main = _own_device(settings.device), settings.process_index == 0
    weights = recipe.weights_type(where)
    _refuse_at_first_sight(folder, recipe, weights, where)
    checkpoint = _open_run(out, record, resume) if main else last_checkpoint(out / CHECKPOINTS) if resume else None

    if main and (note := slow_half(recipe, where)):
        say(note)
    model = TransformersModel(folder.path, device=str(where), dtype=str(weights).removeprefix("torch."))
    examples = Examples(store, model, base=_digest(folder, record["base"]["sha256"]), agreed=recipe.words == "agreed")
    rows = examples.all(samples, recipe.rehearse or 0, lambda done: progress("reading samples", done, len(samples)))
    if main:
        record |= _differing(examples, len(samples), say)
    held_out = examples.all(islice(store.samples("validation"), 200)) if main else []  # read by the base, too
    model.model.train()
    ranks = lora.ranks_of(model.model, recipe.adapter)
    batcher = Batcher(examples, rows, image_input(ranks))
    order = training_order([len(row.ids) for row in rows], recipe.epochs or 1, recipe.batch, recipe.seed)
    writer = CurveWriter(out / CURVE, -(-len(rows) // recipe.batch), lambda n, all_: progress("training", n, all_))
    trainer = PolicyTrainer(
        tower_share=recipe.tower_share or 1.0,
        model=model.model if ranks else model.model.requires_grad_(True),
        args=settings,
        train_dataset=as_dataset(order),
        data_collator=batcher,
        processing_class=model.chat.tokenizer,
        peft_config=lora.lora_config(ranks) if ranks else None,
        callbacks=[writer],
    )
    _refuse_what_cannot_fit(trainer.model, rows, recipe, settings.per_device_train_batch_size, weights, where, recompute)
    try:
        with quiet():
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError:
        said = f"the memory of {where} was used up at step {trainer.state.global_step}."
        raise MissingComponent(said, "Go on with smaller bites: --resume --micro 1, or --recompute yes.") from None
    result = out / (ADAPTER if ranks else MODEL)
    if main:
        _finish(trainer, examples, held_out, out, record, folder)
    return result


def _training_samples(store: Store, recipe: Recipe, skip_lint: bool, checks: Sequence[SampleCheck] | None) -> list[Sample]:
    """Return the samples to train on, after a look for faults."""
    if not skip_lint:
        report = lint(store.folder, checks)
        if not report.ok:
            raise UsageError(
                f"{counted(len(report.faults), 'fault')} in the samples, the first: {report.faults[0]}",
                f"See them all with `vlp data lint {store.folder}`, or train on them as they are with --skip-lint.",
            )
    samples = list(islice(store.samples("train"), recipe.samples or None))
    if len(samples) < max(1, recipe.samples):
        there = Counter(sample.split for sample in store)
        others = ", ".join(f"{number} of {split}" for split, number in sorted(there.items())) or "no samples"
        raise UsageError(
            f"{counted(len(samples), 'sample')} in the training split; at least {max(1, recipe.samples)} are wanted. "
            f"The folder holds {others}.",
            "Collect or import more with --split train (journals of test seeds become test samples).",
        )
    return samples


def _differing(examples: Examples, samples: int, say: Callable[[str], None]) -> dict[str, int]:
    """Tell in how many samples the base says other words before the policy, and return it for the record."""
    if examples.differing:
        say(f"{examples.differing} of {samples} samples: the base says other words than theirs, which are not taught.")
    return {"words_differing": examples.differing} if examples.agreed else {}


def _base_record(base: str, folder: ModelFolder) -> dict[str, Any]:
    return {
        "name": folder.name,
        "spec": "" if Path(base).exists() else base,  # a path means nothing on another machine
        "profile": folder.profile,
        "turns": folder.turns,
        "sha256": weight_hashes(folder.path),
    }


def _digest(folder: ModelFolder, weights: dict[str, str]) -> str:
    """Return what tells a base from others: its weights, and what it takes for a token."""
    tokenizer = folder.path / "tokenizer.json"
    tokens = sha256(tokenizer) if tokenizer.is_file() else ""
    return hashlib.sha256(json.dumps([weights, tokens]).encode()).hexdigest()


def _data_record(store: Store, samples: Sequence[Sample]) -> dict[str, Any]:
    lines = "".join(json.dumps(sample.to_json(), sort_keys=True) + "\n" for sample in samples)
    families: dict[str, int] = {}
    for sample in samples:
        families[sample.family] = families.get(sample.family, 0) + 1
    replies = sum(bool(sample.question) for sample in samples)
    return {
        "name": store.folder.resolve().name,
        "samples": len(samples),
        **({"replies": replies} if replies else {}),
        "families": dict(sorted(families.items())),
        "robots": sorted({sample.robot for sample in samples}),
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }


def _open_run(out: Path, record: dict[str, Any], resume: bool) -> Path | None:
    """Make the run's folder, or take up the one that is there; return the checkpoint to go on from."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{str(out)[:300]!r} is a file.", "Choose another folder with --out.")
    if resume:
        same_run(read_record(out), record)
        checkpoint = last_checkpoint(out / CHECKPOINTS)
        cut_curve(out / CURVE, int(checkpoint.name.removeprefix("step-")) if checkpoint else 0)
        return checkpoint
    if out.is_dir() and any(path.suffix != ".part" for path in out.iterdir()):
        raise UsageError(f"{str(out)[:300]!r} is not empty.", "Go on with it: --resume, or choose another --out.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingComponent(f"cannot make {str(out)[:300]!r}: {error.strerror}.") from None
    write_record(out, record)
    return None


def _own_device(device: torch.device) -> torch.device:
    """Return the device of this process; Accelerate calls a processor shared by several processes "cpu:0"."""
    return torch.device("cpu") if device.type == "cpu" else device


def _refuse_at_first_sight(folder: ModelFolder, recipe: Recipe, weights: torch.dtype, where: torch.device) -> None:
    """Refuse a model whose weights and optimizer alone do not fit, before anything is loaded."""
    shape = lora.attach(build_shape(folder.path / "config.json"), recipe.adapter)
    need = memory_need(shape, weights.itemsize, 0, 0, 0, True, 0)
    refuse_what_cannot_fit(need, free_bytes(where), where)


def _refuse_what_cannot_fit(
    model: Any,
    rows: Sequence[TrainingExample],
    recipe: Recipe,
    micro: int,
    weights: torch.dtype,
    where: torch.device,
    recompute: bool,
) -> None:
    """Refuse a step that does not fit beside the weights, which are loaded already."""
    longest, policy = max(len(row.ids) for row in rows), max(row.scored_tokens for row in rows)
    patches = 0 if recipe.adapter == "decoder" else max(row.grid[0] * row.grid[1] * row.grid[2] for row in rows)
    need = memory_need(model, weights.itemsize, micro, longest, policy, recompute, patches)
    loaded = sum(p.numel() * p.element_size() for p in model.parameters())
    refuse_what_cannot_fit(need, free_bytes(where) + loaded, where)


def _finish(
    trainer: PolicyTrainer,
    examples: Examples,
    held_out: list[TrainingExample],
    out: Path,
    record: dict[str, Any],
    base: ModelFolder,
) -> None:
    """Write the adapter (or the model), the curve's picture and the card."""
    scores = {"training loss, last step": read_curve(out / CURVE)[-1]["loss"]}
    if held_out:
        micro = trainer.args.per_device_train_batch_size
        batcher = Batcher(examples, held_out)
        picks = [[{"row": i} for i in range(at, min(at + micro, len(held_out)))] for at in range(0, len(held_out), micro)]
        scores[f"validation loss, {len(held_out)} samples"] = trainer.mean_loss(map(batcher, picks))
    record = record | {"scores": {name: round(value, 5) for name, value in scores.items()}}
    plot_curve(out / CURVE, out / PLOT, f"{record['base']['name']}, {record['recipe']['adapter']}")
    write_record(out, record)
    if record["recipe"]["adapter"] == "full":
        write_model(trainer.accelerator.unwrap_model(trainer.model), base, out / MODEL, record)
        return

    def write(part: Path) -> None:
        module: Any = trainer.accelerator.unwrap_model(trainer.model)
        module.peft_config["default"].base_model_name_or_path = record["base"]["name"]
        module.save_pretrained(part, save_embedding_layers=False)
        hashes = {"adapter_model.safetensors": sha256(part / "adapter_model.safetensors")}
        (part / RECORD).write_text(json.dumps({**record, "kind": "adapter", "sha256": hashes}, indent=1) + "\n")
        (part / "README.md").write_text(model_card(f"{record['base']['name']} adapter", record))

    write_folder(out / ADAPTER, write)
