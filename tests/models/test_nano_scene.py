"""What the vision tower sees is told in words, behind the image it was seen in."""

import numpy as np

from vlp.core.messages import Image, Text, user
from vlp.models.nano_code import SeenObject
from vlp.models.nano_scene import scene_text
from vlp.models.scripted import ScriptedModel
from vlp.models.sighted import SightedModel

TRAY = SeenObject("white", "tray", (15, 120, 105, 195))
BOWL = SeenObject("green", "bowl", (150, 90, 225, 150), covered=True)
CUBE = SeenObject("red", "cube", (168, 93, 204, 135), supported=True)
CAN = SeenObject("blue", "can", (300, 180, 338, 240))


def test_the_scene_is_told_from_left_to_right_with_the_order_from_near_to_far():
    assert scene_text([CAN, CUBE, BOWL, TRAY]).splitlines()[0] == (
        "sees: 1 white_tray 2; 2 red_cube 4 in green_bowl; 3 green_bowl 3; 4 blue_can 1"
    )


def test_of_several_of_one_kind_the_biggest_and_smallest_are_named():
    """Guards against the box telling the size: a turned cube looks wider than a bigger one that faces the camera."""
    cubes = [
        SeenObject("red", "cube", (30, 150, 75, 195), size_m=0.05),
        SeenObject("blue", "cube", (180, 150, 218, 188), size_m=0.06),
        SeenObject("green", "cube", (330, 150, 375, 195), size_m=0.055),
    ]
    first = scene_text([*cubes, CAN]).splitlines()[0]
    assert "red_cube 3 smallest;" in first and "blue_cube 4 biggest;" in first
    assert first.count("est") == 2


def test_things_that_stand_next_to_each_other_are_close_and_others_are_not():
    near = SeenObject("red", "block", (255, 188, 292, 237))
    assert scene_text([near, CAN, TRAY]).splitlines()[1] == "close: red_block by blue_can"


def test_a_thing_before_a_bowl_is_not_in_it():
    """Guards against overlap in the picture being read as containment: only what rests on something has a host."""
    before = SeenObject("red", "cube", CUBE.box)
    assert " in " not in scene_text([BOWL, before])


def test_held_things_and_empty_tables():
    held = SeenObject("red", "cube", (0, 225, 60, 300), held=True)
    assert scene_text([held]) == "sees: nothing\nclose: nothing\n"


def test_the_text_stands_behind_its_image():
    inner = ScriptedModel(["{}"])
    model = SightedModel(inner, lambda rgb, said: f"sees: {rgb.shape[1]} {said}\n")
    model.generate([user(Text("a"), Image(np.zeros((8, 16, 3), np.uint8)), Text("b"))])
    texts = [part.text for part in inner.calls[0]["messages"][0].parts if isinstance(part, Text)]
    assert texts == ["a", "sees: 16 a\nb\n", "b"]
