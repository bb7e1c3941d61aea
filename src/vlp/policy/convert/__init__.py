"""A policy as something else to read or to run elsewhere: one file per target, each one function from policy to text.

To add a target, add a row to `TARGETS`. The runtime interprets the JSON itself and executes none of this.
"""

import importlib
from collections.abc import Callable

from vlp.core.errors import lookup
from vlp.policy.model import Plan, Policy

TARGETS: dict[str, str] = {
    "python": "vlp.policy.convert.python:to_python",
    "btxml": "vlp.policy.convert.btxml:to_btxml",
    "pytrees": "vlp.policy.convert.pytrees:to_pytrees",
    "mermaid": "vlp.policy.convert.mermaid:to_mermaid",
}


def convert(plan: Plan | Policy, target: str) -> str:
    """Return a policy in another form; the same policy always gives the same text.

    Args:
        plan: a plan, or a policy that has not been checked; its texts are escaped either way.
        target: a name in `TARGETS`.

    Raises:
        UsageError: an unknown target, or a name in the policy that the target could not spell.
    """
    module, function = lookup(target, TARGETS, "target").split(":")
    write: Callable[[Policy], str] = getattr(importlib.import_module(module), function)
    return write(plan.policy if isinstance(plan, Plan) else plan)
