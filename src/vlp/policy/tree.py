"""A plan as lines of a tree for the terminal, each step with its state."""

from collections.abc import Mapping

from vlp.policy.model import Plan, Policy, say

MARKS: dict[str, str] = {
    "": "·",
    "running": "▶",
    "succeeded": "✓",
    "failed": "✗",
    "timeout": "✗",
    "rejected": "✗",
    "stopped": "■",
    "dropped": "-",
}
"""One mark per state of a step; a state without a row shows as it is spelled."""


def tree_lines(plan: Plan | Policy, states: Mapping[str, str] | None = None) -> list[str]:
    """Return a plan as plain lines.

    Args:
        plan: a plan, or a policy that has not been checked.
        states: by step id, words of `MARKS`; a step without one is still to come.
    """
    policy = plan.policy if isinstance(plan, Plan) else plan
    states = states or {}
    lines = [_line(policy.goal)]
    if policy.cannot:
        return [*lines, f"└─ cannot: {_line(policy.cannot)}"]
    if not policy.subtasks:
        return [*lines, "└─ nothing to do: it holds already"]
    for i, subtask in enumerate(policy.subtasks, 1):
        last = i == len(policy.subtasks)
        lines.append(f"{'└─' if last else '├─'} {i} {_line(subtask.name)}")
        for j, step in enumerate(subtask.steps, 1):
            state = states.get(f"{i}.{j}", "")
            branch = "└─" if j == len(subtask.steps) else "├─"
            lines.append(f"{'   ' if last else '│  '}{branch} {MARKS.get(state, state)} {i}.{j} {_line(say(step))}")
    return lines


def _line(text: str) -> str:
    """Return text without anything that could move the cursor or forge a line."""
    return "".join(c if c.isprintable() else "?" for c in text)
