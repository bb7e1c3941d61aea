"""Qwen2.5-VL's own arithmetic, batched for training on many images of one size.

The stock implementation loops over attention windows and keeps no batch axis in the vision tower. Here every image has the
same size, so windows and images become one batch axis, attention is written as two matrix products that a compiler can fuse,
and many question-answer segments share one image prefix by a block mask.
`tests/nano/test_batched.py` holds it equal to the stock modules.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl

qwen: Any = modeling_qwen2_5_vl
"""Its helpers for windows and positions are not exported; the equality test tells when they change."""


def _norm(x: Tensor, module: Any) -> Tensor:
    v = x.float()
    v = v * torch.rsqrt(v.pow(2).mean(-1, keepdim=True) + module.variance_epsilon)
    return module.weight * v.to(x.dtype)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


def _mlp(x: Tensor, module: Any) -> Tensor:
    return module.down_proj(F.silu(module.gate_proj(x)) * module.up_proj(x))


class BatchedVision:
    """The vision tower over a batch of images of one size.

    Args:
        model: the stock model, whose parameters are used as they are.
        height_px, width_px: the size; cut into whole windows.
    """

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration, height_px: int, width_px: int) -> None:
        visual: Any = model.model.visual
        config: Any = visual.config
        self.visual = visual
        self.patch, self.merge = config.patch_size, config.spatial_merge_size
        grid = torch.tensor([[1, height_px // self.patch, width_px // self.patch]])
        index, bounds = qwen.get_vision_window_index(
            grid, spatial_merge_size=self.merge, window_size=config.window_size, patch_size=self.patch
        )
        lengths = {int(n) for n in (bounds[1:] - bounds[:-1]).tolist()}
        if len(lengths) != 1:
            raise ValueError(f"windows of {config.window_size} pixels do not tile {width_px} x {height_px} pixels")
        self.window = lengths.pop()
        unit = self.merge * self.merge
        cos, sin = visual.rotary_pos_emb(torch.zeros(1), qwen.get_vision_position_ids(grid, self.merge))
        self.order = (index[:, None] * unit + torch.arange(unit)).flatten()
        self.inverse = torch.argsort(index)
        self.cos, self.sin = cos[self.order][:, None], sin[self.order][:, None]
        self.full = set(visual.fullatt_block_indexes)

    def to(self, device: torch.device) -> None:
        """Move what is computed once to where the model is; patches are cut on the CPU."""
        self.inverse, self.cos, self.sin = (table.to(device) for table in (self.inverse, self.cos, self.sin))

    def patches(self, pixels: Tensor) -> Tensor:
        """Return (b, n, 3 * patch * patch) patches in window order of normalised pixels (b, 3, h, w)."""
        b, c, h, w = pixels.shape
        p, m = self.patch, self.merge
        x = pixels.view(b, c, h // p // m, m, p, w // p // m, m, p).permute(0, 2, 5, 3, 6, 1, 4, 7)
        return x.reshape(b, -1, c * p * p)[:, self.order]

    def __call__(self, patches: Tensor) -> Tensor:
        """Return image tokens (b, cells, out_hidden_size), rows from the top."""
        b, n, _ = patches.shape
        # A still image fills both time steps of the stock patch embedding: its kernel summed over time is the same map.
        x = patches @ self.visual.patch_embed.proj.weight.sum(2).flatten(1).T
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        for i, block in enumerate(self.visual.blocks):
            heads = block.attn.num_heads
            q, k, v = block.attn.qkv(_norm(x, block.norm1)).view(b, n, 3, heads, -1).unbind(2)
            q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
            length = n if i in self.full else self.window
            q, k, v = (t.reshape(b * n // length, length, heads, -1).transpose(1, 2) for t in (q, k, v))
            weights = torch.softmax((q * block.attn.scaling) @ k.transpose(-1, -2), -1).to(v.dtype)
            x = x + block.attn.proj((weights @ v).transpose(1, 2).reshape(b, n, -1))
            x = x + _mlp(_norm(x, block.norm2), block.mlp)
        merger = self.visual.merger
        x = _norm(x, merger.ln_q).reshape(b, n // self.merge**2, -1)
        return merger.mlp(x)[:, self.inverse]


class BatchedLanguage:
    """The language part over packed sequences: one image prefix, then segments that do not see each other."""

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration) -> None:
        self.language: Any = model.model.language_model
        self.sections = self.language.config.rope_parameters["mrope_section"]

    def rotary(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return cos and sin (b, 1, n, head_dim) for positions (3, b, n) of time, row and column."""
        device = self.language.rotary_emb.inv_freq.device
        cos, sin = self.language.rotary_emb(torch.zeros(1, device=device), positions.to(device))
        return cos[:, None], sin[:, None]

    def __call__(self, x: Tensor, cos: Tensor, sin: Tensor, bias: Tensor) -> Tensor:
        """Return the last hidden states (b, n, d) of embeddings x under an additive attention bias (b, n, n)."""
        b, n, width = x.shape
        config = self.language.config
        heads, groups = config.num_attention_heads, config.num_key_value_heads
        size, shared = width // heads, heads // groups
        cos, sin = cos.to(x.dtype), sin.to(x.dtype)
        for layer in self.language.layers:
            attention = layer.self_attn
            h = _norm(x, layer.input_layernorm)
            q = attention.q_proj(h).view(b, n, heads, size).transpose(1, 2)
            k = attention.k_proj(h).view(b, n, groups, size).transpose(1, 2)
            v = attention.v_proj(h).view(b, n, groups, size).transpose(1, 2)
            q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
            q = q.reshape(b, groups, shared * n, size) * attention.scaling
            scores = (q @ k.transpose(-1, -2)).view(b, groups, shared, n, n) + bias[:, None, None]
            weights = torch.softmax(scores, -1).to(v.dtype).view(b, groups, shared * n, n)
            x = x + attention.o_proj((weights @ v).view(b, heads, n, size).transpose(1, 2).reshape(b, n, width))
            x = x + _mlp(_norm(x, layer.post_attention_layernorm), layer.mlp)
        return _norm(x, self.language.norm)
