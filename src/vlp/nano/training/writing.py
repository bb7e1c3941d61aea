"""What nano-base writes besides words: texts copied out, forms filled in, lists gone through, and things looked up by a word.

A general model has met all of its tokens, and JSON of every kind, before it sees a policy. nano's tokens are mostly pieces of
policies (`vlp.nano.training.tokenizer`), which nano-base never sees in their place: here it meets them in random order.

    copy: ","as":"blue_tray near[      ","as":"blue_tray near[
    fill: A red cube: {A 7","as":"_A   {red cube 7","as":"red_cube
    each: near red can, so: ["A           ["near red can["so
    look: red_can 4 bigred_can; soblue_cup: so; big          soblue_cup; bigred_can
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from transformers import PreTrainedTokenizerFast

from vlp.nano.training.packing import Turn
from vlp.sim.language.references import SIZES
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS


@dataclass(frozen=True)
class Pieces:
    """The tokens that random texts are made of, without A, B, C and D.

    They stand for names in forms. nano reads no other capital letter, since instructions come in lower case.

    Args:
        json: with a brace, bracket or quotation mark.
        words: all others that are text by themselves.
    """

    json: Sequence[str]
    words: Sequence[str]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerFast) -> "Pieces":
        """Return the pieces of a tokenizer; bytes that are no letter, and what opens or ends a turn, are left out."""
        texts = [str(tokenizer.decode([i])) for i in range(len(tokenizer)) if i not in tokenizer.all_special_ids]
        whole = [text for text in texts if text.isprintable() and "\ufffd" not in text and not set(text) & set("ABCD")]
        json = [text for text in whole if set(text) & set('{}[]"')]
        return cls(json, sorted(set(whole) - set(json)))

    def draw(self, rng: Random) -> str:
        """Return a random piece; words stand apart."""
        return rng.choice(self.json) if rng.random() < 0.6 else f" {rng.choice(self.words)}"


def copy_turn(pieces: Pieces, rng: Random) -> Turn:
    """Return a text to be written again."""
    text = "".join(_name(rng) if rng.random() < 0.25 else pieces.draw(rng) for _ in range(rng.randint(4, 30))).strip()
    return Turn(f"copy: {text}", "", text, "copy")


def fill_turn(pieces: Pieces, rng: Random) -> Turn:
    """Return a form with places for names, some of them in the spelling of identifiers, to be filled in."""
    names = {place: _name(rng, " ") for place in "ABCD"[: rng.randint(1, 4)]}
    form, filled = "", ""
    for _ in range(rng.randint(3, 14)):
        piece = pieces.draw(rng)
        form, filled = form + piece, filled + piece
        if rng.random() < 0.7:
            place = rng.choice(list(names))
            as_identifier = rng.random() < 0.5
            form += f"_{place}" if as_identifier else place
            filled += names[place].replace(" ", "_") if as_identifier else names[place]
    form, filled = form.strip(), filled.strip()
    given = ", ".join(f"{place} {name}" for place, name in names.items())
    return Turn(f"fill: {given}: {form}", "", filled, "fill")


def each_turn(pieces: Pieces, rng: Random) -> Turn:
    """Return a list in words and a form that each item in turn is to be put into."""
    items = [_item(pieces, rng) for _ in range(rng.randint(2, 8))]
    if rng.random() < 0.5:  # a refrain: to go on behind it one has to know which item came before
        items[1::2] = [_item(pieces, rng)] * len(items[1::2])
    before, behind = ("".join(pieces.draw(rng) for _ in range(rng.randint(1, 3))).strip() for _ in range(2))
    filled = "".join(f"{before}{item}{behind}" for item in items)
    return Turn(f"each: {', '.join(items)}: {before}A{behind}", "", filled, "each")


def look_turn(pieces: Pieces, rng: Random) -> Turn:
    """Return things with a word before each, and some of the words, behind which the things are to be written again.

    So "the smallest" is looked up in a quote, where alone it is met too rarely to be learned.
    """
    count = rng.randint(2, 7)
    words = [word for word in map(str.strip, pieces.words) if word.isalpha()]
    words = [*(SIZES if rng.random() < 0.5 else ()), *rng.sample(words, count)][:count]
    pairs = {word: _name(rng, "_") for word in words}
    told = [_told(word, name, rng) for word, name in pairs.items()]
    rng.shuffle(told)
    asked = rng.sample(list(pairs), rng.randint(1, len(pairs)))
    reply = "; ".join(f"{word}{pairs[word]}" for word in asked)
    return Turn(f"look: {'; '.join(told)}: {'; '.join(asked)}", "", reply, "look")


def _told(word: str, name: str, rng: Random) -> str:
    """Return a thing under its word, most often as an entry of a quote has it (`vlp.nano.scene.reasoned`)."""
    entry = f"{name} {rng.randint(1, 9)} {rng.randint(1, 9)} " if rng.random() < 0.7 else ""
    return f"{entry}{word}{name}"


def _item(pieces: Pieces, rng: Random) -> str:
    words = [rng.choice(pieces.words).strip(" ,:") for _ in range(rng.randint(1, 3))]
    named = rng.random() < 0.7
    return " ".join(filter(None, [*words, _name(rng, " ")] if named else words)) or _name(rng)


def _name(rng: Random, gap: str = "") -> str:
    return f"{rng.choice(COLOURS)}{gap or rng.choice(' _')}{rng.choice(KINDS)}"
