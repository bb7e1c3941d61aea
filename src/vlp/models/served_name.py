"""What the names of served models say.

`vlp serve` offers a model under a name that tells what it wants of its clients: `my-model@brief+sight:0a1b2c3d4e5f` wants
prompts in the wording `brief`, and the turns `sight` (`vlp.models.turns`), which read images with the vision tower that has
this digest. A name without `@` says nothing.

Other servers answer under names that differ from the one that was asked for and mean the same model.
"""

import re
from dataclasses import dataclass

_PATTERN = re.compile(r"(?P<name>[^@]{1,120})@(?P<profile>[a-z_]{1,32})(\+(?P<turns>[a-z_]{1,32}):(?P<tower>[0-9a-f]{12}))?")

_HUB_CACHE = re.compile(r"models--(?:[^/]*--)?(?P<name>[^/]+?)(?:/snapshots/.*)?$")
"""A folder of the Hugging Face cache: models--ORG--NAME/snapshots/HASH."""

_SAYS_NOTHING = re.compile(r"([-:]latest|:free|:nitro|\.(gguf|safetensors|bin))$")
"""Ends of a name that do not make it another model."""

_VERSION = re.compile(
    r"([-_@.](\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{3})|[-_.](iq\d\w*|q\d(_\w+)?|bf16|fp?16|fp?32|fp8|awq|gptq))$"
)
"""An end of a name that says which of one model's versions or precisions it is: a date, a number, a kind of quantisation."""


@dataclass(frozen=True)
class ServedName:
    """What a name of `vlp serve` says.

    Args:
        name: of the model.
        profile: the wording of prompts it was made for.
        turns: the word for what it says before its reply; "" when it says nothing.
        tower: digest of the vision tower that those turns read images with (see `vlp.models.tower`).
    """

    name: str
    profile: str = "full"
    turns: str = ""
    tower: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.profile}" + (f"+{self.turns}:{self.tower}" if self.turns else "")

    @classmethod
    def read(cls, text: str) -> "ServedName | None":
        """Return what a served name says, None when it is none of `vlp serve`."""
        match = _PATTERN.fullmatch(text)
        return cls(match["name"], match["profile"], match["turns"] or "", match["tower"] or "") if match else None


def same_model(asked: str, answered: str) -> bool:
    """Return whether two names mean the same model.

    An alias and its dated version do ("gpt-x", "gpt-x-2025-01-01"), and a short name and its path; two different dates do not.
    A name of nothing but white space is no other model.
    """
    a, b = _bare(asked), _bare(answered)
    return not b or a == b or _unversioned(a) == b or a == _unversioned(b)


def _bare(name: str) -> str:
    """Return a name without its folders, its owner and what says nothing."""
    bare = name.strip().lower().replace("\\", "/").rstrip("/")
    cached = _HUB_CACHE.search(bare)
    bare = cached["name"] if cached else bare.rsplit("/", 1)[-1]
    while (shorter := _SAYS_NOTHING.sub("", bare)) != bare:
        bare = shorter
    return bare


def _unversioned(bare: str) -> str:
    while (shorter := _VERSION.sub("", bare)) not in (bare, ""):
        bare = shorter
    return bare
