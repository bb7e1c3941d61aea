"""A policy as a Python script over the same primitives, for people to read."""

from vlp.policy.convert.names import comment, reference, spelled, variables
from vlp.policy.model import Policy, PolicyStep


def to_python(policy: Policy) -> str:
    """Return a module with one function `run(robot)`; a step that fails is expected to raise."""
    names = variables(policy, frozenset({"robot", "run", "print"}))
    lines = [f"GOAL = {policy.goal!r}", "", "", "def run(robot):"]
    if policy.cannot:
        lines.append(f"    raise RuntimeError({policy.cannot!r})")
    elif not policy.steps:
        lines.append("    return  # the goal holds already")
    for i, subtask in enumerate(policy.subtasks, 1):
        lines += [""] * (i > 1) + [f"    # {i}. {comment(subtask.name)}"]
        lines += [f"    {_call(step, names)}" for step in subtask.steps]
    return "\n".join(lines) + "\n"


def _call(step: PolicyStep, names: dict[str, str]) -> str:
    arguments = ", ".join(f"{spelled(name)}={_value(value, names)}" for name, value in step.arguments.items())
    bind = f"{names[step.as_]} = " if step.as_ else ""
    return f"{bind}robot.{spelled(step.do)}({arguments})"


def _value(value: object, names: dict[str, str]) -> str:
    name = reference(value)
    return names[name] if name else repr(value)
