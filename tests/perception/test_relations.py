"""Relations between located things follow from geometry as a person would say it."""

import pytest

from vlp.core.observation import Located
from vlp.perception.relations import RELATIONS, gap


def thing(phrase, x, y, z, size, yaw=0.0):
    return Located(phrase, (0.0, 0.0, 1.0, 1.0), (x, y, z), size, yaw, 1.0, 0.0)


TABLE = 0.43
BOWL = thing("green bowl", 0.6, 0.1, TABLE + 0.03, (0.15, 0.15, 0.06))
PLATE = thing("white plate", 0.6, 0.1, TABLE + 0.01, (0.17, 0.17, 0.02))
BLOCK = thing("blue block", 0.6, 0.1, TABLE + 0.024, (0.10, 0.05, 0.048))


def cube(x, y, z=TABLE + 0.025):
    return thing("red cube", x, y, z, (0.05, 0.05, 0.05))


@pytest.mark.parametrize(
    ("relation", "subject", "other", "expected"),
    [
        ("in", cube(0.61, 0.09, TABLE + 0.035), BOWL, True),
        ("in", cube(0.61, 0.09, TABLE + 0.095), BOWL, False),  # balanced on the rim
        ("in", cube(0.60, 0.20), BOWL, False),  # beside it
        ("on", cube(0.61, 0.09, TABLE + 0.035), PLATE, True),
        ("on", cube(0.60, 0.21), PLATE, False),
        ("on", cube(0.60, 0.10, TABLE + 0.073), BLOCK, True),
        ("on", cube(0.60, 0.14), BLOCK, False),
        ("next_to", cube(0.60, 0.24), BOWL, True),
        ("next_to", cube(0.60, 0.40), BOWL, False),
        ("next_to", cube(0.61, 0.09, TABLE + 0.035), BOWL, False),  # inside is not beside
        ("left_of", cube(0.62, 0.25), BOWL, True),
        ("right_of", cube(0.62, 0.25), BOWL, False),
        ("right_of", cube(0.62, -0.05), BOWL, True),
        ("behind", cube(0.75, 0.12), BOWL, True),
        ("in_front_of", cube(0.45, 0.12), BOWL, True),
        ("in_front_of", cube(0.75, 0.12), BOWL, False),
    ],
)
def test_relation(relation, subject, other, expected):
    assert RELATIONS[relation](subject, other) is expected


def test_the_gap_is_free_space_between_outlines_along_their_own_axes():
    assert gap(cube(0.60, 0.24), BOWL) == pytest.approx(0.14 - 0.025 - 0.075)
    across = thing("blue block", 0.6, 0.1, TABLE + 0.024, (0.10, 0.05, 0.048), yaw=1.5707963)
    assert gap(cube(0.60, 0.24), across) == pytest.approx(0.14 - 0.025 - 0.05, abs=1e-4)
    assert gap(BOWL, BOWL) == 0.0
