"""Is what is used what was trained? The same prompts through trained, merged and served model, token by token.

Greedy, without a grammar: nothing hides a difference. Two models may part only where the two tokens were as good as equally
likely to both (a tie); every other difference is a failure.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vlp.core.errors import UsageError
from vlp.core.messages import Message
from vlp.data.store import Store
from vlp.evaluation.gates.report import GateReport
from vlp.evaluation.gates.tuned import Tuned
from vlp.models.catalogue import find_folder
from vlp.models.openai_model import OpenAIModel
from vlp.models.protocol import Trace, Traceable
from vlp.models.transformers_model import TransformersModel
from vlp.models.turns import own_turns

Prompts = Callable[[str], list[list[Message]]]
"""A wording to conversations, the same ones each time."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Compared:
    """How one reply stands to another.

    Args:
        equal: all tokens are the same.
        tie: why they part, where it is a tie; "" otherwise.
        fault: what is wrong; "" for nothing.
        apart: the largest difference of log-probabilities of a token that both wrote.
    """

    equal: bool
    tie: str
    fault: str
    apart: float


def compare(one: Trace, other: Trace, tolerance: float) -> Compared:
    """Compare two greedy replies to one prompt, up to where they part.

    Args:
        one, other: the replies.
        tolerance: how far two log-probabilities of one token may be apart.
    """
    if one.prompt_tokens != other.prompt_tokens:
        return Compared(False, "", f"the prompt has {one.prompt_tokens} tokens and {other.prompt_tokens}", 0.0)
    apart, at = 0.0, 0
    for at, (mine, theirs) in enumerate(zip(one.tokens, other.tokens, strict=False)):
        here, there = one.tops[at], other.tops[at]
        if mine != theirs:
            gaps = (here[mine] - here.get(theirs, -float("inf")), there[theirs] - there.get(mine, -float("inf")))
            where = f"token {at}: {mine} and {theirs}, {gaps[0]:.4f} and {gaps[1]:.4f} apart"
            tie = all(gap <= tolerance for gap in gaps)
            return Compared(False, where, "", apart) if tie else Compared(False, "", where, apart)
        gap = abs(here[mine] - there[mine])
        apart = max(apart, gap)
        if not gap <= tolerance:  # which NaN is not either
            return Compared(False, "", f"token {at}: log-probabilities {here[mine]:.4f} and {there[mine]:.4f}", apart)
    # A server may keep the token that ends the turn to itself.
    longer = abs(len(one.tokens) - len(other.tokens))
    if longer > (1 if one.ended and other.ended else 0):
        return Compared(False, "", f"one reply ends after {at + 1} tokens, the other goes on", apart)
    return Compared(True, "", "", apart)


def parity(
    tuned: Tuned,
    prompts: Prompts,
    *,
    merged: str = "",
    url: str = "",
    key: str = "",
    tolerance: float = 0.0,
    device: str | None = None,
    max_tokens: int = 256,
    progress: Progress = lambda what, done, all_: None,
) -> GateReport:
    """Compare a tuned model as it was trained with itself merged, and served.

    Args:
        tuned: the model.
        prompts: see `Prompts`.
        merged: the merged folder; "" makes one for the while, where there is something to merge.
        url: of a server that serves it; "" for none.
        key: bearer token of that server.
        tolerance: see `compare`; 0 takes what the type of the weights loses by rounding, and no more than that.
        device: "cpu", "cuda", ...; None takes a GPU where there is one.
        max_tokens: limit on each reply.
        progress: told (which model, prompts done, all).

    Raises:
        UsageError: an adapter with a key that the base has no place for, by its name; another base; no prompts.
        MissingComponent: the server cannot be reached, or does not tell its tokens.
    """
    if not (merged or url or tuned.adapter or tuned.run):
        hint = "Name a server with --url, or give the folder of a run or an adapter."
        raise UsageError(f"{tuned.name!r} is one model, with nothing to compare it to.", hint)
    trained = tuned.as_trained(device=device)
    kind = str(trained.model.dtype).removeprefix("torch.")
    tolerance = tolerance or {"float32": 0.001, "float16": 0.1, "bfloat16": 0.3}[kind]
    asked = prompts(trained.profile)
    if not asked:
        raise UsageError("no prompts to compare on.", "Give a store that has samples of that split.")
    if trained.turns is not None:  # said once before each reply: all are asked the very same, for each of these turns too
        shown = [trained.turns.shown(messages, trained)[0] for messages in asked]
        asked = [turn for conversation in shown for turn in own_turns(conversation)]
    reference = _traces("trained", trained, asked, max_tokens, progress)
    del trained
    others: dict[str, list[Trace]] = {}
    if merged or tuned.adapter or tuned.run:
        with tempfile.TemporaryDirectory(prefix="vlp-parity-", dir=_roomy(tuned.run)) as scratch:
            folder = find_folder(merged) if merged else tuned.export(Path(scratch) / "merged")
            others["merged"] = _traces("merged", TransformersModel(folder, device=device), asked, max_tokens, progress)
    if url:
        others["served"] = _traces("served", OpenAIModel(url, key=key or None), asked, max_tokens, progress)
    return _report(tuned, reference, others, tolerance, kind)


