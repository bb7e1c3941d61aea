"""A small Qwen2.5-VL in numpy: without torch and transformers, whose import takes longer than a first policy.

The layout is transformers' (`modeling_qwen2_5_vl.py`), at full precision. Numbers agree with it to rounding, the tokens chosen
are the same.
"""

import functools
import itertools
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlp.models.batching import BatchLimits, Cache, Segment
from vlp.models.recent import Recent

Array = NDArray[Any]
"""Of 32 bit numbers, which numpy's types lose sight of."""
Turned = tuple[Array, Array]


def read_weights(file: Path) -> dict[str, Array]:
    """Return the tensors of a checked safetensors file, by name, at full precision."""
    data = file.read_bytes()
    begins = 8 + int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8:begins])
    header.pop("__metadata__", None)
    found: dict[str, Array] = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        found[name] = widened(data[begins + first : begins + last], entry["dtype"]).reshape(entry["shape"])
    return found


def widened(data: bytes, dtype: str) -> Array:
    """Return floating point numbers of a safetensors file, as 32 bits each."""
    if dtype == "BF16":  # the upper half of a 32 bit number
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view(np.float32)
    return np.frombuffer(data, {"F16": "<f2", "F32": "<f4"}[dtype]).astype(np.float32)


class _Cache(Cache):
    """Keys and values: (layers, 2, heads of keys, room, width)."""

    def __init__(self, layers: int, keys: int, width: int) -> None:
        super().__init__()
        self.held = np.empty((layers, 2, keys, 0, width), np.float32)

    def make_room(self, tokens: int) -> None:
        room = self.held.shape[-2]
        if tokens > room:
            more = (*self.held.shape[:-2], max(tokens, 2 * room, 512) - room, self.held.shape[-1])
            self.held = np.concatenate([self.held, np.empty(more, np.float32)], axis=-2)


class _Span(NamedTuple):
    """Where the tokens of one request lie in a pass.

    Args:
        held: keys and values of the request.
        rows: of the pass.
        before: tokens that are held before them.
        keep: how many of the last are asked about.
    """

    held: Array
    rows: slice
    before: int
    keep: int

    @property
    def asked(self) -> slice:
        """The rows that are asked about."""
        return slice(self.rows.stop - self.keep, self.rows.stop)

    @property
    def whole(self) -> int:
        """How many tokens are held with them."""
        return self.before + self.rows.stop - self.rows.start


