"""vLLM's flags chosen by measurement: requests of a planner, each flag in turn, and the file that keeps what was found."""

import json
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from vlp.core.errors import MissingComponent, UsageError, VlpError
from vlp.core.files import write_whole
from vlp.core.messages import Message
from vlp.core.strict import Strict, first_fault
from vlp.core.timing import Interval, Timed
from vlp.models.protocol import Model
from vlp.models.vllm import Flags, Vllm
from vlp.primitives.schema import Schema

Start = Callable[[Flags], AbstractContextManager[Model]]
"""Serves a model under flags while the context is open."""


@dataclass(frozen=True)
class Trial:
    """What became of some flags.

    Args:
        flags: that were tried.
        seconds: that the requests took; None where they cannot be used.
        fault: why they cannot: vLLM did not start, or the model gave other replies.
    """

    flags: Flags
    seconds: float | None
    fault: str = ""


@dataclass(frozen=True)
class Tuning:
    """What was found for a model.

    Args:
        name: under which it is served.
        vllm: version that it was measured with; on a CPU where `cpu`.
        cpu: whether that is a build for CPUs.
        flags: that were chosen.
        times_faster: than the usual ones, measured in turns after the choice; 1 for the usual ones.
        tried: all trials, in order.
    """

    name: str
    vllm: str
    cpu: bool
    flags: Flags
    times_faster: float
    tried: tuple[Trial, ...]

    def fits(self, vllm: Vllm) -> bool:
        """Whether it says something of an installed vLLM."""
        return (self.vllm, self.cpu) == (vllm.version, vllm.cpu)


@dataclass(frozen=True)
class Requests:
    """Requests for policies, asked one after the other as by one robot, and several at once as by a few.

    Args:
        asked: conversations with the grammars of their replies.
        clients: that ask at once.
        rounds: of which the median counts; one more before them is not timed.
        turns: of the choice and the usual flags at the end, each started anew; of noise alone, 1 of 32 choices stands then.
    """

    asked: Sequence[tuple[Sequence[Message], Schema]]
    clients: int = 4
    rounds: int = 3
    turns: int = 5

    def answered(self, model: Model) -> tuple[float, list[str]]:
        """Return the seconds of a round, and the replies of the last one when asked one after the other."""

        def ask(one: tuple[Sequence[Message], Schema]) -> str:
            return model.generate(one[0], grammar=one[1], max_tokens=1024, timeout_s=600.0).text

        taken, alone = list[float](), list[str]()
        with ThreadPoolExecutor(self.clients) as pool:
            for _ in range(1 + self.rounds):
                began = time.perf_counter()
                alone = [ask(one) for one in self.asked]
                list(pool.map(ask, self.asked))  # in a batch, replies may differ at a tie
                taken.append(time.perf_counter() - began)
        return statistics.median(taken[1:]), alone


def tune(
    name: str,
    vllm: Vllm,
    start: Start,
    requests: Callable[[Model], Requests],
    tell: Callable[[Trial], None] = lambda trial: None,
) -> Tuning:
    """Try each flag on top of what is fastest so far by 5 % and gives the same replies, and hold the choice against the usual.

    The fastest of ten noisy trials looks faster than it is. So the choice and the usual flags are measured again in turns, and
    the choice stands where the 95 % interval of their ratio lies above 1.

    Args:
        name: of the model.
        vllm: that serves it.
        start: serves the model; what it raises says that flags cannot be used.
        requests: what is asked, by the model as it is usually served.
        tell: told of each trial.

    Raises:
        VlpError: the model cannot be served under the usual flags.
    """
    tried, usual = list[Trial](), Flags.usual(vllm)
    with start(usual) as model:
        wanted = requests(model)
        seconds, expected = wanted.answered(model)

    def told(trial: Trial) -> Trial:
        tried.append(trial)
        tell(trial)
        return trial

    def measured(flags: Flags) -> Trial:
        try:
            with start(flags) as model:
                taken_s, replies = wanted.answered(model)
        except VlpError as error:
            return told(Trial(flags, None, str(error)[:300]))
        differ = sum(one != other for one, other in zip(replies, expected, strict=True))
        if differ:
            return told(Trial(flags, None, f"{differ} of {len(expected)} replies differ"))
        return told(Trial(flags, taken_s))

    best = told(Trial(usual, seconds))
    others: Mapping[str, Sequence[Any]] = {
        "drafted": (2, 4, 8),
        "prefix_caching": (False,),
        "chunked_prefill": (True, False),
        "sequences": (4, 16),
    }
    for flag, values in others.items():
        for value in values:
            trial = measured(replace(best.flags, **{flag: value}))
            if _faster(trial, best):
                best = trial
    ratio = _compared(usual, best.flags, measured, wanted.turns) if best.flags != usual else None
    if ratio is None or ratio.low <= 1:
        return Tuning(name, vllm.version, vllm.cpu, usual, 1.0, tuple(tried))
    return Tuning(name, vllm.version, vllm.cpu, best.flags, ratio.median, tuple(tried))


