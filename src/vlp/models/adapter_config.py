"""What an adapter_config.json says, read as plain data: nothing of it reaches PEFT before every value was looked at."""

import math
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError
from vlp.models.folder import folder_name, read_json

FILE = "adapter_config.json"
ALL_LINEAR = "all-linear"
MATCHING_S = 2.0
"""For all names of a model together: some expressions never end."""


@dataclass(frozen=True)
class Targets:
    """Which modules a configuration means.

    Args:
        names: modules by their name or its end; or one expression that the whole name matches; or "all-linear".
        excluded: in the same way, modules that are not meant.
        layers: only these layers; empty for all.
        stacks: what the list of layers is called; empty for any.
        saved: parts that are trained whole.
    """

    names: tuple[str, ...] | str = ()
    excluded: tuple[str, ...] | str = ()
    layers: tuple[int, ...] = ()
    stacks: tuple[str, ...] = ()
    saved: tuple[str, ...] = ()

    def of(self, modules: Iterable[str], where: str) -> set[str]:
        """Return those of a model's linear modules that are meant; the output layer is not to be among them for "all-linear".

        Raises:
            UsageError: an expression that does not end in time; `where` names the file.
        """
        deadline_s = time.monotonic() + MATCHING_S
        meant = _matching(modules, self.names, deadline_s, where)
        excluded = _matching(meant, self.excluded, deadline_s, where) if self.excluded else set()
        return {m for m in meant - excluded if self._in_layers(m) and not any(_part_of(m, part) for part in self.saved)}

    def saves(self, parameter: str) -> bool:
        """Whether a parameter belongs to a part that is trained whole: PEFT takes any module whose name ends so, dot or not."""
        return any(f"{part}." in parameter for part in self.saved)

    def _in_layers(self, module: str) -> bool:
        if not self.layers or isinstance(self.names, str) or module in self.names:
            return True
        stacks = "|".join(map(re.escape, self.stacks)) or r"[^.]*"
        found = re.match(rf"(?:^|.*?\.)(?:{stacks})\.(\d+)\.", module)
        return found is not None and int(found[1]) in self.layers


@dataclass(frozen=True)
class AdapterConfig:
    """An adapter's configuration, checked.

    Args:
        name: of its folder.
        targets: what it adapts.
        rank, alpha: where the patterns say nothing else.
        ranks, alphas: by the end of a module's name; "^" before it means the whole name.
        rslora: the scale is alpha / sqrt(rank) instead of alpha / rank.
        dora: directions and magnitudes are adapted apart.
        lora_bias: the second matrix of each adapted layer has a bias.
        bias: which biases of the base were trained: "none", "all" or "lora_only".
        tied: tied embeddings were kept tied.
        given: the settings that have a value, by name.
        base: what it says that it was trained on: a folder, a word or a Hugging Face id; "" where it says nothing.
    """

    name: str
    targets: Targets
    rank: int
    alpha: float
    ranks: dict[str, int] = field(default_factory=dict)
    alphas: dict[str, float] = field(default_factory=dict)
    rslora: bool = False
    dora: bool = False
    lora_bias: bool = False
    bias: str = "none"
    tied: bool = False
    given: frozenset[str] = frozenset()
    base: str = ""

    @property
    def most_rank(self) -> int:
        """The highest rank that it names."""
        return max([self.rank, *self.ranks.values()])

    def rank_of(self, *names: str) -> int:
        """Return the rank of a module, given by all its names."""
        return next((v for key, v in self.ranks.items() if _named_by(key, names)), self.rank)

    def alpha_of(self, *names: str) -> float:
        """Return the numerator of a module's scale, given by all its names."""
        return next((v for key, v in self.alphas.items() if _named_by(key, names)), self.alpha)


