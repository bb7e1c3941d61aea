"""Frames kept from one evaluation to the next: nothing is drawn again, and rows stay the same to the last digit."""

import os
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")

import pytest

from vlp.evaluation.planning import planning_rows
from vlp.models.protocol import Capabilities, Reply
from vlp.sim import render
from vlp.sim.worlds.tabletop import kept
from vlp.sim.worlds.tabletop.frames import render_frame
from vlp.sim.worlds.tabletop.kept import kept_frame, trim


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "vlp" / "frames"


class Plain:
    """A model that answers with what it was asked, so that another image or task gives another row."""

    name, profile, can = "plain", "full", Capabilities()

    def generate(self, messages, **options):
        return Reply(repr([[str(part)[:200] for part in m.parts if isinstance(part, str)] for m in messages])[:900])


def test_a_second_model_draws_nothing_and_gets_the_same_rows(folder: Path) -> None:
    """The planning suite drew and settled 600 scenes anew for every model."""
    before = render.drawn.copy()
    first = [planning_rows(Plain(), i, "validation") for i in range(3)]
    drawn = render.drawn - before
    assert drawn["image"] == drawn["bodies"] == len(list(folder.iterdir())) >= 3
    again = [planning_rows(Plain(), i, "validation") for i in range(3)]
    timeless = [[[{**row, "total_s": 0} for row in rows] for rows in case] for case in (first, again)]
    assert timeless[0] == timeless[1] and render.drawn - before == drawn


def test_a_kept_frame_is_the_frame_that_was_drawn() -> None:
    for seed in range(40, 46):
        drawn, read = render_frame(seed), (kept_frame(seed), kept_frame(seed))[1]
        assert (read.rgb == drawn.rgb).all() and read.rgb.dtype == drawn.rgb.dtype
        assert read.labels() == drawn.labels() and read.objects == drawn.objects and read.seed == seed


@pytest.mark.parametrize("spoil", [lambda b: b[:-1], lambda b: b"", lambda b: b[:100] + bytes([b[100] ^ 1]) + b[101:]])
def test_a_damaged_file_is_drawn_anew(folder: Path, spoil) -> None:
    frame = kept_frame(41)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(spoil(whole))
    before = render.drawn.copy()
    assert kept_frame(41).labels() == frame.labels() and render.drawn - before == {"image": 1, "bodies": 1}
    assert file.read_bytes() == whole


def test_another_version_of_the_scenes_draws_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_frame(41)
    monkeypatch.setattr(kept, "_made_by", lambda: "another digest")
    kept_frame(41)
    assert len(list(folder.iterdir())) == 2


def test_the_oldest_frames_make_room(folder: Path) -> None:
    folder.mkdir(parents=True)
    for i in range(4):
        (folder / f"{i}").write_bytes(bytes(10))
        os.utime(folder / f"{i}", (i, i))
    trim(folder, 25)
    assert sorted(file.name for file in folder.iterdir()) == ["2", "3"]


def test_where_nothing_can_be_written_frames_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert kept_frame(41).seed == 41
