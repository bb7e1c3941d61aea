"""Whether a policy moves what was asked for, and leaves what is to stay: the checks over things taken, put and pushed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vlp.core.errors import Issue
from vlp.policy.checks import Context
from vlp.policy.model import Policy, Situation, references, walk
from vlp.understanding.lexicon import ALL, NAME, Mention, role
from vlp.understanding.prohibitions import Prohibition, may_be, same_word
from vlp.understanding.reading import Clause, Reading

Move = tuple[str, str, str, str]
"""Path of a step, the thing that is moved, where to ("" for nowhere yet), and the relation or "push"."""


def moves(policy: Policy, context: Context) -> Iterator[Move]:
    """Yield what a policy moves: each thing taken with where it is put, and each thing pushed."""
    situation = Situation(context.state, context.manifest.primitives)
    taken: tuple[str, str] | None = ("", context.state.holding) if context.state.holding else None
    for path, step in walk(policy):
        makes = {word for effect in context.manifest.primitives[step.do].makes for word in effect.split()}
        named = [situation.phrase_of(f"${name}") for _, name in references(step)]
        if "held" in makes and taken is not None:
            place = str(step.arguments.get("target", ""))
            yield path, taken[1], situation.phrase_of(place) if place else "", str(step.arguments.get("relation", ""))
            taken = None
        elif "holding" in makes and named:
            taken = (path, named[0])
        elif "moved" in makes and named:
            yield path, named[0], "", "push"
        situation.apply(step)
    if taken is not None and taken[0]:
        yield taken[0], taken[1], "", ""


@dataclass(frozen=True)
class Stays:
    """The check that what is to be left somewhere goes nowhere else.

    Args:
        said: what is left, and the words for where.
    """

    said: Sequence[tuple[Prohibition, str]]

    def __call__(self, policy: Policy, context: Context) -> Iterator[Issue]:
        """Yield `forbidden`; what is let go of where the robot stands is not judged."""
        for path, thing, target, relation in moves(policy, context):
            for one, where in self.said:
                there = may_be(where.split(), target) or any(same_word(t, w) for t in target.split() for w in where.split())
                elsewhere = relation == "push" or (target != "" and not there)
                if elsewhere and one.fits(thing):
                    yield Issue(
                        path, "forbidden", f"the {thing} goes elsewhere; the instruction says {one.text!r}.", "Leave it."
                    )


@dataclass(frozen=True)
class AsAsked:
    """A policy moves what was named or is implied, nothing that was forbidden, and leaves out nothing that was named.

    Args:
        readings: what the instructions so far say, the one in force last.
        fresh: whether nothing has been done for the last one yet, so that all it names must be in the policy.
    """

    readings: Sequence[Reading]
    fresh: bool

    def __call__(self, policy: Policy, context: Context) -> Iterator[Issue]:
        """Yield `forbidden`, `not-asked`, `not-thrown`, `not-done-so` and `left-out`."""
        said = self.readings[-1]
        forbidden = [m for m in said.forbidden if m.kind or m.colour]
        made = list(moves(policy, context))
        for path, thing, target, _ in made:
            for name in filter(None, (thing, target)):
                if any(m.fits(name) for m in forbidden) and not any(_exactly(m, name) for m in said.asked):
                    yield Issue(path, "forbidden", f"the instruction forbids this with the {name}.", "Leave it alone.")
        if made:
            yield from self._named(made, context)
            if self.fresh:
                yield from self._left_out(policy, context.state.holding)

    def _named(self, made: list[Move], context: Context) -> Iterator[Issue]:
        said = self.readings[-1]
        asked = [m for reading in self.readings for m in reading.asked]
        sweeping = bool(said.acts & {"sort", "swap"}) or (not said.asked and bool(said.acts & {"clear"}))
        places = context.manifest.places
        final = {name for name, place in places.items() if place.final}
        thrown = any(reading.acts & {"throw", "clear"} or final & set(reading.places) for reading in self.readings)

        def named(phrase: str) -> bool:
            return sweeping or any(m.fits(phrase) for m in asked)

        held = context.state.holding
        wanted = [move for move in made if named(move[1]) or move[1] == held]
        if not wanted:
            yield Issue(made[0][0], "not-asked", f"the policy moves the {made[0][1]}, which the instruction does not name.")
        for path, thing, target, relation in made:
            aside = target == "" or (target in places and target not in final) or thing == held
            if not named(thing) and not aside:
                yield Issue(path, "not-asked", f"the policy moves the {thing}, which the instruction does not name.")
            if target in places:
                if target in final and not thrown:
                    why = f"the policy puts the {thing} into the {target}; nothing was to be thrown away."
                    yield Issue(path, "not-thrown", why)
            elif target and relation != "at" and not named(target):
                yield Issue(path, "not-asked", f"the policy goes to the {target}, which the instruction does not name.")
        if said.acts == {"push"} and not any(relation == "push" for *_, relation in made):
            yield Issue("/subtasks", "not-done-so", "the instruction asks to push, and the policy pushes nothing.")

    def _left_out(self, policy: Policy, held: str) -> Iterator[Issue]:
        """Yield `left-out` for things named in full that the policy does not speak of.

        Of those behind a relation all but one may be landmarks: "the can left of the blue bowl".
        """
        spoken = {held} | {str(v).removeprefix("$").replace("_", " ") for step in policy.steps for v in step.arguments.values()}
        said = self.readings[-1]
        positive = [clause for clause in said.clauses if not clause.negated]
        named = [
            pair for c in positive for pair in zip(c.names, _behind_relations(c.text), strict=True) if pair[0] not in _left(c)
        ]
        full = [(mention, behind) for mention, behind in named if mention.kind and mention.colour]
        landmarks = sum(behind for _, behind in full) + len(said.places) - 1
        for mention, behind in full:
            if any(mention.fits(name) for name in spoken):
                continue
            if behind and landmarks > 0:
                landmarks -= 1
                continue
            hint = "Do all of it, or say that it cannot be done."
            yield Issue("/subtasks", "left-out", f"the policy leaves out {mention.text!r}.", hint)


def _exactly(mention: Mention, phrase: str) -> bool:
    return bool(mention.kind and mention.colour) and mention.fits(phrase)


def _behind_relations(text: str) -> list[bool]:
    """Return for each name in a clause whether a relation stands before it."""
    words = text.split()
    return [words[i - 1] in {*role("relations"), "of"} if i else False for i, word in enumerate(words) if word in (NAME, ALL)]


def _left(clause: Clause) -> list[Mention]:
    """Return the things that a clause leaves at a named place, where they may lie already."""
    words = [*clause.text.split(), "", ""]
    spots = [i for i, word in enumerate(words) if word in (NAME, ALL)]
    place = [words[i + 2].isupper() and words[i + 2] not in (NAME, ALL) and words[i + 1] in role("relations") for i in spots]
    lets = [i > 0 and words[i - 1] in ("leave", "leaving") for i in spots]
    return [name for name, at, let in zip(clause.names, place, lets, strict=True) if at and let]
