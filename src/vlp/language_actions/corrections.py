"""What a person says while a hand moves: "a bit more left", "lower", "two fingers"; the first two are moves."""

import math
import re

from vlp.language_actions.directions import Directions
from vlp.language_actions.move import Move, axes
from vlp.language_actions.space import MoveSpace


def read_correction(text: str, space: MoveSpace) -> Move | None:
    """Return the move that a person's words ask for, None where they ask for something else than one move in the space.

    Args:
        text: "a bit more left", "2 cm up", "move forward 3 cm", "close the gripper".
        space: what may be moved; words without a number mean 2 cm or 15 degrees, "a bit" half of that, as far as one move goes.
    """
    words = " ".join(re.findall(r"[a-z0-9.]+", text.lower())).rstrip(".")
    little = re.search(r"\b(bit|little|slightly|touch)\b", words) is not None
    words = re.sub(r"\b(please|a|bit|little|slightly|touch|more|further|now|again|go|it|to the)\b", " ", words)
    words = " ".join(words.split())
    words = re.sub(r"^(\d+(?:\.\d+)? (?:cm|degrees?)) (.+)$", r"\2 \1", words)  # "2 cm up"
    words = {"lower": "down", "higher": "up", "back": "backward", "ahead": "forward"}.get(words, words)
    reader = Directions(space)
    for spelled in (words, *_measured(words, space, 0.5 if little else 1.0)):
        move, report = reader.read_sentence(spelled)
        if move is not None and report.ok and move != Move():
            return move
    return None


def _measured(words: str, space: MoveSpace, share: float) -> list[str]:
    """Return the words with the usual magnitude behind them, once for each unit that the space writes."""
    found: list[str] = []
    for unit, usual in (("cm", 20), ("degrees", 15)):
        most = min((space.most[name] for name, axis in axes().items() if axis.unit == unit and space.most.get(name)), default=0)
        step = space.step_mm if unit == "cm" else space.step_degrees
        value = max(step, math.floor(min(usual * share, most) / step) * step)
        if most:
            found.append(f"{words} {value / 10:g} cm" if unit == "cm" else f"{words} {value} degrees")
    return found
