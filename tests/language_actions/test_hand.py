"""Moves as arguments of a robot's `move_hand`, and what a person says while a hand moves."""

import math
from random import Random

import pytest
from spaces import random_chunk

from vlp.core.errors import UsageError
from vlp.language_actions.corrections import read_correction
from vlp.language_actions.hand import as_arguments, as_move, move_hand, move_space
from vlp.language_actions.move import Move
from vlp.language_actions.space import MoveSpace
from vlp.primitives.manifest import Argument, Primitive
from vlp.primitives.standard import make_manifest
from vlp.robot.arguments import check_arguments

SPACE = MoveSpace({"x": 50, "y": 50, "z": 50, "wrist": 30})


def test_whatever_may_be_written_the_robot_takes_and_reads_as_the_same_move() -> None:
    manifest, rng = make_manifest("arm", [move_hand(0.08, math.radians(40))]), Random(1)
    space = move_space(manifest)
    assert space.most == {"x": 80, "y": 80, "z": 80, "roll": 40, "pitch": 40, "yaw": 40, "wrist": 40}
    for _ in range(200):
        for move in random_chunk(space, rng).moves:
            arguments = as_arguments(move)  # rounded, a move at its bound was refused
            assert check_arguments("move_hand", arguments, manifest).ok, arguments
            assert as_move(arguments).numbers == pytest.approx(move.numbers, abs=1e-6)
            assert as_move(arguments).gripper == move.gripper
    assert as_arguments(Move()) == {}


def test_a_space_takes_the_smaller_bound_and_the_axes_that_are_asked_for() -> None:
    lopsided = (
        Argument("x_m", "number", "x", minimum=-0.02, maximum=0.09),
        Argument("y_m", "number", "y", minimum=0, maximum=1),
    )
    manifest = make_manifest("arm", [Primitive("move_hand", "action", "Move.", lopsided)])
    space = move_space(manifest)
    assert (space.most, space.gripper) == ({"x": 20}, False)
    with pytest.raises(UsageError, match=r"has no axis 'wrist'"):
        move_space(manifest, ("x", "wrist"))


@pytest.mark.parametrize(
    ("said", "move"),
    [
        ("a bit more left", Move((0.0, 0.01, 0.0))),
        ("More to the left, please!", Move((0.0, 0.02, 0.0))),
        ("2 cm up", Move((0.0, 0.0, 0.02))),
        ("move forward 3 cm", Move((0.03, 0.0, 0.0))),
        ("lower", Move((0.0, 0.0, -0.02))),
        ("rotate the gripper clockwise a little", Move(wrist_rad=math.radians(7))),
        ("close the gripper", Move(gripper="close")),
        ("a bit left and down", None),
        ("9 cm left", None),
        ("the other cube", None),
        ("stop", None),
        ("", None),
    ],
)
def test_a_correction_is_a_move_or_left_to_the_model(said: str, move: Move | None) -> None:
    assert read_correction(said, SPACE) == move
