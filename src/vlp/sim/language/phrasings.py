"""The phrasings of the data files beside this module: sentences and words, each with a row for training and one for test."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple


class Phrasings(NamedTuple):
    """The ways to say one thing; a phrasing that is said more often stands there several times.

    Args:
        train: phrasings of training.
        test: phrasings kept for test, which no model is trained on.
    """

    train: tuple[str, ...]
    test: tuple[str, ...]

    def of(self, split: str) -> tuple[str, ...]:
        """Return the phrasings of a split: those of test for "test", those of training for any other."""
        return self.test if split == "test" else self.train


@cache
def phrasings(file: str, section: str) -> Mapping[str, Phrasings]:
    """Return the phrasings of one section by what they say.

    Args:
        file: "instructions", "corrections", "questions", "household" or "words".
        section: a table of that file.
    """
    return {name: Phrasings(_row(said["train"]), _row(said["test"])) for name, said in tables(file)[section].items()}


@cache
def tables(file: str) -> dict[str, Any]:
    """Return a data file as it is written."""
    return tomllib.loads(resources.files("vlp.sim.language").joinpath(f"{file}.toml").read_text("utf-8"))


def _row(written: list[str]) -> tuple[str, ...]:
    """Return a row with "cube *6" spelled out as six times "cube"."""
    parts = (text.partition(" *") for text in written)
    return tuple(phrase for phrase, _, times in parts for _ in range(int(times or 1)))
