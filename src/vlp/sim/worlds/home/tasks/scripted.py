"""Scripted events of the home: a thing is put elsewhere or taken away, or another sentence is said, while the robot works."""

from collections.abc import Callable
from random import Random

from vlp.sim.worlds.home.tasks.expert import plan
from vlp.sim.worlds.home.tasks.families import draw_task, families
from vlp.sim.worlds.home.tasks.goals import Rests, place_under, takes
from vlp.sim.worlds.home.tasks.symbolic import midway
from vlp.sim.worlds.home.tasks.task import HomeTask
from vlp.sim.worlds.home.true_state import HomeTruth
from vlp.sim.worlds.tasks import ScriptedEvent, Split

Moment = tuple[int, HomeTruth]
"""How many steps of the expert have ended, and the state that it reaches with them."""


def sample_event(truth: HomeTruth, task: HomeTask, rng: Random, split: Split = "train") -> ScriptedEvent | None:
    """Return an event that keeps the task feasible, or None when 20 draws gave none.

    Args:
        truth: the state when the task begins.
        task: what is being done.
        rng: the source of chance.
        split: whose phrasings a new instruction takes.
    """
    moments = [(i, state) for i, (state, _) in enumerate(midway(plan(truth, task), truth))]
    if len(moments) < 3:
        return None
    end = moments[-1][1]
    draws: tuple[Callable[[Moment], ScriptedEvent | None], ...] = (
        lambda moment: _move(moment, task, rng),
        lambda moment: _remove(moment, task, rng),
        lambda moment: _instruct(moment, end, rng, split),
    )
    for _ in range(20):
        event = rng.choice(draws)(moments[rng.randrange(1, len(moments) - 1)])
        if event is not None:
            return event
    return None


def _to_fetch(state: HomeTruth, task: HomeTask) -> list[str]:
    """Return the things that still have to go somewhere and stand by themselves where everybody sees them."""
    names = [name for goal in task.goals if not goal.holds(state) for name in goal.subjects if name in state.objects]
    return [name for name in names if takes().get(state.objects[name].support) == "on" and not state.inside(name)]


def _move(moment: Moment, task: HomeTask, rng: Random) -> ScriptedEvent | None:
    step, state = moment
    names = _to_fetch(state, task)
    return ScriptedEvent(step, "move", {"object": rng.choice(names)}) if names else None


def _remove(moment: Moment, task: HomeTask, rng: Random) -> ScriptedEvent | None:
    """Take away one of several things; of a single one nothing would be left to do."""
    step, state = moment
    names = _to_fetch(state, task)
    several = sum(isinstance(goal, Rests) for goal in task.goals) > 1
    return ScriptedEvent(step, "remove", {"object": rng.choice(names)}) if several and len(names) > 1 else None


def _instruct(moment: Moment, end: HomeTruth, rng: Random, split: Split) -> ScriptedEvent | None:
    """Say something that the earlier task's own end would not do as well: else nobody sees whether it was heard."""
    step, state = moment
    often = {name: family.often for name, family in families().items() if name in ("put", "put_away", "lamp")}
    change = draw_task(state, rng, split, often)
    if change is None or change.success(state, end) or any(not place_under(state, name) for name in change.subjects):
        return None
    return ScriptedEvent(step, "instruct", {"instruction": change.instruction}, change)
