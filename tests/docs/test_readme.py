"""Every command of the README and of `vlp --help` runs as it stands.

The README told people to check `policy.json`, to compare `first.json` with `second.json` and to ask about `image.png`, and none
of these was anywhere: the first thing that somebody copied ended in an error.
"""

import pytest
from neighbours import have_nano_as, serve_models
from shown import HELP, ROOT
from walk import InPlace, Walk

IN_PLACE = {
    'vlp run "bring the milk carton to the sofa" --robot anymal --world home --seed 83'
    " --model expert --grounder oracle --film wide": InPlace(
        "it draws a film for minutes",
        'vlp run "Tell me how many dishes there are on the coffee table." --robot anymal --world home --seed 83 --model expert'
        " --grounder oracle --no-recordings",
    ),
    "make demo": InPlace("it installs; what it runs then is among the commands here", f"make -n -C {ROOT} demo"),
    "make test": InPlace("it is what runs this", f"make -n -C {ROOT} test"),
    'vlp run "pick up the red cube" --seed 20009802 --model Qwen/Qwen2.5-VL-3B-Instruct': InPlace(
        "7 GB, and a GPU; a folder in the same layout stands for it",
        'vlp run "pick up the red cube" --seed 20009802 --model a-folder',
        have_nano_as("a-folder"),
    ),
    'vlp run "pick up the red cube" --seed 20009802 --model http://127.0.0.1:8000/v1': InPlace(
        "no server of models ships", None, serve_models(8000, "stand-in")
    ),
}


@pytest.mark.slow
def test_every_command_of_the_readme_and_the_help_runs(walk: Walk) -> None:
    walk.along(["README.md", HELP], IN_PLACE)
    assert (walk.folder / "runs" / "stopped" / "run.mp4").is_file()
