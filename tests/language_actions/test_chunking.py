"""Trajectories to chunks, stretches and subtasks."""

import itertools
import math
from dataclasses import replace
from random import Random

import pytest
from episodes_of_hands import gripped, onwards, pick_and_place, walked

from vlp.core.errors import UsageError
from vlp.language_actions.chunking import ChunkRule, chunk_ends, diversified, merged
from vlp.language_actions.move import Chunk, Move
from vlp.language_actions.plans import plan_sentence
from vlp.language_actions.segments import parts_of
from vlp.language_actions.space import MoveSpace
from vlp.language_actions.trajectory import HandPose, divided, gripper_events, moves_along, paced


def straight(count: int, x_m: float = 0.0, y_m: float = 0.0) -> list[Move]:
    return [Move((x_m, y_m, 0.0))] * count


def test_a_chunk_ends_after_two_and_a_half_centimetres_along_one_axis() -> None:
    """Against: chunks of a few millimetres, from which a model learns to move too little."""
    assert chunk_ends(straight(12, x_m=0.005), ChunkRule()) == [5, 10, 12]
    assert chunk_ends(straight(12, x_m=-0.005), ChunkRule()) == [5, 10, 12]


def test_turning_back_begins_the_run_anew_until_the_way_is_five_centimetres() -> None:
    to_and_fro = [Move((0.01 * sign, 0.0, 0.0)) for sign in (1, -1)] * 5
    assert chunk_ends(to_and_fro, ChunkRule()) == [5, 10]
    assert chunk_ends(to_and_fro, ChunkRule(path_m=0.1)) == [10]


def test_thresholds_are_options_and_other_things_end_a_chunk_too() -> None:
    assert chunk_ends(straight(8, x_m=0.005), ChunkRule(run_m=0.01)) == [2, 4, 6, 8]
    assert chunk_ends(straight(8, y_m=0.001), ChunkRule(max_moves=3)) == [3, 6, 8]
    assert chunk_ends([Move(), Move(gripper="close"), Move()], ChunkRule()) == [2, 3]
    turns = [Move(rotation_rad=(0.0, 0.0, math.radians(5)))] * 4
    assert chunk_ends(turns, ChunkRule()) == [3, 4]
    assert chunk_ends([], ChunkRule()) == []
    with pytest.raises(UsageError, match=r"run_m is 0\.0; expected more than 0"):
        ChunkRule(run_m=0.0)


def test_every_move_is_in_one_chunk_and_every_chunk_but_the_last_is_long_enough() -> None:
    rng, rule = Random(0), ChunkRule(max_moves=1000)
    for _ in range(50):
        moves = [Move((rng.uniform(-0.01, 0.01), rng.uniform(-0.01, 0.01), rng.uniform(0, 0.01))) for _ in range(60)]
        ends = chunk_ends(moves, rule)
        assert ends == sorted(set(ends))
        assert ends[-1] == len(moves)
        for begin, end in zip([0, *ends], ends[:-1], strict=False):
            path_m = sum(math.hypot(*move.translation_m) for move in moves[begin:end])
            assert path_m >= rule.run_m - 1e-9


def test_moves_that_go_on_straight_become_one() -> None:
    """Against: directions of 110 tokens a chunk, nine in ten of them for where the hand was in between."""
    space = MoveSpace(dict.fromkeys("xyz", 50))
    assert merged(straight(5, x_m=0.01), space, 0.002) == [Move((0.05, 0.0, 0.0))]
    assert len(merged(straight(6, x_m=0.01), space, 0.002)) == 2, "no farther than one move may go"
    corner = [*straight(2, x_m=0.01), *straight(2, y_m=0.01)]
    assert merged(corner, space, 0.002) == [Move((0.02, 0.0, 0.0)), Move((0.0, 0.02, 0.0))]
    assert len(merged(corner, space, 0.02)) == 1
    grips = [Move((0.01, 0.0, 0.0)), Move(gripper="close"), Move((0.01, 0.0, 0.0))]
    assert [move.gripper for move in merged(grips, space, 0.01)] == ["close", "keep"]
    rng = Random(0)
    for _ in range(50):
        moves = [Move((rng.uniform(-0.01, 0.01), rng.uniform(-0.01, 0.01), 0.0)) for _ in range(10)]
        few = merged(moves, space, 0.005)
        assert Chunk("base", tuple(few)).net_m == pytest.approx(Chunk("base", tuple(moves)).net_m)
        assert len(few) < len(moves)


