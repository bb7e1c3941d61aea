"""Every command of the guides to running, robots, policies and data runs as it stands."""

import re

import pytest
from neighbours import know_extras, serve_robot, take_token
from shown import ROOT, text_of
from walk import InPlace, Walk

PAGES = (
    "getting_started", "understanding", "policy_language", "data", "reference/http", "runtime", "measuring", "changes", "home",
    "anymal", "language_actions",
)  # fmt: skip
TUNE = "vlp train sft --data motion --base nano-base --out run-motion"
LONG = "it takes minutes; fewer stand for it"
IN_PLACE = {
    "make demo": InPlace("it installs; what it runs then is among the README's commands", f"make -n -C {ROOT} demo"),
    "pip install -e '.[robot,sim,models,view]'": InPlace("it installs", "", know_extras),
    "vlp robot serve --seed 20009802": InPlace("it runs until it is ended; it does while the rest is done", "", serve_robot),
    "export VLP_ROBOT_TOKEN=...": InPlace("the token is what the server printed", "", take_token),
    "vlp data collect --out samples --n 800": InPlace(LONG, "vlp data collect --out samples --n 12"),
    "vlp data collect --out samples --n 100 --split validation": InPlace(
        LONG, "vlp data collect --out samples --n 2 --split validation"
    ),
    "vlp data collect --out samples --n 300 --split test": InPlace(LONG, "vlp data collect --out samples --n 3 --split test"),
    "vlp data record --out episodes --n 20 --family put": InPlace(LONG, "vlp data record --out episodes --n 1 --family pick"),
    "vlp data record --out picks --n 20 --family pick": InPlace(LONG, "vlp data record --out picks --n 1 --family pick"),
    TUNE: InPlace(LONG, f"{TUNE} --skip-gates --samples 8 --epochs 1 --batch 4 --rate 1e-7"),
    "vlp gate keeps run-motion": InPlace(LONG, "vlp gate keeps run-motion --n 6"),
    "python -m vlp.evaluation.stress.crash --n 100 --out runs/crash": InPlace(
        "it takes an hour; tests/evaluation/test_crash.py kills", "python -m vlp.evaluation.stress.crash --n 0 --out runs/crash"
    ),
    "python -m vlp.evaluation.stress.crash --n 100 --changes --out runs/crash-changes": InPlace(
        "it takes an hour; tests/evaluation/test_crash.py kills",
        "python -m vlp.evaluation.stress.crash --n 0 --changes --out runs/crash-changes",
    ),
    "python -m vlp.episodes.demonstrations --n 100 --family pick --actions directions --out taught": InPlace(
        LONG, "python -m vlp.episodes.demonstrations --n 1 --family reach --actions directions --out taught"
    ),
    "vlp bench run static --n 200 --workers 2 --out runs/static": InPlace(
        LONG, "vlp bench run static --n 1 --workers 1 --out runs/static"
    ),
    "vlp bench run changes --world home --n 20": InPlace(
        LONG, "vlp bench run changes --change shut --world home --n 1 --workers 1"
    ),
    "vlp bench run upper --world guests --robot hsr --n 20": InPlace(
        LONG, "vlp bench run upper --world home --robot hsr --family lamp --n 1 --workers 1"
    ),
    "vlp bench run upper --world home --robot anymal --n 20": InPlace(
        LONG, "vlp bench run upper --world home --robot anymal --family lamp --n 1 --workers 1"
    ),
    "vlp bench run upper --world home --robot hsr --family put_away --n 50": InPlace(
        "it takes an hour; the one before stands for it"
    ),
    "vlp bench run household --robot hsr --n 31": InPlace(LONG, "vlp bench run household --robot hsr --n 1 --workers 1"),
    "vlp bench run household-day --robot anymal --n 10": InPlace("it takes a night; the one before stands for it"),
    "vlp bench speed P3 P12": InPlace(LONG, "vlp bench speed P3 --repeats 1"),
}


@pytest.mark.long
def test_every_command_of_the_guides_runs(walk: Walk) -> None:
    walk.along([f"docs/{page}.md" for page in PAGES], IN_PLACE)
    for page in ("data", "understanding", "home", "language_actions"):  # docs/robot_api.md has a test of its own
        for code in re.findall(r"^```python\n(.*?)^```$", text_of(f"docs/{page}.md"), re.M | re.S):
            exec(code, {})
