"""The world `guests`: a table for six asks for over 100 primitives of both bodies, and all of it can be done."""

from random import Random

import pytest

from vlp.episodes.assemble import manifest_in
from vlp.primitives.schema import MAX_STEPS
from vlp.sim import EMBODIMENTS, open_world
from vlp.sim.worlds.home.guests import GuestTasks, sample_guests
from vlp.sim.worlds.home.sampling import sample_home
from vlp.sim.worlds.home.tasks.expert import all_steps, left_undone, plan
from vlp.sim.worlds.home.tasks.goals import place_under, room_of
from vlp.sim.worlds.home.tasks.symbolic import execute
from vlp.sim.worlds.home.true_state import truth_of

HOMES = [truth_of(sample_guests(seed)) for seed in range(20)]


@pytest.mark.parametrize("robot", EMBODIMENTS)
def test_a_table_for_six_takes_over_a_hundred_primitives_and_fits_into_one_policy(robot: str) -> None:
    """Guards against homes that hold too little for six: 61 primitives at the median, 92 at most."""
    opening_m = manifest_in(robot, "guests").limits.gripper_opening_m or 0.0
    able = 0
    for i, truth in enumerate(HOMES):
        task = GuestTasks().draw(truth, Random(i))
        assert task is not None and task.arguments == {"number": "6"}
        if not left_undone(truth, task, opening_m):
            able += 1
            policy = plan(truth, task, opening_m=opening_m)
            then, failure = execute(policy, truth)
            assert not failure and task.success(truth, then.truth, then.said)
            assert 100 < len(list(all_steps(policy))) <= MAX_STEPS
    assert able > 0.6 * len(HOMES)


def test_what_six_need_is_spread_over_both_rooms_of_a_home_that_is_else_as_it_was() -> None:
    for seed, truth in enumerate(HOMES):
        rooms = [room_of(place_under(truth, name)) for name in truth.objects]
        assert min(rooms.count("living room"), rooms.count("kitchen")) >= 4
        home, guests = sample_home(seed), sample_guests(seed)
        assert guests == sample_guests(seed) and guests.furniture == home.furniture and guests.look == home.look


def test_no_other_task_is_drawn_and_any_sentence_is_read() -> None:
    tasks = open_world("guests").tasks
    assert tasks is not None and tasks.kinds == {"static": {"lay": 1.0}}
    read = tasks.read("tidy up", HOMES[0])
    assert read is not None and read.family == "tidy"
