"""The guide of one's own robot, followed word for word: its commands are given, and its lines are added where it says."""

import importlib
import re
import sys
from pathlib import Path

import pytest
from neighbours import serve_robot, take_token
from shown import ROOT, commands, text_of
from walk import InPlace, Walk

sys.path.insert(0, str(ROOT / "recipes" / "rover"))

from planner import served

PAGE = "docs/your_robot.md"
ROBOT = "house_bot"


def serve_planner(walk: Walk, text: str) -> None:
    """Let a stand-in that plans by rules from the prompt alone be the general model of the page."""
    walk.ports[8000] = int(walk.enter_context(served()).rpartition(":")[2])


IN_PLACE = {
    'vlp run "go to the desk" --robot house_bot:HouseBot --model http://127.0.0.1:8000/v1': InPlace(
        "a general model stands behind that address", None, serve_planner
    ),
    "vlp robot serve --robot house_bot:HouseBot": InPlace(
        "it runs until it is ended; it does while the rest is done", "", serve_robot
    ),
    "export VLP_ROBOT_TOKEN=...": InPlace("the token is what the server printed", "", take_token),
    "export VLP_ROBOT_RESET_TOKEN=...": InPlace("the token is what the server printed", "", take_token),
}


def add_lines(code: str) -> None:
    """Put lines of the page into the robot's file: a primitive behind the others, a method behind the last one."""
    file = Path(f"{ROBOT}.py")
    text = file.read_text()
    file.write_text(text.replace("\n)\nMANIFEST", f"\n{code})\nMANIFEST") if "Primitive(" in code else f"{text}\n{code}")
    sys.modules.pop(ROBOT, None)
    importlib.invalidate_caches()


def test_the_guide_leads_from_nothing_to_a_running_robot(walk: Walk) -> None:
    walk.callback(sys.modules.pop, ROBOT, None)
    lines = text_of(PAGE).splitlines()
    added = [
        (text_of(PAGE)[: found.start()].count("\n"), found[1])
        for found in re.finditer(r"^```python\n(.*?)^```$", text_of(PAGE), re.M | re.S)
    ]
    assert len(added) == 2, "the page adds a primitive and its method"
    for shown in commands(PAGE):
        while added and added[0][0] < shown.line:
            add_lines(added.pop(0)[1])
        assert not (fault := walk.fault(shown, IN_PLACE)), fault
    assert lines and Path("seen.png").exists()


DELETED = {
    "a skill": ("    def measure", "    def other", "HouseBot has no method measure"),
    "the camera": ("    def observe", "    def other", "HouseBot has no method observe"),
    "the result of a skill": ('        return "21.5"', "        pass", "what it gave back is not what it declares"),
    "the latch": ("        super().stop()", "        pass", "while stopped; expected 'stopped'"),
    "the places": (', places=("dock", "desk")', "", "place"),
    "the argument of a skill": ("self, place: str", "self", "go_to"),
    "the manifest": ("super().__init__(MANIFEST)", "pass", "manifest"),
}


@pytest.mark.parametrize("what", DELETED)
def test_the_check_tells_what_is_missing(walk: Walk, what: str) -> None:
    walk.callback(sys.modules.pop, ROBOT, None)
    assert walk.do("vlp robot new house_bot")[0] == 0
    before, after, said = DELETED[what]
    file = Path(f"{ROBOT}.py")
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    sys.modules.pop(ROBOT, None)
    importlib.invalidate_caches()
    status, told = walk.do("vlp robot check house_bot:HouseBot")
    assert status != 0
    assert said in told
    assert "Traceback" not in told
