"""The vision tower of a Qwen2.5-VL, run as `vlp.models.engine` runs its language part.

In a tower of 2 million parameters transformers spends a third of its time in a convolution whose patches do not overlap (here a
product of matrices), and asks for attention window by window (here for all windows at once).
"""

import functools
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from vlp.models.engine import beside, joined_up, normed, turn


class VisionEngine:
    """A vision tower.

    Args:
        tower: transformers' own, with or without adapters.
        joined: see `Engine`.
    """

    def __init__(self, tower: Any, joined: bool = False) -> None:
        config = tower.config
        self._merge = config.spatial_merge_size
        self._window = config.window_size // config.patch_size // self._merge
        self._whole = {*config.fullatt_block_indexes}
        self._blocks = [_Block(block, config.num_heads, joined) for block in tower.blocks]
        self._patches, self._merger = tower.patch_embed.proj, tower.merger
        self._rope = tower.rotary_pos_emb

    def read(self, pixels: Tensor, grid: tuple[int, int, int]) -> Tensor:
        """Return the image tokens (n, width) of one image.

        Args:
            pixels: (patches, numbers), as the image processor cuts them.
            grid: frames, rows and columns of patches; one frame.
        """
        order, sizes, cos, sin = self._layout(grid, pixels.device)
        block = self._merge**2
        weight = self._patches.weight
        x = functional.linear(pixels.to(weight.dtype), weight.flatten(1))
        x = x.view(-1, block, x.shape[-1])[order].flatten(0, 1)
        for i, layer in enumerate(self._blocks):
            x = layer.read(x, (cos, sin), [len(x)] if i in self._whole else sizes)
        seen = self._merger(x)
        return torch.empty_like(seen).index_copy_(0, order, seen)

    @functools.lru_cache(maxsize=8)  # noqa: B019 - a model has one, for as long as it lives
    def _layout(self, grid: tuple[int, int, int], device: torch.device) -> tuple[Tensor, list[int], Tensor, Tensor]:
        """Return the order of merged patches by window, the sizes of windows in patches, and how far patches are turned."""
        side, merge = self._window, self._merge
        rows, columns = grid[1] // merge, grid[2] // merge
        index = torch.arange(rows * columns).view(rows, columns)
        windows = [index[r : r + side, c : c + side].flatten() for r in range(0, rows, side) for c in range(0, columns, side)]
        order = torch.cat(windows)
        inside = torch.arange(merge)
        down = ((order // columns) * merge)[:, None, None] + inside[:, None]
        right = ((order % columns) * merge)[:, None, None] + inside
        places = torch.stack([one.expand(-1, merge, merge).flatten() for one in (down, right)]).to(device)
        angles = (places[..., None] * self._rope.inv_freq.float()).transpose(0, 1).flatten(1).repeat(1, 2)
        return order.to(device), [len(window) * merge**2 for window in windows], angles.cos(), angles.sin()


class _Block:
    """One block: attention among the patches of a window, or of the image, and a gated feed-forward network."""

    def __init__(self, block: Any, heads: int, joined: bool) -> None:
        forward = block.mlp
        self.before, self.between = normed(block.norm1), normed(block.norm2)
        self.asked, self.answered, self.heads = block.attn.qkv, block.attn.proj, heads
        self.gated = (joined_up if joined else beside)(forward.gate_proj, forward.up_proj)
        self.narrowed = forward.down_proj

    def read(self, x: Tensor, turned: tuple[Tensor, Tensor], sizes: list[int]) -> Tensor:
        asked = self.asked(self.before(x)).view(len(x), 3, self.heads, -1).permute(1, 2, 0, 3)  # (3, heads, patches, width)
        turning = turn(asked[:2].float(), turned).to(x.dtype)
        if {*sizes} == {sizes[0]}:
            queries, keys, values = (
                part.unflatten(1, (-1, sizes[0])).transpose(0, 1) for part in (turning[0], turning[1], asked[2])
            )
            found = functional.scaled_dot_product_attention(queries, keys, values).permute(0, 2, 1, 3)
        else:
            parts = (part.split(sizes, dim=1) for part in (turning[0], turning[1], asked[2]))
            windows = zip(*parts, strict=True)
            each = [functional.scaled_dot_product_attention(*(part[None] for part in window)) for window in windows]
            found = torch.cat([one[0].transpose(0, 1) for one in each])
        x = x + self.answered(found.reshape(len(x), -1))
        gate, up = self.gated(self.between(x)).chunk(2, dim=-1)
        return x + self.narrowed(functional.silu(gate) * up)
