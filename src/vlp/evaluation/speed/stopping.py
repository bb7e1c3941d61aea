"""P11: from the request to stop to the last motion command of a robot in motion, while the machine is under load."""

from itertools import cycle, islice

from vlp.core.errors import TaskFailed
from vlp.core.timing import Interval
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.evaluation.stress.command import quantiles
from vlp.evaluation.stress.motion import LOADS, Halt, served, stops


def stop(effort: Effort, trials_a_turn: int = 20) -> list[Measured]:
    """Stop a served robot over and over, with every load in turn but none at all.

    Args:
        effort: how; 100 turns are 2,000 trials.
        trials_a_turn: of each turn.

    Raises:
        TaskFailed: the robot moved after it had confirmed the stop, or took a step while it was latched.
    """
    n = trials_a_turn * effort.repeats
    loaded = (case for case in cycle(range(len(LOADS))) if LOADS[case] != "idle")
    with served() as server:
        halts = [stops(case + len(LOADS) * turn, server) for turn, case in enumerate(islice(loaded, n))]
    broken = [fault for one in halts for fault in (*one.faults, *(["it moved after it had confirmed"] if one.after else []))]
    if broken:
        raise TaskFailed(f"{len(broken)} of {n} stops broke a promise: {broken[0]}.", "See docs/results/reliability.md.")
    by_load = {load: _moved_ms(halts, load) for load in dict.fromkeys(one.what for one in halts)}
    told = ", ".join(f"{load} {max(moved):.1f} ms" for load, moved in by_load.items())
    compared = (
        f"{n} stops of a served robot that gives itself a motion command each millisecond, from the request to the last"
        f" command: a process that computes on every core (busy), 400 half-open connections at each port (flooded), the"
        f" client held by SIGSTOP (frozen), in turns. The longest: {told}. None moved after it had confirmed."
        f" 2,000 stops take `--repeats {-(-2000 // trials_a_turn)}`."
    )
    value = Interval.of(_moved_ms(halts), 0.999)
    more = {"n": n, **{load: quantiles(moved) for load, moved in by_load.items()}}
    return [Measured("P11", "a stop to the last motion command, p99.9", value, compared, at_most=20.0, unit="ms", more=more)]


def _moved_ms(halts: list[Halt], load: str = "") -> list[float]:
    return [one.moved_ms for one in halts if load in ("", one.what)]
