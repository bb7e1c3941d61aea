"""Facts: what primitives need, make true and make false, read in one place.

A condition is a short sentence: a predicate and its words, "not" before it where it must not hold. A word that is the name of
an argument stands for that argument's value, `held` for the thing in the hand: "holding target", "open door", "not open door",
"relation held target" (a predicate may be an argument's word too). A need without its words asks for any such fact: "holding"
is met when anything is held. What was never made true counts as not so.

Five predicates have a meaning of their own: `hand_empty`, `holding THING`, `at PLACE` (the robot stands there), `moved THING`
(it is no longer where it was), and the relations between things (`in`, `on`, ..., and `at` a spot), which end when the thing
moves. Every other predicate is the robot's own; it holds until a primitive makes it false, or the robot senses that it is
not so.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice, product
from types import MappingProxyType
from typing import Any

from vlp.core.errors import closest
from vlp.core.observation import RobotState
from vlp.primitives.manifest import Manifest, Primitive

Fact = tuple[str, ...]
"""A predicate and its words: ("hand_empty",), ("holding", "red cube"), ("at", "dock"), ("open", "front door")."""

SPATIAL: tuple[str, ...] = ("in", "on", "next_to", "left_of", "right_of", "behind", "in_front_of")
"""Relations between two things. Sides are as the robot sees them from its station: left is +y, behind is +x."""

BUILT_IN: dict[str, tuple[int, ...]] = {
    "hand_empty": (0,),
    "holding": (1,),
    "at": (1, 2),
    "moved": (1,),
    **dict.fromkeys(SPATIAL, (2,)),
}
"""The predicates with a meaning of their own, and how many words stand behind each."""

UNARY: tuple[str, ...] = ("holding", "clear")
"""Relations of one thing alone: `check` takes no object with them."""


@dataclass(frozen=True)
class Condition:
    """One declared condition: what it says, and whether it must hold or must not."""

    words: Fact
    positive: bool = True

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Return the condition of a sentence such as "not open door"."""
        words = tuple(text.split())
        return cls(words[1:], False) if words[:1] == ("not",) else cls(words)

    def grounded(self, arguments: Mapping[str, Any], held: str) -> "Condition":
        """Return the condition with values in place of arguments' names, and of `held`."""
        values = {**{name: str(value) for name, value in arguments.items()}, "held": held or "something"}
        return Condition(tuple(values.get(word, word) for word in self.words), self.positive)

    def __str__(self) -> str:
        return ("" if self.positive else "not ") + " ".join(self.words).replace("_", " ")


class Facts:
    """What holds now; primitives change it one after the other.

    Args:
        known: what holds at the start.
        holding: the phrase of what is held, "" for an empty hand.
        at: the place where the robot stands, "" when unknown.
    """

    def __init__(self, known: Iterable[Fact] = (), holding: str = "", at: str = "") -> None:
        self.known: set[Fact] = set(known)
        self.moved: set[str] = set()
        """What the last `apply` moved, by phrase."""
        self.measure(holding, at)

    @property
    def held(self) -> str:
        """The phrase of what is held, "" when the hand is empty."""
        return next((fact[1] for fact in sorted(self.known) if fact[0] == "holding" and len(fact) == 2), "")

    @property
    def at(self) -> str:
        """The place where the robot stands, "" when unknown."""
        return next((fact[1] for fact in sorted(self.known) if fact[0] == "at" and len(fact) == 2), "")

    @property
    def lasting(self) -> frozenset[Fact]:
        """The facts that no sensor of the robot tells: what a new policy must be told."""
        return frozenset(fact for fact in self.known if not measured(fact))

    def measure(self, holding: str, at: str, sensed: Mapping[Fact, bool] = MappingProxyType({})) -> None:
        """Take over what the robot says of its hand, its place and what else it senses."""
        self._drop(measured)
        self.known.add(("holding", holding) if holding else ("hand_empty",))
        if at:
            self.known.add(("at", at))
        self._drop(lambda known: known in sensed)
        self.known |= {fact for fact, so in sensed.items() if so}

    def holds(self, condition: Condition) -> bool:
        """Return whether a grounded condition is met."""
        n = len(condition.words)
        return any(fact[:n] == condition.words for fact in self.known) is condition.positive

    def apply(self, primitive: Primitive, arguments: Mapping[str, Any]) -> list[Fact]:
        """Take the effects of a primitive for true and return the facts that it made.

        Args:
            primitive: what was done.
            arguments: with phrases in place of references.
        """
        self.moved = set()
        made = [Condition.parse(effect).grounded(arguments, self.held) for effect in primitive.makes]
        for effect in made:
            if effect.positive:
                self._add(effect.words)
            else:
                n = len(effect.words)
                self._drop(lambda known, gone=effect.words, n=n: known[:n] == gone)
        return [effect.words for effect in made if effect.positive]

    def refute(self, fact: Fact) -> None:
        """Forget a fact that a look has shown to be wrong."""
        self.known.discard(fact)

    def move(self, thing: str) -> None:
        """Forget where a thing was; what lies in or on it goes with it."""
        self.moved.add(thing)
        self._drop(lambda known: spatial(known) and known[1] == thing)
        self._drop(lambda known: spatial(known) and known[2] == thing and known[0] not in ("in", "on"))

    def _add(self, fact: Fact) -> None:
        """Add a fact and take away those that cannot hold beside it."""
        match fact:
            case ("hand_empty",):
                self._drop(lambda known: known[0] == "holding")
            case ("holding", thing):
                self._drop(lambda known: known[0] in ("hand_empty", "holding"))
                self.move(thing)
            case ("moved", thing):
                self.move(thing)
                return
            case ("at", _):
                self._drop(lambda known: known[0] == "at" and len(known) == 2)
            case _ if spatial(fact):
                self.move(fact[1])
        self.known.add(fact)

    def _drop(self, goes: Callable[[Fact], bool]) -> None:
        self.known = {fact for fact in self.known if not goes(fact)}


