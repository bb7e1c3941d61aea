"""From references and templates to sentences: synonyms, word order, politeness and typing errors.

A template has choices in square brackets and slots in braces: "[put|place] {a} {rel} {b}". One that begins with "!" is
not an imperative and takes no "please". Tables have a row for training and a row of phrasings kept for test.
"""

import re
from functools import cache
from random import Random

from vlp.core.words import plural
from vlp.sim.language.polite_words import POLITE
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS

Pair = tuple[tuple[str, ...], tuple[str, ...]]
"""Phrasings of training, and phrasings kept for test."""

Rows = dict[str, Pair]
"""Word -> its phrasings."""


def mirrored(pair: Pair) -> Pair:
    """Return the phrasings of the other side: "furthest to the left" -> "furthest to the right"."""
    train, test = (tuple(text.replace("left", "right") for text in row) for row in pair)
    return train, test


_LEFT_OF: Pair = (
    ("left of", "left of", "to the left of", "at the left of", "to the left side of", "directly left of"),
    ("on the left of", "on the left side of"),
)
_LEFTMOST: Pair = (
    (
        "leftmost {n}",
        "leftmost {n}",
        "{n} furthest to the left",
        "{n} on the far left",
        "{n} most to the left",
        "{n} that is leftmost",
        "furthest left {n}",
        "{n} at the left end",
    ),
    ("left most {n}", "{n} that is furthest left"),
)
KIND_WORDS: Rows = {
    "cube": (("cube",) * 6 + ("dice", "dice", "wooden cube", "toy cube"), ("cube", "cube", "cube", "little cube")),
    "block": (("block",) * 6 + ("brick", "brick", "wooden block", "toy block"), ("block", "block", "brick", "building block")),
    "ball": (("ball",) * 6 + ("sphere", "sphere", "rubber ball", "toy ball"), ("ball", "ball", "ball", "round ball")),
    "can": (("can",) * 6 + ("tin", "tin", "soda can", "metal can"), ("can", "can", "tin", "tin can")),
    "bottle": (("bottle",) * 6 + ("flask", "flask", "plastic bottle"), ("bottle", "bottle", "bottle", "water bottle")),
    "mug": (("mug",) * 6 + ("cup", "cup", "tea cup", "tea mug"), ("mug", "mug", "cup", "coffee mug")),
    "bowl": (("bowl",) * 6 + ("basin", "basin", "soup bowl", "salad bowl"), ("bowl", "bowl", "bowl", "round bowl")),
    "plate": (("plate",) * 6 + ("dish", "dish", "flat plate"), ("plate", "plate", "dish", "dinner plate")),
    "tray": (("tray",) * 6 + ("platter", "platter", "flat tray"), ("tray", "tray", "tray", "serving tray")),
    "box": (("box",) * 6 + ("crate", "crate", "storage box"), ("box", "box", "crate", "open box")),
    "bin": (("bin",) * 4 + ("trash", "trash can", "waste bin", "dustbin", "garbage"), ("bin", "rubbish bin", "garbage bin")),
    "table": (("table", "table", "table top"), ("table", "tabletop")),
    "thing": (("thing", "object", "item"), ("thing", "object")),
}
COLOUR_WORDS: Rows = {
    **{colour: ((colour,) * 9 + (f"{colour} coloured",), (colour,) * 6 + (f"{colour} colored",)) for colour in COLOURS},
    "purple": (("purple",) * 4 + ("violet",), ("purple",)),
}
RELATION_WORDS: Rows = {
    "in": (("in", "in", "into", "inside", "within"), ("in", "inside of", "into")),
    "on": (("on", "on", "onto", "on top of", "atop"), ("on", "upon", "onto")),
    "next_to": (
        (
            *("next to", "next to", "beside", "by", "near", "alongside", "directly next to", "at the side of"),
            *("near to", "close by", "adjacent to", "right beside"),
        ),
        ("next to", "right next to", "close to"),
    ),
    "left_of": _LEFT_OF,
    "right_of": mirrored(_LEFT_OF),
    "behind": (
        ("behind", "behind", "at the back of", "right behind", "directly behind", "to the back of"),
        ("behind", "just behind"),
    ),
    "in_front_of": (
        ("in front of", "in front of", "at the front of", "right in front of", "directly in front of", "before"),
        ("just in front of", "in the front of"),
    ),
}
SUPERLATIVE_WORDS: Rows = {
    "leftmost": _LEFTMOST,
    "rightmost": mirrored(_LEFTMOST),
    "nearest": (
        (
            "nearest {n}",
            "closest {n}",
            "{n} nearest to you",
            "{n} closest to you",
            "{n} that is closest",
            "{n} which is nearest",
            "{n} nearest to the robot",
            "{n} that stands nearest",
        ),
        ("{n} that is nearest", "{n} closest to the robot"),
    ),
    "farthest": (
        (
            "farthest {n}",
            "furthest {n}",
            "{n} farthest from you",
            "{n} furthest away",
            "{n} that is furthest away",
            "{n} which is farthest",
            "remotest {n}",
            "{n} that stands farthest",
        ),
        ("{n} that is farthest away", "most distant {n}"),
    ),
    "biggest": (
        (
            "biggest {n}",
            "largest {n}",
            "{n} that is largest",
            "{n} which is biggest",
            "very largest {n}",
            "bigger {n}",
            "{n} of the biggest size",
        ),
        ("{n} that is biggest", "very biggest {n}"),
    ),
    "smallest": (
        (
            "smallest {n}",
            "tiniest {n}",
            "{n} that is tiniest",
            "{n} which is smallest",
            "very tiniest {n}",
            "smaller {n}",
            "{n} of the smallest size",
        ),
        ("{n} that is smallest", "very smallest {n}"),
    ),
}
_FOUND = (
    *("sitting", "resting", "located", "situated", "placed", "positioned", "currently", "over there"),
    *("which stands", "which sits", "which lies", "which rests", "that sits", "that lies", "that rests", "that's"),
    *("that's sitting", "that's standing", "that's lying", "that is sitting", "that is standing", "that is placed"),
    *("that is located", "you find", "that you see", "that you find", "that you can see", "I see", "I can see"),
    *("that can be seen", "that can be found", "that someone put", "that someone placed", "that someone left"),
    *("that has been put", "that has been placed", "that has been left", "that was put", "that was placed"),
    *("that was left", "that happens to be"),
)
RELATIVE_WORDS: tuple[tuple[str, ...], tuple[str, ...]] = (
    (
        "{n} {rel} {b}",
        "{n} {rel} {b}",
        "{n} that is {rel} {b}",
        "{n} which is {rel} {b}",
        "{n} that stands {rel} {b}",
        "{n} lying {rel} {b}",
        "{n} to be found {rel} {b}",
        "{n} there {rel} {b}",
        *(f"{{n}} {found} {{rel}} {{b}}" for found in _FOUND),
        "{n}, the one {rel} {b}",
    ),
    ("{n} standing {rel} {b}", "{n} you see {rel} {b}"),
)
EVERY_WORDS: Rows = {
    "kind": (
        (
            "all {n}s",
            "all the {n}s",
            "every {n}",
            "all of the {n}s",
            "every one of the {n}s",
            "each one of the {n}s",
            "the {n}s",
            "any {n}",
            "all {n}s you see",
            "all {n}s there are",
        ),
        ("each {n}", "each of the {n}s", "every single {n}"),
    ),
    "colour": (
        (
            "everything {c}",
            "all {c} things",
            "all the {c} objects",
            "every {c} item",
            "each {c} object",
            "all that is {c}",
            "all objects that are {c}",
            "whatever is {c}",
            "anything {c}",
            "the {c} things",
            "all {c} ones",
        ),
        ("all things that are {c}", "everything that is {c}", "every {c} thing"),
    ),
    "thing": (
        (
            "everything",
            "all things",
            "all the objects",
            "all objects",
            "every object",
            "all of the objects",
            "all the items",
            "each object",
            "all of it",
        ),
        ("every thing", "all of the things", "every single object"),
    ),
}
TYPO_RATE = {"train": 0.1, "test": 0.15}
_PIECE = re.compile(r"\[([^\]]*)\]|\{(\w+)\}")


