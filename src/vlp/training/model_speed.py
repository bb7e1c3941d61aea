"""What a model costs on this machine: its tuning with both adapters, its writing, and where the time goes.

Weights can be random, so that a configuration is enough: that of the 3B model comes with the package.
"""

import gc
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from vlp.models.loading import find_device, quiet
from vlp.models.shape import build_shape, find_config
from vlp.training.memory import free_bytes, memory_need, refuse_what_cannot_fit
from vlp.training.recipe import Recipe
from vlp.training.step_speed import StepShape, StepSpeed, measure_steps, open_weights, random_batch, tower_features


@dataclass
class ModelSpeed:
    """What was measured.

    Args:
        steps: of fine-tuning, by adapter, beside TRL's own trainer.
        prefill_s: seconds to read one prompt, its image included.
        tokens_per_s: written one after the other behind it, without a grammar or a draft.
        peak_bytes: largest memory on a GPU while it wrote; 0 on a CPU.
        hottest: operations in which most time went while it read and wrote: name, seconds, share.
    """

    steps: dict[str, StepSpeed]
    prefill_s: float
    tokens_per_s: float
    peak_bytes: int
    hottest: list[tuple[str, float, float]]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return {**vars(self), "steps": {adapter: found.to_json() for adapter, found in self.steps.items()}}


def measure_model(
    base: str, shape: StepShape, steps: int = 5, precision: str = "", recompute: str = "no", device: str | None = None,
    random_weights: bool = False, trace: Path | None = None,
) -> ModelSpeed:  # fmt: skip
    """Time a model's fine-tuning and writing.

    Args:
        base: as `vlp.models.catalogue.find_folder` takes it; with random weights its configuration is enough.
        shape: of the batch that is tuned on; behind one such prompt as many tokens are written as a policy has.
        steps: of fine-tuning that are counted, for each adapter and trainer.
        precision: "float32" or "bfloat16" (see `vlp.training.recipe.Recipe`).
        recompute: "yes" or "no": compute activations again in the backward pass.
        device: "cpu", "cuda", ...; None takes a GPU where there is one.
        random_weights: of the base's shape, instead of its own.
        trace: a file for the profile, as Chrome's trace viewer reads it.

    Raises:
        MissingComponent: it cannot fit.
    """
    where = find_device(device)
    tuning = ("decoder", "vision+decoder")
    recipes = {adapter: Recipe(adapter=adapter, precision=precision, recompute=recompute) for adapter in tuning}
    for recipe in recipes.values():
        recipe.check()
    weights, tuned = recipes["decoder"].weights_type(where), dict[str, StepSpeed]()
    reading = build_shape(find_config(base)).requires_grad_(False)
    refuse_what_cannot_fit(memory_need(reading, weights.itemsize, 0, 0, 0, True, 0), free_bytes(where), where)
    for adapter, recipe in recipes.items():
        tuned[adapter] = measure_steps(base, recipe, shape, steps, device, random_weights)
        gc.collect()  # a trainer refers to itself, and its model would take room beside the next
        if where.type == "cuda":
            torch.cuda.empty_cache()
    model = open_weights(base, weights, where, random_weights).eval()
    writer = _Writer(model, shape, where)
    writer.write(1)  # the first call of a process warms caches
    if where.type == "cuda":
        torch.cuda.reset_peak_memory_stats(where)
    prefill_s, decode_s = writer.write(shape.policy_tokens)
    peak = torch.cuda.max_memory_allocated(where) if where.type == "cuda" else 0
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if where.type == "cuda" else [])]
    with profile(activities=activities) as seen:
        writer.write(min(16, shape.policy_tokens))
    if trace is not None:
        seen.export_chrome_trace(str(trace))
    return ModelSpeed(tuned, prefill_s, (shape.policy_tokens - 1) / max(decode_s, 1e-9), peak, _hottest(seen, where))


class _Writer:
    """One prompt with an image, and greedy tokens behind it."""

    def __init__(self, model: Any, shape: StepShape, where: torch.device) -> None:
        self.model, self.where = model, where
        batch = random_batch(model, StepShape(1, shape.text_tokens, 1, shape.width_px, shape.height_px), seed=0)
        self.batch = {name: value.to(where) for name, value in batch.items()}

    def write(self, tokens: int) -> tuple[float, float]:
        """Return seconds to read the prompt with the first token, and seconds for the tokens after it."""
        from transformers import DynamicCache

        inner, ids, grids = self.model.model, self.batch["input_ids"], self.batch["image_grid_thw"]
        with torch.inference_mode(), quiet():
            began = self._now_s()
            embedded = inner.get_input_embeddings()(ids)
            seen = tower_features(self.model, self.batch["pixel_values"], grids, self.where)
            embedded[self.batch["mm_token_type_ids"].bool()] = seen.to(embedded.dtype)
            positions, delta = inner.get_rope_index(ids, self.batch["mm_token_type_ids"], grids)
            cache = DynamicCache(config=self.model.config.text_config)
            token = self._next(embedded, positions, cache)
            read = self._now_s()
            for at in range(ids.shape[1], ids.shape[1] + tokens - 1):
                position = torch.full((3, 1, 1), at, device=self.where) + delta
                token = self._next(inner.get_input_embeddings()(token), position, cache)
            return read - began, self._now_s() - read

    def _next(self, embedded: torch.Tensor, positions: torch.Tensor, cache: Any) -> torch.Tensor:
        out = self.model.model.language_model(
            input_ids=None, inputs_embeds=embedded, position_ids=positions, past_key_values=cache, use_cache=True
        )
        return self.model.lm_head(out.last_hidden_state[:, -1:]).argmax(-1)

    def _now_s(self) -> float:
        if self.where.type == "cuda":
            torch.cuda.synchronize(self.where)
        return time.perf_counter()


def _hottest(seen: profile, where: torch.device) -> list[tuple[str, float, float]]:
    key = "self_device_time_total" if where.type == "cuda" else "self_cpu_time_total"
    rows: list[Any] = sorted(seen.key_averages(), key=lambda row: -getattr(row, key))
    total = sum(getattr(row, key) for row in rows) or 1.0
    return [(row.key, getattr(row, key) / 1e6, getattr(row, key) / total) for row in rows[:8]]
