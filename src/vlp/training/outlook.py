"""What a fine-tuning would come to, told without weights: what is trained, on how much, in how many steps, in which memory."""

from itertools import islice
from pathlib import Path
from typing import Any

from vlp.core.messages import counted
from vlp.data.store import Store
from vlp.models.loading import find_device
from vlp.models.shape import build_shape, find_config
from vlp.models.transformers_model import SMALL_MODEL_PARAMETERS
from vlp.training import lora
from vlp.training.memory import free_bytes, memory_need
from vlp.training.recipe import Recipe


def describe(base: str, adapter: str) -> dict[str, Any]:
    """Return what an adapter would train in a base, from its configuration alone: no weights are needed.

    Args:
        base: as `vlp.models.catalogue.find_folder` takes it; a config.json in a folder is enough.
        adapter: a name in `vlp.training.lora.ADAPTERS`.
    """
    return _described(base, adapter)[0]


def outlook(base: str, data: str | Path, recipe: Recipe, device: str | None = None) -> dict[str, Any]:
    """Return what a fine-tuning would come to: what `describe` says, the samples where they are there, steps and memory.

    Args:
        base: as `describe` takes it.
        data: folder of samples; where there is none yet, "samples" and "steps" are None.
        recipe: how it would be trained.
        device: where; None takes a GPU where there is one.

    Raises:
        UsageError, MissingComponent: for a folder of samples that cannot be read, a device that is not there.
    """
    found, model = _described(base, recipe.adapter)
    where, small = find_device(device), found["parameters"] <= SMALL_MODEL_PARAMETERS
    recipe = recipe.settled(found["parameters"])
    micro, _ = recipe.share(1)
    # Assumed of the longest example, its policy and the largest image: they are counted when a run begins.
    tokens, policy_tokens = (512, 128) if small else (3072, 512)
    patches = 0 if recipe.adapter == "decoder" else 2048
    recompute = recipe.recomputes(found["parameters"])
    need = memory_need(model, recipe.weights_type(where).itemsize, micro, tokens, policy_tokens, recompute, patches)
    told = {"epochs": recipe.epochs, "batch": recipe.batch, "rate": recipe.rate, "samples": None, "steps": None}
    if Path(data).is_dir():
        samples = sum(1 for _ in islice(Store(data).samples("train"), recipe.samples or None))
        examples = samples * (1 + (recipe.rehearse or 0))
        told |= {"samples": samples, "examples": examples, "steps": -(-examples // recipe.batch) * (recipe.epochs or 1)}
    memory = {"device": str(where), "memory_bytes": need.total_bytes, "free_bytes": free_bytes(where), "assumed_tokens": tokens}
    return {**found, **told, **memory}


def outlook_lines(found: dict[str, Any], data: str) -> list[str]:
    """Return an outlook for people; the modules stand last."""
    share = found["trainable_parameters"] / found["parameters"]
    gib = 2**30
    if found["samples"] is None:
        epochs = counted(found["epochs"], "epoch")
        much = f"no samples at {data[:200]!r} yet: steps are counted where --data names a folder of them; {epochs}."
    else:
        rehearsed = found["examples"] - found["samples"]
        beside = f" and up to {counted(rehearsed, 'rehearsed question')}" if rehearsed else ""
        much = (
            f"{counted(found['samples'], 'sample')}{beside}, {counted(found['epochs'], 'epoch')}, {found['batch']} a step: "
            f"{'up to ' if rehearsed else ''}{counted(found['steps'], 'step')}."
        )
    return [
        f"{found['base']}, {found['adapter']}: {found['trainable_parameters']:,} trained parameters beside or among "
        f"{found['parameters']:,} ({share:.2%}), in {counted(len(found['modules']), 'module')}.",
        much,
        f"about {found['memory_bytes'] / gib:.1f} GiB on {found['device']} for examples of {found['assumed_tokens']:,} tokens; "
        f"{found['free_bytes'] / gib:.1f} GiB are free.",
        *[f"  {name}" + (f"  r={found['ranks'][name]}" if name in found["ranks"] else "") for name in found["modules"]],
    ]


def _described(base: str, adapter: str) -> tuple[dict[str, Any], Any]:
    """Return what is trained, and the model with its adapter on the meta device."""
    model = build_shape(find_config(base))
    whole = sum(p.numel() for p in model.parameters())
    ranks = lora.ranks_of(model, adapter)
    attached = lora.attach(model, adapter)
    found = {
        "base": base,
        "adapter": adapter,
        "parameters": whole,
        "trainable_parameters": lora.trained_parameters(attached),
        "modules": lora.trained_modules(attached),
        "ranks": ranks,
    }
    return found, attached
