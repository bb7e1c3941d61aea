"""The mean of models that went different ways from one training: often better than each of them."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from vlp.core.errors import UsageError
from vlp.models.adapter import RECORD
from vlp.models.catalogue import find_folder
from vlp.models.folder import ModelFolder, check_folder, folder_record, sha256
from vlp.training.checkpoint import write_folder

WEIGHTS = "model.safetensors"


def mean(models: Sequence[str], out: str | Path) -> ModelFolder:
    """Write the model whose every weight is the mean of the same weight of others ("model soup", arXiv 2203.05482).

    It can help where they come from one training.

    Args:
        models: two or more, as `vlp.models.catalogue.find_folder` takes them; everything but the weights is of the first.
        out: the new folder; must not exist.

    Raises:
        UsageError: fewer than two, weights in several files, weights of other names or shapes, or a folder that exists.
        MissingComponent: it could not be written.
    """
    out = Path(out)
    if out.exists():
        raise UsageError(f"{str(out)[:300]!r} is there already.", "Choose another --out.")
    if len(models) < 2:
        raise UsageError("a mean wants two models or more.", "Name their folders, one behind the other.")
    folders = [check_folder(find_folder(model)) for model in models]
    first = folders[0]
    total = _weights(first)
    kinds = {name: tensor.dtype for name, tensor in total.items()}
    total = {name: tensor.to(torch.float32) for name, tensor in total.items()}
    for other in folders[1:]:
        weights = _weights(other)
        odd = next((n for n in sorted({*total, *weights}) if _shape(total, n) != _shape(weights, n)), None)
        if odd is not None:
            raise UsageError(
                f"{odd} is {_shape(total, odd)} in {first.name!r} and {_shape(weights, odd)} in {str(other.path)[:200]!r}.",
                "Only models of one shape have a mean.",
            )
        total = {name: tensor + weights[name] for name, tensor in total.items()}

    def write(part: Path) -> None:
        for file in first.path.iterdir():
            if file.is_file() and file.name != WEIGHTS:
                shutil.copyfile(file, part / file.name)
        save_file({n: (t / len(folders)).to(kinds[n]) for n, t in total.items()}, part / WEIGHTS, metadata={"format": "pt"})
        if (part / RECORD).is_file():
            record = folder_record(part)
            record["sha256"] = {**record.get("sha256", {}), WEIGHTS: sha256(part / WEIGHTS)}
            (part / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")

    return check_folder(write_folder(out, write))


def _weights(folder: ModelFolder) -> dict[str, torch.Tensor]:
    if not (folder.path / WEIGHTS).is_file():
        raise UsageError(f"the weights of {folder.name!r} are in several files.", f"Expected one {WEIGHTS}.")
    return load_file(folder.path / WEIGHTS)


def _shape(weights: dict[str, torch.Tensor], name: str) -> str:
    return str(list(weights[name].shape)) if name in weights else "missing"
