"""Which modules of a model an adapter trains, and at which rank: read off the model's own modules.

Ranks, and which blocks of the vision tower, are the paper's (arXiv 2512.19178): r = 16 on the language decoder; with vision,
r = 8 on the last 6 blocks of the tower too, a smaller rank so that it overfits less. "On all linear layers of the decoder",
alpha and no dropout are our choice: alpha is twice the rank everywhere, so both parts learn at one scale, and without dropout
nothing in a step is random.
"""

from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

from vlp.core.errors import UsageError, lookup
from vlp.models.loading import quiet


def decoder_ranks(model: Any) -> dict[str, int]:
    """Return rank 16 for every linear layer of the language decoder."""
    return dict.fromkeys(_linear(model, model.get_decoder()), 16)


def vision_and_decoder_ranks(model: Any) -> dict[str, int]:
    """Return the decoder's ranks, and rank 8 for every linear layer of the last 6 blocks of the vision tower.

    All blocks of a tower with fewer count.
    """
    tower = model.get_encoder(modality="image")
    stacks = [child for child in tower.children() if isinstance(child, nn.ModuleList)]
    if not stacks:
        raise UsageError("the vision tower of this model has no stack of blocks.", "Use --adapter decoder.")
    blocks = max(stacks, key=len)[-6:]
    vision = dict.fromkeys(_linear(model, blocks), 8)
    return decoder_ranks(model) | vision


def no_ranks(model: Any) -> dict[str, int]:
    """Return nothing: all parameters are trained themselves."""
    return {}


ADAPTERS: dict[str, Callable[[Any], dict[str, int]]] = {
    "decoder": decoder_ranks,
    "vision+decoder": vision_and_decoder_ranks,
    "full": no_ranks,
}
"""What can be trained, by name: a model to the ranks of its modules, by their names in it."""


def ranks_of(model: Any, adapter: str) -> dict[str, int]:
    """Return the rank of each adapted module; raises UsageError for an unknown adapter, naming the closest."""
    return lookup(adapter, ADAPTERS, "adapter")(model)


def lora_config(ranks: dict[str, int]) -> Any:
    """Return PEFT's configuration for ranks by module name."""
    from peft import LoraConfig

    usual = max(ranks.values())
    others = {name: rank for name, rank in ranks.items() if rank != usual}
    return LoraConfig(
        r=usual,
        lora_alpha=2 * usual,
        lora_dropout=0.0,
        bias="none",
        target_modules=list(ranks),
        rank_pattern=others,
        alpha_pattern={name: 2 * rank for name, rank in others.items()},
        task_type="CAUSAL_LM",
    )


def attach(model: Any, adapter: str) -> Any:
    """Return the model with an adapter put in, its own weights frozen; for "full" itself, everything to be trained."""
    ranks = ranks_of(model, adapter)
    if not ranks:
        return model.requires_grad_(True)
    from peft import get_peft_model

    with quiet():
        return get_peft_model(model, lora_config(ranks))


def trained_modules(model: Any) -> list[str]:
    """Return the names of the modules that are trained, as the base calls them, in the model's order.

    Args:
        model: what `attach` returned.
    """
    names = [_base_name(name) for name, parameter in model.named_parameters() if parameter.requires_grad]
    return list(dict.fromkeys(names))


def trained_parameters(model: Any) -> int:
    """Return how many numbers are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _base_name(parameter: str) -> str:
    name, _, _ = parameter.removeprefix("base_model.model.").partition(".lora_")
    return name if ".lora_" in parameter else name.rpartition(".")[0]


def _linear(model: Any, *parts: Any) -> Iterator[str]:
    """Yield the names in `model` of the linear layers inside parts of it."""
    wanted = {id(module) for part in parts for module in part.modules() if isinstance(module, nn.Linear)}
    return (name for name, module in model.named_modules() if id(module) in wanted)
