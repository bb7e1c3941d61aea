"""Questions about what the camera sees, with their answers from the true state: counts, yes or no, lists, names.

Answers are short: "3", "yes", "no", "red cube", or a JSON list such as ["red cube","red can"] from left to right.
Draws are balanced over the answers: a model that saw mostly empty lists would learn the empty list.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import NamedTuple

from vlp.core.messages import plural
from vlp.sim.language.phrasings import phrasings
from vlp.sim.language.references import CLEAR_LEAD_M, ORDERS, SIZES, Unclear, candidates, resolve
from vlp.sim.language.relations import DIRECTIONS, displacement_m, gap_m, lies, rests_on, visible
from vlp.sim.language.task import Split
from vlp.sim.language.wording import describe, noun, pick, pieces, typo, words
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.words import COLOURS, CONTAINERS, KINDS, PUT_RELATION, THINGS

Drawn = tuple[str, dict[str, str], str]
"""Key of the templates, words for its slots, answer."""


class Asked(NamedTuple):
    """A question about what is in view.

    Args:
        kind: a key of `QUESTIONS`.
        text: the question.
        answer: the right one.
        about: the things that one has to look at to answer, from left to right; none for lists and counts of all.
        reference: what "refer" asks by (`vlp.sim.language.references`); "" for other kinds.
    """

    kind: str
    text: str
    answer: str
    about: tuple[str, ...]
    reference: str = ""


def kinds_of_question() -> dict[str, float]:
    """Return how often each kind of question is drawn, without the kinds for training alone."""
    return {kind: often for kind, (often, _) in QUESTIONS.items() if often}


def sample_question(truth: Truth, rng: Random, split: Split = "train", kinds: Mapping[str, float] | None = None) -> Asked:
    """Return a question about what is in view; questions are balanced over their answers.

    Args:
        truth: the state; only what the camera can see is asked for, and what the hand holds.
        rng: the source of chance.
        split: "train", or "test" for phrasings that are never trained on.
        kinds: how often each kind is drawn; None takes `kinds_of_question`.
    """
    odds = kinds_of_question() if kinds is None else kinds
    names, weights = list(odds), list(odds.values())
    while True:
        kind = rng.choices(names, weights)[0]
        drawn = QUESTIONS[kind][1](truth, rng)
        if drawn is not None:
            key, slots, answer = drawn
            reference = slots["d"] if key == "refer" else ""
            return Asked(kind, _word(key, slots, rng, split), answer, tuple(_about(truth, key, slots, answer)), reference)


def _about(truth: Truth, key: str, slots: dict[str, str], answer: str) -> list[str]:
    if key == "extreme":
        return [answer]
    if key == "caption":
        return visible(truth)
    if key == "refer":
        return candidates(truth, slots["d"])
    if key in ("list_colour", "records"):
        return _matches(truth, f"{slots['c']} thing")
    described = slots.get("ns") or slots.get("n")
    return _matches(truth, described) if described else [slots[slot] for slot in "ab" if slot in slots]


def list_answer(names: Iterable[str]) -> str:
    """Return a list answer as compact JSON."""
    return _json(list(names))


def _word(key: str, slots: dict[str, str], rng: Random, split: Split) -> str:
    template = pick(phrasings("questions", "kinds"), key, rng, split)
    parts = [rng.choice(choices) if choices else _said(slot, slots[slot], rng, split) for slot, choices in pieces(template)]
    text = "".join(parts)
    if split == "train" and rng.random() < 0.1:
        text = pick(phrasings("questions", "around"), "opening", rng, split) + text
    if rng.random() < 0.05:
        text = typo(text, rng)
    chance = rng.random()
    if chance < 0.3:
        text = text.rstrip("?")
    return text[0].upper() + text[1:] if chance > 0.8 else text


def _said(slot: str, value: str, rng: Random, split: str) -> str:
    """Return words for what stands in a slot."""
    if slot == "c":
        return value
    if slot == "d":
        return describe(value, rng, split)
    if slot == "x":
        return pick(phrasings("questions", "extremes"), value, rng, split)
    if slot == "rel":
        rest = phrasings("questions", "relations")
        return pick(rest if value in rest else words("relations"), value, rng, split)
    called = noun(value, rng, split)
    return plural(called) if slot == "ns" else called


def _matches(truth: Truth, description: str) -> list[str]:
    """Return what is in view and fits "cube", "red thing" or "red cube", containers too, from left to right."""
    colour, _, kind = description.rpartition(" ")
    return [
        name
        for name in visible(truth)
        if colour in ("", truth.objects[name].colour) and kind in ("thing", truth.objects[name].kind)
    ]


def _by_size(truth: Truth, rng: Random, descriptions: list[str], zero_rate: float) -> str:
    """Draw a description such that the numbers of things it fits come about equally often."""
    groups: dict[int, list[str]] = {}
    for description in descriptions:
        groups.setdefault(len(_matches(truth, description)), []).append(description)
    sizes = [n for n in groups if n > 0]
    if not sizes or (0 in groups and rng.random() < zero_rate):
        return rng.choice(groups.get(0, descriptions))
    weights = [1.0 if n == 1 else 1.6 for n in sizes]
    return rng.choice(groups[rng.choices(sizes, weights)[0]])


def _count_all(truth: Truth, rng: Random) -> Drawn | None:
    return "count_all", {}, str(len(visible(truth)))


def _count(truth: Truth, rng: Random) -> Drawn | None:
    descriptions = [*KINDS, *(f"{c} thing" for c in COLOURS)]
    description = _by_size(truth, rng, descriptions, 0.2)
    return "count", {"ns": description}, str(len(_matches(truth, description)))


def _containers(truth: Truth) -> list[str]:
    return [n for n in visible(truth) if truth.objects[n].kind in CONTAINERS]


def _contents(truth: Truth, target: str) -> list[str]:
    return [n for n in visible(truth) if rests_on(truth, n, target)]


def _container(truth: Truth, rng: Random, loaded_rate: float) -> tuple[str, str, list[str]] | None:
    """Return (container, relation, contents), with something in it at the rate given where the scene allows."""
    names = _containers(truth)
    loaded = [n for n in names if truth.inside(n)]
    empty = [n for n in names if n not in loaded]
    options = loaded if rng.random() < loaded_rate else empty
    if not options:
        return None
    name = rng.choice(options)
    return name, PUT_RELATION[truth.objects[name].kind], _contents(truth, name)


def _count_in(truth: Truth, rng: Random) -> Drawn | None:
    found = _container(truth, rng, 0.8)
    return ("count_in", {"rel": found[1], "b": found[0]}, str(len(found[2]))) if found else None


def _exists(truth: Truth, rng: Random) -> Drawn | None:
    names = visible(truth)
    if rng.random() < 0.5:
        if not names:
            return None
        colour, kind = rng.choice(names).split()
        return "exists", {"n": rng.choice((f"{colour} {kind}",) * 3 + (kind, f"{colour} thing"))}, "yes"
    for _ in range(12):
        colour, kind = rng.choice(COLOURS), rng.choice(KINDS)
        if names and rng.random() < 0.7:
            seen = rng.choice(names).split()
            colour, kind = (seen[0], kind) if rng.random() < 0.5 else (colour, seen[1])
        description = rng.choice((f"{colour} {kind}",) * 3 + (kind, f"{colour} thing"))
        if not _matches(truth, description):
            return "exists", {"n": description}, "no"
    return None


def _inside(truth: Truth, rng: Random) -> Drawn | None:
    names = visible(truth)
    targets = [n for n in names if truth.objects[n].kind in PUT_RELATION]
    things = [n for n in names if truth.objects[n].kind not in CONTAINERS]
    pairs = [(a, b) for b in targets for a in things if a != b and not rests_on(truth, b, a)]
    loaded = [pair for pair in pairs if rests_on(truth, *pair)]
    wanted = rng.random() < 0.5
    if not loaded and (wanted or rng.random() < 0.65):  # else "no" and "empty" would prevail
        return None
    pairs = loaded if wanted else [pair for pair in pairs if pair not in loaded]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    return "related", {"a": a, "rel": PUT_RELATION[truth.objects[b].kind], "b": b}, _yes(wanted)


def _side(truth: Truth, rng: Random) -> Drawn | None:
    names = visible(truth)
    if len(names) < 2:
        return None
    wanted = rng.random() < 0.5
    for _ in range(12):
        a, b = rng.sample(names, 2)
        relation = rng.choice(tuple(DIRECTIONS))
        first, second = truth.objects[a], truth.objects[b]
        offset = displacement_m(first, second, relation)
        clear = offset > 0.06 and lies(first, second, relation) if wanted else offset < -0.06
        if clear:
            return "related", {"a": a, "rel": relation, "b": b}, _yes(wanted)
    return None


def _near(truth: Truth, rng: Random) -> Drawn | None:
    names = [n for n in visible(truth) if truth.objects[n].support == "table"]
    wanted = rng.random() < 0.5
    pairs = [(a, b) for a in names for b in names if a != b and _clearly_near(truth, a, b) is wanted]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    return "related", {"a": a, "rel": "next_to", "b": b}, _yes(wanted)


def _clearly_near(truth: Truth, a: str, b: str) -> bool | None:
    gap = gap_m(truth.objects[a], truth.objects[b])
    return True if gap < 0.09 else False if gap > 0.20 else None


def _empty(truth: Truth, rng: Random) -> Drawn | None:
    if not any(truth.inside(n) for n in _containers(truth)) and rng.random() < 0.65:
        return None
    found = _container(truth, rng, 0.5)
    return ("empty", {"rel": found[1], "b": found[0]}, _yes(not found[2])) if found else None


def _holding(truth: Truth, rng: Random) -> Drawn | None:
    if not truth.holding and rng.random() < 0.67:
        return None
    return "holding", {}, _yes(bool(truth.holding))


def _held(truth: Truth, rng: Random) -> Drawn | None:
    if not truth.holding and rng.random() < 0.85:
        return None
    return "held", {}, truth.holding or "nothing"


def _list_all(truth: Truth, rng: Random) -> Drawn | None:
    return "list_all", {}, list_answer(visible(truth))


def _list_colour(truth: Truth, rng: Random) -> Drawn | None:
    description = _by_size(truth, rng, [f"{c} thing" for c in COLOURS], 0.1)
    return "list_colour", {"c": description.split()[0]}, list_answer(_matches(truth, description))


def _list_kind(truth: Truth, rng: Random) -> Drawn | None:
    description = _by_size(truth, rng, list(KINDS), 0.1)
    return "list_kind", {"ns": description}, list_answer(_matches(truth, description))


def _list_in(truth: Truth, rng: Random) -> Drawn | None:
    found = _container(truth, rng, 0.85)
    return ("list_in", {"rel": found[1], "b": found[0]}, list_answer(found[2])) if found else None


def _extreme(truth: Truth, rng: Random) -> Drawn | None:
    word = rng.choice(tuple(ORDERS))
    axis, sign = ORDERS[word]
    ranked = sorted((sign * truth.objects[n].position_in_world[axis], n) for n in visible(truth))
    if not ranked or (len(ranked) > 1 and not truth.exact and ranked[1][0] - ranked[0][0] < CLEAR_LEAD_M):
        return None
    return "extreme", {"x": word}, ranked[0][1]


def _colour(truth: Truth, rng: Random) -> Drawn | None:
    single = [k for k in KINDS if len(_matches(truth, k)) == 1]
    if not single:
        return None
    kind = rng.choice(single)
    return "colour", {"n": kind}, truth.objects[_matches(truth, kind)[0]].colour


def _refer(truth: Truth, rng: Random) -> Drawn | None:
    """Draw "the biggest cube", "the can behind the red cube" or "the leftmost red thing", as instructions name things."""
    kinds = [k for k in THINGS if len(_matches(truth, k)) >= 2]
    if not kinds:
        return None
    chance, kind = rng.random(), rng.choice(kinds)
    if chance < 0.4:
        reference = f"{rng.choice(tuple(SIZES))} {kind}"
    elif chance < 0.75:
        reference = f"{kind} {rng.choice(tuple(DIRECTIONS))} {rng.choice(visible(truth))}"
    else:
        reference = f"{rng.choice(tuple(ORDERS))} {rng.choice((kind, kind, f'{rng.choice(COLOURS)} thing', 'thing'))}"
    try:
        names = resolve(truth, reference)
    except Unclear:
        return None
    return ("refer", {"d": reference}, names[0]) if names and names[0] != truth.holding else None


def _where(truth: Truth, rng: Random) -> Drawn | None:
    names = visible(truth)
    name = rng.choice(names) if names else ""
    return ("where", {"a": name}, f"the {name} is {_place(truth, name)}") if names else None


def _caption(truth: Truth, rng: Random) -> Drawn | None:
    parts = [f"the {name} is {_place(truth, name)}" for name in visible(truth)]
    return ("caption", {}, ", ".join(parts)) if parts else None


def _record(truth: Truth, rng: Random) -> Drawn | None:
    names = visible(truth)
    name = rng.choice(names) if names else ""
    return ("record", {"a": name}, _json(_described(truth, name))) if names else None


def _records(truth: Truth, rng: Random) -> Drawn | None:
    description = _by_size(truth, rng, [f"{c} thing" for c in COLOURS], 0.1)
    found = [_described(truth, name) for name in _matches(truth, description)]
    return "records", {"c": description.split()[0]}, _json(found)


def _place(truth: Truth, name: str) -> str:
    item = truth.objects[name]
    return f"{item.relation} the {item.support}" if item.support in truth.objects else "on the table"


def _described(truth: Truth, name: str) -> dict[str, str]:
    item = truth.objects[name]
    return {"thing": name, "colour": item.colour, "kind": item.kind, "where": _place(truth, name)}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


QUESTIONS: dict[str, tuple[float, Callable[[Truth, Random], Drawn | None]]] = {
    "count_all": (0.6, _count_all),
    "count": (2.0, _count),
    "count_in": (1.0, _count_in),
    "exists": (2.0, _exists),
    "inside": (1.2, _inside),
    "side": (2.0, _side),
    "near": (0.6, _near),
    "empty": (0.8, _empty),
    "holding": (0.3, _holding),
    "held": (0.3, _held),
    "list_all": (1.5, _list_all),
    "list_colour": (1.5, _list_colour),
    "list_kind": (1.2, _list_kind),
    "list_in": (1.2, _list_in),
    "extreme": (1.5, _extreme),
    "colour": (0.6, _colour),
    "refer": (0.0, _refer),
    "where": (0.0, _where),
    "caption": (0.0, _caption),
    "record": (0.0, _record),
    "records": (0.0, _records),
}
"""How often each kind is drawn, and what draws it. The last five are for training alone: what instructions call a thing, where
things stand, and the same as JSON."""
