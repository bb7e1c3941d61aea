"""What follows a step that failed: the same step once more, another look and then the step, or a new policy.

A model is asked again where nothing cheaper helps. What helps is told by what has happened to steps that ended alike: a slip
may be gone with the next try, a thing that was moved is found by a look, and what cannot be reached stays out of reach.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, get_args

from vlp.core.errors import UsageError
from vlp.core.files import write_whole
from vlp.journal import Event

Decision = Literal["retry", "look", "replan"]
"""The step once more; its things located anew and then the step once more; a new policy."""


@dataclass(frozen=True)
class FailedStep:
    """A step that failed, as decisions are made from it.

    Args:
        do: its primitive.
        code: why it failed.
        ways: in which it has been tried again already; none is taken a second time.
        seen: whether it acts on things that could be located anew.
    """

    do: str
    code: str
    ways: tuple[str, ...] = ()
    seen: bool = False

    @property
    def tries(self) -> int:
        """How often it has been tried."""
        return 1 + len(self.ways)

    @property
    def left(self) -> tuple[Decision, ...]:
        """The ways in which it can still be tried."""
        ways: tuple[Decision, ...] = ("look", "retry") if self.seen else ("retry",)
        return tuple(way for way in ways if way not in self.ways)


class Sequencer(Protocol):
    """Decides; asked only while the needs of the step still hold."""

    def decide(self, failed: FailedStep) -> Decision:
        """Return what follows a step that failed."""
        ...


@dataclass(frozen=True)
class Replan:
    """A new policy after every failure."""

    def decide(self, failed: FailedStep) -> Decision:
        """Return "replan"."""
        del failed
        return "replan"


@dataclass(frozen=True)
class Retry:
    """Every step that failed in each way once more, whatever it failed of."""

    def decide(self, failed: FailedStep) -> Decision:
        """Return "look" where there is something to look at, then "retry", then "replan"."""
        return failed.left[0] if failed.left else "replan"


@dataclass
class Tally:
    """How often something was tried and helped, and what it took.

    Args:
        tried, helped: how often.
        seconds: in all.
    """

    tried: int = 0
    helped: int = 0
    seconds: float = 0.0

    def add(self, helped: bool, seconds: float) -> None:
        """Count one more."""
        self.tried, self.helped, self.seconds = self.tried + 1, self.helped + helped, self.seconds + seconds


@dataclass
class Learned:
    """Whatever costs the least time by what journals say of steps that failed alike.

    A way that helps with probability p and takes t, against a new policy that takes T, is worth p T - t: what it spares on
    average, since where it does not help the policy is asked for all the same. p is the share in which it helped after the same
    primitive, code and number of tries, drawn towards the share after the same code by any primitive, and that towards a half.

    Args:
        ways: by decision, primitive, code and tries.
        policies: what new policies took.
        prior: how many cases what is known of others counts for.
    """

    ways: dict[tuple[str, str, str, int], Tally] = field(default_factory=dict)
    policies: Tally = field(default_factory=Tally)
    prior: float = 2.0
    format: ClassVar[str] = "vlp-sequencer-1"

    def decide(self, failed: FailedStep) -> Decision:
        """Return the way that spares the most time."""
        policy_s = self.policies.seconds / self.policies.tried if self.policies.tried else math.inf
        worth: dict[Decision, float] = {"replan": 0.0}
        for way in failed.left:
            share, seconds = self.chance(way, failed), self._seconds(way, failed)
            worth[way] = math.inf if policy_s == math.inf else share * policy_s - seconds
        return max(worth, key=worth.__getitem__)

    def chance(self, way: str, failed: FailedStep) -> float:
        """Return the probability that a way helps."""
        alike = [t for (w, _, code, _), t in self.ways.items() if (w, code) == (way, failed.code)]
        share = (self.prior / 2 + sum(t.helped for t in alike)) / (self.prior + sum(t.tried for t in alike))
        own = self.ways.get((way, failed.do, failed.code, failed.tries), Tally())
        return (self.prior * share + own.helped) / (self.prior + own.tried)

    def _seconds(self, way: str, failed: FailedStep) -> float:
        """Return what a way takes: the mean over the primitive, 0 for one that was never tried again."""
        mine = [t for (w, do, _, _), t in self.ways.items() if (w, do) == (way, failed.do)]
        return sum(t.seconds for t in mine) / tried if (tried := sum(t.tried for t in mine)) else 0.0

    def learn(self, events: Sequence[Event]) -> None:
        """Take in one run: what its retries led to, and what its policies took."""
        for way, failed, helped, seconds in tries_of(events):
            self.ways.setdefault((way, failed.do, failed.code, failed.tries), Tally()).add(helped, seconds)
        for seconds in policies_of(events):
            self.policies.add(True, seconds)

    def save(self, path: Path) -> None:
        """Write the table as a JSON file."""
        rows = [[*key, t.tried, t.helped, round(t.seconds, 3)] for key, t in sorted(self.ways.items())]
        told = {"format": self.format, "policies": [self.policies.tried, round(self.policies.seconds, 3)], "ways": rows}
        write_whole(path, json.dumps(told, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Learned":
        """Return the table of a file; raises UsageError where it is none."""
        try:
            said = json.loads(path.read_bytes())
            if said["format"] != cls.format:
                raise ValueError(f"format {said['format']!r}")
            if not isinstance(said["ways"], list):
                raise ValueError("ways is no list")
            made = cls(policies=_tally(said["policies"][0], said["policies"][0], said["policies"][1]))
            for way, do, code, tries, *counts in said["ways"]:
                if way not in get_args(Decision) or not (isinstance(do, str) and isinstance(code, str)) or not 1 <= tries < 100:
                    raise ValueError(f"row {[way, do, code, tries]!r}")
                made.ways[way, do, code, int(tries)] = _tally(*counts)
            return made
        except OSError as error:
            raise UsageError(f"{str(path)[:300]!r} cannot be read: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
            hint = "`vlp journal learn` writes one."
            raise UsageError(f"{str(path)[:300]!r} is no table of a sequencer, or a damaged one.", hint) from None


def open_sequencer(name: str) -> Sequencer | None:
    """Return the sequencer of `--sequencer`: None for "", "retry" or the file of a learned one; raises UsageError."""
    if name in ("", "retry"):
        return Retry() if name else None
    if not Path(name).is_file():
        near = "Did you mean 'retry'? " if get_close_matches(Path(name).name.lower(), ["retry"]) else ""
        raise UsageError(f"there is no file {name[:300]!r}.", f'{near}Expected "retry", or a table of `vlp journal learn`.')
    return Learned.load(Path(name))


def _tally(tried: Any, helped: Any, seconds: Any) -> Tally:
    whole = type(tried) is int and type(helped) is int and 0 <= helped <= tried < 10**12
    if not (whole and type(seconds) in (int, float) and 0 <= seconds < 1e12):
        raise ValueError("counts out of bounds")
    return Tally(tried, helped, float(seconds))


def tries_of(events: Iterable[Event]) -> Iterator[tuple[Decision, FailedStep, bool, float]]:
    """Yield each step that was tried again: in which way, after what, whether it helped, and the seconds that it took."""
    failed: Mapping[str, Any] = {}
    again: tuple[Decision, FailedStep] | None = None
    ways: tuple[str, ...] = ()
    began_s = 0.0
    for event in events:
        if event.kind == "retry":
            ways = (*ways, event.data["how"])
            again = event.data["how"], FailedStep(str(failed.get("do", "")), _code(failed), ways[:-1])
            began_s = event.wall_s
        elif event.kind == "step-finished":
            if again is not None:
                yield *again, event.data["status"] == "succeeded", max(0.0, event.wall_s - began_s)
            failed, again = event.data, None
            ways = ways if event.data["status"] != "succeeded" else ()
        elif event.kind == "policy":
            again, ways = None, ()


def _code(data: Mapping[str, Any]) -> str:
    return str(data.get("result", {}).get("code", ""))


def policies_of(events: Iterable[Event]) -> Iterator[float]:
    """Yield the seconds from each failure of a step to the first step of the new policy."""
    failed_s: float | None = None
    for event in events:
        if event.kind == "step-finished":
            failed_s = event.wall_s if event.data["status"] != "succeeded" else None
        elif event.kind in ("retry", "instruction"):
            failed_s = None
        elif event.kind == "step-started" and failed_s is not None:
            yield max(0.0, event.wall_s - failed_s)
            failed_s = None
