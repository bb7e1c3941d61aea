"""A LoRA adapter against its base: every weight must have its place, and the base must be the one it was trained on."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError
from vlp.models.adapter_config import ALL_LINEAR, AdapterConfig, read_config
from vlp.models.folder import ModelFolder, check_beside, check_hashes, folder_name, folder_record, recorded_turns, sha256
from vlp.models.weights import check_weights

WEIGHTS, RECORD = "adapter_model.safetensors", "vlp.json"
PREFIX = "base_model.model."

OLD_NAMES = (
    ("visual.", "model.visual."),
    ("model.layers.", "model.language_model.layers."),
    ("model.embed_tokens.", "model.language_model.embed_tokens."),
    ("model.norm.", "model.language_model.norm."),
    ("language_model.layers.", "model.language_model.layers."),
    ("layers.", "model.language_model.layers."),
)
"""What parts were called before transformers 4.52, or by those who adapt the inner model, and what they are called now."""


@dataclass(frozen=True)
class Layer:
    """How one linear layer is adapted.

    Args:
        rank: of the two matrices.
        alpha: numerator of the scale.
    """

    rank: int
    alpha: float


@dataclass(frozen=True)
class Fit:
    """An adapter whose every tensor has its place in a base.

    Args:
        config: what it says of itself.
        layers: the adapted layers by the names that the base has for them.
        tensors: by the key in the file, the name of the layer and the part of it.
        whole: by the key in the file, the parameter of the base whose place it takes.
        renamed: what its keys were called and are called now; empty when they are those of the base.
    """

    config: AdapterConfig
    layers: dict[str, Layer]
    tensors: dict[str, tuple[str, str]]
    whole: dict[str, str]
    renamed: dict[str, str]

    @property
    def note(self) -> str:
        """What a person should know about how it was read; "" when there is nothing."""
        if not self.renamed:
            return ""
        names = ", ".join(f"{old.rstrip('.')} as {new.rstrip('.')}" for old, new in self.renamed.items())
        return f"the adapter {self.config.name!r} names modules as transformers before 4.52 did; read: {names}."


def check_adapter(path: Path) -> AdapterConfig:
    """Check the folder of a LoRA adapter as `check_folder` does that of a model, and return its configuration.

    Raises:
        UsageError: no such folder, pickled weights, code of its own, another kind of adapter, a file that lies.
    """
    if not path.is_dir():
        raise UsageError(f"no adapter folder at {str(path)[:300]!r}.")
    check_beside(path)
    config = read_config(path)
    check_weights(path, WEIGHTS)
    check_hashes(path, folder_record(path).get("sha256", {}))
    return config


def check_fit(adapter: Path, model: Any) -> Fit:
    """Check that every weight of an adapter has a place in a model: other tools drop what has none, with a warning.

    Args:
        adapter: the adapter's folder.
        model: the base, loaded or on the meta device.

    Returns:
        where each weight goes.

    Raises:
        UsageError: as `check_adapter` does; a weight without a place or of another size, named by its key.
    """
    config = check_adapter(adapter)
    shapes = weight_shapes(adapter / WEIGHTS)
    linear = {
        name: (module.out_features, module.in_features)
        for name, module in model.named_modules()
        if hasattr(module, "out_features") and hasattr(module, "in_features")
    }
    sizes = {name: list(p.shape) for name, p in model.named_parameters(remove_duplicate=False)}
    tensors, whole, renamed = dict[str, tuple[str, str]](), dict[str, str](), dict[str, str]()
    for key, shape in shapes.items():
        name, part = _split(key, config)
        place = _place(name, linear if part else sizes, renamed)
        if place is None:
            said = f"has a weight that the base has no place for: {key[:200]!r}"
            raise UsageError(f"the adapter {config.name!r} {said}.", "Name the base that it was trained on.")
        taken = (place, part) in tensors.values() if part else place in whole.values()
        if taken:
            raise UsageError(f"the adapter {config.name!r} has two weights for one place, the second {key[:200]!r}.")
        if part:
            tensors[key] = place, part
        elif shape == sizes[place]:
            whole[key] = place
        else:
            raise _no_fit(config, key, shape, f"{sizes[place]} was expected")
    layers = _layers(config, shapes, tensors, linear, renamed)
    _agree(config, layers, whole, model, sizes, renamed)
    return Fit(config, layers, tensors, whole, renamed)


def check_base(adapter: Path, base: ModelFolder) -> None:
    """Check that a folder is the very base that an adapter was trained on, where the adapter's record says which.

    Raises:
        UsageError: other weights, named with those that were expected; or the same ones, asked in another wording.
    """
    wanted = folder_record(adapter).get("base")
    if not wanted:
        return
    if wanted.get("sha256") != weight_hashes(base.path):
        raise UsageError(
            f"the adapter {adapter.name!r} was trained on {str(wanted.get('name'))[:80]!r}; the weights of "
            f"{folder_name(base.path)!r} are others.",
            "Name that base with --base.",
        )
    before = dict(wanted)
    if "turns" in wanted or "sighted" in wanted:
        before["turns"] = recorded_turns(wanted, f"vlp.json of {adapter.name!r}")
    asked = {"profile": base.profile, "turns": base.turns}
    for name, now in asked.items():
        if before.get(name, now) != now:
            raise UsageError(
                f"the adapter {adapter.name!r} was trained with {name} {str(before[name])[:40]!r}; that of "
                f"{folder_name(base.path)!r} is {now!r}.",
                "Train it again, or name the base as it was.",
            )


def is_plain_key(key: str) -> bool:
    """Whether a key is one of a plain LoRA matrix, named as PEFT and transformers name it now."""
    name = key.removeprefix(PREFIX)
    return name != key and name.endswith((".lora_A.weight", ".lora_B.weight")) and not name.startswith(tuple(dict(OLD_NAMES)))


def weight_hashes(folder: Path) -> dict[str, str]:
    """Return the hash of each weight file of a model folder, by name."""
    return {file.name: sha256(file) for file in sorted(folder.glob("*.safetensors"))}


def weight_shapes(file: Path) -> dict[str, list[int]]:
    """Return the shape of each tensor in a checked safetensors file, in the file's order."""
    with file.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def _split(key: str, config: AdapterConfig) -> tuple[str, str]:
    """Return the module and the part of it that a key names, or a parameter of the base and ""."""
    name, wrappers = key, ("_orig_mod.", "module.", PREFIX)
    parts = {  # as they are written with and without the name of the adapter, and their names here
        "lora_A.weight": "lora_A.weight",
        "lora_B.weight": "lora_B.weight",
        "lora_B.bias": "lora_B.bias",
        "lora_magnitude_vector": "lora_magnitude_vector",
        "lora_magnitude_vector.weight": "lora_magnitude_vector",
    }
    while wrapper := next((w for w in wrappers if name.startswith(w)), ""):
        name = name.removeprefix(wrapper)
    if match := re.fullmatch(r"(.+?)\.(lora_\w+)(?:\.default)?((?:\.(?:weight|bias))?)", name):
        if part := parts.get(match[2] + match[3]):
            return match[1], part
        raise UsageError(f"the adapter {config.name!r} has {key[:200]!r}: only linear layers can be adapted.")
    if "trainable_tokens" in name:
        raise UsageError(f"the adapter {config.name!r} trained single tokens ({key[:200]!r}), which is not supported.")
    return re.sub(r"\.(base_layer|modules_to_save(\.default)?)\.", ".", name), ""