def _compared(usual: Flags, chosen: Flags, measured: Callable[[Flags], Trial], turns: int) -> Interval | None:
    """Return how many times as fast some flags are as the usual ones; None where one of the trials fails."""
    arms = {"usual": usual, "chosen": chosen}
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(turns):
        for name in list(arms) if turn % 2 else reversed(list(arms)):
            trial = measured(arms[name])
            if trial.seconds is None:
                return None
            seconds[name].append(trial.seconds)
    return Timed(seconds).ratio("usual", "chosen")


def _faster(one: Trial, other: Trial) -> bool:
    return one.seconds is not None and other.seconds is not None and one.seconds < 0.95 * other.seconds


def tuning_file(name: str, folder: Path = Path("runs/serve")) -> Path:
    """Return where the tuning of a model stands."""
    return folder / f"{re.sub(r'[^A-Za-z0-9._-]', '-', name)[:120]}.json"


def keep(tuning: Tuning, file: Path) -> None:
    """Write a tuning; raises MissingComponent where that cannot be done."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingComponent(f"cannot make {str(file.parent)!r}: {error.strerror}.") from None
    write_whole(file, json.dumps(asdict(tuning), indent=1) + "\n")


def read_tuning(name: str, file: Path) -> Tuning | None:
    """Return the tuning of a model that stands in a file, None where there is none.

    Raises:
        UsageError: the file cannot be read, or holds what `tune` does not write: its values go onto vLLM's command line.
    """
    try:
        read = _Tuning.model_validate_json(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"cannot read {str(file)!r}: {error.strerror}.", "Delete it, or measure anew: --tune.") from None
    except ValidationError as error:
        said = f"{str(file)!r} holds no flags for vLLM: {first_fault(error)}"
        raise UsageError(said, "Delete it, or measure anew: --tune.") from None
    if read.name != name:
        raise UsageError(f"{str(file)!r} is of {read.name!r}, not of {name!r}.", "Delete it, or measure anew: --tune.")
    return read.plain()


class _Flags(Strict):
    """The values that `tune` tries, and the usual ones."""

    drafted: Literal[0, 2, 4, 8]
    prefix_caching: bool
    chunked_prefill: bool | None
    sequences: Literal[4, 8, 16] | None

    def plain(self) -> Flags:
        return Flags(self.drafted, self.prefix_caching, self.chunked_prefill, self.sequences)


class _Trial(Strict):
    flags: _Flags
    seconds: Annotated[float, Field(gt=0, le=1e6)] | None
    fault: Annotated[str, Field(max_length=300)]


class _Tuning(Strict):
    """The schema of a tuning's file."""

    name: Annotated[str, Field(min_length=1, max_length=300)]
    vllm: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+!_-]{1,80}$")]
    cpu: bool
    flags: _Flags
    times_faster: Annotated[float, Field(ge=1, le=1000)]
    tried: Annotated[list[_Trial], Field(min_length=1, max_length=100)]

    def plain(self) -> Tuning:
        tried = tuple(Trial(one.flags.plain(), one.seconds, one.fault) for one in self.tried)
        return Tuning(self.name, self.vllm, self.cpu, self.flags.plain(), self.times_faster, tried)
