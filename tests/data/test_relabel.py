"""Episodes of LeRobot datasets to samples of motion as language."""

import json
from pathlib import Path

import pytest
from kit import manifest, picture

from vlp.core.errors import UsageError
from vlp.data.lerobot import write_lerobot
from vlp.data.lerobot_hands import StateColumns, find_columns
from vlp.data.lerobot_schema import Layout, RecordedEpisode, RecordedFrame
from vlp.data.lint import lint
from vlp.data.relabel import Relabelled, relabel
from vlp.data.sample import Sample
from vlp.data.store import Store
from vlp.language_actions.move import Chunk
from vlp.language_actions.space import MoveSpace
from vlp.language_actions.stages import Labelling
from vlp.language_actions.vocabulary import open_vocabulary

OWN = ("base_x_m", "base_y_m", "base_yaw_rad", "gripper_m", "hand_x_m", "hand_y_m", "hand_z_m")
OTHERS = ("x", "y", "z", "roll", "pitch", "yaw", "pad", "gripper")
SPACE = MoveSpace(dict.fromkeys(("x", "y", "z"), 100))


def frames(names: tuple[str, ...], subtasks: bool = True, still: bool = False) -> RecordedEpisode:
    """Return an episode, ten frames a second: 20 cm forward, 10 cm down, the gripper closes, 15 cm up."""
    places = [(0.3 + 0.01 * i, 0.0, 0.3) for i in range(20)] + [(0.5, 0.0, 0.3 - 0.01 * i) for i in range(10)]
    places += [(0.5, 0.0, 0.2)] * 6 + [(0.5, 0.0, 0.2 + 0.01 * i) for i in range(16)]
    openings = [0.1] * 31 + [0.08, 0.06, 0.04, 0.03] + [0.03] * 17
    found = []
    for i, ((x, y, z), opening) in enumerate(zip(places, openings, strict=True)):
        numbers = {"gripper_m": opening, "gripper": opening, "yaw": 0.02 * i, "hand_x_m": x, "hand_y_m": y, "hand_z_m": z}
        numbers |= {"x": x, "y": y, "z": z}
        state = tuple(0.0 if still else numbers.get(name, 0.0) for name in names)
        said = ("reach the cube" if i < 30 else "take the cube up") if subtasks else ""
        found.append(RecordedFrame(picture(i), state, subtask=said))
    return RecordedEpisode("pick up the cube", tuple(found))


def dataset(folder: Path, names: tuple[str, ...], *episodes: RecordedEpisode, strings: bool = False) -> Path:
    write_lerobot(folder, episodes, Layout(10, "hsr", names, strings=strings))
    return folder


def labelled(
    folder: Path, name: str = "numbers", space: MoveSpace = SPACE, **options: object
) -> tuple[Relabelled, list[Sample]]:
    out = folder.with_name("samples")
    how = Labelling(open_vocabulary(name, space), merge_m=0.003)
    done = relabel(out, folder, manifest(), find_columns, lambda columns: how, **options)  # type: ignore[arg-type]
    return done, list(Store(out).samples())


@pytest.mark.parametrize("strings", [False, True], ids=["language rows", "text columns"])
def test_an_episode_becomes_samples_of_three_stages(tmp_path: Path, strings: bool) -> None:
    done, samples = labelled(dataset(tmp_path / "lerobot", OWN, frames(OWN), strings=strings))
    by_kind = {kind: [s for s in samples if s.family == kind] for kind in done.kinds}
    assert {kind: len(found) for kind, found in by_kind.items()} == dict(done.kinds)
    assert [s.reply for s in by_kind["subtask"]] == ["reach the cube", "take the cube up"]
    plans = list(dict.fromkeys(s.reply for s in by_kind["plan"]))
    assert plans == ["move forward", "move down", "close the gripper", "move up"]
    assert sum("-1" in s.reply for s in by_kind["chunk"]) == 1, "the gripper closes once"
    assert all("frame base" in s.question and "take the cube up" in s.question for s in by_kind["chunk"][-3:])


def test_the_chunks_lead_where_the_hand_went(tmp_path: Path) -> None:
    """Against: frames that were left out for the pace, and their motion with them."""
    _, samples = labelled(dataset(tmp_path / "lerobot", OWN, frames(OWN)), rate_hz=5.0)
    written, moves = open_vocabulary("numbers", SPACE), []
    for sample in samples:
        if sample.family == "chunk":
            chunk, report = written.read(sample.reply)
            assert chunk is not None, report
            moves += chunk.moves
    assert Chunk("base", tuple(moves)).net_m == pytest.approx((0.2, 0.0, 0.05), abs=0.005)


def test_each_sample_shows_the_frame_at_which_it_is_asked(tmp_path: Path) -> None:
    """Against: a motion plan beside the image of another moment."""
    _, samples = labelled(dataset(tmp_path / "lerobot", OWN, frames(OWN)))
    store = Store(tmp_path / "samples")
    for sample in samples:
        assert (store.image(sample) == picture(sample.source["frame"])).all()
        assert len(sample.images) == (2 if sample.family in ("done", "direction") else 1)
    assert lint(store.folder).ok, lint(store.folder).faults
    assert {sample.split for sample in samples} == {"train"}


def test_a_dataset_of_others_is_read_with_its_rotation(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "lerobot", OTHERS, frames(OTHERS, subtasks=False))
    info = json.loads((folder / "meta" / "info.json").read_text())
    assert find_columns(info["features"]) == StateColumns((0, 1, 2), (3, 4, 5), 7)
    with pytest.raises(UsageError, match="episode 0: a move along yaw, which this space does not write"):
        labelled(folder)
    turns = MoveSpace({**SPACE.most, "yaw": 45})
    done, samples = labelled(folder, "directions", turns)
    assert done.kinds["subtask"] == 2
    assert [s.reply for s in samples if s.family == "subtask"] == ["grasp the object", "lift the object"]
    assert any("turn left" in s.reply for s in samples if s.family == "chunk")


def test_the_report_says_how_long_and_how_far_chunks_are(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "lerobot", OWN, frames(OWN), frames(OWN, still=True))
    done, _ = labelled(folder)
    assert done.episodes == 1
    assert done.passed_over == {1: "its hand does not move."}
    assert max(done.farthest_mm) == pytest.approx(40)
    lines = "\n".join(done.lines())
    assert "1 episode: " in lines
    assert "episode 1 passed over: its hand does not move." in lines
    assert "farthest along an axis, mm" in lines


def test_what_cannot_be_made_into_samples_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    still = dataset(tmp_path / "still", OWN, frames(OWN, still=True))
    with pytest.raises(UsageError, match="its hand does not move"):
        labelled(still)
    nameless = dataset(tmp_path / "nameless", ("a", "b", "c"), frames(("a", "b", "c")))
    with pytest.raises(UsageError, match=r"does not say where the hand is; it has a, b, c.*--position"):
        labelled(nameless)
    info = json.loads((nameless / "meta" / "info.json").read_text())
    assert find_columns(info["features"], ("a", "b", "c")).position == (0, 1, 2)
    with pytest.raises(UsageError, match=r"has no 'aa'"):
        find_columns(info["features"], ("aa", "b", "c"))
    with pytest.raises(UsageError, match="--position has 2 names; expected 3"):
        find_columns(info["features"], ("a", "b"))
    with pytest.raises(UsageError, match="Did you mean 'train'"):
        labelled(still, split="trains")
    with pytest.raises(UsageError, match="1000 moves a second"):
        labelled(still, rate_hz=1000.0)
    assert not (tmp_path / "samples").exists()