def _place(name: str, places: dict[str, Any], renamed: dict[str, str]) -> str | None:
    """Return what the base calls a module or parameter, and note under which old name it came."""
    if name in places:
        return name
    for old, new in OLD_NAMES:
        if name.startswith(old) and (found := new + name.removeprefix(old)) in places:
            renamed[old] = new
            return found
    return None


def _layers(
    config: AdapterConfig, shapes: dict[str, list[int]], tensors: dict[str, tuple[str, str]],
    linear: dict[str, tuple[int, int]], renamed: dict[str, str],
) -> dict[str, Layer]:  # fmt: skip
    """Return the adapted layers, each with all its parts in the sizes that rank and base ask for."""
    needed = ["lora_A.weight", "lora_B.weight", *["lora_B.bias"] * config.lora_bias]
    needed += ["lora_magnitude_vector"] * config.dora
    keys = {place: key for key, place in tensors.items()}
    layers: dict[str, Layer] = {}
    for key, (module, part) in tensors.items():
        if part not in needed:
            setting = {"lora_B.bias": "lora_bias", "lora_magnitude_vector": "use_dora"}[part]
            raise UsageError(f"the adapter {config.name!r} has {key[:200]!r}, but its configuration has no {setting}.")
        names = module, _old_name(module, renamed)
        rank, alpha, (rows, columns) = config.rank_of(*names), config.alpha_of(*names), linear[module]
        missing = next((other for other in needed if (module, other) not in keys), None)
        if missing:
            raise UsageError(f"the adapter {config.name!r} has {key[:200]!r} without its other half, {missing}.")
        expected = {
            "lora_A.weight": [rank, columns], "lora_B.weight": [rows, rank], "lora_B.bias": [rows],
            "lora_magnitude_vector": [rows],
        }[part]  # fmt: skip
        if shapes[key] != expected:
            raise _no_fit(config, key, shapes[key], _difference(shapes[key], expected, rank, part))
        layers[module] = Layer(rank, alpha)
    return layers


