"""A vocabulary: one way to write a chunk of motion as text, to read it, and to hold a model to it."""

from collections.abc import Sequence
from typing import Any, Protocol

from vlp.core.errors import Report, UsageError, lookup
from vlp.language_actions.bins import Bins
from vlp.language_actions.directions import Directions
from vlp.language_actions.move import Chunk
from vlp.language_actions.numbers import Numbers
from vlp.language_actions.space import Grid, MoveSpace


class MotionVocabulary(Protocol):
    """What a way of writing motion offers; its texts are compact JSON, as all that models here are held to."""

    @property
    def space(self) -> MoveSpace:
        """What may be written."""
        ...

    @property
    def grid(self) -> Grid:
        """How exact it is: `read(write(chunk))` is `grid.rounded(chunk)`."""
        ...

    def write(self, chunk: Chunk) -> str:
        """Return a chunk as text; raises UsageError for one that is not in the space."""
        ...

    def read(self, text: str) -> tuple[Chunk | None, Report]:
        """Return the chunk that a text spells and an empty report, or None and what is wrong with it."""
        ...

    def grammar(self) -> dict[str, Any]:
        """Return the JSON Schema for constrained decoding (`Model.generate(grammar=...)`): it admits what `write` writes."""
        ...

    def describe(self) -> str:
        """Return what a model is told of this way of writing: order, units, frame and bounds."""
        ...


def open_vocabulary(name: str, space: MoveSpace, words: Sequence[str] = ()) -> MotionVocabulary:
    """Return a vocabulary by its name.

    Args:
        name: "numbers", "directions" or "bins".
        space: what may be written.
        words: for "bins": those of a model's tokenizer, from `vlp.language_actions.rare_words`.

    Raises:
        UsageError: an unknown name, or words that are missing, too few or not needed.
    """
    makers = {"numbers": Numbers, "directions": Directions, "bins": lambda space: Bins(space, tuple(words))}
    make = lookup(name, makers, "vocabulary of motion")
    if words and name != "bins":
        raise UsageError(f"the vocabulary {name!r} takes no words; found {len(words)}.", "They are for 'bins'.")
    return make(space)
