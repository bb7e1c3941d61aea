"""The words for the things that a model or a world knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Names:
    """The things that can be spoken of, and the words for them; several words are parted by commas.

    Args:
        kinds: kind of thing -> its words ("mug": "mug, cup").
        colours: colour -> its words.
        places: named place -> its words.
        describing: kind -> words that may stand before it without changing what is meant ("mug": "coffee tea"), parted by
            spaces; those under "" may stand before any kind.
    """

    kinds: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    describing: Mapping[str, str] = field(default_factory=dict)
