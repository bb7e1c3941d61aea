"""P8: a step of LoRA against stock TRL, its time and the memory it takes, on a CPU."""

from collections.abc import Sequence

from vlp.core.messages import counted
from vlp.core.timing import Interval, NotTheSame
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.training.recipe import Recipe
from vlp.training.step_memory import step_growth
from vlp.training.step_speed import StepShape, measure_steps


def lora_step(
    effort: Effort, shape: StepShape | None = None, adapters: Sequence[str] = ("decoder", "vision+decoder")
) -> list[Measured]:
    """Return time and memory of a forward and backward pass, of each adapter.

    Args:
        effort: how often.
        shape: of the batch, which is made up; None takes a small model's.
        adapters: what is trained, as `vlp.training.lora.ADAPTERS` names it.

    Raises:
        NotTheSame: the losses differ.
        MissingComponent: not on Linux, which tells the memory of a step.
    """
    shape = shape or StepShape(text_tokens=120, policy_tokens=120)
    return [figure for adapter in adapters for figure in (_time(adapter, effort, shape), _memory(adapter, effort, shape))]


def _time(adapter: str, effort: Effort, shape: StepShape) -> Measured:
    speed = measure_steps(effort.base, Recipe(adapter=adapter), shape, effort.repeats, "cpu")
    _same(adapter, speed.loss_difference)
    ratios = [stock / ours for ours, stock in zip(speed.ours_s, speed.stock_s, strict=True)]
    same = f"losses differ by {speed.loss_difference:.0e}"
    said = f"processor time of {_arms(adapter, effort, shape)}; {same}; {counted(effort.repeats, 'turn')}."
    more = {"ours_s": speed.ours_s, "stock_s": speed.stock_s}
    least = {"decoder": 1.8, "vision+decoder": 1.5}.get(adapter)
    return Measured("P8", f"`{adapter}`: a step's time", Interval.of(ratios), said, at_least=least, more=more)


def _memory(adapter: str, effort: Effort, shape: StepShape) -> Measured:
    grown: dict[str, list[int]] = {"ours": [], "stock": []}
    for _ in range(min(effort.repeats, 3)):  # two differ by a few percent
        losses = dict[str, float]()
        for arm, sizes in grown.items():
            size, losses[arm] = step_growth(arm, effort.base, Recipe(adapter=adapter), shape)
            sizes.append(size)
        _same(adapter, abs(losses["ours"] - losses["stock"]))
    shares = [ours / stock for ours, stock in zip(grown["ours"], grown["stock"], strict=True)]
    said = f"by how much a process of its own grows in {_arms(adapter, effort, shape)}; {counted(len(shares), 'turn')}."
    more = {f"{arm}_bytes": sizes for arm, sizes in grown.items()}
    return Measured("P8", f"`{adapter}`: a step's memory", Interval.of(shares), said, at_most=0.6, more=more)


def _arms(adapter: str, effort: Effort, shape: StepShape) -> str:
    passes = "a forward and backward pass of `vlp train sft` and of TRL's SFTTrainer"
    return f"{passes} over one made-up batch of {shape.examples}, adapter `{adapter}` on {effort.base}, float32 on a CPU"


def _same(adapter: str, difference: float) -> None:
    if difference > 1e-3:
        raise NotTheSame(f"{adapter}: the losses differ by {difference:.1e}.")
