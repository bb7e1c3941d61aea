"""What a run took the instruction to mean: one line about a plan, said before its first action."""

from collections.abc import Iterator, Sequence

from vlp.policy import Plan, PlanStep
from vlp.policy.checks import Situation, State
from vlp.primitives.manifest import Manifest


def understood(plan: Plan, final: Sequence[str] = ()) -> str:
    """Return the goal and the subtasks of a plan in words, and its steps that cannot be undone.

    Args:
        plan: what the model wrote.
        final: ids of the steps that cannot be undone.
    """
    policy = plan.policy
    if policy.cannot:
        return _line(f"{policy.goal} (cannot: {policy.cannot})")
    if policy.question:
        return _line(f"not yet clear, so it asks: {policy.question}")
    names = [subtask.name for subtask in policy.subtasks]
    parts = [f"{policy.goal} ({', '.join(names) or 'it is so already'})"]
    parts += [f"cannot be undone: {plan.step(step_id)}" for step_id in final]
    return _line("; ".join(parts))


def final_steps(plan: Plan, manifest: Manifest, known: State) -> Iterator[PlanStep]:
    """Yield the steps of a plan that cannot be undone: by their primitive, or by the place where they leave what is held.

    Args:
        plan: its steps in order.
        manifest: says which primitives and places are final.
        known: what holds before the plan; the place where the robot stands counts where a step names none.
    """
    situation = Situation(known, manifest.primitives)
    for step in plan.steps:
        primitive = manifest.primitives[step.step.do]
        leaves = any("held" in effect.split() for effect in primitive.makes)
        target = str(step.step.arguments.get("target", situation.facts.at))
        if primitive.final or (leaves and target in manifest.places and manifest.places[target].final):
            yield step
        situation.apply(step.step)


def _line(text: str) -> str:
    return " ".join(text.split())
