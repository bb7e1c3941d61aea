"""A general model as grounder: any phrase, few requests, and what it writes is never trusted further than it goes."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from views import make_view

from vlp.core.errors import MissingComponent
from vlp.core.images import ImageView
from vlp.core.messages import Names
from vlp.models.protocol import Capabilities, NoReply, Reply
from vlp.perception.grounder import Sources, make_grounder
from vlp.perception.model_grounder import ModelGrounder
from vlp.perception.perceiving import PerceivingRobot
from vlp.robot.protocol import Step
from vlp.runtime.body import Body as RuntimeBody
from vlp.runtime.body import Budget
from vlp.sim.open import manifest_of

RGB = np.zeros((480, 640, 3), dtype=np.uint8)
SEEN = ImageView(side_px=1, most_px=640 * 480)
"""A model that sees the image as it is."""


class FakeVlm:
    """Writes what a function makes of the request's text; counts requests."""

    name, profile = "fake-vlm", "full"

    def __init__(self, say: str | Callable[[str], str], **can):
        self.say, self.can, self.asked = say, Capabilities(**{"view": SEEN, **can}), []

    def generate(self, messages, **options):
        text = messages[-1].text
        self.asked.append(text)
        return Reply(self.say if isinstance(self.say, str) else self.say(text))


def seeing(boxes, view=SEEN):
    """Return a model that lists the things of some boxes as Qwen2.5-VL does, in the pixels that it sees."""
    width, height = view.seen_size(640, 480)

    def say(text):
        wanted = boxes if "every separate object" in text else [name for name in boxes if f'"{name}"' in text]
        rows = [
            {"bbox_2d": [round(v * s) for v, s in zip(boxes[n], (width / 640, height / 480) * 2, strict=True)], "label": n}
            for n in wanted
        ]
        return f"```json\n{json.dumps(rows)}\n```"

    return FakeVlm(say, view=view)


class StillRobot:
    """Stands still and shows one view; with flicker, no two images are the same."""

    def __init__(self, seed=7, flicker=False):
        seen = make_view(seed).observation
        self.seen, self.flicker, self.count = replace(seen, rgb=seen.rgb.copy()), flicker, 0

    def describe(self):
        return manifest_of()

    def observe(self):
        if self.flicker:
            self.count += 1
            self.seen.rgb[0, 0, 0] = self.count % 256
        return self.seen

    def execute(self, step):
        raise AssertionError(step)

    def stop(self):
        pass


@pytest.fixture
def boxes():
    return make_view(7).boxes


@pytest.mark.parametrize("flicker", [False, True])
def test_a_plan_costs_one_request_and_a_failed_locate_two(boxes, flicker):
    """Against: 48 requests before every plan for "thing", 80 for "anything", 162 after a failed `locate`."""
    model = seeing(boxes)
    robot = PerceivingRobot(StillRobot(flicker=flicker), ModelGrounder(model))
    body = RuntimeBody(robot, Budget(), "r")
    assert {item.phrase for item in body.things()} == set(boxes) and len(model.asked) == 1
    model.asked.clear()
    result = robot.execute(Step("locate", {"object": "striped towel"}, "k"))
    assert result.code == "not-found" and all(name in result.message for name in boxes)
    assert len(model.asked) <= (2 if flicker else 1)
    body.close()


def test_a_check_of_two_things_costs_one_request(boxes):
    model = seeing(boxes)
    robot = PerceivingRobot(StillRobot(), ModelGrounder(model))
    first, second = list(boxes)[:2]
    robot.execute(Step("check", {"relation": "next_to", "subject": first, "object": second}, "k"))
    assert len(model.asked) == 1
    robot.execute(Step("check", {"relation": "next_to", "subject": first, "object": "striped towel"}, "k2"))
    assert len(model.asked) == 2, "one for the towel; the other was known"


def test_what_is_listed_already_is_not_asked_for_again(boxes):
    model = seeing(boxes)
    grounder = ModelGrounder(model)
    for phrase in ("thing", "anything", *boxes):
        assert grounder.ground(RGB, phrase)
    assert len(model.asked) == 1
    assert grounder.ground(RGB.copy(), "anything") and len(model.asked) == 1, "the same pixels are the same image"
    assert grounder.ground(RGB + 1, "anything") and len(model.asked) == 2


def test_any_phrase_is_asked_for_as_it_is_and_keeps_its_spelling():
    model = FakeVlm('{"bbox_2d": [10, 20, 30, 40], "label": "towel"}')
    (found,) = ModelGrounder(model).ground(RGB, "the striped IKEA towel")
    assert (found.phrase, found.box) == ("the striped IKEA towel", (10.0, 20.0, 30.0, 40.0))
    assert len(model.asked) == 1 and '"striped ikea towel"' in model.asked[0]


