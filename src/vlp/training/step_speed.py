"""How long a step of fine-tuning takes, and its memory, against TRL's own trainer: same model, adapter and batch, in turns.

Batches are made up, and weights can be random, so that a model's configuration is enough.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from vlp.models.catalogue import find_folder
from vlp.models.folder import check_folder
from vlp.models.loading import find_device, load_model, quiet
from vlp.models.shape import build_shape, find_config
from vlp.prompt.target import IGNORED
from vlp.training import lora
from vlp.training.examples import as_dataset
from vlp.training.known_images import image_input, patch_states
from vlp.training.memory import free_bytes, memory_need, refuse_what_cannot_fit
from vlp.training.policy_trainer import PolicyTrainer, trainer_settings
from vlp.training.recipe import Recipe


@dataclass(frozen=True)
class StepShape:
    """What a made-up batch holds.

    Args:
        examples: in the batch.
        text_tokens: of each prompt, beside the image.
        policy_tokens: of each policy.
        width_px, height_px: of each image as the model sees it.
    """

    examples: int = 8
    text_tokens: int = 80
    policy_tokens: int = 120
    width_px: int = 432
    height_px: int = 324


@dataclass
class StepSpeed:
    """What was measured.

    Args:
        ours_s, stock_s: seconds of each forward and backward pass, first ones left out; on a CPU processor time, which others
            that use it do not change.
        loss_difference: largest between the two.
        ours_peak_bytes, stock_peak_bytes: largest memory on a GPU; 0 on a CPU.
    """

    ours_s: list[float] = field(default_factory=list)
    stock_s: list[float] = field(default_factory=list)
    loss_difference: float = 0.0
    ours_peak_bytes: int = 0
    stock_peak_bytes: int = 0

    @property
    def times_faster(self) -> float:
        """Median of TRL's steps by median of ours."""
        return statistics.median(self.stock_s) / statistics.median(self.ours_s)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        medians = {"ours_median_s": statistics.median(self.ours_s), "stock_median_s": statistics.median(self.stock_s)}
        return {**asdict(self), **medians, "times_faster": self.times_faster}


def measure_steps(
    base: str, recipe: Recipe, shape: StepShape, steps: int = 10, device: str | None = None, random_weights: bool = False
) -> StepSpeed:
    """Time steps of ours and of TRL's trainer in turns.

    Args:
        base: as `vlp.models.catalogue.find_folder` takes it; with random weights its configuration is enough.
        recipe: adapter, precision and recomputing count.
        shape: of the batch.
        steps: of each that are counted; one more goes before.
        device: "cpu", "cuda", ...; None takes a GPU where there is one.
        random_weights: of the base's shape, instead of its own.

    Raises:
        MissingComponent: it cannot fit.
    """
    where = find_device(device)
    weights = recipe.weights_type(where)
    recompute = recipe.recompute == "yes"
    _refuse(lora.attach(build_shape(find_config(base)), recipe.adapter), recipe, shape, weights, where, recompute)
    model = lora.attach(open_weights(base, weights, where, random_weights, recipe.seed), recipe.adapter)
    batch = random_batch(model, shape, recipe.seed)
    with TemporaryDirectory() as out:
        arms = {name: make_arm(name, model, recipe, Path(out), where, recompute) for name in ("ours", "stock")}
        return _in_turns(arms, {"ours": known(batch, model, where), "stock": batch}, model, steps, where)


def open_weights(base: str, weights: torch.dtype, where: torch.device, random_weights: bool, seed: int = 0) -> Any:
    """Return a base's model, or one of its shape with random weights.

    Args:
        base: as `vlp.models.catalogue.find_folder` takes it; with random weights its configuration is enough.
        weights: type of the weights.
        where: the device.
        random_weights: of the base's shape, instead of its own.
        seed: of random weights.
    """
    if not random_weights:
        return load_model(check_folder(find_folder(base)), None, where, weights)
    torch.manual_seed(seed)
    return build_shape(find_config(base), where, weights)


def _in_turns(
    arms: dict[str, Any], batches: dict[str, dict[str, Tensor]], model: Any, steps: int, where: torch.device
) -> StepSpeed:
    found = StepSpeed()
    for step in range(steps + 1):
        losses = {}
        for name, trainer in arms.items():
            model.zero_grad(set_to_none=True)
            taken_s, peak, losses[name] = _timed(lambda trainer=trainer, name=name: one_step(trainer, batches[name]), where)
            if step:
                getattr(found, f"{name}_s").append(taken_s)
            setattr(found, f"{name}_peak_bytes", max(getattr(found, f"{name}_peak_bytes"), peak))
        found.loss_difference = max(found.loss_difference, abs(losses["ours"] - losses["stock"]))
    return found


