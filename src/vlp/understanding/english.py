"""The tables of `english.toml`."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any


@cache
def english() -> dict[str, Any]:
    """Return the tables of `english.toml`."""
    return tomllib.loads(resources.files("vlp.understanding").joinpath("english.toml").read_text("utf-8"))


@cache
def listed(table: str, name: str) -> frozenset[str]:
    """Return the words of one list of `english.toml`."""
    return frozenset(english()[table][name].split())


def role(name: str) -> frozenset[str]:
    """Return the words that play a part in a sentence, from the table `roles`."""
    return listed("roles", name)
