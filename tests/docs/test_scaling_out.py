"""Every command of the page on scaling out runs, on a cluster of this machine alone."""

import pytest
from neighbours import have_nano_as, know_extras
from walk import InPlace, Walk

PAGE = "docs/scaling_out.md"
CLUSTER = InPlace("it outlives the command; tests/core/test_on_ray.py starts a cluster of two nodes that does not", "")
SMALL = "one machine and a few cases stand for it"
IN_PLACE = {
    "pip install -e '.[ray,sim,models]'": InPlace("it installs", "", know_extras),
    "ray start --head": CLUSTER,
    "ray start --address HOST:6379": CLUSTER,
    "vlp bench run static --n 200 --ray auto --out runs/static": InPlace(
        SMALL, "vlp bench run pose --n 2 --workers 2 --ray local --out runs/static"
    ),
    "vlp data collect --n 8000 --ray auto --out samples": InPlace(
        SMALL, "vlp data collect --n 2 --workers 2 --ray local --out samples"
    ),
    "ray stop": InPlace("it stops every cluster of this machine", ""),
    "accelerate launch --multi_gpu --num_processes 2 -m vlp.cli.main train sft --data samples --base nano --out run2": InPlace(
        "tests/training/test_sft.py trains so", "vlp train sft --base nano --dry-run"
    ),
    "vlp serve --model my-planner --dry-run": InPlace(
        "no model was trained; the one that ships stands for it", None, have_nano_as("my-planner")
    ),
}


@pytest.mark.long
def test_every_command_of_the_page_on_scaling_out_runs(walk: Walk) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'vlp[ray]'")
    walk.along([PAGE], IN_PLACE)
