"""Every command keeps to the exit statuses of the README: 0 done, 1 failed, 2 bad usage or input, 3 missing or unreachable."""

import json
from pathlib import Path

import pytest
from cli_kit import GOOD

from vlp.cli.main import COMMANDS
from vlp.journal import Event, Journal

NOBODY = "http://127.0.0.1:9"
TOKEN = ("--token", "a-token-of-nobody")
PLACE = {"goal": "it is on the table", "subtasks": [{"name": "put it down", "steps": [
    {"do": "place", "target": "table", "relation": "on"}]}]}  # fmt: skip

STATUSES: dict[str, dict[int, list[str]]] = {
    "run": {
        2: ["run", "hi", "--robot", "hrs"], 3: ["run", "hi", "--robot", NOBODY, *TOKEN, "--model", "scripted:replies.json"],
    },
    "resume": {2: ["resume", "none"]},
    "replay": {2: ["replay", "none"]},
    "journal verify": {1: ["journal", "verify", "damaged"], 2: ["journal", "verify", "none"]},
    "journal repair": {2: ["journal", "repair", "none"]},
    "journal export": {2: ["journal", "export", "damaged"]},
    "journal learn": {2: ["journal", "learn", "none", "--out", "x"]},
    "memory list": {2: ["memory", "list", "--lessons", "p.png"]},
    "memory show": {2: ["memory", "show", "7"]},
    "memory forget": {2: ["memory", "forget", "7"]},
    "ground": {2: ["ground", "none.png", "red cube"], 3: ["ground", "p.png", "cube", "--model", f"{NOBODY}/v1"]},
    "ask": {2: ["ask", "none.png", "what is there?"], 3: ["ask", "p.png", "what is there?", "--model", f"{NOBODY}/v1"]},
    "policy check": {
        0: ["policy", "check", "good.json"], 1: ["policy", "check", "place.json"], 2: ["policy", "check", "no.json"],
        3: ["policy", "check", "good.json", "--robot", NOBODY],
    },
    "policy show": {
        0: ["policy", "show", "good.json"], 1: ["policy", "show", "wrong.json"], 2: ["policy", "show", "none.json"],
    },
    "policy diff": {
        0: ["policy", "diff", "good.json", "good.json"], 1: ["policy", "diff", "good.json", "wrong.json"],
        2: ["policy", "diff", "good.json", "no.json"],
    },
    "policy convert": {
        0: ["policy", "convert", "good.json", "--to", "python"], 1: ["policy", "convert", "wrong.json", "--to", "python"],
        2: ["policy", "convert", "good.json", "--to", "cobol"],
    },
    "policy schema": {0: ["policy", "schema"], 2: ["policy", "schema", "--robot", "hrs"]},
    "robot serve": {2: ["robot", "serve", "--host", "192.0.2.1"]},
    "robot manifest": {0: ["robot", "manifest", "--robot", "hsr"], 2: ["robot", "manifest"], 3: ["robot", "manifest", *TOKEN,
                       "--robot", NOBODY]},
    "robot check": {2: ["robot", "check", "no.such:Robot"]},
    "robot new": {2: ["robot", "new", "not a name"]},
    "robot stop": {3: ["robot", "stop", "--robot", NOBODY, *TOKEN]},
    "robot reset": {3: ["robot", "reset", "--robot", NOBODY, *TOKEN]},
    "robot look": {2: ["robot", "look"], 3: ["robot", "look", "--robot", NOBODY, *TOKEN]},
    "robot do": {2: ["robot", "do", "grasp"], 3: ["robot", "do", "home", "--robot", NOBODY, *TOKEN]},
    "world show": {
        0: ["world", "show"], 2: ["world", "show", "--world", "moon"], 3: ["world", "show", "--out", "/dev/none/x.png"],
    },
    "world replay": {2: ["world", "replay", "none.json"]},
    "data collect": {2: ["data", "collect", "--n", "-1"]},
    "data from-runs": {2: ["data", "from-runs", "none"]},
    "data import": {2: ["data", "import", "none"]},
    "data export": {2: ["data", "export", "none", "--out", "x"]},
    "data record": {2: ["data", "record", "--n", "-1", "--out", "x"]},
    "data relabel": {2: ["data", "relabel", "none", "--out", "x"]},
    "data lint": {2: ["data", "lint", "none"]},
    "data stats": {2: ["data", "stats", "none"]},
    "data view": {2: ["data", "view", "none"]},
    "data merge": {2: ["data", "merge", "none", "--out", "x"]},
    "data seal": {2: ["data", "seal", "none"]},
    "train nano": {2: ["train", "nano", "--frames", "-1"]},
    "train sft": {0: ["train", "sft", "--dry-run"], 2: ["train", "sft", "--data", "none"]},
    "train tokens": {2: ["train", "tokens", "--data", "none"]},
    "train merge": {2: ["train", "merge", "none", "--out", "x"]},
    "train mean": {2: ["train", "mean", "none", "--out", "x"]},
    "train export": {2: ["train", "export", "none", "--out", "x"]},
    "gate parity": {2: ["gate", "parity", "none"]},
    "gate keeps": {2: ["gate", "keeps", "none"]},
    "gate plans": {2: ["gate", "plans", "none"]},
    "serve": {2: ["serve", "--model", "none"]},
    "bench run": {2: ["bench", "run", "none"]},
    "bench speed": {2: ["bench", "speed", "none"]},
    "bench step": {2: ["bench", "step", "--base", "none"]},
    "bench model": {2: ["bench", "model", "--base", "none"]},
}  # fmt: skip
"""By command: a command line for each status that it can be brought to without a robot, a GPU or minutes of work."""

LINES = [(status, words) for by_status in STATUSES.values() for status, words in by_status.items()]


@pytest.fixture
def files(tmp_path: Path) -> None:
    """What the command lines name."""
    from PIL import Image

    Image.new("RGB", (64, 48)).save(tmp_path / "p.png")
    journal = Journal(tmp_path / "damaged" / "journal.db")
    journal.append(Event("note", {"text": "as it was written"}))
    journal.close()
    whole = (tmp_path / "damaged" / "journal.db").read_bytes()
    (tmp_path / "damaged" / "journal.db").write_bytes(whole.replace(b"as it was", b"as it is "))
    (tmp_path / "replies.json").write_text(json.dumps([GOOD]))
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    (tmp_path / "place.json").write_text(json.dumps(PLACE))
    (tmp_path / "wrong.json").write_text('{"goal":7}')
    (tmp_path / "no.json").write_text("pick up the cube")


@pytest.mark.parametrize(("status", "words"), LINES, ids=[f"{' '.join(words)}: {status}" for status, words in LINES])
def test_a_command_line_ends_with_its_status(vlp, files, monkeypatch, status: int, words: list[str]) -> None:
    """Against: 2 for a policy that did not pass, where the README says 1."""
    if "--token" not in words and NOBODY in words:
        monkeypatch.setenv("VLP_ROBOT_TOKEN", "a-token-of-nobody")
    told = vlp(*words)
    assert told.status == status, told.out[-500:] + told.err[-500:]
    if status > 1:
        told.refused(status)


def test_the_table_has_every_command() -> None:
    assert set(STATUSES) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_there_is_not_is_bad_usage(vlp, name: str) -> None:
    assert vlp(*name.split(" "), "--no-such-option").status == 2
