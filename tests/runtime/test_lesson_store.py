"""The file of lessons: bounded, for several processes at once, and never written over what is something else."""

import multiprocessing
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from vlp.core.errors import MissingComponent, UsageError
from vlp.runtime.lessons.lesson import Lesson
from vlp.runtime.lessons.store import LessonStore

DAY_S = 86400.0


def lesson(about: str = "red cube", code: str = "slipped", run: str = "r1", **more) -> Lesson:
    return Lesson("fake", "grasp", about, "", "", code, f"grasp {about}", "home", solved=1, run=run, **more)


@pytest.fixture
def store(tmp_path: Path) -> LessonStore:
    return LessonStore(tmp_path / "new" / "lessons.db")


def test_a_situation_seen_again_counts_up(store: LessonStore) -> None:
    store.learn([lesson(last_s=1.0)])
    store.learn([replace(lesson(run="r2", last_s=2.0), solved=0, worked="")])
    (kept,) = store.all()
    assert (kept.seen, kept.solved, kept.worked, kept.last_s, kept.run) == (2, 1, "home", 2.0, "r2")
    assert kept.text == "grasp red cube failed (slipped) in 2 runs; 1 ended well, the last after: home"


def test_a_run_that_teaches_the_same_twice_counts_once(store: LessonStore) -> None:
    """A run that died between its lesson and its end would teach it again when it is resumed."""
    store.learn([lesson()])
    (kept,) = store.learn([lesson()])
    assert (kept.seen, kept.solved) == (1, 1)


def test_what_fits_is_found_by_kind_place_and_failure(store: LessonStore) -> None:
    shelf = Lesson("fake", "place", "", "on", "shelf", "no-room", "place shelf relation=on")
    store.learn([lesson(), lesson("cup with a blue handle"), shelf, replace(lesson(), robot="other")])

    def found(words: str, *failed: tuple[str, str]) -> list[str]:
        return [one.failed for one in store.fitting("fake", words.split(), failed)]

    assert found("put the blue cubes away") == ["grasp red cube"]
    assert found("put the red ball near the handle") == []
    assert found("clear the shelf") == ["place shelf relation=on"]
    assert found("tidy up", ("grasp", "slipped")) == ["grasp red cube", "grasp cup with a blue handle"]
    assert found("tidy up", ("grasp", "not-found"), ("lift", "slipped")) == []
    assert found("tidy up", ("", "no-room")) == ["place shelf relation=on"]
    assert found("take the cup", ("grasp", "slipped"))[0] == "grasp cup with a blue handle"
    assert found("") == []


def test_no_more_than_three_are_given(store: LessonStore) -> None:
    store.learn([lesson(f"{colour} cube") for colour in ("red", "green", "blue", "white", "black")])
    assert len(store.fitting("fake", ["cube"], [])) == 3


@pytest.mark.parametrize("word", ['"', "*", "cube OR about", "NEAR(", "^cube", '" OR kinds : "cube', "-"])
def test_words_are_no_operators_of_a_search(store: LessonStore, word: str) -> None:
    store.learn([lesson()])
    store.fitting("fake", [word], [(word, word), ("", word)])


def test_the_bound_drops_what_is_old_and_was_seldom_seen(tmp_path: Path) -> None:
    store = LessonStore(tmp_path / "lessons.db", most=10)
    for n in range(5):
        store.learn([lesson("often", run=f"r{n}", last_s=1.0)])
    for n in range(30):
        store.learn([lesson(f"thing {n}", last_s=DAY_S + n)])
    kept = {one.about for one in store.all()}
    assert kept == {"often", *(f"thing {n}" for n in range(21, 30))}
    store.learn([lesson("new", last_s=400 * DAY_S)])
    assert "often" in {one.about for one in store.all()}, "it is still worth more than what was seen once as long ago"
    for n in range(9):
        store.learn([lesson(f"fresh {n}", last_s=400 * DAY_S)])
    assert "often" not in {one.about for one in store.all()}, "what was seen often once makes room in the end"


def test_numbers_are_given_once(store: LessonStore) -> None:
    """Against: `forget 1` that meets another lesson than the one that was listed as 1."""
    (first,) = store.learn([lesson()])
    store.forget([first])
    (second,) = store.learn([lesson("blue ball")])
    assert second.id > first.id


def test_what_is_forgotten_is_out_of_the_file(store: LessonStore) -> None:
    store.learn([lesson("grandmother's urn"), lesson()])
    assert store.forget([one for one in store.all() if "urn" in one.about])
    beside = [file.read_bytes() for file in store.path.parent.iterdir()]
    assert [one.about for one in store.all()] == ["red cube"]
    assert not any(b"grandmoth" in data for data in beside)


def test_what_another_process_still_reads_is_told_and_wiped_later(store: LessonStore) -> None:
    """Against: "forgot", while the text lay in the log file for as long as a process read it."""
    store.learn([lesson("grandmother's urn"), lesson()])
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM lesson").fetchone() == (2,)
    assert not store.forget([one for one in store.all() if "urn" in one.about])
    assert [one.about for one in store.all()] == ["red cube"]
    reader.close()
    assert [one.about for one in store.all()] == ["red cube"]
    assert not any(b"grandmoth" in file.read_bytes() for file in store.path.parent.iterdir())


