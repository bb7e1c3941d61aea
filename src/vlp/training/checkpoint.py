"""Checkpoints that are there whole or not at all: trained weights, optimizer state and step, without a pickle.

A checkpoint is a folder `step-N` with `state.safetensors` and `trainer_state.json`. It is written beside its place, synced,
then renamed; only then do older ones go. A process that is killed, or a disk that fills up, leaves the last one standing.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors import torch as safetensors_torch
from torch import Tensor

from vlp.core.errors import UsageError
from vlp.core.files import cannot_write
from vlp.models.loading import quiet


def save_checkpoint(
    folder: Path, step: int, weights: dict[str, Tensor], optimizer: Any, write_state: Callable[[str], None]
) -> Path:
    """Write the checkpoint of a step, and remove the ones before it.

    Args:
        folder: of all checkpoints.
        step: optimizer steps done.
        weights: what is trained, by name.
        optimizer: whose state goes with it.
        write_state: writes the trainer's own state, as JSON, to a path.

    Raises:
        MissingComponent: it could not be written; the one before stands.
    """
    tensors = {f"weights/{name}": value.detach().cpu().contiguous() for name, value in weights.items()}
    for name, field, value in _moments(weights, optimizer):
        tensors[f"{field}/{name}"] = value.detach().cpu().contiguous()

    def write(part: Path) -> None:
        safetensors_torch.save_file(tensors, part / "state.safetensors", metadata={"step": str(step)})
        write_state(str(part / "trainer_state.json"))

    done = write_folder(folder / f"step-{step}", write)
    for other in folder.iterdir():
        if other != done and re.fullmatch(r"step-\d+(\.part)?", other.name):
            shutil.rmtree(other, ignore_errors=True)
    return done


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint, or None where there is none."""
    steps = [int(match[1]) for path in folder.glob("step-*") if (match := re.fullmatch(r"step-(\d+)", path.name))]
    return folder / f"step-{max(steps)}" if steps else None


def load_weights(checkpoint: Path, weights: dict[str, Tensor]) -> None:
    """Put a checkpoint's weights into those that are trained; raises UsageError when they are others."""
    found = {name: value for field, name, value in _tensors(checkpoint) if field == "weights"}
    if found.keys() != weights.keys():
        odd = sorted(found.keys() ^ weights.keys())
        raise UsageError(f"{checkpoint.name!r} is of another model: {odd[0][:200]!r} is in one of them only.")
    with torch.no_grad():
        for name, value in found.items():
            weights[name].copy_(value)


def load_moments(checkpoint: Path, weights: dict[str, Tensor], optimizer: Any) -> None:
    """Put a checkpoint's optimizer state into an optimizer of the same weights."""
    states: dict[str, dict[str, Tensor]] = {}
    for field, name, value in _tensors(checkpoint):
        if field != "weights":
            states.setdefault(name, {})[field] = value
    names = {id(value): name for name, value in weights.items()}
    order = [names[id(p)] for group in optimizer.param_groups for p in group["params"]]
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": {i: states[name] for i, name in enumerate(order)}, "param_groups": groups})


def write_folder(folder: Path, write: Callable[[Path], None]) -> Path:
    """Make a folder that is there whole or not at all, and return it.

    Args:
        folder: must not exist, or is replaced.
        write: fills a folder beside it.

    Raises:
        MissingComponent: it could not be written.
    """
    part = folder.with_name(folder.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        write(part)
        for file in part.iterdir():
            _sync(file)
        _sync(part)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(part, folder)
        _sync(folder.parent)
    except (OSError, SafetensorError) as error:  # safetensors has an error of its own for a disk that is full
        said = error if isinstance(error, OSError) else OSError(str(error)[:160])
        raise cannot_write(folder, said) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def save_model(model: Any, folder: Path) -> None:
    """Write a model's configuration and weights, without a progress bar.

    The library writes the precision of the weights for the whole only: its parts would go on saying what they were loaded in.
    """
    for name in model.config.sub_configs:
        getattr(model.config, name).dtype = model.dtype
    with quiet():
        model.save_pretrained(folder)


def _sync(path: Path) -> None:
    with contextlib.suppress(IsADirectoryError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _moments(weights: dict[str, Tensor], optimizer: Any) -> Iterator[tuple[str, str, Tensor]]:
    """Yield (name of the weight, field, value) of an optimizer's state."""
    names = {id(value): name for name, value in weights.items()}
    for parameter, state in optimizer.state.items():
        for field, value in state.items():
            yield names[id(parameter)], field, torch.as_tensor(value)


def _tensors(checkpoint: Path) -> Iterator[tuple[str, str, Tensor]]:
    """Yield (field, name of the weight, value) of a checkpoint."""
    try:
        with safe_open(checkpoint / "state.safetensors", "pt") as file:
            for key in file.keys():  # noqa: SIM118
                field, _, name = key.partition("/")
                yield field, name, file.get_tensor(key)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{str(checkpoint)[:300]!r} cannot be read: {str(error)[:120]}.", "Train anew.") from None
