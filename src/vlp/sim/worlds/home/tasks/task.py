"""A task of the home, and its success test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vlp.sim.truth import Truth
from vlp.sim.worlds.home.tasks.goals import (
    HomeGoal,
    Lit,
    Poured,
    Rests,
    Shut,
    ToldPlace,
    fixture_of,
    hidden_by,
    place_under,
    takes,
)
from vlp.sim.worlds.home.true_state import HomeTruth


@dataclass(frozen=True)
class HomeTask:
    """An instruction with its meaning in one home; a `vlp.sim.worlds.tasks.WorldTask`.

    Args:
        family: its name in `vlp.sim.worlds.home.tasks.families`.
        arguments: names of things, places and persons by slot of the sentence.
        goals: what must be true in the end, in the order in which the expert reaches them where nothing speaks against it.
        cannot: why it cannot be done; "" when it can.
        satisfied: whether all of it is true already.
        instruction: the sentence.
        began: the home when the first sentence came, which this one may have changed: where things go back to.
        undo: those of the goals that bring back what was moved for an earlier sentence and is not wanted any more.
    """

    family: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    goals: tuple[HomeGoal, ...] = ()
    cannot: str = ""
    satisfied: bool = False
    instruction: str = ""
    began: HomeTruth | None = field(default=None, repr=False)
    undo: tuple[HomeGoal, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """The things that may have to be moved."""
        return tuple(dict.fromkeys(name for goal in self.goals for name in goal.subjects))

    def success(self, start: Truth, now: Truth, said: Sequence[str] = ()) -> bool:
        """Return whether all goals hold and all else is as it was.

        What a person took from the world has no goal any more. What lay on a thing that had to be moved, and what was in the
        hand at the start, may lie on or in any furniture but the bin.
        """
        was, is_ = home(start), home(now)
        if self.cannot or self.satisfied:
            return self._kept(was, is_) and was.holding == is_.holding
        goals = [goal for goal in self.goals if not goal.subjects or any(name in is_.objects for name in goal.subjects)]
        return all(goal.holds(is_, said) for goal in goals) and not is_.holding and self._kept(was, is_)

    def unmet(self, now: Truth, said: Sequence[str] = ()) -> str:
        """Return the first goal that is not reached, and where its things are now; "" for none."""
        is_ = home(now)
        goal = next((goal for goal in self.goals if not goal.holds(is_, said)), None)
        if goal is None:
            return ""
        where = [f"the {name} is {is_.objects[name].relation} the {is_.objects[name].support}"
                 for name in goal.subjects if name in is_.objects]  # fmt: skip
        return f"not so: {goal.text()}{'; ' if where else ''}{', '.join(where[:2])}"

    def _kept(self, was: HomeTruth, now: HomeTruth) -> bool:
        """Return whether everything that no goal speaks of is as it was."""
        lamp = was.lamp_on == now.lamp_on or any(isinstance(goal, Lit) for goal in self.goals)
        may_shut = [*self.goals, *(Shut(fixture_of(place)) for place in self._hiding(self.began or was))]
        shut = all(Shut(name).holds(was) == Shut(name).holds(now) or Shut(name) in may_shut for name in was.opened)
        poured = {name for goal in self.goals if isinstance(goal, Poured) for name in (goal.thing, goal.into)}
        balls = all(now.balls[name] == n for name, n in was.balls.items() if name in now.balls and name not in poured)
        return lamp and shut and balls and all(self._may_be(was, now, name) for name in was.objects if name in now.objects)

    def _hiding(self, was: HomeTruth) -> list[str]:
        """Return what stood open and had to be shut for the goals: what hides the place of a thing."""
        things = [*self.subjects, *(goal.thing for goal in self.goals if isinstance(goal, ToldPlace))]
        places = [place_under(was, name) for name in things]
        places += [goal.place for goal in self.goals if isinstance(goal, Rests)]
        return [hiding for place in places if (hiding := hidden_by(was, place))]

    def _may_be(self, was: HomeTruth, now: HomeTruth, name: str) -> bool:
        before, after = was.objects[name].support, now.objects[name].support
        place = place_under(now, name)
        if after == before or any(goal.allows(name, place) for goal in self.goals):
            return True
        in_the_way = before == "hand" or before in self.subjects
        return in_the_way and place in takes() and place != "bin"


def home(truth: Truth) -> HomeTruth:
    """Return a true state that must be a home's; raises TypeError for another world's."""
    if not isinstance(truth, HomeTruth):
        raise TypeError(f"a {type(truth).__name__} is no state of a home")
    return truth
