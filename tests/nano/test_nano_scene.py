"""What the vision tower sees is told in words, behind the image it was seen in."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vlp.core.images import Rgb
from vlp.core.messages import Message, assistant, user
from vlp.models.protocol import Reply
from vlp.models.scripted import ScriptedModel
from vlp.models.turns import ModelWithTurns
from vlp.nano.code import SeenObject
from vlp.nano.keeping import keeping
from vlp.nano.scene import entries, expected_quote, quoted, reasoned, scene_text, standing
from vlp.nano.sighted import SightedTurns
from vlp.primitives.schema import policy_schema
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.sim.worlds.tabletop.places import PLACES

TRAY = SeenObject("white", "tray", (15, 120, 105, 195))
BOWL = SeenObject("green", "bowl", (150, 90, 225, 150), covered=True)
CUBE = SeenObject("red", "cube", (168, 93, 204, 135), supported=True)
CAN = SeenObject("blue", "can", (300, 180, 338, 240))


def test_the_scene_is_told_from_left_to_right_with_the_order_from_near_to_far():
    assert scene_text([CAN, CUBE, BOWL, TRAY]).splitlines()[0] == (
        "sees: white_tray 1 2 by green_bowl; red_cube 2 4 in green_bowl; green_bowl 3 3 with red_cube by white_tray; "
        "blue_can 4 1"
    )


def test_of_several_of_one_kind_the_biggest_and_smallest_are_named():
    """Guards against the box telling the size: a turned cube looks wider than a bigger one that faces the camera."""
    cubes = [
        SeenObject("red", "cube", (30, 150, 75, 195), size_m=0.05),
        SeenObject("blue", "cube", (180, 150, 218, 188), size_m=0.06),
        SeenObject("green", "cube", (330, 150, 375, 195), size_m=0.055),
    ]
    first = scene_text([*cubes, CAN]).splitlines()[0]
    assert "red_cube 1 3 smallest;" in first and "blue_cube 2 4 biggest;" in first
    assert first.count("est") == 2


def test_things_that_stand_next_to_each_other_are_named_at_each_other_and_others_are_not():
    near = SeenObject("red", "block", (255, 188, 292, 237))
    text = scene_text([near, CAN, TRAY])
    assert "red_block 2 2 by blue_can" in text and "blue_can 3 1 by red_block" in text
    assert text.count(" by ") == 2


def test_a_quote_holds_the_entries_asked_for_in_the_order_asked_for():
    told = entries(standing([CAN, CUBE, BOWL, TRAY]))
    assert quoted(told, ["blue can", "red cube", "blue can", "red can"]) == "blue_can 4 1; red_cube 2 4 in green_bowl"
    assert quoted(told, ["green bowl"]) == "green_bowl 3 3 with red_cube by white_tray"
    assert quoted(told, ["green bowl"], neighbours=False) == "green_bowl 3 3 with red_cube"
    assert quoted(told, ["red can"]) == "nothing"


def test_the_quote_that_a_sentence_calls_for_names_its_things_and_then_its_containers():
    """Against: a quote that cost a call of the model for each entry and more."""
    near = SeenObject("red", "block", (255, 188, 292, 237))
    scene = scene_text([CAN, CUBE, BOWL, TRAY, near])

    def expected(line: str) -> str | None:
        return expected_quote(f"{scene}at: table\ndo: {line}")

    assert expected("onto the white serving tray goes the blue soda can") == "blue_can 5 1; white_tray 1 3"
    assert expected("put every red one in the trash can") == "red_cube 2 5 in green_bowl; red_block 4 2"
    assert expected("tidy up") == "red_cube 2 5 in green_bowl; red_block 4 2; blue_can 5 1"
    assert expected("fetch the black mug") == "nothing"
    assert expected_quote("ask: is it red?") is None and expected_quote("") is None
    assert expected_quote(f"{scene_text([])}at: table\ndo: fetch it") == "nothing"


def test_a_thing_before_a_bowl_is_not_in_it():
    """Guards against overlap in the picture being read as containment: only what rests on something has a host."""
    before = SeenObject("red", "cube", CUBE.box)
    assert " in " not in scene_text([BOWL, before])


def test_what_is_found_stands_behind_the_word_that_it_is_looked_for_by():
    # Of two things nano-base chose the smaller by chance: "smallest" stands behind the name, where copying does not look.
    quote = "blue_block 1 4 biggest in red_box; red_block 3 1 smallest; green_bowl 2 2"
    assert reasoned(quote, [("smallest", "red block"), ("left_of green_bowl", "blue block")]) == (
        "blue_block 1 4 biggestblue_block in red_box; red_block 3 1 smallestred_block; green_bowl 2 2; "
        "smallestred_block; left_of green_bowlblue_block"
    )
    assert reasoned("nothing", []) == "nothing"


def test_held_things_and_empty_tables():
    held = SeenObject("red", "cube", (0, 225, 60, 300), held=True)
    assert scene_text([held]) == "sees: nothing\n"


def model_that_sees(model: ScriptedModel, read: Callable[[Rgb, str], str]) -> ModelWithTurns:
    """A model with the turns of the embedded one, to which an image is read by a function."""
    turns = SightedTurns(None)  # type: ignore[arg-type]
    turns.read = read  # type: ignore[method-assign]
    return ModelWithTurns(model, turns)


def test_the_text_stands_behind_its_image_and_is_quoted_from_before_the_answer():
    inner = ScriptedModel(["1 red_cube 1", "{}"])
    model = model_that_sees(inner, lambda rgb, said: f"sees: {rgb.shape[1]} {said}\n")
    reply = model.generate([user("a", np.zeros((8, 16, 3), np.uint8), "b")], max_tokens=7)
    assert reply.text == "{}"
    first, second = (call["messages"] for call in inner.calls)
    assert [part for part in first[0].parts if isinstance(part, str)] == ["a", "sees: 16 a\nb\n", "b"]
    assert [(m.role, m.parts[0]) for m in second[1:]] == [("assistant", "1 red_cube 1"), ("user", "so")]


def test_rules_before_the_question_stay_before_the_quote():
    """Guards against the rules of a longer prompt being taken for the question."""
    inner = ScriptedModel(["nothing", "{}"])
    asked = [Message("system", ("rules",)), user(np.zeros((8, 16, 3), np.uint8), "do: x")]
    model_that_sees(inner, lambda rgb, said: "sees: nothing\n").generate(asked)
    assert [[m.role for m in call["messages"]] for call in inner.calls] == [
        ["system", "user"],
        ["system", "user", "assistant", "user"],
    ]


def test_a_reply_that_is_handed_back_stands_behind_the_quote():
    inner = ScriptedModel(["1 red_cube 1", "{}"])
    asked = [user("do: x", np.zeros((8, 16, 3), np.uint8)), assistant("{"), user("wrong: cut-off")]
    model_that_sees(inner, lambda rgb, said: "sees: nothing\n").generate(asked)
    assert [m.role for m in inner.calls[1]["messages"]] == ["user", "assistant", "user", "assistant", "user"]


def test_between_two_turns_of_the_user_the_model_says_in_words_what_it_would_do():
    inner = ScriptedModel(["1 red_cube 1", "pick up the red cube", "{}"])
    asked = [user("do: x", np.zeros((8, 16, 3), np.uint8)), user("as a policy")]
    reply = model_that_sees(inner, lambda rgb, said: "sees: nothing\n").generate(asked, grammar={"type": "object"})
    assert reply.text == "{}" and reply.said == "1 red_cube 1\npick up the red cube"
    turns = [(m.role, m.parts[-1]) for m in inner.calls[2]["messages"][1:]]
    assert turns == [
        ("assistant", "1 red_cube 1"),
        ("user", "so"),
        ("assistant", "pick up the red cube"),
        ("user", "as a policy"),
    ]
    assert [call["grammar"] for call in inner.calls] == [None, None, {"type": "object"}]


def test_a_policy_is_held_to_the_words_before_it_unless_it_is_a_correction():
    grammar = policy_schema(make_manifest("any", STANDARD, PLACES[:2]))
    asked = [user("do: x"), user("as a policy")]
    inner = ScriptedModel(["nothing", "put it down", "{", "nothing", "put it down", "{}"])
    model = model_that_sees(inner, lambda rgb, said: "")
    model.generate(asked, grammar=grammar)
    model.generate([*asked, assistant("{"), user("wrong: cut-off")], grammar=grammar)
    assert [call["grammar"] for call in inner.calls] == [None, None, keeping(grammar, "put it down"), None, None, grammar]
    assert keeping(grammar, "put it down") != grammar


def test_words_that_were_cut_off_bind_nothing():
    grammar = policy_schema(make_manifest("any", STANDARD, PLACES[:2]))

    class CutOff(ScriptedModel):
        def generate(self, messages: Sequence[Message], **options: Any) -> Reply:
            return replace(super().generate(messages, **options), finish="length")

    inner = CutOff(["nothing", "pick up the red", "{}"])
    model_that_sees(inner, lambda rgb, said: "").generate([user("do: x"), user("as a policy")], grammar=grammar)
    assert inner.calls[-1]["grammar"] == grammar


def test_a_policy_that_is_handed_back_stands_behind_the_words():
    inner = ScriptedModel(["1 red_cube 1", "pick up the red cube", "{}"])
    asked = [user("do: x"), user("as a policy"), assistant("{"), user("wrong: cut-off")]
    model_that_sees(inner, lambda rgb, said: "").generate(asked)
    assert "".join(m.role[0] for m in inner.calls[2]["messages"]) == "uauauau"
