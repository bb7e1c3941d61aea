"""`vlp journal learn`: a table from runs, which takes the place of nothing else."""

from pathlib import Path

from vlp.journal import Event, Journal
from vlp.runtime.sequencer import Learned

STARTED = {"run_id": "r", "robot": "", "world": "", "seed": 0, "model": "", "versions": {}, "options": {}}


def a_run(folder: Path) -> bytes:
    """A run in which a grasp failed and helped when it was tried again; returns its journal's bytes."""
    result = {"code": "slipped", "message": "", "value": None}
    ended = {"revision": 1, "id": "1.1", "key": "k", "do": "grasp", "status": "failed", "result": result}
    journal = Journal(folder / "journal.db")
    journal.append(Event("run-started", STARTED))
    journal.append(Event("step-finished", ended))
    journal.append(Event("retry", {"revision": 1, "id": "1.1", "tries": 2, "how": "look", "bound": {}}))
    journal.append(Event("step-finished", {**ended, "status": "succeeded", "result": {**result, "code": ""}}))
    journal.close()
    return (folder / "journal.db").read_bytes()


def test_a_table_takes_the_place_of_another_table_and_of_nothing_else(vlp, tmp_path):
    """`--out RUN/journal.db` overwrote the journal of the run that was learned from: all of the run was lost."""
    before = a_run(tmp_path / "one")
    for out in ("one/journal.db", "one", ".", ""):
        told = vlp("journal", "learn", "one", "--out", out)
        assert told.status == 2, out
    assert (tmp_path / "one" / "journal.db").read_bytes() == before
    for _ in range(2):
        assert vlp("journal", "learn", "one", "--out", "table.json").status == 0
    assert Learned.load(tmp_path / "table.json").ways["look", "grasp", "slipped", 1].helped == 1


def test_a_run_that_is_named_twice_counts_once(vlp, tmp_path):
    a_run(tmp_path / "one")
    told = vlp("journal", "learn", "one", "one/journal.db", "--out", "table.json")
    assert told.status == 0 and "1 try and 0 new policies in 1 run: table.json" in told.out
