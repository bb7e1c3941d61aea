"""`vlp world`: a simulated world drawn and listed; a fault of the simulator stepped into again."""

from pathlib import Path
from typing import Annotated

import tyro

from vlp.cli.names import of_worlds
from vlp.core.errors import first, not_installed
from vlp.core.files import write_whole
from vlp.core.images import encode_png
from vlp.sim import EMBODIMENTS, WORLDS


def show(
    world: Annotated[str, of_worlds] = first(WORLDS),
    seed: int = 0,
    robot: str = first(EMBODIMENTS),
    audience: bool = False,
    out: str = "",
) -> int:
    """Draw what the robot sees of a simulated world, with boxes, and list what the world holds.

    Args:
        seed: which of its scenes.
        robot: whose camera.
        audience: draw robot and scene as films show them instead, without boxes.
        out: the picture's file; by default world-NAME-SEED.png here, with -audience where it is one.
    """
    try:
        from vlp.sim.show import show as draw
    except ImportError as error:
        raise not_installed("simulation needs", error, "sim") from None
    rgb, text = draw(seed, world, robot, audience)
    file = Path(out or f"world-{world}-{seed}{'-audience' if audience else ''}.png")
    write_whole(file, encode_png(rgb))
    print(text)
    print(f"\ndrawn to {file}")
    return 0


def replay(file: Annotated[str, tyro.conf.Positional]) -> int:
    """Step the physics again from the file that a fault of the simulator left in its run's directory.

    Args:
        file: a simulation_fault.json.
    """
    try:
        from vlp.sim.faults import replay as again
    except ImportError as error:
        raise not_installed("simulation needs", error, "sim") from None
    written, found = again(Path(file))
    print(f"written down: {written}")
    print(f"found again:  {found}")
    return 0 if found.removeprefix("as it was found: ") == written else 1
