"""The expert of the home: sees the true state and writes the right policy, from any state a task may be in."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vlp.primitives.schema import MAX_STRING, MAX_SUBTASKS
from vlp.sim.worlds.home.tasks import steps
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
    fixture_of,
    is_at,
    is_open,
    place_under,
    relation_of,
    room_of,
    stand_yaw_rad,
    takes,
    told_place,
)
from vlp.sim.worlds.home.tasks.ordered import OrderedTask
from vlp.sim.worlds.home.tasks.symbolic import handles
from vlp.sim.worlds.home.tasks.task import HomeTask
from vlp.sim.worlds.home.tasks.writer import Unreachable, Writer
from vlp.sim.worlds.home.true_state import HomeTruth

Json = dict[str, Any]


def plan(
    truth: HomeTruth,
    task: HomeTask,
    doubted: Sequence[str] = (),
    opening_m: float = math.inf,
    put_off: Sequence[str] = (),
) -> Json:
    """Return the canonical policy for a task from the present state.

    Goals that hold already are skipped. What is held goes where it belongs first, or is put down where the robot is when it is
    in the way. Then what was done for an earlier sentence is undone; then things are fetched, room by room from where the robot
    is; then the lamp is switched and dials are read; then the drawer and the door are shut.

    Args:
        truth: the state now, which may be one midway.
        task: what to do.
        doubted: things that are put where they belong although they seem to be there.
        opening_m: how wide the robot's hand opens.
        put_off: things that could not be taken, the last one last: all else is done first.

    Returns:
        plain data, keys in the order of the policy language.
    """
    said = _goal_text([goal for goal in task.goals if goal not in task.undo or not goal.holds(truth)] or task.goals)
    if task.cannot:
        return {"goal": said or task.cannot, "cannot": task.cannot}
    if task.satisfied and not doubted:
        return {"goal": said, "subtasks": []}
    writer, gone = _written(truth, task, doubted, opening_m, put_off)
    if gone and len(gone) == sum(not isinstance(goal, Shut) and goal not in task.undo for goal in task.goals):
        return {"goal": said, "cannot": gone[0]}
    writer.free_hand()
    if writer.subtasks:
        _look_over(writer, task.goals)
    return {"goal": said, "subtasks": _grouped(writer.subtasks)}


def left_undone(truth: HomeTruth, task: HomeTask, opening_m: float = math.inf) -> list[str]:
    """Return why parts of a task cannot be done from a state by a hand that opens so wide, a reason each; [] where all can."""
    return [task.cannot] if task.cannot else _written(truth, task, (), opening_m, ())[1]


def _written(
    truth: HomeTruth, task: HomeTask, doubted: Sequence[str], opening_m: float, put_off: Sequence[str]
) -> tuple[Writer, list[str]]:
    """Return what reaches the goals of a task one after the other, and why some of them cannot be reached."""
    writer, gone = Writer(truth, opening_m=opening_m, put_off=put_off), list[str]()
    todo = [goal for goal in task.goals if not goal.holds(truth) or set(goal.subjects) & set(doubted)]
    todo += [goal for goal in task.goals if isinstance(goal, Shut) and goal not in todo]  # it may have to be opened
    several = [goal for goal in task.goals if isinstance(goal, Enough)]
    todo += [Rests(name, goal.place) for goal in several for name in goal.there(truth) if name in doubted]
    while todo:
        goal = _next(writer, todo, task)
        todo.remove(goal)
        try:
            _reach(writer, goal, todo)
        except Unreachable as why:
            gone += [] if goal in task.undo else [str(why)]
        else:
            todo += [goal] if isinstance(goal, Enough) and not goal.holds(writer.home.truth) else []
    return writer, gone


def _grouped(subtasks: list[Json]) -> list[Json]:
    """Return subtasks such that a policy may have so many: where there are more, neighbours become one."""
    each = math.ceil(len(subtasks) / MAX_SUBTASKS)
    if each <= 1:
        return subtasks
    groups = [subtasks[i : i + each] for i in range(0, len(subtasks), each)]
    return [
        {"name": ", ".join(part["name"] for part in group)[:MAX_STRING], "steps": [s for part in group for s in part["steps"]]}
        for group in groups
    ]


def _goal_text(goals: Sequence[HomeGoal]) -> str:
    """Return what will be true in one short line."""
    said = list(dict.fromkeys(goal.text() for goal in goals if not isinstance(goal, Shut))) or [goal.text() for goal in goals]
    text, longest = ", ".join(said[:4]), 180
    return text if len(said) <= 4 and len(text) <= longest else f"{', '.join(said[:2])}, and so on for {len(said) - 2} more"


def _next(writer: Writer, todo: Sequence[HomeGoal], task: HomeTask) -> HomeGoal:
    """Return the goal of a task to reach next.

    A hand that is known belongs to a robot that sees only what nothing hides: it clears a place before things are brought
    there, and takes what stands in front first.
    """
    truth, sees = writer.home.truth, math.isfinite(writer.opening_m)
    filled = {goal.place for goal in todo if isinstance(goal, Rests | Enough)}
    leader = task.first if isinstance(task, OrderedTask) else ""

    def rank(goal: HomeGoal) -> tuple[bool | float, ...]:
        held = truth.holding in goal.subjects if truth.holding else False
        names = goal.subjects if not isinstance(goal, Enough) else filter(None, [_best_of(writer, goal)])
        sources = {name: place_under(truth, name) for name in names}
        in_the_way = isinstance(goal, Rests) and any(is_at(place, where) for place in sources.values() for where in filled)
        here = any(place in takes() and room_of(place) == room_of(truth.at) for place in sources.values())
        at_hand = any(is_at(place, truth.at) for place in sources.values())
        last = min((writer.how_late(name) for name in sources), default=0)
        first = isinstance(goal, Shut), not held, leader not in goal.subjects, goal not in task.undo, last
        far_m = min((_depth_m(truth, name) for name in sources), default=0.0) if sees else 0.0
        return *first, not (sees and in_the_way), not goal.subjects, not here, not at_hand, far_m

    return min(todo, key=rank)


def _depth_m(truth: HomeTruth, name: str) -> float:
    """Return how far a thing is along the view of a robot before its place: what is nearer may hide what is farther."""
    place = place_under(truth, name)
    if place not in takes():
        return 0.0
    (x, y, _), yaw = truth.objects[name].position_in_world, stand_yaw_rad(place)
    return round(x * math.cos(yaw) + y * math.sin(yaw), 2)


def _reach(writer: Writer, goal: HomeGoal, todo: list[HomeGoal]) -> None:
    """Write what reaches one goal; what covers a thing and has a goal of its own goes there first."""
    rows: dict[type, Callable[[], None]] = {
        Rests: lambda: _bring(writer, goal.subjects[0], goal, todo),
        Given: lambda: _bring(writer, goal.subjects[0], goal, todo),
        Enough: lambda: _bring_enough(writer, goal, todo),
        Poured: lambda: _pour(writer, goal, todo),
        Lit: lambda: _press(writer),
        ToldReading: lambda: _read(writer, goal),
        ToldPlace: lambda: _tell_place(writer, goal),
        Shut: lambda: _shut(writer, goal),
    }
    rows[type(goal)]()


def _bring(writer: Writer, name: str, goal: HomeGoal, todo: list[HomeGoal]) -> None:
    """Take a thing to where its goal says."""
    place = _board(writer.home.truth, goal.place) if isinstance(goal, Rests | Enough) else ""
    person = goal.person if isinstance(goal, Given) else ""
    writer.check_fetched(name)
    if person:
        check_person(writer.home.truth, person)
    else:
        writer.check_put(name, place)
        writer.opened(place)
    if writer.home.truth.holding != name:
        writer.free_hand()
        writer.opened(place_under(writer.home.truth, name))
        uncover(writer, name, todo)
        if place and not is_open(writer.home.truth, place):  # it had to be shut for the thing
            writer.add(f"take the {name}", *_taken(writer, name))
            writer.opened(place)
    truth = writer.home.truth
    made: list[Json] = []
    if truth.holding != name:
        made = _taken(writer, name)
    if person:
        there = [steps.go_to(truth.persons[person].place), *writer.seek(person, person), steps.handover("person")]
        writer.add(f"hand the {name} to {person}", *made, *there)
    else:
        came = made[0]["place"] if made and made[0]["do"] == "go_to" else truth.at
        there = [] if came == place else [steps.go_to(place)]
        what = f"put the {name} {relation_of(place)} the {told_place(place)}"
        writer.add(what, *made, *there, steps.place(place, relation_of(place)))


def _board(truth: HomeTruth, place: str) -> str:
    """Return the place itself, or the emptiest board of the shelf where the usual one is full."""
    full, boards = 4, ("shelf: middle", "shelf: upper", "shelf: lower")
    on = {board: sum(place_under(truth, name) == board for name in truth.objects) for board in boards}
    return min(boards, key=lambda board: on[board]) if place == "shelf" and on[boards[0]] >= full else place


def _taken(writer: Writer, name: str) -> list[Json]:
    """Return the steps that take a thing into the hand where it is."""
    return [*writer.to(place_under(writer.home.truth, name)), steps.locate(name), steps.grasp(name), steps.lift()]


def _pour(writer: Writer, goal: HomeGoal, todo: list[HomeGoal]) -> None:
    """Pour what is in one vessel into another, which is looked for first: a full hand may hide it; then put the vessel down."""
    assert isinstance(goal, Poured)
    truth = writer.home.truth
    writer.check_fetched(goal.thing)
    writer.check_there(goal.into)
    if lost := goal.number - sum(truth.balls.get(name, 0) for name in (goal.thing, goal.into)):
        raise Unreachable(f"{lost} of the small balls are not in the {goal.thing} any more")
    if goal.into != truth.holding and takes().get(place_under(truth, goal.into)) != "on":
        raise Unreachable(f"the {goal.into} stands where nothing can be poured")
    if truth.holding != goal.thing:
        writer.free_hand()
        writer.opened(place_under(truth, goal.thing))
        uncover(writer, goal.thing, todo)
    truth = writer.home.truth
    there, source = place_under(truth, goal.into), place_under(truth, goal.thing)
    seen = [*writer.to(there), steps.locate(goal.into)]
    taken: list[Json] = []
    if truth.holding != goal.thing:
        on_way = [steps.go_to(source)] if source != there else []
        taken = [*on_way, steps.locate(goal.thing), steps.grasp(goal.thing), steps.lift()]
        taken += [steps.go_to(there)] if on_way else []
    writer.add(f"pour what is in the {goal.thing} into the {goal.into}", *seen, *taken, steps.pour(goal.into))
    writer.free_hand()


def _bring_enough(writer: Writer, goal: HomeGoal, todo: list[HomeGoal]) -> None:
    """Bring one more thing."""
    assert isinstance(goal, Enough)
    rest = _missing(writer.home.truth, goal)
    if rest and not goal.holds(writer.home.truth):
        if not (name := _best_of(writer, goal)):
            raise Unreachable(writer.why_not(rest[0]))
        _bring(writer, name, goal, todo)


def _best_of(writer: Writer, goal: Enough) -> str:
    """Return the thing to bring next, "" when none can be: what is held, else one of the room that the robot is in."""
    truth = writer.home.truth
    ranked = sorted(_missing(truth, goal), key=lambda name: (writer.how_late(name), _rank(truth, name)))
    return next((name for name in ranked if not writer.why_not(name)), "")


def _missing(truth: HomeTruth, goal: Enough) -> list[str]:
    there = goal.there(truth)
    return [name for name in goal.things if name in truth.objects and name not in there]


def _look_over(writer: Writer, goals: Sequence[HomeGoal]) -> None:
    """Look at everything that was to be brought in numbers, at its place."""
    for place in dict.fromkeys(goal.place for goal in goals if isinstance(goal, Enough)):
        wanted = [goal for goal in goals if isinstance(goal, Enough) and goal.place == place]
        there = [name for goal in wanted for name in goal.there(writer.home.truth)]
        checks = [steps.check(relation_of(place), name, place) for name in dict.fromkeys(there)]
        if checks:
            writer.add(f"look over the {told_place(place)}", *writer.to(place), *checks)


def _rank(truth: HomeTruth, name: str) -> tuple[bool, bool, bool, str, float]:
    place = place_under(truth, name)
    shut = place in takes() and not is_open(truth, place)
    elsewhere = place in takes() and room_of(place) != room_of(truth.at)
    return name != truth.holding, shut, elsewhere, place, _depth_m(truth, name)


def uncover(writer: Writer, name: str, todo: list[HomeGoal]) -> None:
    """Take away what rests on a thing: to where it belongs if it has a goal of its own, else beside it."""
    for cover in writer.home.truth.inside(name):
        own = next((goal for goal in todo if isinstance(goal, Rests | Given) and cover in goal.subjects), None)
        if own is not None:
            todo.remove(own)
            _bring(writer, cover, own, todo)
            continue
        uncover(writer, cover, todo)
        place, taken = place_under(writer.home.truth, cover), _taken(writer, cover)
        writer.add(f"take the {cover} off the {name}", *taken, steps.place(place, relation_of(place)))


def _press(writer: Writer) -> None:
    writer.free_hand()
    writer.add("press the button", *writer.to("button"), steps.press("button"))


def _read(writer: Writer, goal: HomeGoal) -> None:
    assert isinstance(goal, ToldReading)
    writer.free_hand()  # a camera on the wrist is brought close
    told = steps.say(f"the {goal.dial} shows", "reading")
    writer.add(f"read the {goal.dial}", *writer.to("gauges"), steps.read(goal.dial), told)


def _tell_place(writer: Writer, goal: HomeGoal) -> None:
    assert isinstance(goal, ToldPlace)
    writer.check_there(goal.thing)
    if writer.home.truth.holding == goal.thing:
        writer.free_hand()
    place = place_under(writer.home.truth, goal.thing)
    writer.opened(place)
    told = f"the {goal.thing} is {relation_of(place)} the {told_place(place)}"
    writer.add(f"find the {goal.thing}", *writer.to(place), steps.locate(goal.thing), steps.say(told))


def _shut(writer: Writer, goal: HomeGoal) -> None:
    assert isinstance(goal, Shut)
    if not goal.holds(writer.home.truth):
        writer.shut(next(place for place in handles().values() if fixture_of(place) == goal.fixture))


def check_person(truth: HomeTruth, name: str) -> None:
    """Raise Unreachable where a person cannot take anything."""
    person = truth.persons.get(name)
    if person is None:
        raise Unreachable(f"{name} is not here")
    if person.pose == "lying":
        raise Unreachable(f"{name} lies down and takes nothing")
    if person.holds:
        raise Unreachable(f"{name} holds the {person.holds}")


def all_steps(policy: Json) -> Iterator[Json]:
    """Yield the steps of a policy in order."""
    for subtask in policy.get("subtasks", ()):
        yield from subtask["steps"]