class Decoder:
    """The language part.

    Args:
        weights: as `read_weights` gives them.
        config: `text_config` of the folder.
        shared: of so many tokens of one request a second thread reads the first half; handing out fewer costs what it saves.
    """

    def __init__(self, weights: Mapping[str, Array], config: Mapping[str, Any], shared: int = 128) -> None:
        self._shared = shared
        self.embedding = weights["model.embed_tokens.weight"]
        self._head = weights.get("lm_head.weight", self.embedding)
        self._norm, self._eps = weights["model.norm.weight"], config["rms_norm_eps"]
        self._queries, self._keys = config["num_attention_heads"], config["num_key_value_heads"]
        self._width = config["hidden_size"] // self._queries
        self._layers = [_part(weights, f"model.layers.{i}.") for i in range(config["num_hidden_layers"])]
        self._axis = np.repeat(np.arange(3), config["rope_parameters"]["mrope_section"])
        self._frequencies = _frequencies(config["rope_parameters"]["rope_theta"], self._width)

    def cache(self) -> _Cache:
        """Return an empty cache for one request."""
        return _Cache(len(self._layers), self._keys, self._width)

    def feed(self, segments: Sequence[Segment]) -> Array:
        """Read the tokens of some requests in one pass; return the logits (rows, vocabulary) of the last `keep` of each."""
        spans, begin = list[_Span](), 0
        for one in segments:
            before, end = len(one.cache.marks), begin + len(one.marks)
            one.cache.make_room(before + len(one.marks))
            spans.append(_Span(one.cache.held, slice(begin, end), before, one.keep))
            begin = end
        positions = _joined([one.positions for one in segments], 1)
        turned, x = _turning(positions[self._axis].T * self._frequencies), _joined([one.embedded for one in segments])
        long = len(spans) == 1 and len(x) >= self._shared and spans[0].keep < len(x)
        x = self._read_in_two(x, turned, spans[0]) if long else self._read(x, turned, spans, [_nothing] * len(self._layers))
        for one in segments:
            one.cache.marks += one.marks
        return _normed(x, self._norm, self._eps) @ self._head.T

    def _read_in_two(self, x: Array, turned: Turned, span: _Span) -> Array:
        """Read a long prompt, its first part on another thread; each layer of the rest waits for what it looks back at."""
        n = len(x)
        first = min(n * 5 // 9, n - span.keep)  # the rest has more to look back at
        ahead_of = _Span(span.held, slice(0, first), span.before, 0)
        rest = _Span(span.held, slice(0, n - first), span.before + first, span.keep)
        held = [threading.Event() for _ in self._layers]
        tell, wait = [event.set for event in held], [event.wait for event in held]
        with ThreadPoolExecutor(1) as other:
            ahead = other.submit(self._read, x[:first], _part_of(turned, 0, first), [ahead_of], tell)
            ahead.add_done_callback(lambda _: [told() for told in tell])  # where it fails, nobody waits for it
            found = self._read(x[first:], _part_of(turned, first, n), [rest], wait)
            ahead.result()
        return found

    def _read(self, x: Array, turned: Turned, spans: Sequence[_Span], held: Sequence[Callable[[], Any]]) -> Array:
        """Return what the layers make of the tokens that are asked about.

        Args:
            x: (n, width).
            turned: how far they are turned.
            spans: whose they are.
            held: called in each layer once their keys and values are held.
        """
        for i, told in enumerate(held):
            x = self._layer(i, x, turned, spans, told)
        return x

    def _layer(self, index: int, x: Array, turned: Turned, spans: Sequence[_Span], told: Callable[[], Any]) -> Array:
        layer, turning = self._layers[index], self._queries + self._keys
        heads = _linear(_normed(x, layer["input_layernorm.weight"], self._eps), layer, "asked")
        heads = heads.reshape(len(x), -1, self._width).transpose(1, 0, 2)
        asking = _turn(heads[:turning], turned)
        for one in spans:
            keys, values = one.held[index][:, :, one.before : one.whole]
            keys[:], values[:] = asking[self._queries :, one.rows], heads[turning:, one.rows]
        told()
        # Of the last layer only what is asked about is read; of all other tokens their keys and values are enough.
        last = index == len(self._layers) - 1
        rows = [one.asked if last else one.rows for one in spans]
        queries = asking[: self._queries]
        found = [self._look(queries[:, some], one.held[index], one.whole) for some, one in zip(rows, spans, strict=True)]
        x = _joined([x[some] for some in rows]) + _linear(_joined(found), layer, "self_attn.o_proj")
        return x + _gated(_normed(x, layer["post_attention_layernorm.weight"], self._eps), layer)

    def _look(self, queries: Array, held: Array, whole: int) -> Array:
        """Return what the last tokens of one request find in what is held of it, (n, heads * width)."""
        n, group = queries.shape[1], self._queries // self._keys  # heads of queries that look at one head of keys
        found = np.empty((n, self._keys, group, self._width), np.float32)
        _attend(
            queries.reshape(self._keys, group, n, self._width),
            held[0, :, None, :whole], held[1, :, None, :whole],
            found.transpose(1, 2, 0, 3), whole - n,
        )  # fmt: skip
        return found.reshape(n, self._queries * self._width)


class VisionTower:
    """The vision tower.

    Args:
        weights: as `read_weights` gives them.
        config: `vision_config` of the folder.
    """

    def __init__(self, weights: Mapping[str, Array], config: Mapping[str, Any]) -> None:
        self._heads, self._merge = config["num_heads"], config["spatial_merge_size"]
        self._window = config["window_size"] // config["patch_size"] // self._merge
        self._whole = frozenset(config["fullatt_block_indexes"])
        # A picture's frames are one and the same: their weights are added up instead.
        self._patch = weights["visual.patch_embed.proj.weight"].sum(2).reshape(config["hidden_size"], -1).T.copy()
        self._blocks = [_part(weights, f"visual.blocks.{i}.") for i in range(config["depth"])]
        self._merger = _part(weights, "visual.merger.")
        width = config["hidden_size"] // self._heads
        self._frequencies = _frequencies(config["rope_parameters"]["rope_theta"], width // 2)
        self.recent: Recent[Array] = Recent(2 * BatchLimits().requests)  # a request may look at a mirror image, too

    def seen(self, digest: str, grid: tuple[int, int, int], cut: Callable[[], Array]) -> Array:
        """Return the image tokens (n, width) of one image; the last few are remembered, whoever asks for them.

        A scene in which nothing moves is looked at by planner, grounder and triggers.

        Args:
            digest: of the image.
            grid: 1, rows and columns of patches.
            cut: gives its patches.
        """
        return self.recent.get(f"{digest} {grid}", lambda: self(cut(), grid))

    def __call__(self, values: Array, grid: tuple[int, int, int]) -> Array:
        """Return the image tokens (n, width).

        Args:
            values: (patches, channels * side * side), those of a token together.
            grid: 1, rows and columns of patches.
        """
        unit, rows, columns = self._merge**2, grid[1] // self._merge, grid[2] // self._merge
        order, groups = self._windows(rows, columns)
        at = np.stack(np.meshgrid(np.arange(grid[1]), np.arange(grid[2]), indexing="ij"), -1)
        at = at.reshape(rows, self._merge, columns, self._merge, 2).swapaxes(1, 2).reshape(-1, unit, 2)[order].reshape(-1, 2)
        angles = at[:, :, None] * self._frequencies
        turned = _turning(angles.reshape(len(at), -1).astype(np.float32))
        x = values.reshape(-1, unit, values.shape[-1])[order].reshape(len(values), -1) @ self._patch
        for i, block in enumerate(self._blocks):
            x = self._block(x, block, turned, [len(x)] if i in self._whole else groups)
        m = self._merger
        x = _linear(_normed(x, m["ln_q.weight"], 1e-6).reshape(len(x) // unit, -1), m, "mlp.0")
        return _linear(_gelu(x), m, "mlp.2")[np.argsort(order)]

    def _windows(self, rows: int, columns: int) -> tuple[NDArray[np.int64], list[int]]:
        """Return the order of tokens, window by window and those of one size together, and the patches of each window."""
        window = np.arange(rows)[:, None] // self._window * -(-columns // self._window) + np.arange(columns) // self._window
        sizes = np.bincount(window.ravel())
        return np.lexsort((window.ravel(), sizes[window.ravel()])), sorted((sizes * self._merge**2).tolist())

    def _block(self, x: Array, block: Mapping[str, Array], turned: Turned, windows: Sequence[int]) -> Array:
        n, width = len(x), x.shape[1] // self._heads
        asked = _linear(_normed(x, block["norm1.weight"], 1e-6), block, "attn.qkv")
        heads = asked.reshape(n, 3 * self._heads, width).transpose(1, 0, 2)
        turning = _turn(heads[: 2 * self._heads], turned)
        parts = (turning[: self._heads], turning[self._heads :], heads[2 * self._heads :])
        found = np.empty((n, self._heads, width), np.float32)
        begin = 0
        for size, alike in itertools.groupby(windows):
            end = begin + size * len(list(alike))
            parted = (self._heads, -1, size, width)
            queries, keys, values = (part[:, begin:end].reshape(parted) for part in parts)
            _attend(queries, keys, values, found[begin:end].transpose(1, 0, 2).reshape(parted))
            begin = end
        x = x + _linear(found.reshape(n, -1), block, "attn.proj")
        return x + _gated(_normed(x, block["norm2.weight"], 1e-6), block)


def _nothing() -> None:
    """Nobody waits."""


def _joined(parts: Sequence[Array], axis: int = 0) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis)


def _part(weights: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """Return what is below a name; linear maps of one input are joined into one."""
    joined = {
        "asked": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "gated": ("mlp.gate_proj", "mlp.up_proj"),
    }
    part = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    for name, parts in joined.items():
        for end in (".weight", ".bias"):
            if parts[0] + end in part:
                part[name + end] = np.concatenate([part.pop(one + end) for one in parts])
    # Laid out as products of a few rows read them: a tenth faster.
    return {name: np.ascontiguousarray(value.T) if value.ndim == 2 else value for name, value in part.items()}


def _frequencies(base: float, width: int) -> Array:
    return (1.0 / base ** (np.arange(0, width, 2, dtype=np.float32) / width)).astype(np.float32)


def _turning(angles: Array) -> Turned:
    angles = np.concatenate((angles, angles), -1, dtype=np.float32)
    return np.cos(angles), np.sin(angles)


def _part_of(turned: Turned, begin: int, end: int) -> Turned:
    return turned[0][begin:end], turned[1][begin:end]


def _turn(heads: Array, turned: Turned) -> Array:
    half = heads.shape[-1] // 2
    return heads * turned[0] + np.concatenate((-heads[..., half:], heads[..., :half]), -1) * turned[1]


def _normed(x: Array, weight: Array, eps: float) -> Array:
    return x / np.sqrt(np.einsum("ij,ij->i", x, x) / x.shape[-1] + np.float32(eps), dtype=np.float32)[:, None] * weight


@functools.cache
def _later(n: int) -> Array:
    """Return what hides from each of n tokens those behind it."""
    return np.triu(np.full((n, n), -np.inf, np.float32), 1)


def _attend(queries: Array, keys: Array, values: Array, found: Array, before: int | None = None, rows: int = 48) -> None:
    """Write what queries find into `found`.

    Args:
        queries: (..., n, width).
        keys, values: (..., m, width).
        found: (..., n, width).
        before: keys that the first query sees beside its own; each query sees one more. None shows all to all.
        rows: queries at a time: their scores stay in the processor's cache.
    """
    scale = np.float32(queries.shape[-1] ** -0.5)
    for begin in range(0, queries.shape[-2], rows):
        some = queries[..., begin : begin + rows, :]
        n = some.shape[-2]
        seen = keys.shape[-2] if before is None else before + begin + n
        scores = (some * scale) @ keys[..., :seen, :].swapaxes(-1, -2)
        if before is not None and n > 1:
            scores[..., seen - n :] += _later(n)
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        np.divide(scores @ values[..., :seen, :], scores.sum(-1, keepdims=True), out=found[..., begin : begin + n, :])


def _linear(x: Array, part: Mapping[str, Array], name: str) -> Array:
    made = x @ part[f"{name}.weight"]
    bias = part.get(f"{name}.bias")
    return made if bias is None else made + bias


def _gated(x: Array, part: Mapping[str, Array]) -> Array:
    both = _linear(x, part, "gated")
    gate, up = both[:, : both.shape[1] // 2], both[:, both.shape[1] // 2 :]
    with np.errstate(over="ignore"):  # of a number far below 0, nothing is left
        return _linear(gate / (1 + np.exp(-gate)) * up, part, "mlp.down_proj")


def _gelu(x: Array) -> Array:
    """Return x * Phi(x); erf by the rational approximation that XLA takes, exact to 2 units of the last place."""
    z = np.clip(x * np.float32(0.5**0.5), -4, 4)
    over = (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05)
    over += (-7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02)
    under = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02)
    erf = z * np.polyval(np.array(over, np.float32), z * z) / np.polyval(np.array(under, np.float32), z * z)
    return np.float32(0.5) * x * (1 + erf)
