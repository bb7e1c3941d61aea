"""Displays and recordings: everything from events, nothing from outside can break out of them."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from run_kit import Run, asked, change, say

from vlp.core.errors import MissingComponent, UsageError
from vlp.journal import Event, Journal, read_events
from vlp.runtime.run import read_run
from vlp.runtime.story import Chapter, Row, Story
from vlp.runtime.subscribers.film_frames import COLOURS, LAYOUTS, FilmLayout, FilmMoment, in_words
from vlp.runtime.subscribers.report import ReportFiles, render_report, replay
from vlp.runtime.subscribers.rerun_log import RerunLog
from vlp.runtime.subscribers.terminal import Terminal
from vlp.runtime.subscribers.video import Video
from vlp.sim.fake.robot import FakeRobot

BAD = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


def policy(thing: str = "red cube", name: str = "do it") -> dict:
    steps = [
        {"do": "locate", "object": thing, "as": "thing"},
        {"do": "grasp", "target": "$thing"},
        {"do": "lift", "height_m": 0.1},
    ]
    return {"goal": f"the {thing} is held", "subtasks": [{"name": name, "steps": steps}]}


@dataclass(frozen=True)
class Told:
    """A finished run: its folder, its events, and what terminals without and with colour showed."""

    out: Path
    events: list[Event]
    plain: str
    colour: str


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> Told:
    """A run with a change of mind, a failed step and a refused reply, with every subscriber."""
    robot = FakeRobot()
    robot.fail_next("grasp", "slipped")
    out = tmp_path_factory.mktemp("told") / "run"
    plain, colour = io.StringIO(), io.StringIO()
    consoles = Console(file=plain, width=100), Console(file=colour, width=100, force_terminal=True)
    subscribers = [
        ReportFiles(out), Video(out, lambda: np.full((240, 320, 3), 99, np.uint8)), RerunLog(out),
        *(Terminal(console) for console in consoles),
    ]  # fmt: skip
    spec = asked("pick up the red cube", world="tabletop", seed=7, changes=(change(4, "the blue ball"),))
    release = {
        "goal": "the blue ball is held",
        "subtasks": [
            {"name": "put it down", "steps": [{"do": "place", "target": "table", "relation": "on"}]},
            *policy("blue ball")["subtasks"],
        ],
    }
    replies = [policy(), "no json", policy(), release]
    texts = [reply if isinstance(reply, str) else say(reply) for reply in replies]
    run = Run(out, texts, robot=robot, spec=spec, subscribers=subscribers, judge=lambda: False)
    run.go()
    assert not run.of("note"), run.of("note")
    return Told(out, run.events, plain.getvalue(), colour.getvalue())


def test_result_json_says_all_that_happened(told):
    result = json.loads((told.out / "result.json").read_text())
    assert (result["outcome"], result["verdict"], result["seed"], result["world"]) == ("success", False, 7, "tabletop")
    assert result["instructions"] == ["pick up the red cube", "the blue ball"]
    assert [p["replies"] for p in result["policies"]] == [1, 2, 1]
    assert [t["name"] for t in result["triggers"]] == ["step-failed", "new-instruction"]
    first = result["policies"][0]["steps"]
    assert [s["status"] for s in first] == ["succeeded", "failed", "not started"]
    assert result["policies"][0]["diff"] is None
    assert result["policies"][2]["diff"]["dropped"]
    assert set(result["timings_s"]) == {"perception", "model", "checks", "motion"}
    assert all(seconds >= 0 for seconds in result["timings_s"].values())
    assert {"vlp", "python", "manifest"} <= set(result["versions"])


def test_the_report_is_rebuilt_from_the_journal_alone(told):
    written = {name: (told.out / name).read_text() for name in ("report.html", "result.json")}
    for name in written:
        (told.out / name).unlink()
    replay(told.out)
    assert {name: (told.out / name).read_text() for name in written} == written


def test_the_report_stands_alone_and_shows_the_run(told):
    page = (told.out / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:image/jpeg;base64,)', page)
    assert page.count("<figure>") == 2
    for words in ("the blue ball", "grasp failed: slipped", "what changed", "Failures", "Time line", "refused replies"):
        assert words in page, words


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_nothing_from_outside_becomes_markup():
    """Instruction, model text and robot messages are hostile: none may become an element of the page."""
    steps = [{"id": "1.1", "subtask": BAD, "text": BAD}]
    document = {"policy": {"goal": BAD, "subtasks": []}, "manifest_version": BAD}
    result = {"message": BAD, "value": None, "done": {}, "code": BAD, "duration_s": 0}
    names = ("run_id", "instruction", "robot", "world", "seed", "model")
    events = [
        Event("run-started", {**dict.fromkeys(names, BAD), "versions": {BAD: BAD}, "options": {}}),
        Event("instruction", {"text": BAD, "source": BAD}),
        Event("instruction", {"text": BAD, "source": BAD}),
        Event("report", {"attempt": 1, "issues": [{"path": BAD, "message": BAD, "code": BAD}]}),
        Event("trigger", {"name": BAD, "detail": BAD}),
        Event("policy", {"revision": 1, "policy": document, "steps": steps, "diff": {"text": BAD}, "claim": BAD}),
        Event("step-finished", {"revision": 1, "id": "1.1", "key": "k", "do": BAD, "status": BAD, "result": result}),
        Event("world-event", {"text": BAD, "after_steps": 1}),
        Event("run-finished", {"outcome": BAD, "reason": BAD, "claim": BAD, "verdict": True}),
    ]
    page = render_report(events)
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.tags
    assert "img" not in tags.tags
    assert not {a for a in tags.attributes if a.startswith("on")}
    assert "alert(1)" in page


def test_text_cannot_move_the_cursor():
    """An escape sequence in an instruction must not reach the terminal."""
    text = io.StringIO()
    terminal = Terminal(Console(file=text, width=80))
    terminal.on_event(Event("instruction", {"text": "a\x1b[2Jb\nforged line", "source": "person"}))
    assert "\x1b" not in text.getvalue()
    assert "\nforged" not in text.getvalue()


def test_the_terminal_shows_tree_trigger_diff_and_times(told):
    for words in ("trigger", "policy 2", "grasp", "success"):
        assert words in told.plain
    picture = io.StringIO()
    terminal = Terminal(Console(file=io.StringIO()))
    for event in told.events:
        terminal.on_event(event)
    Console(file=picture, width=120).print(terminal.render())
    for words in ("the blue ball", "✓", "new instruction", "perception", "motion", "success"):
        assert words in picture.getvalue(), words
    assert "the blue ball" in told.colour


def test_a_policy_says_what_was_refused_before_it_who_edited_it_and_what_the_model_wrote_down():
    """Against: refused replies that a live terminal kept to itself, an edit without a why, and "went by"."""
    policies = [{"revision": n, "policy": {"policy": policy()}, "steps": [], "claim": "done", "diff": None} for n in (1, 2)]
    policies[1] |= {"by": "terminal", "diff": {"text": "- 1.1 locate red cube"}}
    issues = [
        {"path": "/subtasks/0/steps/1", "message": "grasp needs 'free', but the hand holds it.", "code": "holding"},
        {"path": "", "message": "no JSON object.", "code": "json"},
    ]
    reply = {"text": "", "said": "red_cube 2 2", "attempt": 1, "timings_s": {}, "tokens": {}, "seconds": 0.1}
    first = [Event("report", {"attempt": n, "issues": [issue]}) for n, issue in enumerate(issues, 1)]
    events = [*first, Event("reply", reply), Event("policy", policies[0]), Event("policy", policies[1])]
    terminal, pictures = Terminal(Console(file=io.StringIO())), []
    for event in events:
        terminal.on_event(event)
        pictures.append(io.StringIO())
        Console(file=pictures[-1], width=150).print(terminal.render())
    assert "the model writes again, reply 2 was refused" in pictures[1].getvalue()
    told = "2 replies refused: grasp needs 'free', but the hand holds it. no JSON object."
    assert told in pictures[3].getvalue() and "refused" not in pictures[4].getvalue()
    lines = pictures[4].getvalue().splitlines()
    box = next(i for i, line in enumerate(lines) if "policy 2" in line)
    assert "! edited by the person (terminal)" in lines[box + 1] and "- 1.1 locate red cube" in lines[box + 2]
    page = render_report(events)
    assert '<p class="why">edited by the person (terminal)</p>' in page
    assert "what the model wrote down of the picture before it wrote this policy: red_cube 2 2" in page


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("21.5", "21.5"),
        (21.123456, "21.1235"),
        (False, "false"),
        ({"code": "4006381333931", "at": [1, 2]}, "code: 4006381333931, at: [1, 2]"),
        (["left\nbin", BAD], f"left bin, {BAD}"),
        ("long " * 40, f"{'long ' * 15}long…"),
        (None, ""),
        ({"phrase": "red cube", "position_in_world": [0, 0, 0]}, ""),
        ([{"phrase": "red cube", "position_in_world": [0, 0, 0]}], ""),
    ],
)
def test_what_a_step_found_out_is_shown(value, shown: str):
    """Against: a run that measured 21.5 degrees said so in result.json alone."""
    steps = [{"id": "1.1", "subtask": "measure", "text": "1.1 measure -> $found"}]
    document = {"goal": "known", "subtasks": [{"name": "measure", "steps": [{"do": "measure", "as": "found"}]}]}
    result = {"message": "", "value": value, "done": {}, "code": "", "duration_s": 0}
    events = [
        Event("policy", {"revision": 1, "policy": {"policy": document}, "steps": steps, "diff": None, "claim": "done"}),
        Event("understood", {"revision": 1, "text": "known", "final": []}),
        Event(
            "step-finished", {"revision": 1, "id": "1.1", "key": "k", "do": "measure", "status": "succeeded", "result": result}
        ),
    ]
    console, picture = Console(file=io.StringIO(), width=200), Console(file=io.StringIO(), width=200)
    terminal = Terminal(console)
    for event in events:
        terminal.on_event(event)
    picture.print(terminal.render())
    page = render_report(events)
    for text in (console.file, picture.file):
        assert isinstance(text, io.StringIO)
        assert (f"1.1 measure -> $found = {shown}" in text.getvalue()) == bool(shown) and bool(shown) == (
            " = " in text.getvalue()
        )
    assert ("<b>" in page) == bool(shown) and escape(f"1.1 measure -> $found = {shown}".removesuffix(" = ")) in page


def test_the_video_has_frames_with_captions(told):
    import imageio_ffmpeg

    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(told.out / "run.mp4"))
    assert frames == 8 * 4
    assert seconds == pytest.approx(3.2, abs=0.3)


@pytest.mark.parametrize(("layout", "plan_from"), [("small", 640), ("wide", 960)])
def test_a_frame_shows_sentence_step_and_where_there_is_room_the_plan(told, layout, plan_from):
    outside, events = np.full((480, 640, 3), 99, np.uint8), read_events(told.out)
    before = [e for e in events if e.kind == "instruction"]
    running = next(i for i, e in enumerate(events) if e.kind == "step-started")
    frames = [
        LAYOUTS[layout].draw(FilmMoment(outside, None, 0.0, Story.of(part)))
        for part in ([], before, events[: running + 1], events)
    ]
    width, height = LAYOUTS[layout].size_px
    assert all(frame.shape == (height, width, 3) for frame in frames)
    assert len({frame.tobytes() for frame in frames}) == len(frames)
    planned, ended = frames[2][:, plan_from:], frames[3][:, plan_from:]
    assert (planned != ended).any() == (layout == "wide"), "the steps' marks change"


def test_a_step_in_words_has_no_numbers_and_no_names_of_references():
    assert in_words("1.2 grasp $red_cube") == "grasp red cube"
    assert in_words("1.1 locate red cube -> $red_cube") == "locate red cube"
    assert in_words("1.5 go_to drawer") == "go to drawer"
    assert in_words("12.4 check holding subject=red cube") == "check holding red cube"


def test_a_long_plan_keeps_the_present_step_in_view():
    rows = [Row(f"1.{i}", "lay the table", f"1.{i} go_to kitchen", "succeeded" if i < 70 else "") for i in range(1, 101)]
    rows[70].status = "running"
    story = Story()
    story.chapters = [Chapter(1, "lay the table", [], {}, rows)]
    frame = LAYOUTS["wide"].draw(FilmMoment(np.zeros((480, 640, 3), np.uint8), None, 0.0, story))
    assert (frame[:, 960:] == COLOURS["running"]).all(axis=2).any()


def test_the_inset_says_how_old_it_is(tmp_path, monkeypatch):
    """Against: the last look stood unmarked in a corner while the outer view moved on."""
    ages: list[float] = []
    draw = LAYOUTS["small"].draw
    seen_by = FilmLayout((640, 480), (640, 480), lambda moment: (ages.append(moment.look_age_s), draw(moment))[1])
    monkeypatch.setitem(LAYOUTS, "small", seen_by)
    outside, seen = np.full((480, 640, 3), 99, np.uint8), FakeRobot().observe()
    film = Video(tmp_path, lambda: outside)
    tick = film.recorder()
    tick(1.0)
    film.on_event(Event("observation", {"purpose": "plan", "state": {}, "seconds": 0.1}, live=seen))
    tick(13.0)
    film.close()
    assert ages == [1.0, 12.0]
    fresh, old = (draw(FilmMoment(outside, seen.rgb, age_s, Story())) for age_s in (0.0, 12.0))
    rows = np.flatnonzero((fresh != old).any(axis=(1, 2)))
    below = 12 + 0.3 * 640 * seen.rgb.shape[0] / seen.rgb.shape[1]
    assert below <= rows.min() and rows.max() < below + 20


def test_the_recording_opens(told):
    from rerun.chunk import RrdReader

    chunks = list(RrdReader(str(told.out / "run.rrd")).stream())
    paths = {str(chunk.entity_path) for chunk in chunks}
    for path in ("/world/base/camera/image/rgb", "/world/base/camera/image/depth", "/world/things/red_cube", "/steps"):
        assert path in paths, sorted(paths)


def test_film_and_recording_of_a_resumed_run_go_on(tmp_path):
    """Against: the end of the stopped run, read back from the journal, closed the film and the recording of the rest."""
    import imageio_ffmpeg
    from rerun.chunk import RrdReader

    out = tmp_path / "run"
    spec = asked("pick up the red cube", changes=(change(1, "stop"),))
    assert Run(out, [say(policy())], spec=spec).go().outcome == "stopped"
    spec, events = read_run(out)
    # No picture for an audience, as of a robot that is not simulated.
    again = Run(out, [], spec=spec, subscribers=[Video(out), RerunLog(out)], past=events)
    assert again.go().outcome == "success" and not [n for n in again.of("note") if "dropped" in n["text"]]
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(out / "run.mp4"))
    assert frames == 8, "the end, and no still of what was planned before"
    steps = [c for c in RrdReader(str(out / "run.rrd")).stream() if str(c.entity_path) == "/steps"]
    assert sum(c.num_rows for c in steps) == 2


def test_a_run_that_was_killed_can_be_replayed(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    journal.append(Event("instruction", {"text": "pick up the red cube", "source": "person"}))
    journal.close()
    story = replay(tmp_path)
    assert story.end == {}
    assert json.loads((tmp_path / "result.json").read_text())["outcome"] == "unfinished"


def test_replay_without_a_run_says_so(tmp_path):
    with pytest.raises(UsageError, match="no journal"):
        replay(tmp_path)
    Journal(tmp_path / "journal.db").close()
    with pytest.raises(UsageError, match="holds no run"):
        replay(tmp_path)


def test_the_story_is_the_same_live_and_read_back(told):
    live, read = Story.of(told.events), Story.of(read_events(told.out))
    assert [vars(c) for c in live.chapters] == [vars(c) for c in read.chapters]
    assert live.moments == read.moments
    assert live.times_s == read.times_s


def test_a_disk_that_fills_up_ends_the_recordings_and_not_the_run(tmp_path, monkeypatch):
    """Against: a step of the robot that failed for a film, and a process that waited for ever for Rerun's file writer."""

    def full(*_: object, **__: object) -> Iterator[None]:
        yield
        while True:
            yield
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("imageio_ffmpeg.write_frames", full)
    film = Video(tmp_path, lambda: np.zeros((240, 320, 3), np.uint8))
    for _ in range(3):
        film.tick()
    with pytest.raises(MissingComponent, match=r"run.mp4 cannot be written: the encoder ended. Is the disk full"):
        film.on_event(Event("note", {"text": "x"}))
    film.close()
    recording = RerunLog(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    ended = Event("run-finished", {"outcome": "success", "reason": "", "claim": "", "verdict": None})
    with pytest.raises(MissingComponent, match=r"cannot write '.*run\.rrd'"):
        recording.on_event(ended)
    recording.close()


def test_a_run_without_a_picture_leaves_no_film(tmp_path, capfd):
    """Against: an empty run.mp4 and "No frames have been written; the written video is invalid." after Ctrl-C."""
    Video(tmp_path).close()
    assert not list(tmp_path.iterdir()) and capfd.readouterr().err == ""
