"""The language part of a Qwen2.5-VL, run a few tokens at a time: transformers' weights and numbers, without its work per call.

With 5 million parameters a pass over one token takes 5.6 ms through transformers' own `forward`, nearly all of it Python, and a
quarter of that here. Keys and values lie in one buffer, with a mark for each: what a prompt has in common with the last one is
not read again.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vlp.core.errors import UsageError
from vlp.models.in_process import Mark, Marks


class Engine(Marks):
    """A language part with the keys and values of all that it was fed.

    Args:
        model: a `Qwen2_5_VLForConditionalGeneration`, with or without an adapter beside its weights.
        joined: copy linear maps of one input into one; for a small model, whose passes are calls more than arithmetic.

    Raises:
        UsageError: the model attends to a sliding window.
    """

    def __init__(self, model: Any, joined: bool = False) -> None:
        decoder, config = model.model.language_model, model.config.text_config
        if {*config.layer_types} - {"full_attention"}:
            raise UsageError("the model attends to a sliding window.", "Set use_sliding_window to false in its config.json.")
        super().__init__()
        self._head = model.lm_head
        self._layers = [_Layer(block, config, joined) for block in decoder.layers]
        self._norm = normed(decoder.norm)
        self._rope = _Rope(decoder.rotary_emb, config)
        heads, width = config.num_key_value_heads, config.hidden_size // config.num_attention_heads
        like = decoder.embed_tokens.weight
        self._held = torch.empty((len(self._layers), 2, 1, heads, 0, width), dtype=like.dtype, device=like.device)

    def feed(self, embedded: Tensor, positions: Tensor, marks: Sequence[Mark], keep: int) -> Tensor:
        """Read tokens, and return the logits (keep, vocabulary) of the last ones.

        Args:
            embedded: (n, width) in place of their ids.
            positions: (3, n) in time, height and width.
            marks: n of them.
            keep: how many of the last tokens are asked about.
        """
        before, n = len(self.marks), len(marks)
        whole = before + n
        self._make_room(whole)
        turned = self._rope.at(positions, embedded.dtype)
        # Each new token sees all that is held and the new ones up to itself; one alone needs no mask.
        mask = None if n == 1 else embedded.new_ones((n, whole), dtype=torch.bool).tril(before)
        x = embedded[None]
        for layer, held in zip(self._layers, self._held, strict=True):
            x = layer.read(x, turned, held, before, mask)
        self.marks += marks
        return self._head(self._norm(x[0, n - keep :]))

    def _make_room(self, tokens: int) -> None:
        room = self._held.shape[-2]
        if tokens > room:
            more = (*self._held.shape[:-2], max(tokens, 2 * room, 512) - room, self._held.shape[-1])
            self._held = torch.cat([self._held, self._held.new_empty(more)], dim=-2)


class _Layer:
    """One layer: attention and a gated feed-forward network, each with what goes past it."""

    def __init__(self, block: Any, config: Any, joined: bool) -> None:
        attention, forward, side_by_side = block.self_attn, block.mlp, joined_up if joined else beside
        self.before, self.between = normed(block.input_layernorm), normed(block.post_attention_layernorm)
        self.asked = side_by_side(attention.q_proj, attention.k_proj, attention.v_proj)
        self.answered = attention.o_proj
        self.gated = side_by_side(forward.gate_proj, forward.up_proj)
        self.narrowed = forward.down_proj
        self.queries, self.keys = config.num_attention_heads, config.num_key_value_heads
        self.width = config.hidden_size // config.num_attention_heads

    def read(self, x: Tensor, turned: tuple[Tensor, Tensor], held: Tensor, before: int, mask: Tensor | None) -> Tensor:
        whole = before + x.shape[1]
        heads = self.asked(self.before(x)).view(1, x.shape[1], -1, self.width).transpose(1, 2)
        turning = self.queries + self.keys
        asking = turn(heads[:, :turning], turned)
        held[0, :, :, before:whole], held[1, :, :, before:whole] = asking[:, self.queries :], heads[:, turning:]
        found = functional.scaled_dot_product_attention(
            asking[:, : self.queries], held[0, :, :, :whole], held[1, :, :, :whole], mask, enable_gqa=True
        )
        x = x + self.answered(found.transpose(1, 2).reshape(1, x.shape[1], -1))
        gate, up = self.gated(self.between(x)).chunk(2, dim=-1)
        return x + self.narrowed(functional.silu(gate) * up)


class _Rope:
    """Rotary positions in time, height and width (arXiv 2409.12191, section 2.1): each turns its own part of a head."""

    def __init__(self, embedding: Any, config: Any) -> None:
        sections = torch.tensor(config.rope_parameters["mrope_section"])
        self._axis = torch.arange(3).repeat_interleave(sections).to(embedding.inv_freq.device)
        self._frequencies, self._scale = embedding.inv_freq.float(), embedding.attention_scaling

    def at(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        angles = positions[self._axis].T * self._frequencies
        angles = torch.cat((angles, angles), dim=-1)
        return (angles.cos() * self._scale).to(dtype), (angles.sin() * self._scale).to(dtype)


def turn(heads: Tensor, turned: tuple[Tensor, Tensor]) -> Tensor:
    half = heads.shape[-1] // 2
    return heads * turned[0] + torch.cat((-heads[..., half:], heads[..., :half]), dim=-1) * turned[1]


def normed(module: Any) -> Callable[[Tensor], Tensor]:
    """Return a norm: torch's own at full precision; narrower numbers are rounded where transformers rounds them."""
    weight, eps = module.weight, module.variance_epsilon
    if weight.dtype != torch.float32:
        return module
    return lambda x: functional.rms_norm(x, weight.shape, weight, eps)


def beside(*modules: Any) -> Callable[[Tensor], Tensor]:
    """Return what linear maps, with or without adapters, make of one input, one behind the other."""
    return lambda x: torch.cat([module(x) for module in modules], dim=-1)


def joined_up(*modules: Any) -> Callable[[Tensor], Tensor]:
    """Return the same as one product, where there are no adapters."""
    if any(type(module) is not nn.Linear for module in modules):
        return beside(*modules)
    weight = torch.cat([module.weight.detach() for module in modules])
    bias = None if modules[0].bias is None else torch.cat([module.bias.detach() for module in modules])
    return lambda x: functional.linear(x, weight, bias)
