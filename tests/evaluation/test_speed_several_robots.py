from pathlib import Path

from vlp.evaluation.speed.rows import Effort
from vlp.evaluation.speed.several_robots import policies_a_second


def test_four_robots_get_the_policies_of_one_in_fewer_passes(tmp_path: Path) -> None:
    """The row refuses unequal replies; what it counts does not depend on the machine, as its times do."""
    [found] = policies_a_second(Effort(1, "nano", tmp_path), policies_a_robot=1)
    work = found.more["work_of_the_last_turn"]
    assert found.row == "P9" and found.at_least == 1.5 and set(found.more["p95_s"]) == {"one", "several"}
    assert work["one"]["passes"] == work["one"]["segments"] > 4
    assert work["several"]["passes"] <= work["several"]["segments"]
