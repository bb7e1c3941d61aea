"""What the guide shows in Python runs, and the page of curl examples names every path of the server."""

import re
from pathlib import Path

import pytest

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