def row(rows: Rows, key: str, split: str) -> tuple[str, ...]:
    """Return the phrasings of one word in one split."""
    return rows[key][split == "test"]


def pick(rows: Rows, key: str, rng: Random, split: str) -> str:
    """Return one phrasing of a word."""
    return rng.choice(rows[key][split == "test"])


@cache
def pieces(template: str) -> tuple[tuple[str, list[str]], ...]:
    """Return a template in parts: ("", choices), with one choice for a literal, or (slot, [])."""
    parts: list[tuple[str, list[str]]] = []
    end = 0
    for match in _PIECE.finditer(template):
        parts.append(("", [template[end : match.start()]]))
        parts.append(("", match[1].split("|")) if match[1] is not None else (match[2], []))
        end = match.end()
    parts.append(("", [template[end:]]))
    return tuple(part for part in parts if part != ("", [""]))


def word(template: str, arguments: dict[str, str], rng: Random, split: str) -> str:
    """Return a finished sentence for a template.

    Args:
        template: see the module.
        arguments: references by slot ("a", "b", "c"; all of them for {things}) and "relation" for the slot {rel}.
        rng: the source of chance.
        split: "train" or "test".
    """
    words = []
    for slot, choices in pieces(template.removeprefix("!")):
        if choices:
            words.append(rng.choice(choices))
        elif slot == "rel":
            words.append(pick(RELATION_WORDS, arguments["relation"], rng, split))
        elif slot == "things":
            words.append(listed([describe(arguments[name], rng, split) for name in "abc" if name in arguments]))
        else:
            words.append(describe(arguments[slot], rng, split))
    text = "".join(words)
    if not template.startswith("!") and rng.random() < 0.3:
        text = rng.choice(POLITE[split == "test"]).replace("{t}", text)
    if rng.random() < TYPO_RATE[split]:
        text = typo(text, rng)
    return _dress(text, rng)


