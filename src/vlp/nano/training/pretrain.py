"""Train vlp-nano from scratch: two stages, each resumable, side by side on two CPU cores.

1. `vision`: the tower alone learns to write the scene code (what is where) into the first channels of its tokens.
2. `language`: the language part learns to answer and to plan from the labels of frames: scene codes in place of image tokens,
   and the text that is read off them (`vlp.nano.scene`). It needs no picture and no vision tower.

The stages meet in the scene code (`vlp.nano.code`).
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

from vlp.nano.code import CHANNELS, GRID, SHARPNESS, SLOTS
from vlp.nano.training.batched import BatchedLanguage, BatchedVision
from vlp.nano.training.data import FrameSource, code_batch, noisy_codes
from vlp.nano.training.packing import TURN_TOKENS, Packed, Packer
from vlp.nano.training.turns import TurnSource
from vlp.training.curve import add_row, cut_curve, plot_curve

PARTS = {"vision": "model.visual", "language": "model.language_model"}
"""The part of the model that a stage trains and its checkpoint keeps."""


@dataclass(frozen=True)
class Stage:
    """How long and how fast one stage learns.

    Args:
        steps: optimizer steps.
        batch: images a step.
        rate: highest learning rate; a cosine goes from it to a fiftieth.
        matrix_rate: Muon's for the matrices; the language part's attention saturates at too high a one.
        seed: of the frames and turns drawn.
        images_from: share of the language stage without image tokens: they are a quarter of a row, and the text says what they
            say.
    """

    steps: int
    batch: int
    rate: float
    matrix_rate: float
    seed: int = 0
    images_from: float = 0.92


RECIPE: dict[str, Stage] = {
    "vision": Stage(steps=4000, batch=24, rate=1e-3, matrix_rate=8e-3),
    "language": Stage(steps=8000, batch=12, rate=1e-3, matrix_rate=3e-3),
}


def code_loss(tokens: Tensor, target: Tensor) -> Tensor:
    """Return the loss of image tokens (b, cells, d) against codes (b, cells, CHANNELS).

    Presence is a balanced decision in every cell; colour, kind, box and flags count where there is an object, and are
    drawn to 0 elsewhere.
    """
    code = tokens[..., :CHANNELS].float()
    total = 0.05 * code.square().mean()
    for slot in SLOTS:
        present = target[..., slot.start]
        logit = SHARPNESS * (code[..., slot.start] - 0.5)
        weight = torch.where(present > 0, 1.0, 0.3)
        objects = present.sum() + 1e-6
        total = total + (F.binary_cross_entropy_with_logits(logit, present, reduction="none") * weight).sum() / objects
        for part in (slot.colours, slot.kind):
            log_p = torch.log_softmax(SHARPNESS * code[..., part], -1)
            total = total - (log_p * target[..., part]).sum(-1).mul(present).sum() / objects
        inside = slice(slot.colours.start, slot.kind.stop)
        total = total + 2 * (code[..., inside] - target[..., inside]).square().sum(-1).mul(present).sum() / objects
        box = F.smooth_l1_loss(code[..., slot.measures], target[..., slot.measures], reduction="none", beta=0.1).sum(-1)
        total = total + 4 * box.mul(present).sum() / objects
        flags = F.binary_cross_entropy_with_logits(
            SHARPNESS * (code[..., slot.flags] - 0.5), target[..., slot.flags], reduction="none"
        )
        total = total + 0.5 * flags.sum(-1).mul(present).sum() / objects
    return total


def text_loss(hidden: Tensor, embedding: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted loss of hidden states (b, TURN_TOKENS, d) that predict `labels`."""
    logits = (hidden @ embedding.T).float()
    losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="none")
    return (losses * weights.flatten()).sum() / weights.sum()


def lift(code: Tensor, width: int) -> Tensor:
    """Return image tokens (b, cells, width): codes (b, cells, CHANNELS), zeros, and a mark in the last channel.

    The mark makes empty cells alike. Without it the first norm blows their small noise up to a hundred loud tokens, between
    which the text is hard to find.
    """
    return F.pad(F.pad(code, (0, width - CHANNELS - 1)), (0, 1), value=2.0)


def optimizers(part: torch.nn.Module, stage: Stage) -> tuple[torch.optim.Optimizer, ...]:
    """Return Muon for the matrices inside the layers and AdamW for everything else (embeddings, norms, convolutions).

    Muon orthogonalises the momentum of a matrix (Jordan et al. 2024); its rate is scaled to match AdamW's update size.
    """
    matrices = [p for n, p in part.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in part.named_parameters() if p.ndim != 2 or "embed" in n]
    return (
        torch.optim.Muon(matrices, lr=stage.matrix_rate, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=stage.rate, betas=(0.9, 0.98), weight_decay=0.02),
    )


