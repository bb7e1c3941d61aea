"""`vlp memory` and `vlp run --lessons`: switched on, inspected, edited, switched off."""

import json
import sqlite3
from pathlib import Path

import pytest
from cli_kit import GOOD

from vlp.journal import read_events
from vlp.robot.serving import running_server
from vlp.runtime.lessons.lesson import Lesson
from vlp.runtime.lessons.store import LessonStore
from vlp.runtime.sequencer import Learned
from vlp.sim.fake.robot import FakeRobot

SAY = "put the red cube in the green bowl"


def kept(path: Path, *about: str) -> Path:
    """A file of lessons about some things."""
    LessonStore(path).learn(
        [
            Lesson("fake", "grasp", one, "", "", "slipped", f"grasp {one}", "home", solved=1, last_s=1e9, run="r1")
            for one in about
        ]
    )
    return path


def test_a_run_with_lessons_teaches_the_next_one(vlp, tmp_path):
    (tmp_path / "replies.json").write_text(json.dumps([GOOD, GOOD]))
    for out, robot, *option in (
        ("a", FakeRobot(), "--lessons", "on"),
        ("b", FakeRobot(), "--lessons", "on"),
        ("c", FakeRobot()),
    ):
        if out != "b":
            robot.fail_next("grasp")
        with running_server(robot) as at:
            call = ["run", SAY, "--robot", at.url, "--token", at.token, "--model", f"scripted:{tmp_path / 'replies.json'}"]
            told = vlp(*call, "--no-recordings", "--out", out, *option)
        assert told.status == 0, told.out + told.err
    assert [e.data["shown"] for e in read_events("a", kinds=["lessons"])] == [[], []]
    (shown,) = (e.data["shown"] for e in read_events("b", kinds=["lessons"]))
    assert [lesson["id"] for lesson in shown] == [1] and "grasp red cube failed (slipped) in 1 run" in shown[0]["text"]
    assert read_events("c", kinds=["lessons"]) == [], "off is the default"
    assert "grasp red cube" in vlp("memory", "list").out
    told = vlp("replay", "b")
    assert f"told of lesson 1: {shown[0]['text']}" in told.out
    assert "told of lesson 1" in (tmp_path / "b" / "report.html").read_text()


def test_a_resumed_run_keeps_the_choice_of_its_first_command(vlp, tmp_path):
    """Neither does it read a person's own lessons because they are there, nor forget those that it began with."""
    replies, robot = tmp_path / "replies.json", FakeRobot()
    with running_server(robot) as at:
        for option in ("off", "on"):
            replies.write_text(json.dumps([GOOD]))
            robot.fail_next("grasp")
            call = ("run", SAY, "--robot", at.url, "--token", at.token, "--model", f"scripted:{replies}")
            assert vlp(*call, "--no-recordings", "--out", option, "--lessons", option).status == 3, "its script has run out"
            replies.write_text(json.dumps([GOOD, GOOD]))
            assert vlp("resume", option, "--token", at.token).status == 0
            robot.world.put("red cube", "table")
    assert [len(read_events(out, kinds=["lessons"])) for out in ("off", "on")] == [0, 2]
    (lesson,) = LessonStore(tmp_path / "state" / "vlp" / "lessons.db").all()
    assert (lesson.failed, lesson.seen) == ("grasp red cube", 1)


def test_lessons_are_listed_shown_and_forgotten(vlp, tmp_path):
    assert "no lessons yet" in vlp("memory", "list").out
    kept(tmp_path / "state" / "vlp" / "lessons.db", "red cube", "blue ball")
    told = vlp("memory", "list")
    assert [row in told.out for row in ("grasp red cube", "grasp blue ball", "slipped")] == [True] * 3
    shown = vlp("memory", "show", 2).out
    assert "grasp blue ball (slipped)" in shown and "in 1 run, 1 of them ended well" in shown and "home" in shown
    assert vlp("memory", "forget", 1).out == "forgot 1 lesson\n"
    assert "red cube" not in vlp("memory", "list").out
    assert vlp("memory", "forget", "--all").out == "forgot 1 lesson\n"
    assert "no lessons yet" in vlp("memory", "list").out


