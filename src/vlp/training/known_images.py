"""What is frozen of a vision tower is computed once an image: all of it, or what comes before the first trained block."""

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.vision_utils import get_vision_window_index

from vlp.training.lean import Forward, standing_in


def image_input(trained: Collection[str]) -> str:
    """Return what a step needs of images: "image_features", "patch_states" or "pixel_values", by what of the tower is trained.

    Args:
        trained: names of modules that are trained; none means all.
    """
    tower = [name for name in trained if "visual." in name]
    if not trained or any("patch_embed" in name for name in tower):
        return "pixel_values"
    return "patch_states" if tower else "image_features"


def frozen_blocks(tower: Any) -> int:
    """Return how many blocks stand before the first that is trained."""
    trained = (i for i, block in enumerate(tower.blocks) if any(p.requires_grad for p in block.parameters()))
    return next(trained, len(tower.blocks))


def patch_states(tower: Any, pixels: Tensor, grids: Tensor) -> Tensor:
    """Return what the frozen part of a tower makes of images: (patches of all images, width), in the order of their patches.

    Args:
        tower: with what is trained of it; its first block may be.
        pixels: of all images' patches.
        grids: frames, rows and columns of each image's patches.
    """
    blocks = tower.blocks
    tower.blocks = blocks[: frozen_blocks(tower)]
    try:
        with torch.no_grad(), standing_in({tower.merger: lambda states: states[:: tower.spatial_merge_unit]}):
            states = tower(pixels, grids).last_hidden_state
    finally:
        tower.blocks = blocks
    order, _ = get_vision_window_index(grids, tower.spatial_merge_size, tower.window_size, tower.patch_size)
    return states.unflatten(0, (len(order), -1))[order.argsort()].flatten(0, 1)


def known_images(inputs: dict[str, Any], model: Any) -> dict[Any, Forward]:
    """Put what is known of a batch's images to where the model takes it, and return what stands in for what is skipped.

    Args:
        inputs: with `image_features` of the whole tower, with `patch_states`, or with pixels; changed.
        model: without its adapter's wrapping.
    """
    tower = model.model.visual
    if (features := inputs.pop("image_features", None)) is not None:
        sizes = (inputs["image_grid_thw"].prod(-1) // tower.spatial_merge_unit).tolist()
        seen: Any = torch.split(features, sizes)
        inputs["mm_encoder_outputs"] = {"image": BaseModelOutputWithPooling(pooler_output=seen)}
    if (states := inputs.pop("patch_states", None)) is None:
        return {}
    inputs["pixel_values"] = states
    skipped = [tower.patch_embed, *tower.blocks[: frozen_blocks(tower)]]
    return dict.fromkeys(skipped, lambda states, **_: states)
