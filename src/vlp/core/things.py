"""What is known of things and said of them: words for them, how large they are, nouns in the plural."""

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


@dataclass(frozen=True)
class SizeBounds:
    """Bounds on the things of one kind, in metres; None where it is not known.

    Args:
        tallest_m: what rises higher is something in, on or in front of the thing.
        shortest_m: a standing thing that shows less is hidden below, it does not stand on something.
        lying_m: a thing that shows nothing above this height lies on its side.
        span_m: its largest extent; pieces farther apart are not one thing.
    """

    tallest_m: float | None = None
    shortest_m: float | None = None
    lying_m: float | None = None
    span_m: float | None = None


Sizes = Mapping[str, SizeBounds]
"""Bounds by the noun that a phrase ends with."""


def counted(number: int, noun: str) -> str:
    """Return a number and its noun: "1 policy", "2 policies", "3 new samples"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{number:,} {noun}s"


def plural(noun: str) -> str:
    """Return the plural of a noun, with the words before it: "storage box" -> "storage boxes"."""
    head, _, last = noun.rpartition(" ")
    irregular = {"dice": "dice", "knife": "knives", "shelf": "shelves"}
    regular = f"{last}es" if last.endswith(("s", "x", "z", "ch", "sh")) else f"{last}s"
    return f"{head} {irregular.get(last, regular)}".strip()
