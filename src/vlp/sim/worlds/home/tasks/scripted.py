"""Scripted events of the home: what people do to the scene, or say, while the robot works."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from vlp.sim.truth import alike
from vlp.sim.worlds.home.people import free_spot
from vlp.sim.worlds.home.tasks.changes import home_changes
from vlp.sim.worlds.home.tasks.expert import all_steps, plan
from vlp.sim.worlds.home.tasks.families import draw_task, families, in_open
from vlp.sim.worlds.home.tasks.goals import Given, Poured, Rests, fixture_of, is_at, is_open, place_under, room_of, takes
from vlp.sim.worlds.home.tasks.ordered import followed
from vlp.sim.worlds.home.tasks.symbolic import execute, midway
from vlp.sim.worlds.home.tasks.task import HomeTask
from vlp.sim.worlds.home.true_state import HomeTruth
from vlp.sim.worlds.tasks import ScriptedEvent, Split


@dataclass(frozen=True)
class _Moment:
    """A moment of a task, and what an event may be made of.

    Args:
        step: how many steps of the expert have ended.
        state: what it reaches with them.
        end: what it would reach with all of them.
        task: what is being done.
        rng: the source of chance.
        split: whose phrasings a new instruction takes.
        opening_m: how wide the robot's hand opens.
    """

    step: int
    state: HomeTruth
    end: HomeTruth
    task: HomeTask
    rng: Random
    split: Split
    opening_m: float


Draw = Callable[[_Moment], ScriptedEvent | None]


def draws() -> dict[str, Draw]:
    """Return what draws an event of each kind of change that the home offers."""
    return {
        "new-task": _new_task, **{name: partial(_changed_task, name) for name in home_changes()}, "stopped": _stop,
        "moved": _move, "container-moved": _shift, "vanished": _remove, "appeared": _bring, "dropped": _knock,
        "swapped": _swap, "filled": _block, "shut": _shut, "walked-away": _send,
        "path-blocked": _stand,
    }  # fmt: skip


def sample_event(
    truth: HomeTruth,
    task: HomeTask,
    rng: Random,
    split: Split = "train",
    change: str = "",
    opening_m: float = math.inf,
) -> ScriptedEvent | None:
    """Return an event that keeps the task feasible, or None when 20 draws gave none.

    Args:
        truth: the state when the task begins.
        task: what is being done.
        rng: the source of chance.
        split: whose phrasings a new instruction takes.
        change: a row of `draws`; "" draws one of those of the suites: a thing moved or taken away, or another task.
        opening_m: how wide the hand opens that must be able to do what a `change` asks for; infinity asks for no hand.
    """
    moments = [(i, state) for i, (state, _) in enumerate(midway(plan(truth, task), truth))]
    if len(moments) < 3:
        return None
    usual = (_move, _remove, _new_task)
    for _ in range(20):
        draw = draws()[change] if change else rng.choice(usual)
        step, state = moments[rng.randrange(1, len(moments) - 1)]
        event = draw(_Moment(step, state, moments[-1][1], task, rng, split, opening_m if change else math.inf))
        if event is not None:
            return event
    return None


def _to_fetch(moment: _Moment) -> list[str]:
    """Return the things that still have to go somewhere and stand by themselves where everybody sees them."""
    state = moment.state
    names = [name for goal in moment.task.goals if not goal.holds(state) for name in goal.subjects if name in state.objects]
    return [name for name in names if _stands_alone(state, name)]


def _stands_alone(state: HomeTruth, name: str) -> bool:
    return takes().get(state.objects[name].support) == "on" and not state.inside(name)


def _move(moment: _Moment) -> ScriptedEvent | None:
    names = _to_fetch(moment)
    return ScriptedEvent(moment.step, "move", {"object": moment.rng.choice(names)}, change="moved") if names else None


def _shift(moment: _Moment) -> ScriptedEvent | None:
    """Put the vessel that is to be poured into elsewhere on its table, once the robot has looked where it stands."""
    state = moment.state
    goals = [goal for goal in moment.task.goals if isinstance(goal, Poured) and goal.thing == state.holding]
    empty = [goal.into for goal in goals if not state.balls.get(goal.into) and _stands_alone(state, goal.into)]
    return ScriptedEvent(moment.step, "shift", {"object": empty[0]}, change="container-moved") if empty else None


def _remove(moment: _Moment) -> ScriptedEvent | None:
    """Take away one of several things; of a single one nothing would be left to do."""
    names = _to_fetch(moment)
    several = sum(isinstance(goal, Rests) for goal in moment.task.goals) > 1
    if not several or len(names) < 2:
        return None
    return ScriptedEvent(moment.step, "remove", {"object": moment.rng.choice(names)}, change="vanished")


def _bring(moment: _Moment) -> ScriptedEvent | None:
    """Bring one of several things to where the robot will still take another one of them."""
    names = _to_fetch(moment)
    tables = {place: [n for n in names if place_under(moment.state, n) == place] for place in ("coffee table", "kitchen table")}
    places = [place for place, there in tables.items() if len(there) > 1]
    if not places or sum(isinstance(goal, Rests) for goal in moment.task.goals) < 3:
        return None
    place = moment.rng.choice(places)
    return ScriptedEvent(moment.step, "bring", {"object": moment.rng.choice(tables[place]), "place": place}, change="appeared")


def _new_task(moment: _Moment) -> ScriptedEvent | None:
    """Say something that the earlier task's own end would not do as well: else nobody sees whether it was heard."""
    state = moment.state
    often = {name: family.often for name, family in families().items() if name in ("put", "put_away", "lamp")}
    change = draw_task(state, moment.rng, moment.split, often)
    if change is None or change.success(state, moment.end) or any(not place_under(state, n) for n in change.subjects):
        return None
    if math.isfinite(moment.opening_m) and "cannot" in plan(state, change, opening_m=moment.opening_m):
        return None
    return ScriptedEvent(moment.step, "instruct", {"instruction": change.instruction}, change, "new-task")


