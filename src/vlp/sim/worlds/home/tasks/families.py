"""The families of tasks of the home: what each is about, drawn by chance, and what it means."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.tasks.goals import (
    Enough,
    Given,
    HomeGoal,
    Lit,
    Poured,
    Rests,
    Shut,
    ToldPlace,
    ToldReading,
    dials,
    is_at,
    place_under,
    room_of,
    takes,
    vessels,
)
from vlp.sim.worlds.home.tasks.task import HomeTask
from vlp.sim.worlds.home.tasks.wording import rows, sentence
from vlp.sim.worlds.home.true_state import HomeTruth
from vlp.sim.worlds.tasks import Split

Arguments = Mapping[str, str]
T = TypeVar("T")


class NotHere(Exception):
    """The home allows no task of this family."""


@dataclass(frozen=True)
class HomeFamily:
    """One kind of instruction.

    Args:
        name: its row of `families` in tasks.toml.
        often: how often it is drawn, in relation to the others.
        propose: draws arguments that make a clear instruction; raises NotHere.
        mean: gives the goals of arguments and, where it cannot be done, why.
    """

    name: str
    often: float
    propose: Callable[[HomeTruth, Random], Arguments]
    mean: Callable[[HomeTruth, Arguments], tuple[tuple[HomeGoal, ...], str]]

    def build(self, truth: HomeTruth, arguments: Arguments, instruction: str = "") -> HomeTask:
        """Return the task that arguments mean in a home: what is shut now must be shut in the end, too."""
        goals, cannot = self.mean(truth, arguments)
        told = any(isinstance(goal, ToldPlace | ToldReading) for goal in goals)
        satisfied = not cannot and not told and all(goal.holds(truth) for goal in goals)
        shut = tuple(Shut(name) for name in truth.opened if Shut(name).holds(truth) and Shut(name) not in goals)
        return HomeTask(self.name, arguments, (*goals, *shut), cannot, satisfied, instruction, began=truth)

    def sample(self, truth: HomeTruth, rng: Random, split: Split, about: Arguments | None = None) -> HomeTask | None:
        """Return a task that can be done and is not done yet, or None when the home allows none; `about` in place of a draw."""
        try:
            arguments = self.propose(truth, rng) if about is None else about
        except NotHere:
            return None
        task = self.build(truth, arguments)
        if task.cannot or task.satisfied:
            return None
        return replace(task, instruction=sentence(self.name, arguments, rng, split))


def families() -> dict[str, HomeFamily]:
    """Return the families by name, in the order in which sentences are tried."""
    made = (
        HomeFamily("put_away", 1.5, _propose_put_away, _mean_put_away),
        HomeFamily("take_out", 1.5, _propose_take_out, _mean_take_out),
        HomeFamily("tidy", 1.0, lambda truth, rng: {}, _mean_tidy),
        HomeFamily("lay", 1.0, _propose_lay, _mean_lay),
        HomeFamily("pour", 1.5, _propose_pour, _mean_pour),
        HomeFamily("lamp", 1.0, _propose_lamp, _mean_lamp),
        HomeFamily("inspect", 1.0, _propose_inspect, _mean_inspect),
        HomeFamily("put", 3.0, _propose_put, _mean_put),
        HomeFamily("hand", 2.0, _propose_hand, _mean_hand),
        HomeFamily("find", 1.5, _propose_find, _mean_find),
    )
    return {family.name: family for family in made}


def draw_task(
    truth: HomeTruth, rng: Random, split: Split = "train", odds: Mapping[str, float] | None = None
) -> HomeTask | None:
    """Return a task of a family drawn by weight, or None when 30 draws gave none that the home allows.

    Args:
        truth: the home to speak about.
        rng: the source of chance.
        split: "train", or "test" for phrasings that are never trained on.
        odds: families and how often to draw them; None takes all by their weights.
    """
    known = families()
    often = {name: family.often for name, family in known.items()} if odds is None else odds
    for _ in range(30):
        task = known[rng.choices(list(often), list(often.values()))[0]].sample(truth, rng, split)
        if task is not None:
            return task
    return None


def one_of(rng: Random, choices: Iterable[T]) -> T:
    """Return one of several, drawn by chance; raises NotHere when there are none."""
    found = list(choices)
    if not found:
        raise NotHere
    return rng.choice(found)


def in_open(truth: HomeTruth) -> list[str]:
    """Return the things that stand where everybody sees them and that a hand can take."""
    return [name for name in truth.objects if takes().get(place_under(truth, name)) == "on" and products()[name].portable]


def lies_on(truth: HomeTruth, place: str) -> str:
    """Return who lies on a piece of furniture, so that nothing else has room there; "" for nobody."""
    return next((name for name, person in truth.persons.items() if person.pose == "lying" and person.place == place), "")


def _fits_into_drawer(name: str) -> bool:
    headroom_m, longest_m = 0.10, 0.18
    length, width, height = products()[name].size_m
    return height <= headroom_m and max(length, width) <= longest_m


def _too_large(name: str) -> str:
    return "" if _fits_into_drawer(name) else f"the {name} does not fit into the drawer"


def _propose_put(truth: HomeTruth, rng: Random) -> Arguments:
    thing = one_of(rng, in_open(truth))
    room = room_of(place_under(truth, thing))
    shut_or_final = ("drawer", "cupboard", "bin")
    free = (place for place in takes() if place not in shut_or_final and not lies_on(truth, place))
    return {"thing": thing, "place": one_of(rng, (place for place in free if room_of(place) != room))}


def _mean_put(truth: HomeTruth, about: Arguments) -> tuple[tuple[HomeGoal, ...], str]:
    thing, place = about["thing"], about["place"]
    full = f"{person} lies on the {place}" if (person := lies_on(truth, place)) else ""
    return (Rests(thing, place),), why_not(truth, thing) or full or (_too_large(thing) if place == "drawer" else "")


def _propose_hand(truth: HomeTruth, rng: Random) -> Arguments:
    able = (name for name, person in truth.persons.items() if person.pose != "lying" and not person.holds)
    return {"thing": one_of(rng, in_open(truth)), "person": one_of(rng, able)}


def _mean_hand(truth: HomeTruth, about: Arguments) -> tuple[tuple[HomeGoal, ...], str]:
    goal = Given(about["thing"], about["person"])
    if goal.holds(truth):
        return (goal,), ""
    person = truth.persons.get(goal.person)
    if person is None:
        return (goal,), f"{goal.person} is not here"
    busy = f"{goal.person} holds the {person.holds}" if person.holds else ""
    lies = f"{goal.person} lies down and takes nothing" if person.pose == "lying" else ""
    return (goal,), why_not(truth, goal.thing) or lies or busy


def _propose_put_away(truth: HomeTruth, rng: Random) -> Arguments:
    return {"thing": one_of(rng, (name for name in in_open(truth) if _fits_into_drawer(name)))}


def _mean_put_away(truth: HomeTruth, about: Arguments) -> tuple[tuple[HomeGoal, ...], str]:
    thing = about["thing"]
    return (Rests(thing, "drawer"), Shut("drawer")), why_not(truth, thing) or _too_large(thing)


def _propose_take_out(truth: HomeTruth, rng: Random) -> Arguments:
    inside = {name: place_under(truth, name) for name in truth.objects if products()[name].portable}
    thing = one_of(rng, (name for name, place in inside.items() if place in rows("inside")))
    free = (name for name, how in takes().items() if how == "on" and not lies_on(truth, name))
    return {"thing": thing, "inside": inside[thing], "place": one_of(rng, free)}


def _mean_take_out(truth: HomeTruth, about: Arguments) -> tuple[tuple[HomeGoal, ...], str]:
    goal, now = Rests(about["thing"], about["place"]), place_under(truth, about["thing"])
    elsewhere = "" if now == about["inside"] or goal.holds(truth) else f"there is no {goal.thing} in the {about['inside']}"
    full = f"{person} lies on the {goal.place}" if (person := lies_on(truth, goal.place)) else ""
    return (goal,), elsewhere or full


def _propose_pour(truth: HomeTruth, rng: Random) -> Arguments:
    tables = ("coffee table", "kitchen table")  # where there is room over a vessel
    at_hand = [name for name in vessels() if name in truth.objects and place_under(truth, name) in tables]
    source = one_of(rng, (name for name in at_hand if truth.balls.get(name) and products()[name].shape == "cup"))
    return {"source": source, "vessel": one_of(rng, (name for name in at_hand if name != source and not truth.inside(name)))}


def _mean_pour(truth: HomeTruth, about: Arguments) -> tuple[tuple[HomeGoal, ...], str]:
    source, into = about["source"], about["vessel"]
    there = truth.balls.get(source, 0)
    goal = Poured(source, into, there + truth.balls.get(into, 0))
    same = f"the {source} cannot be poured into itself" if source == into else ""
    nothing = "" if there else f"there is nothing in the {source} that could be poured"
    return (goal,), why_not(truth, source) or why_not(truth, into) or same or nothing


def _propose_lamp(truth: HomeTruth, rng: Random) -> Arguments:
    del rng
    return {"state": "off" if truth.lamp_on else "on"}


def _mean_lamp(truth: HomeTruth, about: Arguments) -> tuple[tuple[HomeGoal, ...], str]:
    del truth
    return (Lit(about["state"] == "on"),), ""


def _propose_inspect(truth: HomeTruth, rng: Random) -> Arguments:
    del truth
    return {"dial": one_of(rng, dials())}


def _mean_inspect(truth: HomeTruth, about: Arguments) -> tuple[tuple[HomeGoal, ...], str]:
    del truth
    return (ToldReading(about["dial"]),), ""


def _mean_tidy(truth: HomeTruth, about: Arguments) -> tuple[tuple[HomeGoal, ...], str]:
    del about
    tables, kinds = ("coffee table", "kitchen table"), rows("kinds")
    on_tables = [name for name in truth.objects if place_under(truth, name) in tables and products()[name].portable]
    return tuple(Rests(name, kinds[products()[name].category]) for name in on_tables), ""


def _propose_lay(truth: HomeTruth, rng: Random) -> Arguments:
    for number in rng.sample(sorted(rows("number")), len(rows("number"))):
        goals, cannot = _mean_lay(truth, {"number": number})
        lacking = [goal.number - len(goal.there(truth)) for goal in goals if isinstance(goal, Enough)]
        if not cannot and sum(max(0, n) for n in lacking) >= 2:  # else it is no long task
            return {"number": number}
    raise NotHere


def _mean_lay(truth: HomeTruth, about: Arguments) -> tuple[tuple[HomeGoal, ...], str]:
    """Each person gets one of each row of `setting`, as far as there are so many things; what nobody eats from goes away."""
    goals: list[HomeGoal] = []
    kinds_away = {kind: place for kind, place in rows("kinds").items() if place in ("basket", "cabinet")}
    for name in truth.objects:
        if place_under(truth, name) == "kitchen table" and products()[name].category in kinds_away:
            goals.append(Rests(name, kinds_away[products()[name].category]))
    for word, kinds in rows("setting").items():
        fit = [n for n, p in products().items() if p.shape in kinds or p.category in kinds]
        fit = [name for name in fit if name in truth.objects and not why_not(truth, name)]
        fit = [name for name in fit if products()[name].portable or place_under(truth, name) == "kitchen table"]
        if not fit:
            return tuple(goals), f"there is not {word.replace('something', 'anything')}"
        goals.append(Enough(tuple(fit), min(int(about["number"]), len(fit)), "kitchen table", word))
    return tuple(goals), ""


def _propose_find(truth: HomeTruth, rng: Random) -> Arguments:
    at = {name: place_under(truth, name) for name in truth.objects}
    hidden = [name for name, place in at.items() if place in rows("inside")]
    elsewhere = [name for name, place in at.items() if place in takes() and room_of(place) != room_of(truth.at)]
    return {"thing": one_of(rng, hidden if hidden and rng.random() < 0.5 else elsewhere)}


def _mean_find(truth: HomeTruth, about: Arguments) -> tuple[tuple[HomeGoal, ...], str]:
    return (ToldPlace(about["thing"]),), why_not(truth, about["thing"])


def why_not(truth: HomeTruth, name: str) -> str:
    """Return why a thing cannot be fetched, "" when it can: it is gone, thrown away, or in a person's hand."""
    place = place_under(truth, name)
    if place == "hand" or (place in takes() and not is_at(place, "bin")):
        return ""
    owner = next((person for person in truth.persons if place == f"{person}'s hand"), "")
    return f"{owner} holds the {name}" if owner else f"there is no {name}"