def describe(reference: str, rng: Random, split: str) -> str:
    """Return words for a reference, e.g. "leftmost can" -> "the can furthest to the left" (see `references`)."""
    first, _, rest = reference.partition(" ")
    if first == "every":
        return _every(rest, rng, split)
    if first in SUPERLATIVE_WORDS:
        return "the " + pick(SUPERLATIVE_WORDS, first, rng, split).replace("{n}", noun(rest, rng, split))
    words = reference.split()
    if len(words) == 4:
        text = rng.choice(RELATIVE_WORDS[split == "test"]).replace("{n}", noun(words[0], rng, split))
        text = text.replace("{rel}", pick(RELATION_WORDS, words[1], rng, split))
        return "the " + text.replace("{b}", "the " + noun(f"{words[2]} {words[3]}", rng, split))
    article = "" if len(words) == 2 and rng.random() < 0.08 else "the "
    return article + noun(reference, rng, split)


def listed(names: list[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def noun(name: str, rng: Random, split: str) -> str:
    """Return words without an article for "red cube", "cube", "red thing", "bin" and the like."""
    colour, _, kind = name.rpartition(" ")
    words = pick(KIND_WORDS, kind, rng, split)
    return f"{pick(COLOUR_WORDS, colour, rng, split)} {words}" if colour else words


def _every(rest: str, rng: Random, split: str) -> str:
    if rest == "thing":
        return pick(EVERY_WORDS, "thing", rng, split)
    if rest in KINDS:
        text, name = pick(EVERY_WORDS, "kind", rng, split), pick(KIND_WORDS, rest, rng, split)
        return text.replace("{n}s", plural(name)).replace("{n}", name)
    colour = rest.split()[0]
    return pick(EVERY_WORDS, "colour", rng, split).replace("{c}", colour)


def typo(text: str, rng: Random) -> str:
    """Return the text with one typing error inside one of its longer words; short words and first letters stay."""
    words = text.split(" ")
    long = [i for i, w in enumerate(words) if len(w) > 3 and w.isalpha()]
    if not long:
        return text
    i = rng.choice(long)
    w = words[i]
    k = rng.randrange(1, len(w) - 1)
    words[i] = rng.choice((w[:k] + w[k + 1 :], w[:k] + w[k + 1] + w[k] + w[k + 2 :], w[:k] + w[k] + w[k:]))
    return " ".join(words)


def _dress(text: str, rng: Random) -> str:
    if rng.random() < 0.5:
        return text
    return text[0].upper() + text[1:] + rng.choice(("", ".", ".", "!"))
