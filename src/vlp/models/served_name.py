"""The name under which `vlp serve` offers a model says what the model wants of its clients.

`vlp-nano@brief+sight:0a1b2c3d4e5f` wants prompts in the wording `brief`, and behind each image the words that the vision tower
with this digest reads off it. A name without `@` says nothing.
"""

import re
from dataclasses import dataclass

_PATTERN = re.compile(r"(?P<name>[^@]{1,120})@(?P<profile>[a-z_]{1,32})(\+sight:(?P<sight>[0-9a-f]{12}))?")


@dataclass(frozen=True)
class ServedName:
    """What a name says.

    Args:
        name: of the model.
        profile: the wording of prompts it was made for.
        sight: digest of the vision tower that reads images for it (see `vlp.models.tower`); "" when it wants no words.
    """

    name: str
    profile: str = "full"
    sight: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.profile}" + (f"+sight:{self.sight}" if self.sight else "")

    @classmethod
    def read(cls, text: str) -> "ServedName | None":
        """Return what a served name says, None when it is none of `vlp serve`."""
        match = _PATTERN.fullmatch(text)
        return cls(match["name"], match["profile"], match["sight"] or "") if match else None