def test_other_ways_lead_to_the_same_place_and_grip_there() -> None:
    """Against: a diversified trajectory that closes the gripper beside the thing."""
    moves = (*straight(3, x_m=0.01, y_m=0.004), Move((0.0, 0.0, -0.02), gripper="close"), *straight(2, y_m=0.01))
    chunk = Chunk("base", moves)
    others = {diversified(chunk, Random(seed)) for seed in range(20)}
    assert len(others) == 20
    for other in others:
        assert other.net_m == pytest.approx(chunk.net_m, abs=1e-12)
        grips = Chunk("base", other.moves[:4])
        assert [move.gripper for move in other.moves] == [move.gripper for move in moves]
        assert grips.net_m == pytest.approx(Chunk("base", moves[:4]).net_m, abs=1e-12)
    for seed in range(20):
        even = Chunk("base", tuple(straight(6, x_m=0.01)))
        other = diversified(even, Random(seed))
        for done in range(1, 7):
            here, there = (Chunk("base", chunk.moves[:done]).net_m for chunk in (even, other))
            assert there == pytest.approx(here, abs=0.004), "farther off the way than allowed"


def test_the_gripper_is_told_once_for_each_time_it_moves() -> None:
    poses = pick_and_place()
    assert list(gripper_events(poses).values()) == ["close", "open"]
    trembling = [HandPose(i / 10, (0.0, 0.0, 0.0), opening_m=0.05 + 0.004 * (-1) ** i) for i in range(40)]
    assert gripper_events(trembling) == {}
    assert gripper_events([HandPose(0.0, (0.0, 0.0, 0.0)), HandPose(0.1, (0.0, 0.0, 0.0), opening_m=0.1)]) == {}
    moves = moves_along(poses)
    assert [move.gripper for move in moves if move.gripper != "keep"] == ["close", "open"]


def test_moves_lead_from_pose_to_pose() -> None:
    poses = pick_and_place()
    net = Chunk("base", tuple(moves_along(poses))).net_m
    assert net == pytest.approx([b - a for a, b in zip(poses[0].position_m, poses[-1].position_m, strict=True)])
    turned = [HandPose(0.0, (0.0, 0.0, 0.0), (0.0, 0.0, 3.1)), HandPose(0.1, (0.0, 0.0, 0.0), (0.0, 0.0, -3.1))]
    assert moves_along(turned)[0].rotation_rad == pytest.approx((0.0, 0.0, 2 * math.pi - 6.2)), "the short way round"
    with pytest.raises(UsageError, match="pose 1 of the trajectory is not finite"):
        moves_along([HandPose(0.0, (0.0, 0.0, 0.0)), HandPose(0.1, (0.0, math.nan, 0.0))])
    with pytest.raises(UsageError, match="1 poses has no moves"):
        moves_along(poses[:1])


def test_a_slower_pace_keeps_both_ends() -> None:
    poses = walked([(0.0, 0.0, 0.0), (0.22, 0.0, 0.0)])
    assert paced(poses, 5) == [*range(0, 23, 2)]
    assert paced(poses, 3)[-1] == 22
    assert paced(poses, 100) == list(range(23))


