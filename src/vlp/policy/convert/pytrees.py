"""A policy as Python code that builds a py_trees tree."""

from vlp.policy.convert.names import comment, reference, spelled
from vlp.policy.model import Policy, PolicyStep

_HEAD = '''import py_trees


class Step(py_trees.behaviour.Behaviour):
    """One primitive; `execute(do, arguments)` returns its result and raises when it fails."""

    def __init__(self, name, execute, results, do, arguments, references, bind):
        super().__init__(name)
        self.execute, self.results, self.do = execute, results, do
        self.arguments, self.references, self.bind = arguments, references, bind

    def update(self):
        found = {name: self.results[key] for name, key in self.references.items()}
        try:
            value = self.execute(self.do, {**self.arguments, **found})
        except Exception as error:
            self.feedback_message = str(error)
            return py_trees.common.Status.FAILURE
        if self.bind:
            self.results[self.bind] = value
        return py_trees.common.Status.SUCCESS


def build(execute):
    """Return the root; tick it until it is done."""
    results = {}
'''


def to_pytrees(policy: Policy) -> str:
    """Return a module whose `build(execute)` returns the root of the tree."""
    if policy.cannot:
        return f"{_HEAD}    return py_trees.behaviours.Failure(name={policy.cannot!r})\n"
    lines = [f"    root = py_trees.composites.Sequence(name={policy.goal!r}, memory=True)"]
    for i, subtask in enumerate(policy.subtasks, 1):
        lines.append(f"    # {i}. {comment(subtask.name)}")
        lines.append(f"    part = py_trees.composites.Sequence(name={subtask.name!r}, memory=True)")
        lines += [f"    part.add_child({_step(f'{i}.{j}', step)})" for j, step in enumerate(subtask.steps, 1)]
        lines.append("    root.add_child(part)")
    return _HEAD + "\n".join([*lines, "    return root"]) + "\n"


def _step(step_id: str, step: PolicyStep) -> str:
    references = {name: found for name, value in step.arguments.items() if (found := reference(value))}
    plain = {spelled(name): value for name, value in step.arguments.items() if name not in references}
    title = f"{step_id} {spelled(step.do)}"
    bind = spelled(step.as_) if step.as_ else ""
    return f"Step({title!r}, execute, results, {step.do!r}, {plain!r}, {references!r}, {bind!r})"
