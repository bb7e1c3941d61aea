"""Flags of vLLM chosen by measurement: with a fake server and a fake clock, so that what is chosen is known."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.messages import user
from vlp.models import tuning
from vlp.models.protocol import Reply
from vlp.models.tuning import Requests, Trial, Tuning, keep, read_tuning, tune, tuning_file
from vlp.models.vllm import Flags, Vllm

CPU = Vllm("python", "0.32.0", True)
ASKED = [([user("one")], {}), ([user("two")], {})]


class FakeServer:
    """Not vLLM: replies take as long by a fake clock as `cost` says of the flags; flags in `broken` do not start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cost: Any, broken: Any = lambda flags: False, text: Any = None) -> None:
        self.now_s, self.cost, self.broken, self.text = 0.0, cost, broken, text or (lambda flags: "same")
        self.started: list[Flags] = []
        monkeypatch.setattr(tuning.time, "perf_counter", lambda: self.now_s)

    @contextmanager
    def start(self, flags: Flags) -> Iterator[Any]:
        self.started.append(flags)
        if self.broken(flags):
            raise MissingComponent("vLLM ended with status 1: ValueError: not with this model.")
        server = self

        class FakeModel:
            def generate(self, messages: Any, **options: Any) -> Reply:
                server.now_s += server.cost(flags, len(server.started))
                return Reply(server.text(flags))

        yield FakeModel()

    def tuned(self) -> Tuning:
        return tune("toy@brief", CPU, self.start, lambda model: Requests(ASKED, clients=1, rounds=1))


def test_each_flag_is_tried_on_top_of_the_best_so_far_and_the_choice_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(
        monkeypatch, lambda flags, n: (0.5 if flags.drafted == 4 else 1.0) * (0.8 if flags.sequences == 16 else 1.0)
    )
    found = server.tuned()
    assert found.flags == Flags(drafted=4, sequences=16) and found.times_faster == pytest.approx(2.5)
    usual = Flags(sequences=8)
    assert [one.flags for one in found.tried] == server.started
    assert server.started[0] == usual and {one.drafted for one in server.started[4:9]} == {4}, "it stands on the better one"
    there, back = [found.flags, usual], [usual, found.flags]
    assert server.started[9:] == [*there, *back, *there, *back, *there]


def test_flags_that_do_not_start_or_change_a_reply_are_not_chosen_however_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: a server that is fast and does not serve what was trained."""
    server = FakeServer(
        monkeypatch,
        lambda flags, n: 0.1 if flags.drafted or not flags.prefix_caching else 1.0,
        broken=lambda flags: flags.drafted > 0,
        text=lambda flags: "same" if flags.prefix_caching else "another",
    )
    found = server.tuned()
    assert found.flags == Flags(sequences=8) and found.times_faster == 1.0
    faults = [one.fault for one in found.tried if one.seconds is None]
    assert faults == [*["vLLM ended with status 1: ValueError: not with this model."] * 3, "2 of 2 replies differ"]


def test_a_lucky_trial_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: the least of ten noisy times, told as so many times as fast."""
    found = FakeServer(monkeypatch, lambda flags, n: 0.5 if n == 2 else 1.0).tuned()
    assert found.flags == Flags(sequences=8) and found.times_faster == 1.0
    assert [one.seconds for one in found.tried].count(2.0) == 1


