"""Scores on validation frames while nano trains: boxes read off the code, and replies that greedy decoding would get right.

A reply is greedy-right when every token of it is the most probable one given those before it: one forward pass tells.
"""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from vlp.core.observation import iou
from vlp.nano.code import CHANNELS, GRID, decode
from vlp.nano.training.data import LabelledScene, code_batch
from vlp.nano.training.frames import RenderedFrames
from vlp.nano.training.packing import TURN_TOKENS, Turn
from vlp.nano.training.pretrain import lift
from vlp.nano.training.turns import TurnSource


def score(name: str, trainer, folder: Path, source: TurnSource, n: int = 200) -> Callable[[bool], dict[str, float]]:
    """Return the function that scores a stage: it returns rates between 0 and 1 (of false objects, how many an image).

    Args:
        name: the stage.
        trainer: the `vlp.nano.training.pretrain.Trainer`.
        folder: frames with a validation split.
        source: of the turns that are trained on; as many kinds are asked here.
        n: frames.
    """
    frames = RenderedFrames(folder, "validation")
    turns = TurnSource("train", source.writing, count=7)
    rng = np.random.default_rng(7)
    chosen = [int(i) for i in rng.permutation(len(frames))[:n]]
    asked = {i: turns.sample(frames.scene(i), rng) for i in chosen}

    def evaluate(images: bool) -> dict[str, float]:
        rates: dict[str, list[float]] = defaultdict(list)
        for start in range(0, len(chosen), 20):
            batch = chosen[start : start + 20]
            scenes = [frames.scene(i) for i in batch]
            with torch.no_grad(), torch.autocast(trainer.device.type, dtype=torch.bfloat16):
                image = _image(name, trainer, frames, batch, scenes)
                if name != "language":
                    _score_boxes(image.float().cpu().numpy(), scenes, rates)
                if name != "vision":
                    _score_replies(trainer, image if images else None, scenes, [asked[i] for i in batch], rates)
        return {kind: round(float(np.mean(values)), 3) for kind, values in sorted(rates.items())}

    return evaluate


def _image(name: str, trainer, frames: RenderedFrames, batch: list[int], scenes: list[LabelledScene]) -> torch.Tensor:
    if name == "language":
        return lift(code_batch(scenes).to(trainer.device), trainer.embedding.shape[1])
    pixels = torch.from_numpy(np.stack([frames.image(i) for i in batch])).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return trainer.vision(trainer.vision.patches(pixels).to(trainer.device))


def _score_boxes(tokens: np.ndarray, scenes: list[LabelledScene], rates: dict[str, list[float]]) -> None:
    codes = tokens[..., :CHANNELS].reshape(len(scenes), GRID.rows, GRID.columns, CHANNELS)
    for code, scene in zip(codes, scenes, strict=True):
        found = {o.phrase: o for o in decode(code)}
        for item in scene.objects:
            other = found.pop(item.phrase, None)
            rates["boxes"].append(float(other is not None and iou(item.box, other.box) >= 0.5))
        rates["false_objects"].append(float(len(found)))


def _score_replies(
    trainer,
    image: torch.Tensor | None,
    scenes: list[LabelledScene],
    turns: list[list[Turn]],
    rates: dict[str, list[float]],
) -> None:
    packed = trainer.packer.batch(turns, [s.text() for s in scenes])
    ids, cos, sin, bias, labels, _ = trainer.text_inputs(packed if image is not None else packed.without_image())
    x = torch.nn.functional.embedding(ids, trainer.embedding)
    if image is not None:
        x = torch.cat((x[:, :2], image.to(x.dtype), x[:, 2 + GRID.cells :]), dim=1)
    hidden = trainer.language(x, cos, sin, bias)[:, -TURN_TOKENS - 1 : -1]
    right = ((hidden @ trainer.embedding.T).argmax(-1) == labels) | (labels == -100)
    right, segments = right.cpu(), packed.segments[:, -TURN_TOKENS:]
    writing = dict.fromkeys(("copy", "fill", "each", "look"), "writing")
    groups = {"ask": "questions", "wanted": "wanted", "meant": "wanted", **writing}
    for row, asked in enumerate(turns):
        for number, turn in enumerate(asked, start=1):
            mine = segments[row] == number
            if mine.any():
                exact = float(right[row][mine].all())
                group = groups.get(turn.ask.partition(":")[0], "instructions")
                rates[group].append(exact)
                rates[f"{group[0]}_{turn.kind}"].append(exact)
