"""Flags of vLLM chosen by measurement: with a fake server and a fake clock, so that what is chosen is known."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
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


def test_each_flag_is_tried_on_top_of_the_best_so_far_and_the_choice_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(
        monkeypatch, lambda flags, n: (0.5 if flags.drafted == 4 else 1.0) * (0.8 if flags.sequences == 16 else 1.0)
    )
    found = server.tuned()
    assert found.flags == Flags(drafted=4, sequences=16) and found.times_faster == pytest.approx(2.5)
    usual = Flags(sequences=8)
    assert [one.flags for one in found.tried] == server.started
    assert server.started[0] == usual and server.started[-2:] == [found.flags, usual]
    assert {one.drafted for one in server.started[4:-1]} == {4}, "what comes after a better one stands on it"
    assert len(server.started) == 11


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
    for text in ("", "[]", "{}", file.read_text().replace('"drafted": 4', '"draft": 4')):
        file.write_text(text)
        with pytest.raises(UsageError, match="holds no flags"):
            read_tuning("toy@brief+sight:0a", file)