def _difference(shape: list[int], expected: list[int], rank: int, part: str) -> str:
    """Return what was expected of a weight: the side that the base has, or the rank that the configuration says."""
    if len(shape) == len(expected) == 2:
        at = 0 if part == "lora_A.weight" else 1
        if 0 in shape:
            return "a rank of 1 or more was expected"
        if shape[1 - at] == expected[1 - at]:
            return f"its configuration says rank {rank}"
        return f"{expected[1 - at]} was expected"
    return f"{expected} was expected"


def _agree(
    config: AdapterConfig, layers: dict[str, Layer], whole: dict[str, str], model: Any, sizes: dict[str, list[int]],
    renamed: dict[str, str],
) -> None:  # fmt: skip
    """Refuse an adapter whose configuration asks for other weights than its file has: peft passes over them."""
    output, embeddings = _name_of(model, model.get_output_embeddings()), _name_of(model, model.get_input_embeddings())
    linear = {n for n, m in model.named_modules() if hasattr(m, "out_features") and hasattr(m, "in_features")}
    if config.targets.names == ALL_LINEAR:
        linear.discard(output)
    spoken = {_old_name(name, renamed): name for name in linear}
    where = f"adapter_config.json of {config.name!r}"
    meant = {spoken[name] for name in config.targets.of(spoken, where)}
    if odd := sorted(meant ^ set(layers)):
        other = "its file has no weights of it" if odd[0] in meant else "it is not among the target_modules"
        raise UsageError(f"{where} and its weights do not agree about {odd[0][:200]!r}: {other}.")
    if output in layers and model.config.get_text_config().tie_word_embeddings:
        raise UsageError(f"the adapter {config.name!r} adapts {output!r}, which this base ties to its embeddings.")
    biases = {"none": (), "all": (n for n in sizes if n.endswith(".bias")), "lora_only": (f"{n}.bias" for n in layers)}
    owed = {n for n in biases[config.bias] if n in sizes} | {n for n in sizes if config.targets.saves(n)}
    if lacking := sorted(owed - set(whole.values())):
        raise UsageError(f"{where} says that {lacking[0]!r} was trained too (bias, modules_to_save); its file lacks it.")
    for key, name in whole.items():  # embeddings are saved without a word in the configuration
        if name not in owed and name not in (f"{output}.weight", f"{embeddings}.weight"):
            raise UsageError(f"the adapter {config.name!r} has {key[:200]!r}, of which its configuration says nothing.")


def _name_of(model: Any, module: Any) -> str:
    return next(name for name, each in model.named_modules() if each is module)


def _old_name(name: str, renamed: dict[str, str]) -> str:
    """Return the name that the adapter's trainer had for a module of the base."""
    return next((old + name.removeprefix(new) for old, new in renamed.items() if name.startswith(new)), name)


def _no_fit(config: AdapterConfig, key: str, shape: list[int], expected: str) -> UsageError:
    said = f"{key[:200]!r} is {shape}, but {expected}"
    return UsageError(f"the adapter {config.name!r} does not fit the base: {said}.", "Name the base that it was trained on.")
