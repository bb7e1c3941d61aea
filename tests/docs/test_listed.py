"""No command of a page is left out: not in a fence of another kind, not in the text, not in a table of the tests only."""

import re

import pytest
import test_guides
import test_readme
import test_scaling_out
import test_training_guides
import test_your_robot
from shown import PAGES, PROGRAMS, Shown, commands, program_of, text_of
from walk import Walk

from vlp.cli.main import COMMANDS, main

WALKS = (
    (("README.md", "vlp --help"), test_readme.IN_PLACE),
    (tuple(f"docs/{page}.md" for page in test_guides.PAGES), test_guides.IN_PLACE),
    (tuple(f"docs/{page}.md" for page in test_training_guides.PAGES), test_training_guides.IN_PLACE),
    ((test_your_robot.PAGE,), test_your_robot.IN_PLACE),
    ((test_scaling_out.PAGE,), test_scaling_out.IN_PLACE),
)
TEXT_PAGES = [page for page in PAGES if page != "vlp --help"]


def test_a_walk_tells_what_does_not_do_as_its_page_says(walk: Walk) -> None:
    check = "vlp policy check examples/policy.json"
    assert walk.fault(Shown("page", 1, check, prints="examples/policy.json: ok, ... steps"), {}) == ""
    assert "no policy file at 'policy.json'" in walk.fault(Shown("page", 1, "vlp policy check policy.json"), {})
    assert "expected exit status 1, got 0" in walk.fault(Shown("page", 1, check, status=1), {})
    assert "the page says that it prints" in walk.fault(Shown("page", 1, check, prints="fine"), {})


def test_every_page_with_commands_is_walked_along() -> None:
    walked = [page for pages, _ in WALKS for page in pages]
    assert sorted(walked) == sorted(page for page in PAGES if commands(page))


@pytest.mark.parametrize("pages, in_place", WALKS, ids=lambda value: value[0] if isinstance(value, tuple) else "")
def test_nothing_is_replaced_that_no_page_shows(pages: tuple[str, ...], in_place: dict) -> None:
    shown = {command.text for page in pages for command in commands(page)}
    assert not set(in_place) - shown
    assert all(entry.reason for entry in in_place.values())


@pytest.mark.parametrize("page", TEXT_PAGES)
def test_commands_stand_in_sh_fences(page: str) -> None:
    text = text_of(page)
    kinds = set(re.findall(r"^```(\w+)", text, re.M))
    assert kinds <= {"sh", "text", "json", "python"}, "shell commands go into ```sh"
    outside = re.sub(r"^```sh\n.*?^```$", "", text, flags=re.M | re.S)
    stray = [line for line in outside.splitlines() if line.startswith("    ") and program_of(line) in (*PROGRAMS, "curl")]
    assert not stray, "an indented command is run by nobody; put it into a fence"


@pytest.mark.parametrize("page", TEXT_PAGES)
def test_commands_in_the_text_exist_with_their_options(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    outside = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.M | re.S)
    for said in re.findall(r"`(vlp [^`]+)`", outside):
        words = said.split()[1:]
        name = next((n for n in (" ".join(words[:2]), words[0]) if n in COMMANDS), "")
        groups = {n.split(" ")[0] for n in COMMANDS}
        assert name or words[0] in groups or words[0].startswith("--"), f"{page}: there is no `{said}`"
        options = [word.partition("=")[0] for word in words if word.startswith("--")] if name else []
        if options:
            with pytest.raises(SystemExit):
                main([*name.split(), "--help"])
            known = set(re.findall(r"--[a-z][a-z0-9-]*", capsys.readouterr().out))
            assert set(options) <= known, f"{page}: `{said}` has no {set(options) - known}"
