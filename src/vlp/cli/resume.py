"""`vlp resume`: go on where another process ended."""

from typing import Annotated

import tyro

from vlp.cli.launch import launch
from vlp.cli.out import held
from vlp.core.files import check_writable
from vlp.journal import journal_path
from vlp.runtime.session import read_run


def resume(
    directory: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")],
    token: str = "",
) -> int:
    """Go on with a run whose process died or was stopped: no finished step is repeated.

    A simulated robot is restored from the journal; a real one is asked what became of the step in flight.

    Args:
        directory: the run's directory.
        token: of a robot's server; by default the environment's VLP_ROBOT_TOKEN.
    """
    folder = journal_path(directory).parent
    with held(folder):
        check_writable(folder)
        spec, events = read_run(directory)
        return launch(folder, spec, token, resumed=events)
