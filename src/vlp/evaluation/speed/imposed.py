"""A model's choice imposed, so that any weights will do; and P4: time a token with the grammar against time without.

What a grammar forces costs no pass of its own; what it leaves open costs a look at which tokens it allows.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.messages import Message
from vlp.evaluation.planning import grammar, prompt, prompt_messages
from vlp.evaluation.speed.replanning import opened
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.evaluation.speed.turns import NotTheSame, Timed
from vlp.models.chat import Prompt
from vlp.models.decode import Draft, Session, decode
from vlp.models.grammar import Grammars, Vocabulary
from vlp.models.in_process import InProcess
from vlp.models.protocol import Capabilities, Model, Reply
from vlp.primitives.schema import Schema
from vlp.prompt.target import policy_text
from vlp.sim import expert


class Imposed:
    """A session whose model always wants to write one text; all that it computes is computed all the same.

    Args:
        session: the model with a prompt.
        vocabulary: its tokens.
        text: what it is to write.
        end: the token behind it.
    """

    def __init__(self, session: Session, vocabulary: Vocabulary, text: str, end: int) -> None:
        self._session, self._vocabulary, self._end = session, vocabulary, end
        self._text, self._fed, self._tokens = text.encode(), list[int](), dict[int, int]()

    def forward(self, tokens: Sequence[int], keep: int) -> NDArray[np.float32]:
        """Feed tokens; return the model's logits with those of the text raised above all others."""
        rows = np.array(self._session.forward(tokens, keep))
        self._fed += tokens
        for row in range(keep):
            rows[row, self._next(len(self._fed) - (keep - 1 - row))] = 1e9
        return rows

    def rewind(self, count: int) -> None:
        """Forget the last `count` tokens."""
        self._session.rewind(count)
        del self._fed[len(self._fed) - count :]

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
        text, session = self.writes.generate(messages, grammar=grammar).text, self.inner.session

        def imposed(prompt: Prompt) -> Session:
            return Imposed(session(prompt), self.inner.vocabulary, text, min(self.inner.ends))

        self.inner.session = imposed
        try:
            reply = self.inner.generate(messages, grammar=grammar, **options)
        finally:
            self.inner.session = session
        if reply.text != text:
            raise NotTheSame(f"{self.name} wrote {reply.text[:80]!r}, not {text[:80]!r}")
        return reply


def constrained(effort: Effort) -> list[Measured]:
    """P4: policies of the expert, imposed on the model, with the grammar and without; without drafts."""
    _, inner = opened(effort.base)
    grammars, end = Grammars(inner.vocabulary), min(inner.ends)
    seconds: dict[str, list[float]] = {"free": [], "constrained": []}
    tokens, passes = dict.fromkeys(seconds, 0), dict.fromkeys(seconds, 0)
    with inner.computing():
        for turn in range(effort.repeats + 1):
            rgb, truth, task = prompt(turn, "test", "test")
            asked, text = (
                inner.chat.prompt(prompt_messages(rgb, truth, task, inner.profile)),
                policy_text(expert.plan(truth, task)),
            )
            for arm in list(seconds) if turn % 2 else reversed(list(seconds)):
                matcher = grammars.matcher(grammar()) if arm == "constrained" else None
                session = Imposed(inner.session(asked), inner.vocabulary, text, end)
                began = time.perf_counter()
                done = decode(session, matcher, Draft([]), frozenset({end}), 2048, 3600.0)
                taken_s = time.perf_counter() - began - done.prefill_s
                if b"".join(map(inner.vocabulary.bytes_of, done.tokens)).decode() != text:
                    raise NotTheSame(f"{arm} wrote another text than {text[:80]!r}")
                if turn:  # the first one warms caches
                    seconds[arm].append(taken_s / len(done.tokens))
                    tokens[arm] += len(done.tokens)
                    passes[arm] += done.forwards
    said = (
        f"{effort.repeats} policies of the expert for scenes of the test split, {tokens['constrained']:,} tokens, imposed on"
        f" {inner.name!r} whatever its weights, without drafts; {passes['constrained']:,} passes with the grammar,"
        f" {passes['free']:,} without. The prompt's own time is left out. The vocabulary has {inner.vocabulary.size:,} tokens."
    )
    ratio = Timed(seconds).ratio("constrained", "free")
    return [Measured("P4", "time a token, constrained over free", ratio, said, at_most=0.7)]
