"""A step of LoRA in float32 on a CPU with less arithmetic and memory: forwards that stand in for transformers' own.

Weights, adapters and their names stay where PEFT has them. Compared with transformers' layers: `vlp.training.adapted` computes
what is linear; the decoder's last layer computes only the columns that are scored; windows of the tower are attended in one
call for each length instead of one for each window.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vlp.training.adapted import Adapted, Added, GatedMlp, Heads

Forward = Callable[..., Any]


@contextmanager
def standing_in(forwards: Mapping[Any, Forward]) -> Iterator[None]:
    """Let functions stand in for modules' forwards."""
    for module, forward in forwards.items():
        module.forward = forward
    try:
        yield
    finally:
        for module in forwards:
            del module.forward


class LeanLayers:
    """The forwards that may stand in for a model's layers.

    Args:
        model: with its adapter.
    """

    def __init__(self, model: Any) -> None:
        layers, blocks = model.model.language_model.layers, model.model.visual.blocks
        self.decoder = {layer: _DecoderLayer(layer) for layer in layers if _fits(layer, layer.self_attn, "qkvo")}
        self.tower = {block: _VisionBlock(block) for block in blocks if _fits(block, block.attn, ("qkv", "proj"))}
        self.last = self.decoder.get(layers[-1])

    def __bool__(self) -> bool:
        return bool(self.last)

    def forwards(self, keep: int) -> dict[Any, Forward]:
        """Return the forwards by layer.

        Args:
            keep: columns of the decoder that are wanted, from the right.
        """
        last = {layer: partial(lean, keep=keep) for layer, lean in self.decoder.items() if lean is self.last}
        return {**self.tower, **self.decoder, **last}


def _fits(layer: Any, attention: Any, names: Any) -> bool:
    """Return whether all linear layers have a LoRA adapter on frozen float32 weights on a CPU, as `lora_config` makes it."""
    mlp = layer.mlp
    linears = [getattr(attention, name if len(name) > 1 else f"{name}_proj") for name in names]
    linears += [mlp.gate_proj, mlp.up_proj, mlp.down_proj]
    return type(mlp.act_fn).__name__ in ("SiLU", "SiLUActivation") and all(_plain(linear) for linear in linears)


def _plain(linear: Any) -> bool:
    if list(getattr(linear, "lora_A", ())) != ["default"] or linear.merged or linear.lora_variant:
        return False
    weight = linear.base_layer.weight
    return weight.device.type == "cpu" and weight.dtype == torch.float32 and not weight.requires_grad


class _Lean:
    """A layer's stand-in; activations are computed again in the backward pass where the layer is told so."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.wide, self.down = Adapted(layer.mlp.gate_proj, layer.mlp.up_proj), Adapted(layer.mlp.down_proj)

    def __call__(self, hidden: Tensor, **options: Any) -> Tensor:
        """Return the layer's output."""
        if self.layer.gradient_checkpointing and self.layer.training and torch.is_grad_enabled():
            return self.layer._gradient_checkpointing_func(partial(self.compute, **options), hidden)
        return self.compute(hidden, **options)

    def compute(self, hidden: Tensor, **options: Any) -> Tensor:
        raise NotImplementedError

    def mlp(self, hidden: Tensor, norm: Any) -> Tensor:
        return GatedMlp.apply(hidden, norm, self.wide, self.down, *self.wide.factors, *self.down.factors)  # type: ignore[return-value]


class _DecoderLayer(_Lean):
    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        attention = layer.self_attn
        self.counts = [p.out_features // attention.head_dim for p in (attention.q_proj, attention.k_proj, attention.v_proj)]
        self.query, self.keys = Adapted(attention.q_proj), Adapted(attention.k_proj, attention.v_proj)
        self.all, self.out = Adapted(attention.q_proj, attention.k_proj, attention.v_proj), Adapted(attention.o_proj)

    def compute(
        self, hidden: Tensor, *, attention_mask: Tensor | None, position_embeddings: Any, keep: int = 0, **_: Any
    ) -> Tensor:
        norm, (q, k, v) = self.layer.input_layernorm, self.counts
        cos, sin = (part.unsqueeze(-2) for part in position_embeddings)
        length = hidden.shape[1]
        if 0 < keep < length:
            if attention_mask is None:
                attention_mask = hidden.new_ones(length, length, dtype=torch.bool).tril()[None, None]
            attention_mask = attention_mask[:, :, -keep:]
            keys, values = _heads(hidden, norm, self.keys, [k, v], k, cos, sin)
            hidden = hidden[:, -keep:]
            (queries,) = _heads(hidden, norm, self.query, [q], q, cos[:, -keep:], sin[:, -keep:])
        else:
            queries, keys, values = _heads(hidden, norm, self.all, [q, k, v], q + k, cos, sin)
        queries, keys, values = (part.transpose(1, 2) for part in (queries, keys, values))
        seen = F.scaled_dot_product_attention(
            queries, keys, values, attention_mask, is_causal=attention_mask is None, enable_gqa=True
        )
        hidden = _added(hidden, seen.transpose(1, 2).flatten(-2), self.out)
        return self.mlp(hidden, self.layer.post_attention_layernorm)


class _VisionBlock(_Lean):
    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.all, self.out = Adapted(layer.attn.qkv), Adapted(layer.attn.proj)

    def compute(self, hidden: Tensor, *, cu_seqlens: Tensor, position_embeddings: Any, **_: Any) -> Tensor:
        cos, sin = (part.unsqueeze(-2) for part in position_embeddings)
        heads = self.layer.attn.num_heads
        queries, keys, values = _heads(hidden, self.layer.norm1, self.all, [heads] * 3, 2 * heads, cos, sin)
        seen = attend_runs(queries, keys, values, cu_seqlens.diff().tolist())
        return self.mlp(_added(hidden, seen.flatten(-2), self.out), self.layer.norm2)


def attend_runs(queries: Tensor, keys: Tensor, values: Tensor, lengths: list[int]) -> Tensor:
    """Return attention (rows, heads, width) inside runs of rows of these lengths, with a call for each length there is."""
    if len(kinds := set(lengths)) == 1:
        return _attend(queries, keys, values, lengths[0])
    kind = torch.tensor(lengths).repeat_interleave(torch.tensor(lengths))
    rows = [(kind == length).nonzero()[:, 0] for length in sorted(kinds)]
    parts = zip(rows, sorted(kinds), strict=True)
    found = torch.cat([_attend(queries[some], keys[some], values[some], length) for some, length in parts])
    return found[torch.cat(rows).argsort()]


def _attend(queries: Tensor, keys: Tensor, values: Tensor, length: int) -> Tensor:
    q, k, v = (part.unflatten(0, (-1, length)).transpose(1, 2) for part in (queries, keys, values))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(0, 1)


def _heads(rows: Tensor, norm: Any, linear: Adapted, heads: list[int], turned: int, cos: Tensor, sin: Tensor) -> Any:
    return Heads.apply(rows, norm, linear, heads, turned, cos, sin, *linear.factors)


def _added(residual: Tensor, rows: Tensor, linear: Adapted) -> Tensor:
    return Added.apply(residual, rows, linear, *linear.factors)  # type: ignore[return-value]
