"""Steps delivered twice, late and over restarts act once each; short forms of the stress of a served robot."""

from pathlib import Path

import pytest

from vlp.evaluation.stress.commanders import race
from vlp.evaluation.stress.delivery import HAPPENINGS, Delivery, deliver
from vlp.evaluation.stress.motion import LOADS, WAYS, measure

pytestmark = pytest.mark.slow


def test_every_step_acts_once_under_the_newest_epoch_over_restarts() -> None:
    """Epochs repeated after a restart with more than one grant a second, and a stale command acted twice."""
    summary = deliver(800, seed=7)
    assert summary["faults"] == []
    assert set(HAPPENINGS) <= set(summary["happened"]) and summary["happened"]["carried out"] > 50


def test_a_server_that_forgets_is_found_out() -> None:
    """A stress that cannot fail shows nothing."""
    delivery = Delivery(3, None)
    for _ in range(600):
        delivery.happen()
    delivery.close()
    told = "\n".join(delivery.judge())
    assert "acted more than once" in told and "the latch was open after a restart" in told


def test_no_motion_follows_the_word_confirmed_whatever_else_runs(tmp_path: Path) -> None:
    """A tick of motion followed the word "confirmed" in most stops."""
    figures = measure("stops", len(LOADS), tmp_path / "stops")["stops"]["all"]
    assert (figures["n"], figures["motion_after_confirmed"], figures["faults"]) == (4, 0, [])
    assert figures["confirmed"] == 4


def test_a_robot_whose_client_falls_silent_is_stopped_and_latched(tmp_path: Path) -> None:
    """A client that was killed in motion left 3.4 to 4.9 s of motion."""
    summary = measure("silence", len(WAYS), tmp_path / "silence")["silence"]
    assert summary["all"]["faults"] == [] and set(WAYS) < set(summary)
    again = measure("silence", len(WAYS), tmp_path / "silence")["silence"]
    assert again == summary, "what was measured is kept"


def test_two_commanders_never_move_one_robot() -> None:
    summary = race(480, seed=5)
    assert summary["faults"] == [] and summary["epochs"] > 5 and summary["steps"] > 20