def test_a_label_that_says_more_than_the_phrase_names_the_thing():
    model = FakeVlm('[{"bbox_2d":[1,1,9,9],"label":"red cube"},{"bbox_2d":[20,1,29,9],"label":"Blue cube."}]')
    assert [d.phrase for d in ModelGrounder(model).ground(RGB, "cube")] == ["red cube", "blue cube"]


def test_a_label_that_is_none_of_several_phrases_makes_each_be_asked_for_alone():
    answers = {
        '"cup" and "towel"': '[{"bbox_2d":[1,1,9,9],"label":"mug"}]',
        'Locate "cup" in': '[{"bbox_2d":[1,1,9,9],"label":"mug"}]',
        'Locate "towel" in': "[]",
    }
    model = FakeVlm(lambda text: next(say for part, say in answers.items() if part in text))
    grounder = ModelGrounder(model)
    assert [d.phrase for d in grounder.ground(RGB, "cup", also=["towel"])] == ["cup"]
    assert grounder.ground(RGB, "towel") == [] and len(model.asked) == 3


@pytest.mark.parametrize("view", [ImageView(), ImageView(side_px=36, most_px=139968), ImageView(unit="thousandth")])
def test_boxes_are_in_the_units_of_the_model(view, boxes):
    name = next(iter(boxes))
    model = seeing(boxes, view)
    if view.unit == "thousandth":
        x1, y1, x2, y2 = boxes[name]
        thousandths = [round(v / side * 1000) for v, side in zip((x1, y1, x2, y2), (640, 480) * 2, strict=True)]
        model = FakeVlm(json.dumps({"bbox_2d": thousandths, "label": name}), view=view)
    (found,) = ModelGrounder(model).ground(RGB, name)
    assert found.box == pytest.approx(boxes[name], abs=1.5)
    assert ("thousandths" in model.asked[0]) == (view.unit == "thousandth")


def test_a_point_becomes_a_box_around_it():
    model = FakeVlm('[{"point_2d":[320,4],"label":"cup"}]', view=ImageView(1, 3136, 640 * 480, marks="point"))
    (found,) = ModelGrounder(model).ground(RGB, "cup")
    assert found.box == (320 - 28.8, 0.0, 320 + 28.8, 4 + 28.8) and "point_2d" in model.asked[0]


def test_a_list_that_was_cut_off_or_repeats_itself_keeps_its_whole_entries_once():
    row = '{"bbox_2d": [10, 20, 110, 220], "label": "towel"}, '
    found = ModelGrounder(FakeVlm("[" + row * 40 + '{"bbox_2d": [10, 2')).ground(RGB, "anything")
    assert [d.phrase for d in found] == ["towel"]


@pytest.mark.parametrize("text", ["[]", " [ ]", "[1,2,NaN,4]", "[9,9,1,1]", "[700,10,900,90]"])
def test_numbers_that_span_nothing_are_no_box(text):
    assert ModelGrounder(FakeVlm(text)).ground(RGB, "red cube") == []


@pytest.mark.parametrize("text", ["", "no", "{}", "[1,2,3]", "[10,20", '["a",1,2,3]', "[" * 30000])
def test_garbage_from_a_model_does_not_mean_that_the_thing_is_not_there(text):
    """Against: "no red cube in this image" said of a reply that was cut off, or of prose."""
    with pytest.raises(NoReply, match=r"asked for the red cube, the model wrote .* instead of a box") as caught:
        ModelGrounder(FakeVlm(text)).ground(RGB, "red cube")
    assert len(str(caught.value)) < 250


def test_a_model_that_finds_one_thing_at_a_time_is_asked_for_each_name_it_knows():
    model = FakeVlm("[10,20,30,240]", names=Names({"cube": "cube", "mug": "mug"}, {"red": "red", "blue": "blue"}))
    model.profile = "brief"
    grounder = ModelGrounder(model)
    assert [d.phrase for d in grounder.ground(RGB, "cube")] == ["red cube", "blue cube"]
    assert model.asked == ["box: red cube", "box: blue cube"]
    assert len(grounder.ground(RGB, "anything")) == 4 and len(model.asked) == 4


def test_a_model_without_eyes_is_no_grounder():
    with pytest.raises(MissingComponent, match="sees no images"):
        make_grounder("model", Sources(model=FakeVlm("[]", images=False)))


@pytest.mark.parametrize(("says", "status"), [("Yes, it is.", "succeeded"), ("no", "failed"), ("I cannot tell", "failed")])
def test_a_model_can_answer_checks_in_the_place_of_depth(says, status):
    model = FakeVlm(says)
    robot = PerceivingRobot(StillRobot(), ModelGrounder(model), model)
    result = robot.execute(Step("check", {"relation": "on", "subject": "cat", "object": "mat"}, "k"))
    assert result.status == status and says in result.done["evidence"]
    assert "is the cat on the mat?" in model.asked[-1]
