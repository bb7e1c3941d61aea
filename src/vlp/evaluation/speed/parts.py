"""P1b: a re-plan within an episode, from the look to the checked policy in the journal, and where its time goes."""

import functools
import importlib
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from vlp.core.errors import TaskFailed
from vlp.core.timing import Interval
from vlp.episodes.cases import sample_episode
from vlp.episodes.episode import System, set_up
from vlp.evaluation.speed.replanning import opened
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.models.protocol import Reply
from vlp.sim.worlds.seeds import seed_of


@dataclass(frozen=True)
class Seams:
    """The functions, as "module:name", whose calls tell where the time of a policy goes.

    Args:
        begin: a policy goes from the call of this one
        end: to the return of this one.
        parts: part -> the functions in which its time is spent, but for what they call of other parts.
    """

    begin: str = "vlp.runtime.body:Body.observe"
    end: str = "vlp.runtime.planner:Planner.plan"
    parts: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {
            "look: draw and encode the image": ["vlp.runtime.body:Body.observe"],
            "look: find all things in it": ["vlp.runtime.body:Body.things"],
            "tower": ["vlp.models.in_process:InProcess.image_tokens"],
            "prompt: words to tokens": ["vlp.runtime.planner:plan_messages", "vlp.models.chat:Chat.prompt"],
            "prefill": [],  # told by the reply
            "decode": ["vlp.models.in_process:InProcess.generate"],
            "grammar": [
                "vlp.models.grammar:Grammars.matcher",
                *(f"vlp.models.grammar:Matcher.{name}" for name in ("allowed", "forced", "accept", "admits", "back")),
            ],
            "checks": ["vlp.runtime.planner:check_policy"],
            "journal": ["vlp.journal.writing:Journal.append"],
        }
    )


def whole_replan(effort: Effort) -> list[Measured]:
    """Row P1b: milliseconds of the re-plans of dynamic episodes, three episodes for each turn, and of their parts.

    Args:
        effort: how.

    Raises:
        TaskFailed: there was no re-plan.
    """
    model, inner = opened(effort.base)
    whole: list[float] = []
    seams, progress = Seams(), effort.counting("episodes")
    parts: dict[str, list[float]] = {name: [] for name in seams.parts}
    with watched(seams) as watch:
        for index in range(3 * effort.repeats):
            inner.forget()
            folder = effort.folder / "parts"
            shutil.rmtree(folder, ignore_errors=True)
            run, *_ = set_up(sample_episode(seed_of("test", index), "dynamic"), System(lambda: model), folder)
            watch.policies.clear()
            run.go()
            for whole_s, seconds in watch.policies[1:]:  # the first one is no re-plan
                whole.append(1000 * whole_s)
                for name, values in parts.items():
                    values.append(1000 * seconds[name])
            progress(index + 1, 3 * effort.repeats)
    said = (
        f"{len(whole)} re-plans of {3 * effort.repeats} dynamic episodes of the test split, as they happen: from the look at"
        " the scene to the checked policy in the journal. The parts are means, of which none counts twice."
    )
    if not whole:
        raise TaskFailed("no episode had a re-plan.", "Measure more of them: --repeats.")
    means = {name: fmean(values) for name, values in parts.items()}
    means["the rest of the loop"] = fmean(whole) - sum(means.values())
    return [
        Measured("P1b", "a re-plan in an episode, look to checked policy", Interval.of(whole), said, unit="ms", parts=means)
    ]


class Watch:
    """Seconds by part; a part that calls another one waits meanwhile.

    One thread of a run is at work at a time, the others wait for it: they share one pile of parts.

    Args:
        seams: which function a policy begins and ends with.

    Attributes:
        policies: of each policy that was asked for, the seconds it took, and those of the parts.
    """

    def __init__(self, seams: Seams) -> None:
        self._seams = seams
        self.policies: list[tuple[float, dict[str, float]]] = []
        self._seconds = defaultdict[str, float](float)
        self._pile = list[str]()
        self._began_s = self._since_s = 0.0

    def timed(self, name: str, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function whose time is given to a part; "" for none."""

        @functools.wraps(function)
        def called(*arguments: Any, **options: Any) -> Any:
            if name == self._seams.begin:
                self._seconds, self._began_s = defaultdict(float), time.perf_counter()
            self._turn(lambda: self._pile.append(part))
            try:
                given = function(*arguments, **options)
            finally:
                self._turn(self._pile.pop)
            if isinstance(given, Reply):
                self._seconds["prefill"] += given.timings_s["prefill"]
                self._seconds[part] -= given.timings_s["prefill"]
            if name == self._seams.end:
                self.policies.append((time.perf_counter() - self._began_s, self._seconds.copy()))
            return given

        return called

    def _turn(self, change: Callable[[], Any]) -> None:
        now_s = time.perf_counter()
        if self._pile:
            self._seconds[self._pile[-1]] += now_s - self._since_s
        change()
        self._since_s = now_s


@contextmanager
def watched(seams: Seams) -> Iterator[Watch]:
    """Give a watch that is told of every call of some functions while the context is open."""
    watch = Watch(seams)
    with ExitStack() as put_back:
        for part, names in (*seams.parts.items(), ("", [seams.end])):
            for name in names:
                module, _, path = name.partition(":")
                *owners, last = path.split(".")
                owner: Any = functools.reduce(getattr, owners, importlib.import_module(module))
                put_back.callback(setattr, owner, last, getattr(owner, last))
                setattr(owner, last, watch.timed(name, part, getattr(owner, last)))
        yield watch