def test_a_move_too_far_is_made_in_equal_parts() -> None:
    space = MoveSpace({"x": 20, "y": 50})
    parts = divided([Move((0.05, -0.03, 0.0), gripper="open")], space)
    assert [part.gripper for part in parts] == ["keep", "keep", "open"]
    assert all(part.translation_m == pytest.approx((0.05 / 3, -0.01, 0.0)) for part in parts)
    with pytest.raises(UsageError, match="along z, which this space does not write"):
        divided([Move((0.0, 0.0, 0.01))], space)


PLANS = {
    "move forward": [(0.1, 0.0, 0.0)],
    "move down and slightly right": [(0.0, -0.02, -0.1)],
    "move left, up and slightly backward": [(-0.03, 0.1, 0.08)],
    "move up": [(0.0, 0.01, 0.1)],
    "stay": [(0.001, 0.0, 0.0)],
}


@pytest.mark.parametrize("sentence, ways", PLANS.items())
def test_plans_say_where_moves_lead(sentence: str, ways: list[tuple[float, float, float]]) -> None:
    assert plan_sentence([Move(way) for way in ways]) == sentence


def test_plans_say_turns_and_the_gripper() -> None:
    moves = [Move((0.05, 0.0, 0.0), (0.0, 0.0, math.radians(20)))]
    assert plan_sentence(moves, "close") == "move forward, turn left, then close the gripper"
    assert plan_sentence([Move()], "open") == "open the gripper"


def test_an_episode_falls_into_subtasks_at_the_gripper_and_into_stretches_at_corners() -> None:
    parts = parts_of(pick_and_place(), "red cube")
    assert [part.sentence for part in parts] == ["grasp the red cube", "put down the red cube", "move away"]
    assert [[stretch.plan for stretch in part.stretches] for part in parts] == [
        ["move forward", "move down, then close the gripper"],
        ["move up", "move left", "move down, then open the gripper"],
        ["move up"],
    ]
    everything = [stretch for part in parts for stretch in part.stretches]
    assert everything[0].first == 0
    assert everything[-1].last == len(pick_and_place()) - 1
    assert all(a.last == b.first for a, b in itertools.pairwise(everything)), "no pose is left out"


def test_noise_makes_no_corners() -> None:
    """Against: a plan for every tremble of the hand."""
    shaken = walked([(0.0, 0.0, 0.0), (0.3, 0.0, 0.0), (0.3, 0.0, -0.3)], noise_m=0.003)
    assert [stretch.plan for part in parts_of(shaken) for stretch in part.stretches] == ["move forward", "move down"]


def test_contact_divides_a_push_and_the_subtasks_of_an_episode_come_first() -> None:
    way = walked([(0.0, 0.0, 0.0), (0.3, 0.0, 0.0)])
    pushed = [HandPose(p.time_s, p.position_m, contact=10 <= i < 20) for i, p in enumerate(way)]
    assert [part.sentence for part in parts_of(pushed, "can")] == ["reach the can", "push the can", "approach the can"]
    named = [HandPose(p.time_s, p.position_m, subtask="wave" if i < 15 else "rest") for i, p in enumerate(way)]
    assert [part.sentence for part in parts_of(named)] == ["wave", "rest"]
    held = walked([(0.0, 0.0, 0.0), (0.1, 0.0, 0.0)])
    held += gripped(held, 0.02)
    assert [part.sentence for part in parts_of(onwards(held, [(0.1, 0.0, 0.2)]))] == ["grasp the object", "lift the object"]


def test_a_grasp_in_the_midst_of_a_named_subtask_does_not_end_it() -> None:
    """Against: "pick up the cube" being called done while the cube still stood on the table."""
    poses = [replace(pose, subtask="tidy up") for pose in pick_and_place()]
    (part,) = parts_of(poses)
    assert part.sentence == "tidy up"
    assert [stretch.plan for stretch in part.stretches] == [
        "move forward",
        "move down, then close the gripper",
        "move up",
        "move left",
        "move down, then open the gripper",
        "move up",
    ]
