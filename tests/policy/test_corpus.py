"""The inputs with which fuzzing reached new code: each keeps its verdict, and no second judge objects to what is accepted.

The files are named by the verdict: "accepted", or the code of the first issue. Written by
`python -m vlp.evaluation.stress.coverage --keep FOLDER`.
"""

from pathlib import Path

import pytest

from vlp.core.errors import Report
from vlp.evaluation.stress.coverage import Target, verdict
from vlp.evaluation.stress.second_opinion import SecondOpinion
from vlp.policy.checks import check_policy
from vlp.sim.fake.robot import fake_manifest

FILES = sorted((Path(__file__).parent / "corpus").iterdir())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_fuzzing_found_keeps_its_verdict(file: Path) -> None:
    """Against: a crash of the check, or a malformed policy that it accepts, once found and come back."""
    data, manifest = file.read_bytes(), fake_manifest()
    plan, report = check_policy(data, manifest)
    assert verdict(plan, report) == file.name.partition(".")[0]
    if plan is not None:
        assert SecondOpinion(manifest).objection(data) == ""


def test_a_check_that_crashes_or_accepts_too_much_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fuzzer that cannot fail shows nothing."""
    target = Target(tmp_path / "stats.json")
    monkeypatch.setattr(target, "_check", lambda data, manifest: (object(), Report()))
    target(b'{"goal":"g","subtasks":[{"name":"n","steps":[{"do":"lift","height_m":0.1}]}]}')
    target(b'{"goal":"g","subtasks":[{"name":"n","steps":[{"do":"fly"}]}]}')
    target(b'{"goal":"g","goal":"h","subtasks":[]}')
    target(b'{"goal":"g","subtasks":[]}')
    monkeypatch.setattr(target, "_check", lambda data, manifest: 1 / 0)
    target(b"{}")
    found = [fault["fault"] for fault in target.faults]
    assert [fault.partition(":")[0] for fault in found] == ["accepted", "accepted", "accepted", "crash"]
    assert "empty hand" in found[0] and "fly" in found[1] and "twice" in found[2] and target.n == 5
