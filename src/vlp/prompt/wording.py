"""How a model is asked: one wording for each kind of model, by the name that the model's folder or server tells."""

import importlib
from functools import cache
from typing import Any, Protocol

from vlp.core.errors import Report, lookup
from vlp.core.messages import Image, Message
from vlp.prompt.request import GroundRequest, PlanRequest

WORDINGS: dict[str, str] = {
    "full": "vlp.prompt.full:FULL",
    "brief": "vlp.nano.wording:BRIEF",
    "brief_words": "vlp.nano.wording:BRIEF_WORDS",
}
"""Wordings by name, each an object that fits `Wording`: `full` for a general model, the others for models that were trained
on them. A model says which one it wants (`vlp.models.protocol.Model.profile`)."""


class Wording(Protocol):
    """The messages that ask a model for a policy, an answer or a place."""

    @property
    def lists(self) -> bool:
        """Whether a model that is asked so finds several things in one reply, and lists all that is in view."""
        ...

    def plan(self, request: PlanRequest) -> list[Message]:
        """Return the messages that ask for a policy."""
        ...

    def question(self, rgb: Image, text: str) -> list[Message]:
        """Return the messages that ask a question about an image."""
        ...

    def ground(self, request: GroundRequest) -> list[Message]:
        """Return the messages that ask where things are in an image."""
        ...

    def box_grammar(self, request: GroundRequest) -> dict[str, Any]:
        """Return the JSON Schema of the replies to `ground`."""
        ...

    def repair(self, report: Report) -> str:
        """Return the text of the turn that hands a refused policy back."""
        ...


@cache
def find_wording(name: str) -> Wording:
    """Return the wording of a row of `WORDINGS`; raises UsageError, which names the closest, when there is none."""
    module, _, attribute = lookup(name, WORDINGS, "prompt profile").partition(":")
    return getattr(importlib.import_module(module), attribute)