def test_what_cannot_be_wiped_yet_is_told(vlp, tmp_path):
    file = kept(tmp_path / "lessons.db", "red cube")
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM lesson").fetchone()
    told = vlp("memory", "forget", "--all", "--lessons", file)
    reader.close()
    assert (told.status, told.out) == (1, "forgot 1 lesson\n")
    assert "lessons.db-wal" in told.err and "`vlp memory list` wipes it" in told.err
    assert vlp("memory", "list", "--lessons", file).status == 0 and b"red cube" not in file.read_bytes()


@pytest.mark.parametrize("option", ["sequencer", "lessons"])
def test_a_run_goes_on_without_a_file_that_is_gone_and_says_so(vlp, tmp_path, option):
    """Against: a run that nobody could resume once the table of its sequencer was thrown away."""
    replies, robot, file = tmp_path / "replies.json", FakeRobot(), tmp_path / "gone.json"
    Learned().save(file) if option == "sequencer" else kept(file, "blue ball")
    with running_server(robot) as at:
        replies.write_text(json.dumps(["no policy"]))
        call = ("run", SAY, "--robot", at.url, "--token", at.token, "--model", f"scripted:{replies}")
        assert vlp(*call, "--no-recordings", "--out", "r", f"--{option}", file).status == 3, "its script has run out"
        file.unlink()
        replies.write_text(json.dumps(["no policy", GOOD]))
        told = vlp("resume", "r", "--token", at.token)
    assert told.status == 0, told.out + told.err
    assert f"--{option} {file} is gone, and the run goes on without it" in told.out and not file.exists()


def test_what_cannot_be_meant_is_refused_with_the_next_step(vlp, tmp_path):
    file = kept(tmp_path / "lessons.db", *(f"thing {n}" for n in range(12)))
    vlp("memory", "show", "122", "--lessons", file).refused(2, "no lesson '122'", "Did you mean '12'?")
    vlp("memory", "forget", "1", "77", "--lessons", file).refused(2, "no lesson '77'", "vlp memory list")
    assert len(LessonStore(file).all()) == 12, "nothing is forgotten of a list with an unknown number in it"
    vlp("memory", "forget", "--lessons", file).refused(2, "say what is to be forgotten", "--all")
    vlp("memory", "forget", "1", "--all", "--lessons", file).refused(2, "say what is to be forgotten")
    vlp("memory", "list", "--lessons", "lesons.db").refused(2, "no file of lessons", "lessons.db")
    vlp("memory", "list", "--lessons", "off").refused(2, "--lessons off names no lessons")
    vlp("memory", "show", "1").refused(2, "there are no lessons yet")
    vlp("memory", "lst").refused(2, "unknown command 'vlp memory lst'", "'list'")


def test_a_run_refuses_lessons_that_are_none_before_anything_moves(vlp, tmp_path):
    (tmp_path / "notes.txt").write_text("my notes\n" * 200)
    robot = FakeRobot()
    with running_server(robot) as at:
        call = ("run", SAY, "--robot", at.url, "--token", at.token, "--out", "r", "--model", "scripted:replies.json")
        vlp(*call, "--lessons", "notes.txt").refused(2, "notes.txt' is no store of lessons", "--lessons FILE")
        vlp(*call, "--lessons", "of").refused(2, "--lessons 'of' is neither on nor off", "'off'")
        vlp(*call, "--lessons", ".").refused(2, "is a folder", "lessons.db")
    assert robot.log == [] and not (tmp_path / "r").exists()
    vlp("run", SAY, "--model", "expert", "--lessons", "on").refused(2, "the expert reads no lessons")


def test_what_another_program_wrote_forges_no_line(vlp, tmp_path):
    file = kept(tmp_path / "lessons.db", "red cube\x1b[2J\nlesson 2")
    for told in (vlp("memory", "list", "--lessons", file), vlp("memory", "show", "1", "--lessons", file)):
        assert told.status == 0 and "\x1b" not in told.out and "\nlesson 2" not in told.out