def read_config(folder: Path) -> AdapterConfig:
    """Return the configuration of an adapter.

    Raises:
        UsageError: another kind of adapter, code of its own, what is not supported, or a value that makes no sense, each
            by its name.
    """
    name = folder_name(folder)
    if not (folder / FILE).is_file():
        raise UsageError(f"{name!r} is not a LoRA adapter: it has no {FILE}.", _elsewhere(folder))
    data = read_json(folder / FILE)
    where = f"{FILE} of {name!r}"
    _kind(data, name, where)
    # What changes how an adapter computes, and is not computed here. `fan_in_fan_out` is not among them: PEFT passes over it
    # for the linear layers that these models are made of.
    unsupported = (
        "target_parameters", "trainable_token_indices", "layer_replication", "megatron_config", "use_qalora", "use_bdlora",
        "alora_invocation_tokens", "arrow_config", "velora_config", "kasa_config", "monteclora_config",
    )  # fmt: skip
    for key in unsupported:
        if data.get(key):
            raise UsageError(f"{where} has {key} ({_short(data[key])}), which is not supported.", "Train plain LoRA.")
    return AdapterConfig(
        name=name,
        targets=_targets(data, where),
        rank=_rank(data.get("r"), "r", where),
        alpha=_alpha(data.get("lora_alpha"), "lora_alpha", where),
        ranks={key: _rank(value, f"rank_pattern[{key!r}]", where) for key, value in _pattern(data, "rank_pattern", where)},
        alphas={key: _alpha(value, f"alpha_pattern[{key!r}]", where) for key, value in _pattern(data, "alpha_pattern", where)},
        rslora=_flag(data, "use_rslora", where),
        dora=_flag(data, "use_dora", where),
        lora_bias=_flag(data, "lora_bias", where),
        bias=_bias(data, where),
        tied=_flag(data, "ensure_weight_tying", where),
        given=frozenset(key[:80] for key, value in data.items() if value),
        base=_base(data, where),
    )


def _kind(data: dict[str, Any], name: str, where: str) -> None:
    kind = data.get("peft_type")
    if kind != "LORA":
        said = f"is an adapter of kind {_short(kind)}" if kind else f"is not a LoRA adapter: {where} has no peft_type"
        raise UsageError(f"{name!r} {said}.", 'Only LoRA ("peft_type": "LORA") can be loaded.')
    mapping = data.get("auto_mapping") or {}  # peft itself writes one, naming the stock class it adapted
    library = mapping.get("parent_library", "") if isinstance(mapping, dict) else ""
    if mapping and not str(library).startswith("transformers.models."):
        raise UsageError(f"{name!r} wants to run code of its own (auto_mapping).", f"Remove it from {FILE}.")
    init = data.get("init_lora_weights")  # PiSSA, OLoRA, CorDA, LoftQ and LoRA-GA change the base's weights too
    if init not in (None, True, False, "gaussian", "eva", "orthogonal"):
        raise UsageError(
            f"{where} has init_lora_weights {_short(init)}, which changes the weights of the base too.",
            "Save it as plain LoRA: save_pretrained(..., path_initial_model_for_weight_conversion=...).",
        )


def _targets(data: dict[str, Any], where: str) -> Targets:
    if not data.get("target_modules"):
        raise UsageError(f"target_modules in {where} is {_short(data.get('target_modules'))}.", "Expected names of modules.")
    layers = data.get("layers_to_transform")
    layers = [] if layers is None else layers if isinstance(layers, list) else [layers]
    if not all(type(layer) is int and 0 <= layer < 10_000 for layer in layers):
        raise UsageError(f"layers_to_transform in {where} is {_short(layers)}.", "Expected the numbers of layers.")
    stacks = data.get("layers_pattern") or []
    return Targets(
        _names_or_expression(data["target_modules"], "target_modules", where),
        _names_or_expression(data.get("exclude_modules") or [], "exclude_modules", where),
        tuple(layers),
        _names([stacks] if isinstance(stacks, str) else stacks, "layers_pattern", where),
        _names(data.get("modules_to_save") or [], "modules_to_save", where),
    )


def _names_or_expression(value: Any, key: str, where: str) -> tuple[str, ...] | str:
    if not isinstance(value, str):
        return _names(value, key, where)
    if len(value) > (most := 10_000):
        raise UsageError(f"{key} in {where} is an expression of {len(value):,} characters.", f"Expected at most {most:,}.")
    if value != ALL_LINEAR:
        _expression(value, key, where)
    return value


