"""Peak memory of a step on a CPU: how far a process of its own grows over what it was before the step."""

import gc
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from vlp.core.errors import MissingComponent
from vlp.training import lora, step_speed
from vlp.training.recipe import Recipe
from vlp.training.step_speed import StepShape


def step_growth(arm: str, base: str, recipe: Recipe, shape: StepShape, random_weights: bool = False) -> tuple[int, float]:
    """Return the bytes that a fresh process grows by in a forward and backward pass, and the loss.

    Args:
        arm: "ours", or "stock" for TRL's trainer.
        base: as `vlp.models.catalogue.find_folder` takes it; with random weights its configuration is enough.
        recipe: adapter, seed and recomputing count.
        shape: of the batch.
        random_weights: of the base's shape, instead of its own.

    Raises:
        MissingComponent: not on Linux.
    """
    if not Path("/proc/self/clear_refs").exists():
        raise MissingComponent("the peak of a step is only told by Linux.")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_grown, arm, base, recipe, shape, random_weights).result()


def _grown(arm: str, base: str, recipe: Recipe, shape: StepShape, random_weights: bool) -> tuple[int, float]:
    where = torch.device("cpu")
    model = lora.attach(step_speed.open_weights(base, torch.float32, where, random_weights, recipe.seed), recipe.adapter)
    tiny = StepShape(1, 2, 2, 1, 1)  # loads what libraries load late
    batches = [step_speed.random_batch(model, one, recipe.seed) for one in (tiny, shape)]
    if arm == "ours":
        batches = [step_speed.known(batch, model, where) for batch in batches]
    with TemporaryDirectory() as out:
        trainer = step_speed.make_arm(arm, model, recipe, Path(out), where, recipe.recompute == "yes")
        step_speed.one_step(trainer, batches[0])
        model.zero_grad(set_to_none=True)
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # the peak is what is resident now
        before = _resident("VmHWM")
        loss = step_speed.one_step(trainer, batches[1])
    return _resident("VmHWM") - before, loss


def _resident(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return 1024 * int(found[1]) if found else 0