def make_arm(arm: str, model: Any, recipe: Recipe, out: Path, where: torch.device, recompute: bool) -> Any:
    """Return our trainer around a model, or TRL's; it is asked for losses only, so what it would train on does not matter.

    Args:
        arm: "ours" or "stock".
        model: with its adapter.
        recipe: of the settings.
        out: folder of the run.
        where: the device.
        recompute: activations are computed again in the backward pass.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast
    from trl.trainer.sft_trainer import SFTTrainer

    words = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0}, "a")), pad_token="a", eos_token="a")
    with quiet():
        if recompute:  # a trainer would turn it on when it begins to train
            model.gradient_checkpointing_enable()
        return {"ours": PolicyTrainer, "stock": SFTTrainer}[arm](
            model=model,
            args=trainer_settings(recipe, out, where, recompute),
            train_dataset=as_dataset([0]),
            data_collator=lambda rows: rows,
            processing_class=words,
        )


def one_step(trainer: Any, batch: dict[str, Tensor]) -> float:
    """Return the loss of a batch, after its backward pass."""
    trainer.model.train()
    inputs = trainer._prepare_inputs(dict(batch))
    with trainer.compute_loss_context_manager(), trainer.accelerator.autocast(), quiet():
        loss = trainer.compute_loss(trainer.model, inputs)
    loss.backward()
    return float(loss.detach())


def _timed(work: Callable[[], float], where: torch.device) -> tuple[float, int, float]:
    """Return seconds (of this process on a CPU, which others may use too), peak bytes on a GPU, and what the work returned."""
    if where.type != "cuda":
        began = time.process_time()
        loss = work()
        return time.process_time() - began, 0, loss
    torch.cuda.reset_peak_memory_stats(where)
    torch.cuda.synchronize(where)
    began = time.perf_counter()
    loss = work()
    torch.cuda.synchronize(where)
    return time.perf_counter() - began, torch.cuda.max_memory_allocated(where), loss


def _grid(model: Any, shape: StepShape) -> tuple[int, int, int]:
    vision = model.config.vision_config
    side, merge = vision.patch_size * vision.spatial_merge_size, vision.spatial_merge_size
    return 1, max(1, round(shape.height_px / side)) * merge, max(1, round(shape.width_px / side)) * merge


def random_batch(model: Any, shape: StepShape, seed: int) -> dict[str, Tensor]:
    """Return a batch of random text around random images, the last tokens of each to be learned."""
    vision, draws = model.config.vision_config, torch.Generator().manual_seed(seed)
    grid = _grid(model, shape)
    image_tokens = grid[1] * grid[2] // vision.spatial_merge_size**2
    special = {model.config.image_token_id, model.config.video_token_id}
    length = image_tokens + shape.text_tokens + shape.policy_tokens
    ids = torch.randint(0, model.config.text_config.vocab_size, (shape.examples, length), generator=draws)
    for token in special:
        ids[ids == token] = min(set(range(3)) - special)
    ids[:, 1 : 1 + image_tokens] = model.config.image_token_id
    labels = ids.clone()
    labels[:, : -shape.policy_tokens] = IGNORED
    numbers = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "labels": labels,
        "mm_token_type_ids": (ids == model.config.image_token_id).int(),
        "image_grid_thw": torch.tensor([grid] * shape.examples),
        "pixel_values": torch.randn(shape.examples * grid[1] * grid[2], numbers, generator=draws),
    }


def tower_features(model: Any, pixels: Tensor, grids: Tensor, where: torch.device) -> Tensor:
    """Return what the vision tower makes of images: image tokens (all images' together, width)."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    with torch.no_grad():
        found = inner.model.get_image_features(pixels.to(where, inner.dtype), grids.to(where), return_dict=True)
    return torch.cat(tuple(found.pooler_output))


def known(batch: dict[str, Tensor], model: Any, where: torch.device) -> dict[str, Tensor]:
    """Return a batch with what our trainer computes once an image in place of the pixels."""
    inner, given = model.get_base_model() if hasattr(model, "get_base_model") else model, dict(batch)
    images = image_input(lora.trained_modules(model))
    if images == "image_features":
        given[images] = tower_features(model, given.pop("pixel_values"), given["image_grid_thw"], where)
    elif images == "patch_states":
        pixels = given.pop("pixel_values").to(where, inner.dtype)
        given[images] = patch_states(inner.model.visual, pixels, given["image_grid_thw"].to(where))
    return given


def _refuse(bare: Any, recipe: Recipe, shape: StepShape, weights: torch.dtype, where: torch.device, recompute: bool) -> None:
    grid = _grid(bare, shape)
    patches, frozen = grid[1] * grid[2], recipe.adapter == "decoder"
    tokens = patches // bare.config.vision_config.spatial_merge_size**2 + shape.text_tokens + shape.policy_tokens
    need = memory_need(bare, weights.itemsize, shape.examples, tokens, shape.policy_tokens, recompute, 0 if frozen else patches)
    refuse_what_cannot_fit(need, free_bytes(where), where)
