"""A policy as Python code that builds a py_trees tree."""

from importlib.resources import files

from vlp.policy.convert.names import comment, reference, spelled
from vlp.policy.model import Policy, PolicyStep


def to_pytrees(policy: Policy) -> str:
    """Return a module whose `build(execute)` returns the root of the tree."""
    head = files("vlp.policy.convert").joinpath("pytrees_head.txt").read_text()
    if policy.cannot:
        return f"{head}    return py_trees.behaviours.Failure(name={policy.cannot!r})\n"
    lines = [f"    root = py_trees.composites.Sequence(name={policy.goal!r}, memory=True)"]
    for i, subtask in enumerate(policy.subtasks, 1):
        lines.append(f"    # {i}. {comment(subtask.name)}")
        lines.append(f"    part = py_trees.composites.Sequence(name={subtask.name!r}, memory=True)")
        lines += [f"    part.add_child({_step(f'{i}.{j}', step)})" for j, step in enumerate(subtask.steps, 1)]
        lines.append("    root.add_child(part)")
    return head + "\n".join([*lines, "    return root"]) + "\n"


def _step(step_id: str, step: PolicyStep) -> str:
    references = {name: found for name, value in step.arguments.items() if (found := reference(value))}
    plain = {spelled(name): value for name, value in step.arguments.items() if name not in references}
    title = f"{step_id} {spelled(step.do)}"
    bind = spelled(step.as_) if step.as_ else ""
    return f"Step({title!r}, execute, results, {step.do!r}, {plain!r}, {references!r}, {bind!r})"
