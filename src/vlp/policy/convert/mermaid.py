"""A policy as a Mermaid flowchart: one box per subtask, arrows from step to step."""

from itertools import pairwise
from string import ascii_letters, digits

from vlp.policy.model import Policy, say


def to_mermaid(policy: Policy) -> str:
    """Return a flowchart; every character that Mermaid could read as syntax is written as an entity."""
    lines = ["flowchart TD", f'  goal(["{_text(policy.goal)}"])']
    if policy.cannot:
        return "\n".join([*lines, f'  cannot["cannot: {_text(policy.cannot)}"]', "  goal --> cannot"]) + "\n"
    order = ["goal"]
    for i, subtask in enumerate(policy.subtasks, 1):
        lines.append(f'  subgraph s{i}["{_text(f"{i}. {subtask.name}")}"]')
        for j, step in enumerate(subtask.steps, 1):
            lines.append(f'    s{i}_{j}["{_text(f"{i}.{j} {say(step)}")}"]')
            order.append(f"s{i}_{j}")
        lines.append("  end")
    lines += [f"  {a} --> {b}" for a, b in pairwise(order)]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    plain = frozenset(f"{ascii_letters}{digits} .,_-=/")
    return "".join(c if c in plain else f"#{ord(c)};" for c in text)
