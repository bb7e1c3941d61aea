"""How much memory a fine-tuning needs, told before it starts; what cannot fit is refused.

A count, not a measurement: weights, what the optimizer keeps (gradient, two moments, and the weight itself in 32 bits), what
the backward pass needs of every layer, and the logits of the policy. A fifth is added for what the libraries take beside that.
"""

from dataclasses import dataclass
from typing import Any

import torch

from vlp.core.errors import MissingComponent
from vlp.training.lora import trained_parameters
from vlp.training.recipe import processes


@dataclass(frozen=True)
class MemoryNeed:
    """What a run needs on one device, in bytes.

    Args:
        weights: the model's own.
        optimizer: of what is trained.
        activations: kept for the backward pass.
        logits: of the policy's tokens.
    """

    weights: int
    optimizer: int
    activations: int
    logits: int

    @property
    def total_bytes(self) -> int:
        """All of it, with the margin."""
        return round(1.2 * (self.weights + self.optimizer + self.activations + self.logits))


def memory_need(
    model: Any, weight_bytes: int, examples: int, tokens: int, policy_tokens: int, recompute: bool, patches: int
) -> MemoryNeed:
    """Return what one step needs.

    Args:
        model: with its adapter, loaded or on the meta device.
        weight_bytes: per number of the base.
        examples: passed through the model at a time.
        tokens: of the longest example.
        policy_tokens: of its policy.
        recompute: activations are computed again in the backward pass instead of kept.
        patches: of the largest image, when the tower is trained; 0 when it is frozen.
    """
    text, vision = model.config.text_config, model.config.vision_config
    trained = trained_parameters(model)
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    decoder = _kept(text.hidden_size, text.intermediate_size, text.num_hidden_layers, recompute) * tokens
    tower = _kept(vision.hidden_size, vision.intermediate_size, vision.depth, recompute) * patches
    return MemoryNeed(
        weights=weight_bytes * frozen,
        optimizer=(4 + 4 + 4 + 4) * trained,  # gradient, two moments of AdamW, and the 32-bit weight
        activations=examples * weight_bytes * (decoder + tower),
        logits=examples * (4 + 4 + 4) * (policy_tokens + 1) * text.vocab_size,  # each, its probability, its gradient
    )


def free_bytes(device: torch.device) -> int:
    """Return the free memory of a device, for one of the processes that share it."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    import psutil

    return int(psutil.virtual_memory().available) // processes()


def refuse_what_cannot_fit(need: MemoryNeed, free: int, device: torch.device) -> None:
    """Raise MissingComponent when a run needs more than is free, with what takes most and what would help."""
    if need.total_bytes <= free:
        return
    parts = {"weights": need.weights, "optimizer": need.optimizer, "activations": need.activations, "logits": need.logits}
    most = max(parts, key=lambda name: parts[name])
    hints = {
        "weights": "Use a smaller base, or a device with more memory.",
        "optimizer": "Train an adapter instead: --adapter decoder.",
        "activations": "Take fewer examples at a time: --micro 1, or --recompute yes.",
        "logits": "Take fewer examples at a time: --micro 1.",
    }
    raise MissingComponent(
        f"this needs about {need.total_bytes / 2**30:.1f} GiB on {device}, {parts[most] / 2**30:.1f} of it for {most}; "
        f"{free / 2**30:.1f} GiB are free.",
        hints[most],
    )


def _kept(width: int, inner_width: int, layers: int, recompute: bool) -> int:
    """Return numbers kept per token: of every layer, or of one and the inputs of the others."""
    whole = 10 * width + 4 * inner_width  # what a layer keeps per token for its backward pass
    return layers * width + whole if recompute else layers * whole
