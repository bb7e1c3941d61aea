"""A model's modules and sizes without its weights: from a configuration alone, on torch's meta device."""

from pathlib import Path
from typing import Any

import torch

from vlp.core.errors import UsageError, not_installed
from vlp.models.catalogue import find_folder
from vlp.models.folder import check_config

PUBLISHED: dict[str, Path] = {
    "Qwen/Qwen2.5-VL-3B-Instruct": Path(__file__).parent / "published" / "qwen2.5-vl-3b-instruct.json",
}
"""Configurations that come with the package, as their makers published them."""


def find_config(spec: str) -> Path:
    """Return the configuration file of a model; of published models it comes with the package, nothing is fetched.

    Raises:
        UsageError: nothing by that name, or a folder without config.json.
        MissingComponent: it is not on this machine and cannot be fetched.
    """
    if spec in PUBLISHED:
        return PUBLISHED[spec]
    file = find_folder(spec, files=("config.json",)) / "config.json"
    if not file.is_file():
        raise UsageError(f"no config.json in {str(file.parent)[:300]!r}.", "Expected a model folder.")
    return file


def build_shape(config: Path, device: torch.device | str = "meta", dtype: torch.dtype | None = None) -> Any:
    """Return the model that a configuration describes: modules and sizes on the meta device, random weights on another.

    Args:
        config: its file.
        device: where.
        dtype: of the weights; None takes what the configuration says.

    Raises:
        UsageError: another architecture, or sizes that cannot be right.
        MissingComponent: transformers is not installed.
    """
    data = check_config(config)
    try:
        from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
    except ImportError as error:
        raise not_installed("this needs", error, "models") from None
    try:
        with torch.device(device):
            described = Qwen2_5_VLConfig.from_dict(data)
            return Qwen2_5_VLForConditionalGeneration._from_config(described, dtype=dtype or described.dtype)
    except Exception as error:  # a configuration that does not fit together fails in many ways
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(".")
        raise UsageError(f"no model can be built from {config.name!r}: {why}.") from None
