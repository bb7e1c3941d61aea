"""Packed batches: one image, then as many question-answer turns as fit, which do not see each other.

Each turn is trained exactly as if it stood alone behind the image (same positions, same context), but the image's 108
tokens are computed once for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from vlp.nano.code import GRID
from vlp.nano.sighted import SO
from vlp.nano.training.tokenizer import SPECIAL

TURN_TOKENS = 384
"""Room for the turns of a row, behind the image and what opens and ends it."""


@dataclass(frozen=True)
class Turn:
    """One question or instruction and its answer.

    Args:
        ask: the text behind the image, as the prompt renderer writes it.
        quote: the entries of the scene text that the model is to copy out first.
        reply: what it is to write then; "" for nothing but the quote.
        kind: the family, for counting.
    """

    ask: str
    quote: str
    reply: str
    kind: str = ""


@dataclass
class Packed:
    """A batch, all of fixed shape: `TURN_TOKENS` behind the prefix.

    Args:
        ids: (b, length) tokens.
        positions: (3, b, length) time, row, column.
        segments: (b, length) 0 in the prefix, 1.. by turn, -1 in the padding.
        labels: (b, TURN_TOKENS) the token to predict, -100 where none counts.
        weights: (b, TURN_TOKENS) how much each counts: a text's tokens together as the root of their number, else the few
            tokens of an answer would be drowned by the many of a policy.
    """

    ids: Tensor
    positions: Tensor
    segments: Tensor
    labels: Tensor
    weights: Tensor

    def bias(self) -> Tensor:
        """Return the additive attention bias (b, length, length)."""
        key, query = self.segments[:, None, :], self.segments[:, :, None]
        length = self.segments.shape[1]
        before = torch.ones(length, length, dtype=torch.bool).tril()
        seen = before & ((key == 0) | (key == query))
        return torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill_(~seen, -1e4)

    def without_image(self) -> "Packed":
        """Return the batch with the image tokens cut out; every other token keeps its position."""
        kept = torch.cat((torch.arange(2), torch.arange(2 + GRID.cells, self.ids.shape[1])))
        return replace(self, ids=self.ids[:, kept], positions=self.positions[..., kept], segments=self.segments[:, kept])


class Packer:
    """Turns texts into packed rows.

    Args:
        tokenizer: nano's.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        token = tokenizer.convert_tokens_to_ids
        self.encode = tokenizer.backend_tokenizer.encode
        self.pad, self.end = token(SPECIAL.pad), token(SPECIAL.end)
        self.user, self.assistant = token(SPECIAL.user), token(SPECIAL.assistant)
        prefix = [self.user, token(SPECIAL.vision_start), *[token(SPECIAL.image)] * GRID.cells, token(SPECIAL.vision_end)]
        self.prefix = np.array(prefix, dtype=np.int64)
        grid = np.indices((GRID.rows, GRID.columns)).reshape(2, -1)
        image = np.stack([np.full(GRID.cells, 2), 2 + grid[0], 2 + grid[1]])
        self.text_start = 2 + max(GRID.rows, GRID.columns) + 1
        ends = np.array([[0, 1], [0, 1], [0, 1]]), np.full((3, 1), self.text_start - 1)
        self.prefix_positions = np.concatenate([ends[0], image, ends[1]], axis=1)

    def row(self, turns: Sequence[Turn], scene: str = "") -> tuple[np.ndarray, ...]:
        """Return ids, positions, segments, labels and weights of one image's turns; turns that do not fit are left out.

        Args:
            turns: what is asked.
            scene: the text behind the image that all turns share.
        """
        prefix, length = len(self.prefix), len(self.prefix) + TURN_TOKENS
        ids = np.full(length, self.pad, dtype=np.int64)
        ids[:prefix] = self.prefix
        positions = np.zeros((3, length), dtype=np.int64)
        positions[:, :prefix] = self.prefix_positions
        segments = np.full(length, -1, dtype=np.int64)
        segments[:prefix] = 0
        labels = np.full(TURN_TOKENS, -100, dtype=np.int64)
        weights = np.zeros(TURN_TOKENS, dtype=np.float32)
        shared = self.encode(scene).ids
        at = prefix + len(shared)
        ids[prefix:at] = shared
        positions[:, prefix:at] = self.text_start + np.arange(len(shared))
        segments[prefix:at] = 0
        start = self.text_start + len(shared)
        for number, turn in enumerate(turns, start=1):
            written = [self.encode(text).ids for text in (turn.ask, turn.quote, SO, turn.reply)]
            ask, quote, so, reply = written
            parts = [[*ask, self.assistant], [*quote, self.end]]
            if turn.reply:
                parts += [[self.user, *so, self.assistant], [*reply, self.end]]
            stop = at + sum(map(len, parts))
            if stop > length:
                continue
            ids[at:stop] = [token for part in parts for token in part]
            positions[:, at:stop] = start + np.arange(stop - at)
            segments[at:stop] = number
            end = at - prefix
            for i, part in enumerate(parts):
                first, end = end, end + len(part)
                if i % 2:
                    labels[first:end] = part
                    weights[first:end] = len(part) ** -0.5
            at = stop
        return ids, positions, segments, labels, weights

    def batch(self, rows: Sequence[Sequence[Turn]], scenes: Sequence[str]) -> Packed:
        """Return the packed batch of several images' turns, with the text about each image."""
        columns = list(zip(*(self.row(turns, scene) for turns, scene in zip(rows, scenes, strict=True)), strict=True))
        ids, positions, segments, labels, weights = (torch.from_numpy(np.stack(c)) for c in columns)
        return Packed(ids, positions.permute(1, 0, 2), segments, labels, weights)