Slots = tuple[frozenset[str] | None, ...]
"""What each word of a condition may stand for; None for anything."""


def _slots(condition: Condition, primitive: Primitive | None = None, places: Iterable[str] = ()) -> Slots:
    """Return what the words of a primitive's condition may stand for: themselves, or an argument's values."""
    arguments = {a.name: a for a in primitive.arguments} if primitive else {}

    def values(word: str) -> frozenset[str] | None:
        argument = arguments.get(word)
        if argument is None:
            return None if word == "held" and primitive else frozenset({word})
        return frozenset(argument.choices or (places if argument.type == "place" else ())) or None

    return tuple(map(values, condition.words))


def _meet(one: Slots, other: Slots) -> bool:
    """Return whether two conditions may be of one fact, as far as the shorter one goes."""
    return all(mine is None or yours is None or mine & yours for mine, yours in zip(one, other, strict=False))


def _brings(effect: Slots, need: Slots, positive: bool) -> bool:
    """Return whether an effect can make a need so; a fact has all the words of the need, what is made false may have fewer."""
    if need[0] == frozenset({"at"}) and 1 < len(need) != len(effect):  # where the robot stands, and where a thing lies
        return False
    return (len(need) <= len(effect) or not positive) and _meet(effect, need)


def makers(need: Condition, primitives: Mapping[str, Primitive]) -> list[str]:
    """Return the primitives that make a grounded condition so, by name."""
    return [
        name
        for name, p in primitives.items()
        for effects in [map(Condition.parse, p.makes)]
        if any(c.positive is need.positive and _brings(_slots(c, p), _slots(need), c.positive) for c in effects)
    ]


def _written(slots: Slots, like: Sequence[str]) -> list[str]:
    """Return facts that a condition may stand for, as text; where it may be anything it is as in another one."""
    parts = [sorted(own) if own is not None else [like[i] if i < len(like) else "..."] for i, own in enumerate(slots)]
    return [" ".join(words) for words in islice(product(*parts), 500)]


def _misspelt(words: Sequence[str], others: Iterable[str]) -> str:
    """Return which of some texts has the same words but for slips of the pen, "" for none; another number is no slip."""

    def near(one: str, other: str) -> bool:
        letters = re.sub(r"\d", "", one) != re.sub(r"\d", "", other)
        return one == other or (letters and bool(get_close_matches(one, [other], 1, 0.75)))

    texts = (text for text in others if len(text.split()) == len(words))
    return next((text for text in texts if all(map(near, words, text.split()))), "")


