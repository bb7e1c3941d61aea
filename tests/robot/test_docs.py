"""What the guide shows in Python runs, and the page of curl examples names every path of the server."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from vlp.core.observation import Located, RobotState
from vlp.primitives.standard import STANDARD
from vlp.robot.protocol import state_fields
from vlp.robot.server import routes

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "robot_api.md").read_text()
REQUESTS = (DOCS / "reference" / "http.md").read_text()


def test_the_robot_of_the_guide_passes_the_check_that_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    exec(re.findall(r"```python\n(.*?)```", GUIDE, re.S)[0], {})
    assert capsys.readouterr().out == "ok\n"


def test_the_page_of_requests_names_every_path_that_people_need() -> None:
    for path in routes().openapi()["paths"]:
        if path.count("/") == 1:
            assert f"$URL{path}" in REQUESTS


def test_the_guide_tells_every_field_of_the_state_and_what_methods_receive() -> None:
    """Against: a person with a gripper who found nowhere that `holding` is to be set, nor what `grasp` is given."""
    names = [field.name for field in fields(RobotState)]
    assert list(state_fields()) == names
    assert [name for name in names if f"| `{name}` |" not in GUIDE] == []
    assert [field.name for field in fields(Located) if f"`{field.name}`" not in GUIDE] == []
    actions = [p for p in STANDARD.values() if p.kind == "action"]
    methods = [f"`{p.name}({', '.join(['self', *(a.name for a in p.arguments)])})`" for p in actions]
    assert [method for method in methods if method not in GUIDE] == []
