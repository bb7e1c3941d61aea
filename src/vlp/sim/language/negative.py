"""Instructions after which nothing may move: what cannot be done, and what is done already."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from vlp.sim.language.put import Arguments, graspable, near_relations, put_relation, satisfied_put
from vlp.sim.language.references import is_container
from vlp.sim.language.relations import visible
from vlp.sim.language.task import Family, Split, Task
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.words import COLOURS, CONTAINERS, KINDS, PUT_RELATION, THINGS


@dataclass(frozen=True)
class Negative(Family):
    """A family whose sentences are those of other families, with arguments that make them impossible or satisfied."""

    draw: Callable[[Truth, Random], tuple[str, Arguments] | None] = field(default=lambda truth, rng: None)
    likes: Mapping[str, Family] = field(default_factory=dict)

    def sample(self, truth: Truth, rng: Random, split: Split) -> Task | None:
        """Return a task that must be answered without moving, or None when the world allows none."""
        drawn = self.draw(truth, rng)
        if drawn is None:
            return None
        like, arguments = drawn
        task = self.likes[like].build(truth, arguments)
        if task is None or not (task.cannot or task.satisfied):
            return None
        sentence = self.likes[like].word(arguments, rng, split)
        return replace(task, family=self.name, arguments={**arguments, "like": like}, instruction=sentence)


def absent(truth: Truth, rng: Random, kinds: tuple[str, ...]) -> str:
    """Return a phrase that names nothing in the world, often one word away from something that is there."""
    near = [item for item in truth.objects.values() if item.kind in kinds]
    for _ in range(20):
        colour, kind = rng.choice(COLOURS), rng.choice(kinds)
        if near and rng.random() < 0.6:
            item = rng.choice(near)
            colour, kind = (item.colour, kind) if rng.random() < 0.5 else (colour, item.kind)
        if f"{colour} {kind}" not in truth.objects:
            return f"{colour} {kind}"
    return ""


def _absent_description(truth: Truth, rng: Random) -> str:
    """Return "red thing" or "can" of which there is none, or "" when everything is there."""
    things = [item for item in truth.objects.values() if item.kind in THINGS]
    kinds = [k for k in THINGS if all(item.kind != k for item in things)]
    colours = [f"{c} thing" for c in COLOURS if all(item.colour != c for item in truth.objects.values())]
    options = [*kinds, *colours]
    return rng.choice(options) if options else ""


def _any_target(truth: Truth, rng: Random, but: str = "") -> tuple[str, str]:
    """Return (relation, target) that would be fine for a thing."""
    names = [n for n in visible(truth) if n != but]
    boxes = [n for n in names if is_container(n)]
    if boxes and rng.random() < 0.7:
        target = rng.choice(boxes)
        return put_relation(target), target
    if names and rng.random() < 0.6:
        return rng.choice(near_relations()), rng.choice(names)
    return "in", "bin"


def no_subject(truth: Truth, rng: Random) -> tuple[str, Arguments] | None:
    """The thing to be moved is not there."""
    relation, target = _any_target(truth, rng)
    chance = rng.random()
    phrase = absent(truth, rng, THINGS)
    if not phrase:
        return None
    if chance < 0.25:
        description = _absent_description(truth, rng)
        word = rng.choice(("every", "leftmost", "rightmost", "nearest", "farthest"))
        return ("put", {"a": f"{word} {description}", "relation": relation, "b": target}) if description else None
    if chance < 0.35:
        return "pick", {"a": phrase}
    if chance < 0.45:
        return "throw", {"a": phrase, "relation": "in", "b": "bin"}
    if chance < 0.5:
        return "unload", {"a": phrase, "relation": "on", "b": "table"}
    if chance < 0.6 and graspable(truth):
        pair = [phrase, rng.choice(graspable(truth))]
        rng.shuffle(pair)
        return rng.choice(("swap", "stack")), dict(zip("ab", pair, strict=True))
    return ("throw" if target == "bin" else "put"), {"a": phrase, "relation": relation, "b": target}


def no_target(truth: Truth, rng: Random) -> tuple[str, Arguments] | None:
    """The thing is there, the place to put it is not."""
    names = graspable(truth)
    phrase = absent(truth, rng, CONTAINERS if rng.random() < 0.8 else KINDS)
    if not names or not phrase:
        return None
    kind = phrase.rpartition(" ")[2]
    relation = PUT_RELATION[kind] if kind in PUT_RELATION and rng.random() < 0.8 else rng.choice(near_relations())
    return "put", {"a": rng.choice(names), "relation": relation, "b": phrase}


def ungraspable(truth: Truth, rng: Random) -> tuple[str, Arguments] | None:
    """What should be moved is a container, which is not grasped."""
    boxes = [n for n in visible(truth) if is_container(n)]
    if not boxes:
        return None
    subject = rng.choice(boxes)
    chance = rng.random()
    if chance < 0.4:
        return "pick", {"a": subject}
    if chance < 0.55:
        return "throw", {"a": subject, "relation": "in", "b": "bin"}
    relation, target = _any_target(truth, rng, but=subject)
    return ("throw" if target == "bin" else "put"), {"a": subject, "relation": relation, "b": target}


def draw_impossible(truth: Truth, rng: Random) -> tuple[str, Arguments] | None:
    """Draw one of the three reasons."""
    return rng.choice((no_subject, no_subject, no_target, no_target, ungraspable))(truth, rng)


def draw_satisfied(truth: Truth, rng: Random) -> tuple[str, Arguments] | None:
    """Draw something that is so already."""
    if truth.holding and rng.random() < 0.3:
        return "pick", {"a": truth.holding}
    arguments = satisfied_put(truth, rng)
    return ("put", arguments) if arguments else None


def negative_families(likes: Mapping[str, Family]) -> tuple[Negative, ...]:
    """Return the two families over the sentences of the others."""
    return (
        Negative("impossible", 2.5, lambda truth, rng: None, lambda truth, a: None, draw=draw_impossible, likes=likes),
        Negative("satisfied", 3.0, lambda truth, rng: None, lambda truth, a: None, draw=draw_satisfied, likes=likes),
    )