def _unmade(text: str, p: Primitive, manifest: Manifest, verb: str) -> tuple[str, str] | None:
    """Return what is wrong with a need, or with what is made false, whose words no primitive makes so.

    That something is not so may be what only the robot's senses tell: it is taken for wrong where it looks misspelt.
    """
    condition = Condition.parse(text)
    own = _slots(condition, p, manifest.places)
    all_made = [(c, _slots(c, q, manifest.places)) for q in manifest.primitives.values() for c in map(Condition.parse, q.makes)]
    made = [slots for c, slots in all_made if c.words and _meet(slots[:1], own[:1]) and (c.positive or verb == "needs")]
    true = [slots for c, slots in all_made if c.words and c.positive and _meet(slots[:1], own[:1])]
    if condition.positive:
        if any(_brings(slots, own, True) for slots in true):
            return None
        known = list(dict.fromkeys(said for slots in true for said in _written(slots, condition.words)))
        near = closest(" ".join(condition.words), known)
        hint = f"Did you mean {near!r}?" if near else f"Made true are {', '.join(map(repr, known[:8]))}."
        return f"it needs {text!r}, and no primitive makes that true.", hint
    if any(_meet(slots, own) for slots in made):
        return None
    near = _misspelt(condition.words, (said for slots in true for said in _written(slots, condition.words)))
    return (f"it {verb} {text!r}, and nothing makes it otherwise.", f"Did you mean 'not {near}'?") if near else None


