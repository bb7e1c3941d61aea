"""The things that the embedded model knows, and the English words for them: whatever else is named, it cannot serve."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from vlp.core.messages import Names


@cache
def words() -> dict[str, Any]:
    """Return the tables of `words.toml`."""
    return tomllib.loads(resources.files("vlp.nano").joinpath("words.toml").read_text("utf-8"))


NAMES = Names(**words()["names"])
