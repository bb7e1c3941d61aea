"""The language part of a Qwen2.5-VL, run a few tokens at a time: transformers' weights and numbers, without its work per call.

With 5 million parameters a pass over one token takes 5.6 ms through transformers' own `forward`, nearly all of it Python, and a
quarter of that here. Keys and values of all requests lie in one buffer, a row for each cache.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from vlp.core.errors import UsageError
from vlp.models.batching import Cache, Segment


class _Cache(Cache):
    """Keys and values in one row of the engine's buffer."""

    def __init__(self, row: int) -> None:
        super().__init__()
        self.row = row


class Engine:
    """A language part, with the keys and values of all that it was fed.

    Args:
        model: a `Qwen2_5_VLForConditionalGeneration`, with or without an adapter beside its weights.
        joined: copy linear maps of one input into one; for a small model, whose passes are calls more than arithmetic.
        padded: let short segments of a pass attend in one call, filled up to one length. A processor gains nothing by it; on
            a GPU a call for each segment and layer takes longer than all else.

    Raises:
        UsageError: the model attends to a sliding window.
    """

    def __init__(self, model: Any, joined: bool = False, padded: bool = False) -> None:
        decoder, config = model.model.language_model, model.config.text_config
        if {*config.layer_types} - {"full_attention"}:
            raise UsageError("the model attends to a sliding window.", "Set use_sliding_window to false in its config.json.")
        self._head = model.lm_head
        self._layers = [_Layer(block, config, joined) for block in decoder.layers]
        self._norm = normed(decoder.norm)
        self._rope = _Rope(decoder.rotary_emb, config)
        heads, width = config.num_key_value_heads, config.hidden_size // config.num_attention_heads
        like = decoder.embed_tokens.weight
        # Zeros: of what is hidden, attention takes nothing, which is a number only where the value is one.
        self._held = torch.zeros((len(self._layers), 2, 0, heads, 0, width), dtype=like.dtype, device=like.device)
        self._caches, self._padded = 0, padded

    def cache(self) -> _Cache:
        """Return an empty cache for one request."""
        self._caches += 1
        return _Cache(self._caches - 1)

    def feed(self, segments: Sequence[Segment]) -> Tensor:
        """Read the tokens of some requests in one pass; return the logits (rows, vocabulary) of the last `keep` of each."""
        self._make_room(max(len(one.cache.marks) + len(one.marks) for one in segments))
        ends = [*accumulate(len(one.marks) for one in segments)]
        embedded, positions = torch.cat([one.embedded for one in segments]), torch.cat([one.positions for one in segments], 1)
        looks = self._looks(segments, ends, embedded)
        turned, x = self._rope.at(positions, embedded.dtype), embedded[None]
        for layer, held in zip(self._layers, self._held, strict=True):
            x = layer.read(x, turned, held, looks)
        for one in segments:
            one.cache.marks += one.marks
        asked = torch.cat([x[0, end - one.keep : end] for one, end in zip(segments, ends, strict=True)])
        return self._head(self._norm(asked))

    def _looks(self, segments: Sequence[Segment], ends: Sequence[int], like: Tensor) -> "list[_Look]":
        short = [i for i, one in enumerate(segments) if self._padded and len(one.marks) <= 128]
        short = short if len(short) > 1 else []
        alone = [_LookAlone(one, end, like) for i, (one, end) in enumerate(zip(segments, ends, strict=True)) if i not in short]
        return [*alone, *([_LookPadded([segments[i] for i in short], [ends[i] for i in short], like)] if short else [])]

    def _make_room(self, tokens: int) -> None:
        layers, two, rows, heads, room, width = self._held.shape
        if tokens > room or self._caches > rows:
            more = (layers, two, self._caches, heads, max(tokens, 2 * room, 512) if tokens > room else room, width)
            held, self._held = self._held, self._held.new_zeros(more)
            self._held[:, :, :rows, :, :room] = held


class _Look(Protocol):
    """Some segments of a pass, which look at what is held of them."""

    def into(self, found: Tensor, queries: Tensor, keys: Tensor, values: Tensor, held: Tensor) -> None:
        """Hold keys and values (1, heads, tokens of the pass, width), and write down what the queries find."""
        ...


class _LookAlone:
    """One segment: each new token sees all that is held and the new ones up to itself; one alone needs no mask."""

    def __init__(self, one: Segment, end: int, like: Tensor) -> None:
        before, n = len(one.cache.marks), len(one.marks)
        self._row, self._tokens = one.cache.row, slice(end - n, end)
        self._new, self._whole = slice(before, before + n), slice(before + n)
        self._mask = None if n == 1 else like.new_ones((n, before + n), dtype=torch.bool).tril(before)

    def into(self, found: Tensor, queries: Tensor, keys: Tensor, values: Tensor, held: Tensor) -> None:
        """See `_Look.into`."""
        row, new = held[:, self._row, None], self._tokens
        row[0, :, :, self._new], row[1, :, :, self._new] = keys[:, :, new], values[:, :, new]
        seen = row[:, :, :, self._whole]
        found[:, :, new] = functional.scaled_dot_product_attention(
            queries[:, :, new], seen[0], seen[1], self._mask, enable_gqa=True
        )


class _LookPadded:
    """Several segments, filled up to the longest."""

    def __init__(self, segments: Sequence[Segment], ends: Sequence[int], like: Tensor) -> None:
        befores, counts = [len(one.cache.marks) for one in segments], [len(one.marks) for one in segments]
        self._longest, device = max(counts), like.device
        which = [i for i, n in enumerate(counts) for _ in range(n)]
        self._which = torch.tensor(which, device=device)
        self._place = torch.tensor([place for n in counts for place in range(n)], device=device)
        self._token = torch.tensor([end - n + i for end, n in zip(ends, counts, strict=True) for i in range(n)], device=device)
        self._rows = torch.tensor([one.cache.row for one in segments], device=device)
        before = torch.tensor(befores, device=device)
        self._row, self._held_at = self._rows[self._which], before[self._which] + self._place
        self._whole = max(map(sum, zip(befores, counts, strict=True)))
        seen = before[:, None] + torch.arange(1, self._longest + 1, device=device)
        self._mask = (torch.arange(self._whole, device=device) < seen[..., None])[:, None]

    def into(self, found: Tensor, queries: Tensor, keys: Tensor, values: Tensor, held: Tensor) -> None:
        """See `_Look.into`."""
        held[0, self._row, :, self._held_at] = keys[0, :, self._token].transpose(0, 1)
        held[1, self._row, :, self._held_at] = values[0, :, self._token].transpose(0, 1)
        asking = queries.new_zeros((len(self._rows), self._longest, queries.shape[1], queries.shape[-1]))
        asking[self._which, self._place] = queries[0, :, self._token].transpose(0, 1)
        seen = held[:, self._rows, :, : self._whole]
        answered = functional.scaled_dot_product_attention(
            asking.transpose(1, 2), seen[0], seen[1], self._mask, enable_gqa=True
        )
        found[0, :, self._token] = answered[self._which, :, self._place].transpose(0, 1)


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

    def read(self, x: Tensor, turned: tuple[Tensor, Tensor], held: Tensor, looks: Sequence[_Look]) -> Tensor:
        heads = self.asked(self.before(x)).view(1, x.shape[1], -1, self.width).transpose(1, 2)
        turning = self.queries + self.keys
        asking = turn(heads[:, :turning], turned)
        found = torch.empty_like(asking[:, : self.queries])
        for look in looks:
            look.into(found, asking[:, : self.queries], asking[:, self.queries :], heads[:, turning:], held)
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