def faults(manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with declared conditions: the primitive's name, a message and a hint.

    What a primitive needs must be something that some primitive makes so, or that holds at the start.
    """
    primitives = manifest.primitives
    made = {
        (name, c.positive) for p in primitives.values() for c in map(Condition.parse, p.makes) for name in _predicates(c, p)
    }
    for name, p in primitives.items():
        for texts in (p.needs, p.makes):
            conditions = [Condition.parse(text) for text in texts]
            for text, condition in zip(texts, conditions, strict=True):
                fault = _spelling(text, condition, p, manifest) or _count(text, condition, p, exactly=texts is p.makes)
                if fault:
                    yield name, *fault
            for text, condition in zip(texts, conditions, strict=True):
                if condition.positive and Condition(condition.words, False) in conditions:
                    verb = "makes" if texts is p.makes else "needs"
                    yield name, f"it {verb} both {text!r} and 'not {text}'.", "Leave one of them out."
        for need in p.needs:
            condition = Condition.parse(need)
            predicate = condition.words[:1]
            arguments = {a.name for a in p.arguments}
            if not predicate or predicate[0] in ("hand_empty", "not", *arguments):
                continue
            known = {word for word, _ in made}
            if (condition.positive and (predicate[0], True) not in made) or predicate[0] not in {*known, *BUILT_IN}:
                near = closest(predicate[0], sorted({*known, *BUILT_IN} - {predicate[0]}))
                hint = f"Did you mean {near!r}?" if near else "Let a primitive make it true (`makes`)."
                yield name, f"it needs {need!r}, and no primitive makes {predicate[0]!r} true.", hint
            elif fault := _unmade(need, p, manifest, "needs"):
                yield name, *fault
        for effect in (text for text in p.makes if not Condition.parse(text).positive):
            if fault := _unmade(effect, p, manifest, "makes"):
                yield name, *fault


def _predicates(condition: Condition, primitive: Primitive) -> tuple[str, ...]:
    """Return the predicates that a condition can have: those of its argument where that gives the word."""
    words = condition.words[:1]
    return next((a.choices for a in primitive.arguments if words == (a.name,) and a.choices), words)


def _spelling(text: str, condition: Condition, p: Primitive, manifest: Manifest) -> tuple[str, str] | None:
    if not condition.words:
        return f"{text!r} is no condition.", "Write a predicate and its words, e.g. 'open door'."
    if condition.words[0] == "not":
        return f"{text!r} says 'not' twice.", "Say it once, or not at all."
    arguments = [a.name for a in p.arguments]
    for word in condition.words[1:]:
        near = get_close_matches(word, arguments, n=1, cutoff=0.75)
        if near and word not in (*arguments, "held", *manifest.places):
            return f"{text!r}: {word!r} is no argument of {p.name}.", f"Did you mean {near[0]!r}?"
    return None


def _count(text: str, condition: Condition, p: Primitive, exactly: bool) -> tuple[str, str] | None:
    """Return what is wrong with the number of words behind a built-in predicate; a need may leave words out."""
    given = len(condition.words) - 1
    for predicate in _predicates(condition, p):
        takes = BUILT_IN.get(predicate, (given,))
        if given in takes or (given < max(takes) and not (exactly and condition.positive)):
            continue
        forms = " or ".join(" ".join((predicate, *("THING", "OTHER")[:n])) for n in takes)
        return f"{text!r} has {given} words behind {predicate!r}.", f"Write {forms}.".replace("at THING or", "at PLACE or")
    return None


def spatial(fact: Fact) -> bool:
    """Return whether a fact says where a thing is."""
    return len(fact) == 3 and fact[0] in (*SPATIAL, "at")


def measured(fact: Fact) -> bool:
    """Return whether the robot measures a fact itself, so that its state tells: its hand, and where it stands."""
    return (fact[0], len(fact)) in (("hand_empty", 1), ("holding", 2), ("at", 2))


def told_by_state(primitive: Primitive, sensed: Iterable[Fact] = ()) -> list[Condition]:
    """Return those of a primitive's needs that the robot's own state answers: its hand, where it stands, what it senses."""
    told = {"hand_empty", "holding", "at", *(fact[0] for fact in sensed)}
    needs = map(Condition.parse, primitive.needs)
    return [need for need in needs if need.words and need.words[0] in told and len(need.words) <= 2]


def denied(primitive: Primitive, arguments: Mapping[str, Any], state: RobotState) -> Condition | None:
    """Return the first effect of a primitive that the robot's own state says is not so; None where it denies none.

    Args:
        primitive: what was done.
        arguments: with phrases in place of references.
        state: of the robot, after it.
    """
    sensed = sensed_facts(state.facts)
    for effect in (Condition.parse(text).grounded(arguments, "") for text in primitive.makes):
        so = sensed.get(effect.words, effect.positive)
        if effect.words == ("hand_empty",) and state.holding:
            so = False
        elif effect.words[:1] == ("at",) and len(effect.words) == 2 and state.at:
            so = state.at == effect.words[1]
        if so is not effect.positive:
            return effect
    return None


def sensed_facts(told: Mapping[str, bool]) -> dict[Fact, bool]:
    """Return what a robot's state says of its own facts: the first word is the predicate, the rest is what it is said of."""
    return {tuple(" ".join(text.split()).split(" ", 1)): so for text, so in told.items()}


def sensing_faults(told: Mapping[str, bool], manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield a message and a hint for each sensed fact that no primitive of the robot needs or makes."""
    declared = [
        (condition, needed or not condition.positive, _slots(condition, p, manifest.places))
        for p in manifest.primitives.values()
        for needed, texts in ((True, p.needs), (False, p.makes))
        for condition in map(Condition.parse, texts)
        if condition.words
    ]
    own = {word for _, _, slots in declared for word in slots[0] or ()} - BUILT_IN.keys()
    for fact in sensed_facts(told):
        said, known = " ".join(fact), _slots(Condition(fact))
        if fact[0] in BUILT_IN:
            says = f"it senses {said!r}, and {fact[0]!r} has a meaning of its own."
            yield says, "Give place and hold as `at` and `holding`."
        elif fact[0] not in own:
            near = closest(fact[0], sorted(own))
            hint = f"Did you mean {near!r}?" if near else "Name it as `needs` and `makes` do."
            yield f"it senses {said!r}, and no primitive needs or makes {fact[0]!r}.", hint
        elif not any(len(s) == len(fact) or (short and len(s) < len(fact)) for _, short, s in declared if _meet(s, known)):
            texts = {text for _, _, slots in declared if _meet(slots[:1], known[:1]) for text in _written(slots, fact)}
            near = closest(said, sorted(texts))
            hint = f"Did you mean {near!r}?" if near else f"They speak of {', '.join(map(repr, sorted(texts)[:8]))}."
            if near == said:  # with as many words as conditions have; sensed, all behind the first one are one word
                one_word = f"{fact[0]} {'_'.join(said.split()[1:])}"
                hint = f"Conditions take it for {len(said.split())} words: write {one_word!r} there and here."
            yield f"it senses {said!r}, and no primitive needs or makes that.", hint