def test_flags_that_change_nothing_are_not_chosen_for_the_noise_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: a stand-in that ignores every flag, for which flags were chosen twice in four times, "1.91 times as fast"."""

    def tuned(seed: int, gain: float) -> Tuning:
        noise = random.Random(seed)
        slow = [noise.choice((1.0, 1.0, 2.0)) * noise.uniform(0.9, 1.1) for _ in range(30)]
        return FakeServer(monkeypatch, lambda flags, n: slow[n] / (gain if flags.drafted == 4 else 1.0)).tuned()

    assert sum(tuned(seed, 1.0).flags != Flags(sequences=8) for seed in range(40)) <= 1
    found = [tuned(seed, 5.0) for seed in range(10)]
    assert all(one.flags.drafted == 4 and 2 < one.times_faster < 12 for one in found)


def test_a_choice_that_fails_when_it_is_held_against_the_usual_flags_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(monkeypatch, lambda flags, n: 0.5 if flags.drafted == 4 else 1.0)
    server.broken = lambda flags: flags.drafted == 4 and len(server.started) > 9
    found = server.tuned()
    assert found.flags == Flags(sequences=8) and found.tried[-1].fault.startswith("vLLM ended")


def test_usual_flags_that_cannot_be_served_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingComponent, match="status 1"):
        FakeServer(monkeypatch, lambda flags, n: 1.0, broken=lambda flags: True).tuned()


def test_words_of_the_command_line() -> None:
    words = Flags(drafted=4, prefix_caching=False, chunked_prefill=False, sequences=16).words()
    assert json.loads(words[words.index("--speculative-config") + 1])["num_speculative_tokens"] == 4
    assert {"--no-enable-prefix-caching", "--no-enable-chunked-prefill"} < set(words) and words[-2:] == ["--max-num-seqs", "16"]
    assert Flags.usual(replace(CPU, cpu=False)).words() == ["--enable-prefix-caching"]


def test_what_was_found_is_read_back_for_the_same_vllm_alone(tmp_path: Path) -> None:
    file = tuning_file("toy@brief+sight:0a", tmp_path)
    assert read_tuning("toy@brief+sight:0a", file) is None
    flags = Flags(drafted=4)
    found = Tuning("toy@brief+sight:0a", "0.32.0", True, flags, 1.3, (Trial(flags, 2.0), Trial(flags, None, "no")))
    keep(found, file)
    assert read_tuning("toy@brief+sight:0a", file) == found
    assert found.fits(CPU) and not found.fits(replace(CPU, version="0.33.0")) and not found.fits(replace(CPU, cpu=False))
    with pytest.raises(UsageError, match="is of 'toy@brief"):
        read_tuning("toy@brief-sight-0a", file)


NAME = "toy@brief"
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "another type of name": ({"name": 5}, "/name"),
    "no name": ({"name": None}, "/name"),
    "markup in place of a version": ({"vllm": "[bold red]x[/nope]"}, "/vllm"),
    "cpu as a word": ({"cpu": "no"}, "/cpu"),
    "no trials": ({"tried": []}, "/tried"),
    "a trial that took no time": ({"tried": [{"flags": {}, "seconds": 0, "fault": ""}]}, "/tried/0"),
    **{f"times_faster {x!r}": ({"times_faster": x}, "/times_faster") for x in ("fast", None, float("nan"), 0.5, 1e9)},
    **{
        f"{flag} {value!r}": ({"flags": asdict(Flags()) | {flag: value}}, f"/flags/{flag}")
        for flag, values in {
            "sequences": ("--trust-remote-code", -1, 4.5, 5, [1, 2], 10**30),
            "drafted": ("--host 0.0.0.0", -4, {"a": 1}, True, None),
            "prefix_caching": ("no", 1, None),
            "chunked_prefill": ("yes", 0),
            "host": ("0.0.0.0",),
        }.items()
        for value in values
    },
}


def refused(file: Path) -> str:
    """Claim that a file is refused in one line that names it and says what to do, and return that line."""
    with pytest.raises(UsageError) as error:
        read_tuning(NAME, file)
    said = str(error.value)
    assert repr(str(file)) in said and "Delete it, or measure anew: --tune." in said and len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_tune_did_not_write_is_refused(case: str, tmp_path: Path) -> None:
    """Against: words of a file that go onto vLLM's command line unchecked, "no" that counts as yes, and tracebacks."""
    changed, path = BROKEN[case]
    file = tuning_file(NAME, tmp_path)
    good = asdict(Tuning(NAME, "0.32.0", True, Flags(drafted=4), 1.3, (Trial(Flags(), 2.0),)))
    file.write_text(json.dumps(good))
    assert read_tuning(NAME, file) is not None
    file.write_text(json.dumps(good | changed))
    assert path in refused(file)


def test_a_file_that_is_no_json_or_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Against: RecursionError and OSError tracebacks."""
    file = tuning_file(NAME, tmp_path)
    for data in (b"", b"{}", b"[]", b"null", b"[" * 100_000, b"\xff\xfe"):
        file.write_bytes(data)
        assert "holds no flags for vLLM" in refused(file)
    file.unlink()
    file.mkdir()
    assert "cannot read" in refused(file)


def test_whatever_tune_tries_can_be_read_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Against: bounds of the file that refuse what was measured."""
    file = tuning_file(NAME, tmp_path)
    for taken in (lambda flags, n: 1.0, lambda flags, n: 1.0 / n):  # nothing is faster; each is faster than the one before
        found = FakeServer(monkeypatch, taken, broken=lambda flags: flags.drafted == 2).tuned()
        keep(found, file)
        assert read_tuning(NAME, file) == found