def _changed_task(name: str, moment: _Moment) -> ScriptedEvent | None:
    """Say what the earlier task's own end would not do as well, and this hand can do."""
    state = moment.state
    change = home_changes()[name].sample(state, moment.task, moment.rng, moment.split)
    if change is None or followed(change, plan(state, moment.task)).success(state, moment.end):
        return None
    policy = plan(state, change, opening_m=moment.opening_m)
    then, failure = execute(policy, state)
    if "cannot" in policy or failure or not followed(change, policy).success(state, then.truth):
        return None
    return ScriptedEvent(moment.step, "instruct", {"instruction": change.instruction}, change, name)


def _stop(moment: _Moment) -> ScriptedEvent | None:
    return ScriptedEvent(moment.step, "instruct", {"instruction": "stop"}, change="stopped")


def _knock(moment: _Moment) -> ScriptedEvent | None:
    return ScriptedEvent(moment.step, "knock", change="dropped") if moment.state.holding in moment.task.subjects else None


def _swap(moment: _Moment) -> ScriptedEvent | None:
    """Exchange a thing to be fetched and one of nearly its size that no goal speaks of; not a cup with balls in it.

    It must not come to where it is wanted: else the exchange would do the robot's work.
    """
    state = moment.state
    able = [name for name in in_open(state) if _stands_alone(state, name) and not state.balls.get(name)]
    others = [name for name in able if name not in moment.task.subjects]
    wanted = {(goal.thing, goal.place) for goal in moment.task.goals if isinstance(goal, Rests)}

    def fits(one: str, other: str) -> bool:
        there = place_under(state, other)
        at_goal = any(name == one and is_at(there, place) for name, place in wanted)
        return alike(state.objects[one], state.objects[other]) and not at_goal

    pairs = [(one, other) for one in _to_fetch(moment) if one in able for other in others if fits(one, other)]
    if not pairs:
        return None
    one, other = moment.rng.choice(pairs)
    return ScriptedEvent(moment.step, "swap", {"object": one, "other": other}, change="swapped")


def _block(moment: _Moment) -> ScriptedEvent | None:
    """Put another thing where something still has to be put, in the open."""
    state, rng = moment.state, moment.rng
    places = {goal.place for goal in moment.task.goals if isinstance(goal, Rests) and not goal.holds(state)}
    others = [name for name in in_open(state) if name not in moment.task.subjects and _stands_alone(state, name)]
    here = sorted(places - {"shelf", "drawer", "cupboard", "bin"})
    place = rng.choice(here) if here else ""
    others = [name for name in others if place and place_under(state, name) != place]
    if not others:
        return None
    return ScriptedEvent(moment.step, "block", {"container": place, "by": rng.choice(others)}, change="filled")


def _shut(moment: _Moment) -> ScriptedEvent | None:
    """Shut what the robot has opened and still needs open, while it is elsewhere."""
    state = moment.state
    needed = {goal.place for goal in moment.task.goals if isinstance(goal, Rests) and not goal.holds(state)}
    opened = [place for place in sorted(needed) if fixture_of(place) and is_open(state, place)]
    if not opened or state.at in ("drawer", "cupboard", "cabinet"):
        return None
    return ScriptedEvent(moment.step, "shut", {"fixture": fixture_of(moment.rng.choice(opened))}, change="shut")


def _send(moment: _Moment) -> ScriptedEvent | None:
    """Let who is still to get something walk to the other room."""
    state = moment.state
    names = [goal.person for goal in moment.task.goals if isinstance(goal, Given) and not goal.holds(state)]
    walkers = [name for name in names if state.persons[name].pose == "standing" and _other_room(state, name)]
    return ScriptedEvent(moment.step, "send", {"person": walkers[0]}, change="walked-away") if walkers else None


def _stand(moment: _Moment) -> ScriptedEvent | None:
    """Let somebody who gets nothing stand in the way to the other room, before the robot drives there."""
    state = moment.state
    step = next(all_steps(plan(state, moment.task)), None)
    if step is None or step["do"] != "go_to" or room_of(step["place"]) == room_of(state.at):
        return None
    waiting = {goal.person for goal in moment.task.goals if isinstance(goal, Given)}
    free = [name for name, one in state.persons.items() if one.pose == "standing" and not one.holds and name not in waiting]
    if not free:
        return None
    return ScriptedEvent(moment.step, "let", {"person": moment.rng.choice(free), "place": step["place"]}, change="path-blocked")


def _other_room(state: HomeTruth, name: str) -> str:
    """Return the room that a person can walk to, "" where there is no room to stand in it."""
    there = {"living room": "kitchen", "kitchen": "living room"}[room_of(state.persons[name].place)]
    others = [person.position_in_world[:2] for person in state.persons.values() if person.name != name]
    return there if free_spot(there, others) is not None else ""
