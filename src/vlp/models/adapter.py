"""A LoRA adapter against its base: every weight must have its place, and the base must be the one it was trained on."""

import json
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError
from vlp.models.folder import ModelFolder, check_adapter, folder_name, folder_record, sha256

WEIGHTS, RECORD = "adapter_model.safetensors", "vlp.json"
PREFIX, PARTS = "base_model.model.", (".lora_A.weight", ".lora_B.weight")


def check_fit(adapter: Path, model: Any) -> None:
    """Check that every weight of an adapter has a place in a model: other tools drop what has none, with a warning.

    Args:
        adapter: the adapter's folder.
        model: the base, loaded or on the meta device.

    Raises:
        UsageError: as `check_adapter` does; a weight without a place or of another size, named by its key.
    """
    check_adapter(adapter)
    shapes = weight_shapes(adapter / WEIGHTS)
    linear = {
        name: (module.out_features, module.in_features)
        for name, module in model.named_modules()
        if hasattr(module, "out_features") and hasattr(module, "in_features")
    }
    for key, shape in shapes.items():
        part = next((part for part in PARTS if key.endswith(part)), "")
        name = key.removeprefix(PREFIX).removesuffix(part)
        if not part or not key.startswith(PREFIX) or name not in linear:
            raise UsageError(
                f"the adapter {adapter.name!r} has a weight that the base has no place for: {key[:200]!r}.",
                "Name the base that it was trained on.",
            )
        rows, columns = linear[name]
        side, found = (columns, shape[-1]) if part == PARTS[0] else (rows, shape[0])
        if len(shape) != 2 or found != side:
            raise UsageError(
                f"the adapter {adapter.name!r} does not fit the base: {key[:200]!r} is {shape}, but {side} was expected.",
                "Name the base that it was trained on.",
            )
        other = PREFIX + name + (PARTS[1] if part == PARTS[0] else PARTS[0])
        if other not in shapes:
            raise UsageError(f"the adapter {adapter.name!r} has {key[:200]!r} without its other half.")


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
    asked = {"profile": base.profile, "sighted": base.sighted}
    for name, now in asked.items():
        if wanted.get(name, now) != now:
            raise UsageError(
                f"the adapter {adapter.name!r} was trained with {name} {str(wanted[name])[:40]!r}; that of "
                f"{folder_name(base.path)!r} is {now!r}.",
                "Train it again, or name the base as it was.",
            )


def weight_hashes(folder: Path) -> dict[str, str]:
    """Return the hash of each weight file of a model folder, by name."""
    return {file.name: sha256(file) for file in sorted(folder.glob("*.safetensors"))}


def weight_shapes(file: Path) -> dict[str, list[int]]:
    """Return the shape of each tensor in a checked safetensors file, in the file's order."""
    with file.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
