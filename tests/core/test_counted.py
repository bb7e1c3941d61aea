import pytest

from vlp.core.errors import not_installed
from vlp.core.messages import counted


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [(1, "policy", "1 policy"), (2, "policy", "2 policies"), (0, "day", "0 days"), (1200, "new sample", "1,200 new samples")],
)
def test_a_number_takes_its_noun(number: int, noun: str, said: str) -> None:
    """Against: "1 policies"."""
    assert counted(number, noun) == said


def test_a_package_that_does_not_load_is_told_from_one_that_is_missing() -> None:
    """Against: "simulation needs None" for a library of the system that was not found."""
    missing = not_installed("simulation needs", ModuleNotFoundError("No module named 'mujoco'", name="mujoco"), "sim")
    assert str(missing) == "simulation needs mujoco. Install it with: pip install 'vlp[sim]'."
    broken = not_installed("simulation needs", ImportError("libGL.so.1: cannot open shared object file"), "sim")
    assert "which does not load: libGL.so.1: cannot open" in str(broken)