def sample_prompts(store: Store, n: int, split: str = "validation") -> Prompts:
    """Return prompts from the samples of a split."""

    def prompts(profile: str) -> list[list[Message]]:
        return [
            sample.messages(store.image(sample), store.manifest(sample.robot), profile)
            for sample in islice(store.samples(split), n)
        ]

    return prompts


def scene_prompts(n: int, split: str = "validation") -> Prompts:
    """Return prompts about simulated scenes of a split."""
    from vlp.evaluation.planning import PHRASINGS, prompt, prompt_messages

    def prompts(profile: str) -> list[list[Message]]:
        return [prompt_messages(*prompt(i // 2, split, PHRASINGS[i % 2]), profile) for i in range(n)]

    return prompts


def _traces(
    what: str, model: Traceable, asked: Sequence[Sequence[Message]], max_tokens: int, progress: Progress
) -> list[Trace]:
    found: list[Trace] = []
    for messages in asked:
        found.append(model.trace(messages, max_tokens=max_tokens, timeout_s=600.0))
        progress(what, len(found), len(asked))
    return found


def _roomy(run: Path | None) -> Path | None:
    """Return where a merged model has room for the while: beside the run's own, or where the system keeps such files."""
    return run if run and os.access(run, os.W_OK) else None


def _report(tuned: Tuned, reference: list[Trace], others: dict[str, list[Trace]], tolerance: float, kind: str) -> GateReport:
    rows, failures, facts = [], [], {}
    for what, traces in others.items():
        found = [compare(mine, theirs, tolerance) for mine, theirs in zip(reference, traces, strict=True)]
        ties = [f"prompt {i}, trained and {what}: {each.tie}" for i, each in enumerate(found) if each.tie]
        faults = [f"prompt {i}, trained and {what}: {each.fault}" for i, each in enumerate(found) if each.fault]
        equal, apart = sum(each.equal for each in found), max(each.apart for each in found)
        rows.append(
            {"trained and": what, "prompts": str(len(found)), "token-equal": str(equal), "ties": str(len(ties)),
             "different": str(len(faults)), "log-probabilities apart by at most": f"{apart:.2g}"}
        )  # fmt: skip
        facts[what] = {"prompts": len(found), "equal": equal, "ties": ties, "different": len(faults), "apart": apart}
        failures += faults
    facts |= {"tolerance": tolerance, "weights": kind, "reply_tokens": sum(len(trace.tokens) for trace in reference)}
    verdict = "is the model that was trained" if not failures else "is not the model that was trained"
    said = f"{tuned.name}, {' and '.join(others)}, {verdict}: tolerance {tolerance:g} for {kind} weights."
    return GateReport("parity", not failures, said, rows, failures, facts)