class Trainer:
    """What the stages share: the model, its batched forward passes, and the losses.

    Args:
        model: is moved to the device.
        tokenizer: its own.
        device: where it is trained; None for the CPU.
    """

    def __init__(
        self,
        model: Qwen2_5_VLForConditionalGeneration,
        tokenizer: PreTrainedTokenizerFast,
        device: torch.device | None = None,
    ) -> None:
        self.model, self.device = model, device or torch.device("cpu")
        self.packer = Packer(tokenizer)
        self.vision = BatchedVision(model, GRID.height_px, GRID.width_px)
        self.language = BatchedLanguage(model)
        torch.nn.Module.to(model, self.device)
        self.vision.to(self.device)
        self.embedding = model.model.language_model.embed_tokens.weight

    @torch.no_grad()
    def fold_lift(self) -> None:
        """Put `lift` into the last layer of the vision tower, which so far writes anything beyond the code."""
        last: Any = self.model.model.visual.merger.mlp[2]
        last.weight[CHANNELS:] = 0
        last.bias.copy_(lift(last.bias[:CHANNELS], len(last.bias)))

    def vision_loss(self, patches: Tensor, target: Tensor) -> Tensor:
        """Stage 1."""
        return code_loss(self.vision(patches), target)

    def language_loss(
        self, code: Tensor, ids: Tensor, cos: Tensor, sin: Tensor, bias: Tensor, labels: Tensor, weights: Tensor
    ) -> Tensor:
        """Stage 2: codes (b, cells, CHANNELS) stand in the prefix in place of image tokens; (b, 0, CHANNELS) for none."""
        image, cells = lift(code, self.embedding.shape[1]), code.shape[1]
        x = F.embedding(ids, self.embedding)
        x = torch.cat((x[:, :2], image.to(x.dtype), x[:, 2 + cells :]), dim=1)
        hidden = self.language(x, cos, sin, bias)[:, -TURN_TOKENS - 1 : -1]
        return text_loss(hidden, self.embedding, labels, weights)

    def text_inputs(self, packed: Packed) -> tuple[Tensor, ...]:
        """Return what `language_loss` wants behind the image."""
        cos, sin = self.language.rotary(packed.positions)
        inputs = (packed.ids, cos, sin, packed.bias(), packed.labels, packed.weights)
        return tuple(tensor.to(self.device) for tensor in inputs)


def batches(
    name: str, stage: Stage, trainer: Trainer, frames: FrameSource, turns: TurnSource, start: int
) -> Iterator[tuple[Tensor, ...]]:
    """Yield the inputs of one stage's loss for each step from `start` on."""
    rng = np.random.default_rng((1000 + start, stage.seed))
    for step in range(start, stage.steps):
        chosen = rng.integers(len(frames), size=stage.batch)
        if name == "language":
            scenes = [frames.scene(int(i)) for i in chosen]
            packed = trainer.packer.batch([turns.sample(s, rng) for s in scenes], [s.text() for s in scenes])
            if step < stage.images_from * stage.steps:
                yield torch.zeros(len(scenes), 0, CHANNELS), *trainer.text_inputs(packed.without_image())
            else:
                yield noisy_codes(scenes, rng), *trainer.text_inputs(packed)
            continue
        pixels, labels = frames.augmented(chosen, rng)
        yield trainer.vision.patches(pixels), code_batch(labels)


