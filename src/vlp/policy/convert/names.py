"""Names of a policy that become names of generated code; everything else becomes a quoted string."""

import keyword
import re

from vlp.core.errors import UsageError
from vlp.policy.model import Policy


def spelled(name: str) -> str:
    """Return a name that may stand in code as it is; raises UsageError for any other."""
    if not _is_name(name):
        raise UsageError(f"{name[:80]!r} cannot be a name in generated code.", "Check the policy first.")
    return name


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9_]{0,63}", text) is not None


def reference(value: object) -> str | None:
    """Return the name that a `$name` refers to, None for any other value."""
    is_reference = isinstance(value, str) and value.startswith("$") and _is_name(value[1:])
    return value[1:] if is_reference and isinstance(value, str) else None


def variables(policy: Policy, taken: frozenset[str]) -> dict[str, str]:
    """Return a Python variable for every name a policy binds or refers to: its own name where that is free.

    Args:
        policy: its bound and referenced names become variables.
        taken: words the generated code uses itself.
    """
    names: dict[str, None] = {}
    for step in policy.steps:
        names |= {name: None for value in step.arguments.values() if (name := reference(value))}
        if step.as_:
            names[spelled(step.as_)] = None
    used = set(names) | taken
    chosen: dict[str, str] = {}
    for name in names:
        variable = name
        while variable in taken or keyword.iskeyword(variable) or (variable != name and variable in used):
            variable += "_"
        used.add(variable)
        chosen[name] = variable
    return chosen


def comment(text: str) -> str:
    """Return text that cannot leave a comment line."""
    return repr(text)[1:-1]
