"""Malformed policies are refused, quickly and without a crash; the fuzzer itself notices when they are not."""

import json
from pathlib import Path

import pytest

from vlp.evaluation.stress import fuzz
from vlp.evaluation.stress.malformed import SPOILERS


def test_no_malformed_policy_crashes_the_check_or_gets_through(tmp_path: Path) -> None:
    summary = fuzz.run_fuzz(len(SPOILERS) * 60, 7, tmp_path)
    assert (summary["crashes"], summary["wrongly_accepted"]) == (0, 0)
    assert summary["cpu_ms"]["p99"] > 0  # how fast is a matter for docs/results, not for a machine that does other things too
    assert not (tmp_path / "faults.jsonl").exists()
    assert json.loads((tmp_path / "summary.json").read_text()) == summary


def test_each_meaningful_fault_is_found_for_what_it_is(tmp_path: Path) -> None:
    spoiled = fuzz.run_fuzz(len(SPOILERS) * 20, 3, tmp_path)["spoiled"]
    expected = {
        "nested": {"too-deep", "too-large"}, "duplicated": {"duplicate-key"}, "binary": {"not-utf8"},
        "unknown_primitive": {"unknown-primitive"}, "out_of_bounds": {"out-of-bounds"}, "missing_key": {"missing-key"},
        "wrong_result": {"wrong-result"}, "hand_empty": {"hand-empty"}, "hand_full": {"hand-not-empty"},
        "stale": {"stale-reference"}, "self_relation": {"self-relation"},
    }  # fmt: skip
    for name, codes in expected.items():
        assert sum(spoiled[name]["codes"].get(code, 0) for code in codes) >= spoiled[name]["n"], name


def test_acceptance_and_crashes_are_counted_and_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(text: str | bytes, manifest: object) -> object:
        if isinstance(text, bytes):
            raise ZeroDivisionError("x")
        return fuzz.random_policy, fuzz.check_policy

    monkeypatch.setattr(fuzz, "check_policy", careless)
    summary = fuzz.run_fuzz(len(SPOILERS) * 2, 0, tmp_path)
    assert summary["crashes"] == 2
    assert summary["wrongly_accepted"] == len(SPOILERS) * 2 - 2
    faults = [json.loads(line) for line in (tmp_path / "faults.jsonl").read_text().splitlines()]
    assert len(faults) == len(SPOILERS) * 2
    assert {fault["spoiled"] for fault in faults if "ZeroDivisionError" in fault["fault"]} == {"binary"}


def test_the_same_seed_gives_the_same_cases(tmp_path: Path) -> None:
    codes = [
        {name: kind["codes"] for name, kind in fuzz.run_fuzz(len(SPOILERS) * 5, seed, tmp_path)["spoiled"].items()}
        for seed in (1, 1, 2)
    ]
    assert codes[0] == codes[1] != codes[2]
