"""Perceptions that take several looks or deeds: counting, comparing by size and by weight, searching from place to place."""

from dataclasses import replace

import numpy as np
import pytest
from views import make_view

from vlp.core.observation import Located
from vlp.perception.oracle_grounder import OracleGrounder
from vlp.perception.perceiving import PerceivingRobot
from vlp.primitives.manifest import Argument, Place, Primitive
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.robot.declarations import check_declarations
from vlp.robot.protocol import Step, StepResult

AFFORDED = ("count", "compare", "search")
PLACES = [Place("desk", ("on",), visible=True, affords=AFFORDED), Place("rack", ("on",), visible=True), Place("hall")]
WEIGH = Primitive("weigh", "action", "Feel the weight of what is held.", needs=("holding",))
LOOK = Primitive("look", "action", "Look.", (Argument("pan_rad", "number", "Where.", required=False),
                                              Argument("zoom", "number", "How close.", required=False)))  # fmt: skip


class FakePorter:
    """A body that stands before one view at all of its places but says where it went; a closer look there may see nothing."""

    def __init__(self, view, *own, weights=None):
        self.seen, self.done, self.weights, self.fails = view.observation, [], weights or {}, {}
        names = ("go_to", "grasp", "place")
        self.manifest = make_manifest("porter", [*names, *own], PLACES, cameras={"eye": {"depth": True}})

    def describe(self):
        return self.manifest

    def observe(self):
        return self.seen

    def execute(self, step):
        self.done.append(step)
        if code := self.fails.get(str(step.arguments.get("place", step.do))):
            return StepResult(step.key, "stopped" if code == "stopped" else "failed", code=code, message=f"it is {code}")
        if step.do == "go_to":
            self.seen = replace(self.seen, state=replace(self.seen.state, at=step.arguments["place"]))
        held = next((s.arguments["target"]["phrase"] for s in reversed(self.done) if s.do == "grasp"), "")
        return StepResult(step.key, "succeeded", {"weight_n": self.weights[held]} if step.do == "weigh" else {})

    def stop(self):
        pass


@pytest.fixture(scope="module")
def view():
    return make_view(29)


def porter(view, *own, seen=lambda body: True, **more):
    """Return a porter with eyes, which see the view's things while `seen` says so."""
    body = FakePorter(view, *own, **more)
    return PerceivingRobot(body, OracleGrounder(lambda: view.boxes if seen(body) else {})), body


def do(robot, name, key=None, **arguments):
    return robot.execute(Step(name, arguments, key or f"{name}{arguments}"))


def at(body):
    return body.seen.state.at


def test_counting_comparing_and_searching_are_offered_where_a_place_affords_them(view):
    robot, body = porter(view, WEIGH)
    known = robot.describe()
    assert set(known.primitives) >= {*AFFORDED} and check_declarations(known).ok
    assert known.primitives["compare"].kind == "action" and "heaviest" in known.primitives["compare"].arguments[1].choices
    light = PerceivingRobot(FakePorter(view), OracleGrounder(dict)).describe().primitives["compare"]
    assert light.kind == "perception" and "heaviest" not in light.arguments[1].choices
    body.manifest = make_manifest("porter", list(STANDARD), ["desk"], cameras={"eye": {"depth": True}})
    assert not {*AFFORDED} & set(PerceivingRobot(body, robot.grounder).describe().primitives)


def test_as_many_are_counted_as_are_in_view(view):
    robot, _ = porter(view)
    assert do(robot, "count", object="thing").value == {"count": len(do(robot, "find_all", object="thing").value)}
    assert do(robot, "count", object="elephant").value == {"count": 0}


def test_the_biggest_and_the_thinnest_follow_from_measured_sizes(view):
    robot, body = porter(view)
    things = {item["phrase"]: Located.from_json(item) for item in do(robot, "find_all", object="anything").value}
    for by, measure, best in (
        ("biggest", lambda t: np.prod(t.size_m), max),
        ("smallest", lambda t: np.prod(t.size_m), min),
        ("thinnest", lambda t: min(t.size_m), min),
    ):
        result = do(robot, "compare", objects=list(things), by=by)
        assert result.done["object"] == result.value["phrase"] == best(things, key=lambda name: measure(things[name]))
    assert do(robot, "compare", objects=["elephant"], by="biggest").code == "not-found" and not body.done


def test_the_heaviest_is_found_by_lifting_each_and_putting_it_back(view):
    names = list(view.boxes)[:2]
    robot, body = porter(view, WEIGH, weights={names[0]: 1.5, names[1]: 2.5})
    assert do(robot, "compare", objects=names, by="heaviest").done["object"] == names[1]
    assert [step.do for step in body.done] == 2 * ["grasp", "weigh", "place"]
    assert {step.arguments.get("relation") for step in body.done if step.do == "place"} == {"at"}
    assert len({step.key for step in body.done}) == 6
    body.fails["grasp"] = "too-large"
    refused = do(robot, "compare", "again", objects=names, by="lightest")
    assert (refused.key, refused.code) == ("again", "too-large")


def test_a_thing_is_searched_for_from_place_to_place_until_it_is_seen(view):
    name = next(iter(view.boxes))
    robot, body = porter(view, seen=lambda body: at(body) == "rack")
    result = do(robot, "search", object=name)
    assert result.value["phrase"] == name and result.done["at"] == at(body) == "rack"
    assert [step.arguments["place"] for step in body.done] == ["desk", "rack"]
    assert do(robot, "search", "2", object="elephant").message.startswith("there is no elephant to be seen from rack, desk")


def test_the_likeliest_places_come_first_and_what_cannot_be_reached_is_told(view):
    robot, body = porter(view, seen=lambda body: False)
    body.fails["rack"] = "no-way"
    missing = do(robot, "search", object="cube", places=["rack", "hall"])
    assert missing.code == "not-found" and "Not reached: rack (it is no-way)" in missing.message
    assert [step.arguments["place"] for step in body.done] == ["rack", "hall"] and missing.done["looked_at"][-1] == "hall"
    body.fails["desk"] = "stopped"
    assert do(robot, "search", "2", object="cube", places=["desk", "hall"]).status == "stopped" and at(body) == "hall"


def test_a_camera_that_turns_looks_to_both_sides_before_the_robot_goes_on(view):
    name = next(iter(view.boxes))
    robot, body = porter(view, LOOK, seen=lambda body: len(body.done) == 2)
    assert do(robot, "search", object=name).value["phrase"] == name
    assert [step.arguments["pan_rad"] for step in body.done] == [0.6, -0.6]