def run_stage(
    name: str,
    trainer: Trainer,
    frames: FrameSource,
    turns: TurnSource,
    out: Path,
    stage: Stage,
    *,
    compiled: bool = True,
    save_every_s: float = 120.0,
    evaluate: Callable[[bool], dict[str, float]] | None = None,
    evaluate_every: int = 250,
    tell_every: int = 50,
) -> None:
    """Run one stage from its last checkpoint to its end, writing `out/NAME.jsonl`, `NAME.png` and `NAME.safetensors`.

    Args:
        name: "vision" or "language".
        trainer: holds the model, which is changed in place.
        frames, turns: where pictures, labels and texts come from.
        out: the folder of checkpoints and curves.
        stage: steps, batch and rate.
        compiled: compile the loss (30 s, then twice as fast on CPU).
        save_every_s: seconds between checkpoints.
        evaluate: called now and then with whether image tokens are in use; its numbers go into the curve.
        evaluate_every: steps between evaluations and pictures of the curve.
        tell_every: steps between the curve's rows.
    """
    model = trainer.model
    part = model.get_submodule(PARTS[name])
    both = optimizers(part, stage)
    peaks = [group["lr"] for optimizer in both for group in optimizer.param_groups]
    start = _load(out, name, model, both)
    loss_of: Any = {"vision": trainer.vision_loss, "language": trainer.language_loss}[name]
    if compiled:
        loss_of = torch.compile(loss_of, dynamic=False)
    source = batches(name, stage, trainer, frames, turns, start)
    curve = out / f"{name}.jsonl"
    cut_curve(curve, start)
    saved = began = time.monotonic()
    recent: list[float] = []
    for step, inputs in enumerate(source, start):
        _set_rates(both, peaks, _schedule(step, stage.steps))
        recent.append(_learn(part, both, loss_of, [tensor.to(trainer.device) for tensor in inputs]))
        if (step + 1) % tell_every == 0:
            row: dict[str, Any] = {"step": step + 1, "loss": round(sum(recent) / len(recent), 4)}
            row["elapsed_s"] = round(time.monotonic() - began, 1)
            recent.clear()
            if evaluate and (step + 1) % evaluate_every == 0:
                row |= evaluate(step >= stage.images_from * stage.steps)
            add_row(curve, row)
            print(f"{name} {step + 1}/{stage.steps} " + " ".join(f"{k} {v}" for k, v in row.items()), flush=True)
        if time.monotonic() - saved > save_every_s or step + 1 == stage.steps:
            _save(out, name, step + 1, model, both)
            saved = time.monotonic()
        if (step + 1) % evaluate_every == 0 or step + 1 == stage.steps:
            plot_curve(curve, out / f"{name}.png", f"vlp-nano, {name}", "loss", ("boxes", "instructions", "questions"))


def _set_rates(both: tuple[torch.optim.Optimizer, ...], peaks: list[float], share: float) -> None:
    groups = [group for optimizer in both for group in optimizer.param_groups]
    for group, peak in zip(groups, peaks, strict=True):
        group["lr"] = peak * share


def _learn(
    part: torch.nn.Module, both: tuple[torch.optim.Optimizer, ...], loss_of: Callable[..., Tensor], inputs: list[Tensor]
) -> float:
    """Take one optimizer step, and return the loss before it."""
    with torch.autocast(inputs[0].device.type, dtype=torch.bfloat16):
        loss = loss_of(*inputs)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(part.parameters(), 1.0)
    for optimizer in both:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def _schedule(step: int, steps: int, warm_up: int = 100) -> float:
    return min(1.0, (step + 1) / warm_up) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _save(out: Path, name: str, step: int, model: torch.nn.Module, both: tuple[torch.optim.Optimizer, ...]) -> None:
    """Write weights, optimizer state and step in one file, atomically."""
    state = model.state_dict()
    tensors = {f"model.{k}": v.contiguous() for k, v in state.items() if k.startswith(PARTS[name])}
    for optimizer in both:
        for i, state in optimizer.state_dict()["state"].items():
            kind = type(optimizer).__name__
            tensors |= {f"{kind}.{i}.{k}": torch.as_tensor(v).contiguous() for k, v in state.items()}
    temporary = out / f".{name}.safetensors"
    save_file(tensors, temporary, metadata={"step": str(step)})
    temporary.replace(out / f"{name}.safetensors")


def _load(out: Path, name: str, model: torch.nn.Module, both: tuple[torch.optim.Optimizer, ...]) -> int:
    """Take up a stage's checkpoint when there is one, and return its step."""
    file = out / f"{name}.safetensors"
    if not file.exists():
        return 0
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        step = int(opened.metadata()["step"])
    tensors = load_file(file)
    model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")}, strict=False)
    for optimizer in both:
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            kind, index, field = key.split(".", 2)
            if kind == type(optimizer).__name__:
                states.setdefault(int(index), {})[field] = value
        optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    return step


def join(trainer: Trainer, out: Path) -> None:
    """Put the results of the stages that were run into the trainer's model."""
    for name, prefix in PARTS.items():
        if not (out / f"{name}.safetensors").is_file():
            continue  # the model that was gone on from has this part
        tensors = load_file(out / f"{name}.safetensors")
        chosen = {k[6:]: v for k, v in tensors.items() if k.startswith("model." + prefix)}
        trainer.model.load_state_dict(chosen, strict=False)
    trainer.fold_lift()
