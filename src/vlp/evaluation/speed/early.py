"""P5: when the first primitive is sent, over when the policy has been written, begun early and not."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlp.core.messages import counted
from vlp.core.timing import Interval, NotTheSame
from vlp.episodes.cases import Episode, sample_episode
from vlp.episodes.episode import System, set_up
from vlp.episodes.expert_model import ExpertModel
from vlp.episodes.verdict import Verdict
from vlp.evaluation.speed.imposed import ImposedModel
from vlp.evaluation.speed.rendering import timeless
from vlp.evaluation.speed.replanning import opened
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.journal import Event, read_events
from vlp.models.in_process import InProcess
from vlp.runtime.body import Budget
from vlp.runtime.early import FirstStep
from vlp.sim.worlds.seeds import seed_of


@dataclass(frozen=True)
class FirstSent:
    """One run, as far as its first policy.

    Args:
        done: what is asserted equal in both arms: how the run ended, its policies, its steps with their results.
        sent_s, written_s: from the request to the first primitive, and to the whole policy.
        read_s: from the request to the first token of the policy.
        tokens: of the policy, up to where it is known what its first step does, and in all.
        early: whether the first primitive was begun while the policy was written.
    """

    done: tuple[Any, ...]
    sent_s: float = field(compare=False)
    written_s: float = field(compare=False)
    read_s: float = field(compare=False)
    tokens: tuple[int, int] = field(compare=False)
    early: bool = field(compare=False)


def first_step(effort: Effort) -> list[Measured]:
    """Measure static episodes with the expert's policies imposed on the model, each begun early and not."""
    _, inner = opened(effort.base)
    pairs, progress = list[dict[bool, FirstSent]](), effort.counting("episodes")
    for n in range(effort.repeats):
        pairs.append(_both(n, inner, effort.folder / "early"))
        progress(n + 1, effort.repeats)
    early, usual = [pair[True] for pair in pairs], [pair[False] for pair in pairs]
    waited = Interval.of([one.sent_s / one.written_s for one in usual])
    compared = (
        f"first policies of {counted(len(pairs), 'static episode')} of the test split, the expert's, imposed on"
        f" {inner.name!r} whatever its weights, with nothing kept of an earlier prompt;"
        f" {sum(one.early for one in early)} begun early. Where the policy is waited for: {waited}."
        " Same policies, steps, results and ends."
    )
    more = {"seconds": {"early": _seconds(early), "usual": _seconds(usual)}}
    from_request = Interval.of([one.sent_s / one.written_s for one in early])
    from_token = Interval.of([(one.sent_s - one.read_s) / (one.written_s - one.read_s) for one in early])
    tokens = Interval.of([one.tokens[0] / one.tokens[1] for one in early])
    said = "The same runs without the time in which the prompt is read."
    known = "Counted in the same policies: what it comes to where a prompt is known and every token takes a pass of its own."
    return [
        Measured("P5", "first primitive sent over policy written", from_request, compared, at_most=0.3, more=more),
        Measured("P5", "first primitive sent over policy written, from the first token", from_token, said),
        Measured("P5", "tokens of the policy before the first primitive can be sent, over all", tokens, known),
    ]


def _seconds(runs: Sequence[FirstSent]) -> list[tuple[float, float, float]]:
    return [(one.read_s, one.sent_s, one.written_s) for one in runs]


def _both(number: int, inner: InProcess, folder: Path) -> dict[bool, FirstSent]:
    """Return the runs of an episode, begun early and not, the one that comes first by turns."""
    episode = sample_episode(seed_of("test", number), "static")
    found = {early: sent_first(episode, inner, folder, early) for early in ((False, True) if number % 2 else (True, False))}
    if found[True] != found[False]:
        raise NotTheSame(f"episode {number}: {found[True].done} is not {found[False].done}")
    return found


def sent_first(episode: Episode, inner: InProcess, folder: Path, early: bool) -> FirstSent:
    """Run an episode with the expert's policies imposed on a model, and return how long the beginning took."""
    shutil.rmtree(folder, ignore_errors=True)
    inner.forget()
    model = ImposedModel(inner)
    patient = Budget(run_s=36_000.0, model_s=3600.0, step_grace_s=600.0)
    run, simulation, *_ = set_up(episode, System(lambda: model, "oracle", budget=patient, early=early), folder)
    assert isinstance(run.loop.judge, Verdict)
    judge = run.loop.judge
    model.writes = ExpertModel(simulation.world.tasks, simulation.truth, lambda: judge.task)
    outcome = run.go()
    events = read_events(folder, blobs=False)
    ended = (outcome.outcome, outcome.claim, outcome.verdict, round(float(simulation.data.time), 3))
    policies = [event.data["policy"] for event in events if event.kind == "policy"]
    steps = [(e.data["do"], e.data["status"], timeless(e.data["result"])) for e in events if e.kind == "step-finished"]
    asked, reply = (_first(events, kind) for kind in ("observation", "reply"))
    sent = _first(events, "step-started", "step-begun")
    timings_s, text, encode = reply.data["timings_s"], reply.data["text"], inner.vocabulary.encode
    return FirstSent(
        done=(ended, policies, steps),
        sent_s=sent.wall_s - asked.wall_s,
        written_s=reply.wall_s - asked.wall_s,
        read_s=timings_s["prompt"] + timings_s["prefill"],
        tokens=(len(encode(text[: known_at(text)])), len(encode(text))),
        early=sent.kind == "step-begun",
    )


def known_at(text: str) -> int:
    """Return how many characters of a policy are written when its first step can be begun; all of them where none can be."""
    first = FirstStep()
    for written, character in enumerate(text, 1):
        first.add(character)
        if not first.closed.empty():
            return written
    return len(text)


def _first(events: Sequence[Event], *kinds: str) -> Event:
    return next(event for event in events if event.kind in kinds)
