"""An expert that errs at stated rates: wrong policies, looks that find a look-alike, actions that lie or let things slip."""

import json
import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from random import Random
from typing import Any

from vlp.core.errors import UsageError
from vlp.core.messages import Message
from vlp.models.protocol import Model, Reply

Document = dict[str, Any]


@dataclass(frozen=True)
class Errors:
    """How often something goes wrong, each a share from 0 to 1.

    Args:
        policies: of the policies that a model writes, see `DisturbedModel`.
        perceptions: of the looks for a thing that has a look-alike beside it.
        steps: of the actions that do nothing and say that they succeeded, and as many of those that carry a thing lose it.

    Raises:
        UsageError: another number.
    """

    policies: float = 0.0
    perceptions: float = 0.0
    steps: float = 0.0

    def __post_init__(self) -> None:
        for name in (known.name for known in fields(self)):
            share = getattr(self, name)
            if not (math.isfinite(share) and 0.0 <= share <= 1.0):
                raise UsageError(f"the share of wrong {name} is {share}.", "It is a number from 0 to 1.")


class DisturbedModel:
    """A model of which some policies are wrong in one way: another thing, a step too few, two steps in the wrong order.

    What it claims and checks stays as it was, as with a model that understands and plans badly. A wrong policy may be one that
    is refused; the reply after it is drawn anew.

    Args:
        model: the one that writes them right.
        share: of the policies with actions.
        rng: draws which and how.
        things: gives the phrases of what there is, one of which takes the place of another.

    Attributes:
        wrong: in which way each wrong policy was wrong.
    """

    def __init__(self, model: Model, share: float, rng: Random, things: Callable[[], Sequence[str]]) -> None:
        self.name, self.profile, self.can = model.name, model.profile, model.can
        self._model, self._share, self._rng, self._things = model, share, rng, things
        self.wrong: list[str] = []

    def generate(
        self,
        messages: Sequence[Message],
        *,
        grammar: Document | None = None,
        draft: str | None = None,
        max_tokens: int = 1024,
        timeout_s: float = 60.0,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Return the model's policy, or a wrong one."""
        reply = self._model.generate(messages, grammar=grammar, draft=draft, max_tokens=max_tokens, timeout_s=timeout_s)
        policy = json.loads(reply.text)
        ways = {way: wrong for way, wrong in self._ways(policy).items() if wrong}
        if ways and self._rng.random() < self._share:
            way = self._rng.choice(sorted(ways))
            self.wrong.append(way)
            reply = replace(reply, text=json.dumps(self._rng.choice(ways[way]), separators=(",", ":")))
        if on_text:
            on_text(reply.text)
        return reply

    def _ways(self, policy: Document) -> dict[str, list[Document]]:
        """Return by way every policy that is wrong so."""
        steps = [
            (i, j, step)
            for i, subtask in enumerate(policy.get("subtasks", ()))
            for j, step in enumerate(subtask["steps"])
            if step["do"] != "check"
        ]
        known = self._things()
        return {
            "another thing": [
                _with(policy, i, [(j, {**step, "object": other})])
                for i, j, step in steps
                if step.get("object") in known
                for other in known
                if other != step["object"]
            ],
            "a step too few": [_with(policy, i, [(j, None)]) for i, j, _ in steps if len(policy["subtasks"][i]["steps"]) > 1],
            "in the wrong order": [
                _with(policy, i, [(j, other), (j + 1, step)])
                for (i, j, step), (k, m, other) in pairwise(steps)
                if (k, m) == (i, j + 1)
            ],
        }


def _with(policy: Document, subtask: int, changed: Sequence[tuple[int, Document | None]]) -> Document:
    """Return a policy with other steps at some places of a subtask; None takes a step away."""
    wrong = deepcopy(policy)
    steps: list[Document | None] = list(wrong["subtasks"][subtask]["steps"])
    for at, step in changed:
        steps[at] = step
    wrong["subtasks"][subtask]["steps"] = [step for step in steps if step is not None]
    return wrong
