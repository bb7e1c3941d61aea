"""Sentences that change a task of the home midway: what each is about, drawn by chance, and what it makes of the task.

What was moved for the sentence before and is not wanted any more goes back to where it was when that sentence came.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random

from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.tasks.families import Arguments, NotHere, families, in_open, lies_on, one_of, why_not
from vlp.sim.worlds.home.tasks.goals import Given, HomeGoal, Rests, Shut, is_at, place_under, takes
from vlp.sim.worlds.home.tasks.ordered import OrderedTask
from vlp.sim.worlds.home.tasks.task import HomeTask
from vlp.sim.worlds.home.tasks.wording import sentence
from vlp.sim.worlds.home.true_state import HomeTruth
from vlp.sim.worlds.tasks import Split


@dataclass(frozen=True)
class HomeChange:
    """One kind of change of mind.

    Args:
        name: its row of `changes` in changes.toml, and of `vlp.sim.worlds.changes.change_kinds`.
        propose: draws arguments for a task and the state midway in it; raises NotHere.
        mean: gives the task that they make of it; raises NotHere where they change nothing of it, or are not clear.
    """

    name: str
    propose: Callable[[HomeTruth, HomeTask, Random], Arguments]
    mean: Callable[[HomeTruth, HomeTask, Arguments], HomeTask]

    def build(self, truth: HomeTruth, before: HomeTask, arguments: Arguments, instruction: str = "") -> HomeTask:
        """Return the task that arguments make of the one before, by the state in which they are said; raises NotHere."""
        task = self.mean(truth, before, arguments)
        satisfied = not task.cannot and all(goal.holds(truth) for goal in task.goals)
        return replace(task, satisfied=satisfied, instruction=instruction)

    def sample(self, truth: HomeTruth, before: HomeTask, rng: Random, split: Split) -> HomeTask | None:
        """Return a change of a task that can be done, or None when the state allows none."""
        try:
            arguments = self.propose(truth, before, rng)
            task = self.build(truth, before, arguments)
        except NotHere:
            return None
        return None if task.cannot else replace(task, instruction=sentence(self.name, arguments, rng, split, "changes"))


def home_changes() -> dict[str, HomeChange]:
    """Return the kinds of change of mind by name, in the order in which sentences are tried."""
    made = (
        HomeChange("other-thing", _propose_other_thing, _mean_other_thing),
        HomeChange("which-one", _propose_which_one, _mean_which_one),
        HomeChange("other-place", _propose_other_place, _mean_other_place),
        HomeChange("other-person", _propose_other_person, _mean_other_person),
        HomeChange("added", _propose_added, _mean_added),
        HomeChange("cancelled", _propose_cancelled, _mean_cancelled),
        HomeChange("put-back", _propose_put_back, _mean_put_back),
        HomeChange("excluded", _propose_excluded, _mean_excluded),
        HomeChange("reordered", _propose_reordered, _mean_reordered),
    )
    return {change.name: change for change in made}


def _changed(
    truth: HomeTruth,
    before: HomeTask,
    goals: Iterable[HomeGoal],
    cannot: str = "",
    family: str = "change",
    arguments: Arguments | None = None,
) -> HomeTask:
    """Return the task of some goals in the place of the one before: what that moved goes back, what it opened is shut."""
    began, wanted = before.began or truth, [goal for goal in goals if not isinstance(goal, Shut)]
    kept = {name for goal in wanted for name in goal.subjects}
    left = [name for name in before.subjects if name not in kept and not why_not(truth, name)]
    undo = tuple(Rests(name, place_under(began, name)) for name in left if place_under(began, name) in takes())
    own = [goal for goal in goals if isinstance(goal, Shut)]
    shut = dict.fromkeys([*own, *(Shut(name) for name in began.opened if Shut(name).holds(began))])
    return HomeTask(family, arguments or {}, (*undo, *wanted, *shut), cannot, began=began, undo=undo)


def _rebuilt(truth: HomeTruth, before: HomeTask, family: str, **about: str) -> HomeTask:
    """Return a task of a family in the place of the one before."""
    goals, cannot = families()[family].mean(truth, about)
    return _changed(truth, before, goals, cannot, family, about)


def _errand(before: HomeTask) -> tuple[str, str]:
    """Return the thing that a task brings and what says where to ("place", "person", or "" for the drawer); raises NotHere."""
    to = {"put": "place", "put_away": "", "hand": "person"}
    if before.family not in to:
        raise NotHere
    return before.arguments["thing"], to[before.family]


def _asked(before: HomeTask) -> list[HomeGoal]:
    """Return the goals that sentences asked for."""
    return [goal for goal in before.goals if not isinstance(goal, Shut) and goal not in before.undo]


def _without(truth: HomeTruth, before: HomeTask, dropped: Callable[[str], bool]) -> HomeTask:
    """Return a task without the goals of some things, each of which must be one that a goal brings to its place by itself."""
    gone = [goal for goal in _asked(before) if any(map(dropped, goal.subjects))]
    if not gone or not all(isinstance(goal, Rests | Given) for goal in gone):
        raise NotHere
    return _changed(truth, before, [goal for goal in _asked(before) if goal not in gone])


def _propose_other_thing(truth: HomeTruth, before: HomeTask, rng: Random) -> Arguments:
    thing, _ = _errand(before)
    return {"thing": one_of(rng, (name for name in in_open(truth) if name != thing))}


def _mean_other_thing(truth: HomeTruth, before: HomeTask, about: Arguments) -> HomeTask:
    thing, to = _errand(before)
    if about["thing"] == thing:
        raise NotHere
    return _rebuilt(truth, before, before.family, thing=about["thing"], **({to: before.arguments[to]} if to else {}))


def _same_noun(truth: HomeTruth, thing: str, colour: str = "") -> list[str]:
    """Return the other things of the noun of a thing, of one colour where it is given."""
    alike = [name for name in truth.objects if products()[name].kind == products()[thing].kind and name != thing]
    return [name for name in alike if colour in ("", products()[name].colour)]


def _propose_which_one(truth: HomeTruth, before: HomeTask, rng: Random) -> Arguments:
    thing, _ = _errand(before)
    able = [name for name in in_open(truth) if name in _same_noun(truth, thing) and products()[name].colour]
    return {"colour": products()[one_of(rng, able)].colour}


def _mean_which_one(truth: HomeTruth, before: HomeTask, about: Arguments) -> HomeTask:
    thing, _ = _errand(before)
    meant = _same_noun(truth, thing, about["colour"])
    if len(meant) != 1 or about["colour"] == products()[thing].colour:
        raise NotHere
    return _mean_other_thing(truth, before, {"thing": meant[0]})


def _propose_other_place(truth: HomeTruth, before: HomeTask, rng: Random) -> Arguments:
    thing, _ = _errand(before)
    old = (before.arguments.get("place", "drawer"), place_under(truth, thing))
    return {"place": one_of(rng, (place for place in _free_places(truth) if not any(is_at(one, place) for one in old)))}


def _mean_other_place(truth: HomeTruth, before: HomeTask, about: Arguments) -> HomeTask:
    thing, to = _errand(before)
    if to == "place" and before.arguments["place"] == about["place"]:
        raise NotHere
    return _rebuilt(truth, before, "put", thing=thing, place=about["place"])


def _free_places(truth: HomeTruth) -> list[str]:
    """Return the places that things can be put at without opening anything, and taken from again."""
    return [place for place in takes() if place not in ("drawer", "cupboard", "bin") and not lies_on(truth, place)]


def _propose_other_person(truth: HomeTruth, before: HomeTask, rng: Random) -> Arguments:
    _errand(before)
    able = (name for name, person in truth.persons.items() if person.pose != "lying" and not person.holds)
    return {"person": one_of(rng, (name for name in able if name != before.arguments.get("person")))}


def _mean_other_person(truth: HomeTruth, before: HomeTask, about: Arguments) -> HomeTask:
    thing, _ = _errand(before)
    if before.arguments.get("person") == about["person"]:
        raise NotHere
    return _rebuilt(truth, before, "hand", thing=thing, person=about["person"])


def _propose_added(truth: HomeTruth, before: HomeTask, rng: Random) -> Arguments:
    thing = one_of(rng, (name for name in in_open(truth) if name not in before.subjects))
    here = place_under(truth, thing)
    return {"thing": thing, "place": one_of(rng, (place for place in _free_places(truth) if not is_at(here, place)))}


def _mean_added(truth: HomeTruth, before: HomeTask, about: Arguments) -> HomeTask:
    if any(about["thing"] in goal.subjects for goal in _asked(before)):
        raise NotHere
    goals, cannot = families()["put"].mean(truth, about)
    return _changed(truth, before, [*(goal for goal in before.goals if goal not in before.undo), *goals], cannot)


def _propose_cancelled(truth: HomeTruth, before: HomeTask, rng: Random) -> Arguments:
    """One of several things, or the only one once it has been touched: else nothing is left to be seen of it."""
    goals = [goal for goal in _asked(before) if isinstance(goal, Rests | Given)]
    names = [goal.subjects[0] for goal in goals if len(goals) > 1 or place_under(truth, goal.subjects[0]) == "hand"]
    return {"thing": one_of(rng, names)}


def _mean_cancelled(truth: HomeTruth, before: HomeTask, about: Arguments) -> HomeTask:
    return _without(truth, before, lambda name: name == about["thing"])


def _propose_put_back(truth: HomeTruth, before: HomeTask, rng: Random) -> Arguments:
    del rng
    thing, _ = _errand(before)
    if before.began is None or place_under(truth, thing) == place_under(before.began, thing):
        raise NotHere
    return {}


def _mean_put_back(truth: HomeTruth, before: HomeTask, about: Arguments) -> HomeTask:
    """All that the task moves goes back, also what it has not reached yet; people keep what they were given."""
    del about
    task = _changed(truth, before, ())
    if not task.undo:
        raise NotHere
    return replace(task, undo=())


def _propose_excluded(truth: HomeTruth, before: HomeTask, rng: Random) -> Arguments:
    del truth
    kinds = {products()[name].category for goal in _asked(before) for name in goal.subjects}
    if len(kinds) < 2:
        raise NotHere
    return {"category": one_of(rng, sorted(kinds))}


def _mean_excluded(truth: HomeTruth, before: HomeTask, about: Arguments) -> HomeTask:
    return _without(truth, before, lambda name: products()[name].category == about["category"])


def _propose_reordered(truth: HomeTruth, before: HomeTask, rng: Random) -> Arguments:
    able = in_open(truth)
    return {"thing": one_of(rng, (name for name in _left_to_take(truth, before) if name in able))}


def _mean_reordered(truth: HomeTruth, before: HomeTask, about: Arguments) -> HomeTask:
    left = _left_to_take(truth, before)
    if about["thing"] not in left or len(left) < 2:
        raise NotHere
    return OrderedTask.of(_changed(truth, before, [goal for goal in before.goals if goal not in before.undo]), about["thing"])


def _left_to_take(truth: HomeTruth, before: HomeTask) -> list[str]:
    """Return the things that single goals still bring somewhere and that are not in the hand."""
    goals = [goal for goal in _asked(before) if isinstance(goal, Rests | Given) and not goal.holds(truth)]
    return [name for goal in goals for name in goal.subjects if name in truth.objects and name != truth.holding]
