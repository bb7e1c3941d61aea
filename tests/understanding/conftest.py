"""The gate of the embedded model, for which whatever is not explained is declined, and that of a general one."""

import pytest

from vlp.models.nano_names import NANO_NAMES
from vlp.understanding.gate import Gate

PRIMITIVES = frozenset(("locate", "grasp", "lift", "place", "push", "release", "check", "go_to", "home"))


@pytest.fixture(scope="session")
def strict() -> Gate:
    return Gate(NANO_NAMES, PRIMITIVES, reads=True)


@pytest.fixture(scope="session")
def soft() -> Gate:
    return Gate(None, PRIMITIVES, reads=True)
