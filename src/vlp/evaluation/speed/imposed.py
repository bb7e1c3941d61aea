"""A model's choice imposed, so that any weights will do; and P4: time a token with the grammar against time without.

What a grammar forces costs no pass of its own; what it leaves open costs a look at which tokens it allows.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.messages import Message, counted
from vlp.core.timing import NotTheSame, Timed
from vlp.evaluation.planning import grammar, prompt, prompt_messages
from vlp.evaluation.speed.replanning import opened
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.models.batching import Session
from vlp.models.decode import Decoded, Decoding, Draft, Logits, decode
from vlp.models.grammar import Grammars, Vocabulary
from vlp.models.in_process import InProcess
from vlp.models.protocol import Capabilities, Model, Reply
from vlp.primitives.schema import Schema
from vlp.prompt.target import policy_text
from vlp.sim import expert


class Imposed:
    """Has the model write one text, whatever it wants; all that it computes is computed all the same.

    Args:
        vocabulary: its tokens.
        text: what it is to write.
        end: the token behind it.
    """

    def __init__(self, vocabulary: Vocabulary, text: str, end: int) -> None:
        self._vocabulary, self._end = vocabulary, end
        self._text, self._fed, self._tokens = text.encode(), list[int](), dict[int, int]()

    def upon(self, decoding: Decoding[Decoded]) -> Decoding[Decoded]:
        """Return a reply in the making whose model writes that text."""
        feed = next(decoding)
        while True:
            rows = len((yield feed).best)
            del self._fed[len(self._fed) - feed.forget :]
            self._fed += [*feed.tokens, *feed.guess[: rows - 1]]
            best = [self._next(len(self._fed) - left) for left in range(rows - 1, -1, -1)]
            try:
                feed = decoding.send(Logits(best, lambda i, best=best: self._row(best[i])))
            except StopIteration as done:
                return done.value

    def _row(self, token: int) -> NDArray[np.float32]:
        return np.eye(1, self._vocabulary.size, token, dtype=np.float32)[0]

    def _next(self, fed: int) -> int:
        written = b"".join(map(self._vocabulary.bytes_of, self._fed[:fed]))
        if not self._text.startswith(written):  # a guess that is not the text: no row behind it counts
            return self._end
        if len(written) not in self._tokens:
            rest = self._text[len(written) :].decode(errors="ignore")
            self._tokens[len(written)] = self._vocabulary.encode(rest)[0] if rest else self._end
        return self._tokens[len(written)]


class ImposedModel:
    """A model in process that writes what another one writes; it computes whatever it would for a reply of its own.

    Args:
        inner: the model.

    Attributes:
        writes: says what it is to write; set before it is asked.
    """

    can = Capabilities(reads=False)
    writes: Model

    def __init__(self, inner: InProcess) -> None:
        self.inner, self.name, self.profile = inner, inner.name, inner.profile

    def generate(self, messages: Sequence[Message], *, grammar: Schema | None = None, **options: Any) -> Reply:
        """Return the imposed reply, with the model's own timings (see `vlp.models.protocol.Model.generate`).

        Raises:
            NotTheSame: it cannot write that, e.g. as the grammar does not admit it.
        """
        text, plain = self.writes.generate(messages, grammar=grammar).text, self.inner.batch.decode
        imposed = Imposed(self.inner.vocabulary, text, min(self.inner.ends))

        def decoded(session: Session, decoding: Decoding[Decoded], *more: Any) -> Decoded:
            return plain(session, imposed.upon(decoding), *more)

        self.inner.batch.decode = decoded  # pyright: ignore[reportAttributeAccessIssue]
        try:
            reply = self.inner.generate(messages, grammar=grammar, **options)
        finally:
            self.inner.batch.decode = plain
        if reply.text != text:
            raise NotTheSame(f"{self.name} wrote {reply.text[:80]!r}, not {text[:80]!r}")
        return reply


def constrained(effort: Effort) -> list[Measured]:
    """P4: policies of the expert, imposed on the model, with the grammar and without; without drafts."""
    _, inner = opened(effort.base)
    grammars, end = Grammars(inner.vocabulary), min(inner.ends)
    seconds: dict[str, list[float]] = {"free": [], "constrained": []}
    tokens, passes = dict.fromkeys(seconds, 0), dict.fromkeys(seconds, 0)
    for turn in range(effort.repeats + 1):
        rgb, truth, task = prompt(turn, "test", "test")
        asked = inner.chat.prompt(prompt_messages(rgb, truth, task, inner.profile))
        text = policy_text(expert.plan(truth, task))
        for arm in list(seconds) if turn % 2 else reversed(list(seconds)):
            matcher = grammars.matcher(grammar()) if arm == "constrained" else None
            session, imposed = inner.session(asked), Imposed(inner.vocabulary, text, end)
            began = time.perf_counter()
            decoding = imposed.upon(decode(matcher, Draft([]), frozenset({end}), 2048, 3600.0))
            done = inner.batch.decode(session, decoding, 3600.0)
            taken_s = time.perf_counter() - began - done.prefill_s
            if b"".join(map(inner.vocabulary.bytes_of, done.tokens)).decode() != text:
                raise NotTheSame(f"{arm} wrote another text than {text[:80]!r}")
            if turn:  # the first one warms caches
                seconds[arm].append(taken_s / len(done.tokens))
                tokens[arm] += len(done.tokens)
                passes[arm] += done.forwards
    said = (
        f"{counted(effort.repeats, 'policy')} of the expert for scenes of the test split, {tokens['constrained']:,} tokens,"
        f" imposed on {inner.name!r} whatever its weights, without drafts; {passes['constrained']:,} passes with the grammar,"
        f" {passes['free']:,} without. The prompt's own time is left out. The vocabulary has {inner.vocabulary.size:,} tokens."
    )
    ratio = Timed(seconds).ratio("constrained", "free")
    return [Measured("P4", "time a token, constrained over free", ratio, said, at_most=0.7)]