def test_only_the_owner_reads_it(store: LessonStore) -> None:
    assert store.path.stat().st_mode & 0o077 == 0 and store.path.parent.stat().st_mode & 0o077 == 0


def test_an_unknown_number_offers_the_closest(store: LessonStore) -> None:
    store.learn([lesson(f"thing {n}") for n in range(12)])
    with pytest.raises(UsageError, match=r"there is no lesson '122' in .*Did you mean '12'"):
        store.find("122")


def many(path: Path, name: str) -> None:
    for n in range(8):
        LessonStore(path).learn([lesson(run=f"{name} {n}")])


def test_processes_that_learn_at_once_lose_nothing(tmp_path: Path) -> None:
    path, spawn = tmp_path / "lessons.db", multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=many, args=(path, name)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    (kept,) = LessonStore(path).all()
    assert kept.seen == 24


class Raced(sqlite3.Connection):
    """Another process does something right behind the first look at the file."""

    others: ClassVar[list[Callable[[], object]]] = []

    def execute(self, sql, *values):  # type: ignore[override]
        if not Raced.others:
            return super().execute(sql, *values)
        rows = super().execute(sql, *values).fetchall()
        Raced.others.pop()()
        return SimpleNamespace(fetchone=lambda: rows[0])


def test_a_file_that_another_process_makes_meanwhile_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: of runs that began at once one was refused: the tables of another one were there, and its mark read before."""
    path = tmp_path / "lessons.db"
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Raced))
    Raced.others.append(lambda: LessonStore(path).learn([lesson()]))
    LessonStore(path).learn([lesson(run="r2")])
    assert Raced.others == [] and LessonStore(path).all()[0].seen == 2


def test_a_file_that_is_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    text, other = tmp_path / "notes.db", tmp_path / "other.db"
    text.write_text("my notes, by no means to be lost\n" * 100)
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    for path, why in ((text, "is no store of lessons, or a damaged one"), (other, "is something else than a store of lessons")):
        before = path.read_bytes()
        with pytest.raises(UsageError, match=why):
            LessonStore(path)
        assert path.read_bytes() == before


def test_a_damaged_file_and_one_of_a_newer_version_are_refused(store: LessonStore) -> None:
    store.learn([lesson(f"thing {n}") for n in range(200)])
    whole = store.path.read_bytes()
    for page in range(len(whole) // 4096):
        store.path.write_bytes(whole[: page * 4096] + b"\xff" * 4096 + whole[(page + 1) * 4096 :])
        broken = store.path.read_bytes()
        try:
            assert len(LessonStore(store.path).all()) == 200, "what stands in the damaged page is lost without a word"
        except UsageError as error:
            assert "lessons.db" in str(error) and "--lessons FILE" in str(error)
        assert store.path.read_bytes() == broken
    store.path.write_bytes(whole)
    with sqlite3.connect(store.path) as db:
        db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(UsageError, match="newer version"):
        LessonStore(store.path)


def test_a_locked_file_is_named_after_two_seconds(store: LessonStore) -> None:
    store.learn([lesson()])
    with sqlite3.connect(store.path, isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(MissingComponent, match=r"lessons\.db' cannot be read or written: database is locked"):
            store.learn([lesson("blue ball")])
        assert [one.about for one in store.all()] == ["red cube"], "whoever reads waits for nobody"
        db.execute("ROLLBACK")
    db.close()


def test_a_folder_that_cannot_be_written_is_told_by_every_method_not_at_the_beginning() -> None:
    folder, user = Path(tempfile.mkdtemp(prefix="vlp-lessons-")), os.geteuid()
    folder.chmod(0o555)
    if user == 0:
        os.seteuid(65534)
    try:
        store = LessonStore(folder / "lessons.db")
        for work in (store.all, lambda: store.learn([lesson()]), lambda: store.fitting("fake", ["cube"], [])):
            with pytest.raises(MissingComponent, match="Permission denied"):
                work()
    finally:
        os.seteuid(user)
        shutil.rmtree(folder)


@pytest.mark.parametrize("column", ["last_s = 1e300", "last_s = -1e18", "seen = -5", "solved = 99"])
def test_a_row_that_no_run_wrote_is_refused_in_a_sentence(store: LessonStore, column: str) -> None:
    """One odd number in a row that another program had changed ended `vlp memory list`, and runs, with a traceback."""
    store.learn([lesson()])
    with sqlite3.connect(store.path) as db:
        db.execute(f"UPDATE lesson SET {column}")
    db.close()
    with pytest.raises(UsageError, match="no store of lessons, or a damaged one"):
        store.all()
    with pytest.raises(UsageError, match="no store of lessons, or a damaged one"):
        store.fitting("fake", ["cube"], [])
