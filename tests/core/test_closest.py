"""The closest match is a typo's, and nothing else's."""

import pytest

from vlp.core.errors import closest

KNOWN = ("water", "photograph", "pose", "hsr", "anymal", "grasp", "static", "tabletop", "nano", "go_to", "base_speed_m_s")


@pytest.mark.parametrize(
    ("said", "near"),
    [
        ("hrs", "hsr"), ("grap", "grasp"), ("statik", "static"), ("tabeltop", "tabletop"), ("nono", "nano"),
        ("anymol", "anymal"), ("goto", "go_to"), ("base_speed", "base_speed_m_s"), ("photgraph", "photograph"),
    ],
)  # fmt: skip
def test_a_typo_is_told(said: str, near: str) -> None:
    """Guards against a cutoff so high that true typos get no answer."""
    assert closest(said, KNOWN) == near


@pytest.mark.parametrize(("said", "known"), [("locate", "water"), ("grasp", "photograph"), ("nosuite", "pose"), ("", "pose")])
def test_another_word_is_no_typo(said: str, known: str) -> None:
    """Whoever asked for 'locate' was asked whether 'water' was meant."""
    assert closest(said, [known]) is None
