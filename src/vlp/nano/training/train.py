"""The recipe of vlp-nano, from nothing to a model folder: frames, tokenizer, two stages, export.

vlp train nano --out DIR                 everything, resuming where it stopped
vlp train nano --out DIR --stage vision  one stage (vision and language may run side by side)
vlp train nano --out DIR --start nano    on from a model that exists
"""

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

from vlp.core.errors import UsageError
from vlp.core.files import write_whole
from vlp.models.catalogue import find_folder
from vlp.models.folder import ModelFolder, check_folder
from vlp.models.loading import find_device, load_model
from vlp.nano.training.data import imagined_scene
from vlp.nano.training.frames import ImaginedScenes, RenderedFrames
from vlp.nano.training.model import save_folder, small_config, wire
from vlp.nano.training.pretrain import PARTS, RECIPE, Trainer, join, run_stage
from vlp.nano.training.scores import score
from vlp.nano.training.tokenizer import build_tokenizer
from vlp.nano.training.turns import TurnSource, every_primitive
from vlp.nano.training.writing import Pieces
from vlp.sim.worlds.tabletop.frames import render_dataset

VALIDATION_FRAMES = 500


def train(
    out: Path,
    frames: int = 12_000,
    stage: str = "all",
    steps: int | None = None,
    workers: int = 2,
    threads: int = 2,
    policies: bool = True,
    compiled: bool = True,
    frames_dir: Path | None = None,
    device: str | None = None,
    start: str = "",
    rate_share: float = 1.0,
    seed: int = 0,
) -> None:
    """Train vlp-nano, or one stage of it, and write `out/model`.

    Args:
        out: the folder of frames, checkpoints, curves and the model.
        frames: rendered training frames.
        stage: "vision", "language", "export" or "all".
        steps: optimizer steps of the stage, instead of the recipe's.
        workers: processes that render.
        threads: threads of one stage.
        policies: without them the result is nano-base, which sees, answers, and says in words what it would do.
        compiled: compile the losses (30 s, then twice as fast).
        frames_dir: frames that exist already.
        device: "cpu", "cuda", ...; None takes a GPU where there is one.
        start: a model (see `vlp.models.catalogue.find_folder`) to go on from; "" begins with nothing.
        rate_share: part of the recipe's rates; a trained model wants less.
        seed: other scenes and turns for another number.
    """
    origin = check_folder(find_folder(start)) if start else None
    where = find_device(device)
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    out.mkdir(parents=True, exist_ok=True)
    name = _same_kind(out, "vlp-nano" if policies else "vlp-nano-base")
    missing = [each for each in PARTS if not (out / f"{each}.safetensors").is_file()]
    if stage == "export" and missing and origin is None:
        raise UsageError(f"{str(out)[:300]!r} has no {missing[0]} stage to export.", f"Train it first: --stage {missing[0]}.")
    folder = frames_dir or out / "frames"
    if frames_dir is None and stage != "export":
        render_dataset(folder, frames, "train", workers=workers)
        render_dataset(folder, VALIDATION_FRAMES, "validation", workers=workers)
    model, tokenizer = begin(out, origin)
    trainer = Trainer(model, tokenizer, where)
    turns = TurnSource("train", writing=None if policies else Pieces.of(tokenizer))
    for part in PARTS if stage == "all" else {stage} & set(PARTS):
        rendered = RenderedFrames(folder, "train")
        source = ImaginedScenes(rendered) if part == "language" else rendered
        recipe = RECIPE[part]
        rates = {"rate": recipe.rate * rate_share, "matrix_rate": recipe.matrix_rate * rate_share}
        plan = replace(recipe, **rates, steps=steps or recipe.steps, seed=seed)
        run_stage(part, trainer, source, turns, out, plan, compiled=compiled, evaluate=score(part, trainer, folder, turns))
    if stage in ("all", "export"):
        join(trainer, out)
        robot = every_primitive() if policies else None
        save_folder(model, tokenizer, out / "model", name, "brief" if policies else "brief_words", robot, turns.usual())


def begin(out: Path, origin: ModelFolder | None) -> tuple[Qwen2_5_VLForConditionalGeneration, PreTrainedTokenizerFast]:
    """Return the model to be trained and its tokenizer: a new one, or one that exists."""
    if origin is None:
        tokenizer = load_tokenizer(out)
        model = Qwen2_5_VLForConditionalGeneration(small_config(tokenizer))
        wire(model, tokenizer)
        return model, tokenizer
    tokenizer = PreTrainedTokenizerFast.from_pretrained(origin.path)
    return load_model(origin, None, torch.device("cpu"), torch.float32).train(), tokenizer


def _same_kind(out: Path, name: str) -> str:
    """Note in a run's folder which model it makes, and return the name; raises UsageError when it makes the other."""
    note = out / "name"
    found = note.read_text().strip() if note.is_file() else name
    if found != name:
        raise UsageError(f"{str(out)[:300]!r} is a training of {found}, not of {name}.", "Choose another --out.")
    write_whole(note, name + "\n")
    return name


def load_tokenizer(out: Path, samples: int = 20_000) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a run, made on first use from random samples of all texts and kept in `out/tokenizer`.

    Args:
        out: the run's folder.
        samples: texts that it is made from.
    """
    folder = out / "tokenizer"
    if (folder / "tokenizer.json").exists():
        return PreTrainedTokenizerFast.from_pretrained(folder)
    rng, draws, turns = Random(0), np.random.default_rng(0), TurnSource("train")
    corpus: list[str] = []
    for _ in range(samples // turns.count):
        for turn in turns.sample(imagined_scene(rng), draws):
            corpus += [turn.ask, turn.quote, turn.reply]
    tokenizer = build_tokenizer(every_primitive(), corpus, vocabulary_size=1000)
    tokenizer.save_pretrained(folder)
    return tokenizer