def _names(value: Any, key: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | dict) or len(value) > 10_000:
        raise UsageError(f"{key} in {where} is {_short(value)}.", "Expected the names of modules.")
    odd = next((name for name in value if not isinstance(name, str) or not re.fullmatch(r"\w[\w.]{0,299}", name)), None)
    if odd is not None:
        raise UsageError(
            f"{key} in {where} has {_short(odd)}.", "Expected plain names of modules: letters, digits, _ and dots."
        )
    return tuple(value)


def _expression(text: str, key: str, where: str) -> Any:
    """Return an expression compiled for matching with a time limit; its grammar is that of Python's own module."""
    import regex

    try:
        re.compile(text)  # knows no recursion and no fuzzy matching, which take memory without end
        return regex.compile(text)
    except (re.error, regex.error, RecursionError, OverflowError) as error:
        raise UsageError(f"{key} in {where} is no regular expression: {str(error)[:80]}.", f"It has {_short(text)}.") from None


def _matching(modules: Iterable[str], wanted: tuple[str, ...] | str, deadline_s: float, where: str) -> set[str]:
    """Return the modules that names, an expression or "all-linear" mean."""
    if wanted == ALL_LINEAR:
        return set(modules)
    if not isinstance(wanted, str):
        return {m for m in modules if any(m == name or m.endswith(f".{name}") for name in wanted)}
    expression = _expression(wanted, "target_modules", where)
    try:
        return {m for m in modules if expression.fullmatch(m, timeout=max(1e-3, deadline_s - time.monotonic()))}
    except (TimeoutError, MemoryError):
        raise UsageError(
            f"the expression {_short(wanted)} in {where} was not matched within {MATCHING_S:g} s.",
            "List the adapted modules in target_modules.",
        ) from None


def _pattern(data: dict[str, Any], key: str, where: str) -> Iterable[tuple[str, Any]]:
    found = data.get(key) or {}
    if not isinstance(found, dict):
        raise UsageError(f"{key} in {where} is {_short(found)}.", "Expected numbers by the names of modules.")
    _names([name.removeprefix("^") for name in found], key, where)
    return found.items()


def _rank(value: Any, key: str, where: str) -> int:
    most = 65_536
    if type(value) is not int or not 1 <= value <= most:
        raise UsageError(f"{key} in {where} is {_short(value)}.", f"Expected a rank of 1 to {most:,}.")
    return value


def _alpha(value: Any, key: str, where: str) -> float:
    if type(value) not in (int, float) or abs(value) > 1e9 or not math.isfinite(value) or value == 0:
        raise UsageError(f"{key} in {where} is {_short(value)}.", "Expected a number other than 0.")
    return value


def _flag(data: dict[str, Any], key: str, where: str) -> bool:
    value = data.get(key)
    if value not in (None, True, False):
        raise UsageError(f"{key} in {where} is {_short(value)}.", "Expected true or false.")
    return bool(value)


def _bias(data: dict[str, Any], where: str) -> str:
    value = data.get("bias", "none")
    if value not in ("none", "all", "lora_only"):
        raise UsageError(f"bias in {where} is {_short(value)}.", "Expected one of none, all, lora_only.")
    return value


def _base(data: dict[str, Any], where: str) -> str:
    value = data.get("base_model_name_or_path") or ""
    if not isinstance(value, str) or len(value) > 4096 or not value.isprintable():
        raise UsageError(f"base_model_name_or_path in {where} is {_short(value)}.", "Expected a folder or a Hugging Face id.")
    return value


def _named_by(key: str, names: Iterable[str]) -> bool:
    whole = key.removeprefix("^")
    return any(name == whole or (whole == key and name.endswith(f".{key}")) for name in names)


def _part_of(name: str, part: str) -> bool:
    return f".{part}." in f".{name}."


def _elsewhere(folder: Path) -> str:
    """Return where in a trainer's output the adapter is."""
    inside = sorted(file.parent.name for file in folder.glob(f"*/{FILE}")) if folder.is_dir() else []
    return f"{inside[-1]!r} in it has one." if inside else f"Expected {FILE} and adapter_model.safetensors."


def _short(value: Any) -> str:
    return repr(value)[:80]
