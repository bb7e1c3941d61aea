"""A model in this process, whatever computes it: replies are decoded greedily under a grammar, several together."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.messages import Message
from vlp.models.batching import Batch, BatchLimits, Segment, Session
from vlp.models.chat import Chat, Pixels, Prompt
from vlp.models.decode import TOO_SLOW, Decoded, Decoding, Draft, Feed, Logits, Texts, decode
from vlp.models.grammar import Grammars, Vocabulary
from vlp.models.protocol import TOP, Capabilities, Reply, Trace
from vlp.models.turns import Turns


class InProcess:
    """What models in process have in common; one that computes gives `session`, `features` and `forget_images`.

    Several threads may ask one object at once: prompts and images are read on the threads that ask, and `batch` decodes the
    replies together.

    Attributes:
        batch: decodes.
        engine: its language part.
        name: from the folder.
        profile: the wording of prompts it was made for.
        turns: what it says before its reply, read with its own tower (see `vlp.models.turns.ModelWithTurns`); None for nothing.
        can: what it can do; the only robot that it writes policies for is the folder's.
        chat: writes its prompts.
        ends: the tokens that end its turn.
        vocabulary: its tokens.
        most_tokens: of prompt and reply.
    """

    batch: Batch
    engine: Any
    name: str
    profile: str
    turns: Turns | None
    can: Capabilities
    chat: Chat
    ends: frozenset[int]
    vocabulary: Vocabulary
    most_tokens: int

    def prepare(self, vocabulary: Vocabulary, drafts: Sequence[str], limits: BatchLimits | None = None) -> None:
        """Take the tokens, texts such as the model often writes, and how much it takes on at a time; the engine is there."""
        self.batch = Batch(self.feed, self.engine.cache, self.computing, limits)
        self.vocabulary, self._grammars = vocabulary, Grammars(vocabulary)
        self._drafts = [vocabulary.encode(text) for text in drafts]
        self._written = self._drafted()

    def forget(self) -> None:
        """Forget what was read and written, as if just opened; replies stay the same, the next one takes longer."""
        self.batch.forget()
        self.forget_images()
        self._written = self._drafted()

    def _drafted(self) -> Texts:
        written = Texts(self.vocabulary.names, most=20_000)
        for draft in self._drafts:
            written.add(draft)
        return written

    def session(self, prompt: Prompt) -> Session:
        """Return a prompt, ready to be read; its images are looked at on this thread, while others decode."""
        raise NotImplementedError

    def features(self, pixels: Pixels) -> Any:
        """Return the image tokens (n, width) of one image; the last few images are remembered."""
        raise NotImplementedError

    def forget_images(self) -> None:
        """Forget image tokens."""
        raise NotImplementedError

    def feed(self, segments: Sequence[Segment]) -> list[Logits]:
        """Read the tokens of some requests in one pass, and return the logits of each."""
        rows, found = self.engine.feed(segments), list[Logits]()
        best = self._best(rows)
        for one in segments:
            first = sum(len(each.best) for each in found)
            found.append(Logits(best[first : first + one.keep], lambda i, first=first: self._numbers(rows[first + i])))
        return found

    def computing(self) -> AbstractContextManager[Any]:
        """Return what holds while it computes."""
        return nullcontext()

    def generate(
        self,
        messages: Sequence[Message],
        *,
        grammar: dict[str, Any] | None = None,
        draft: str | None = None,
        max_tokens: int = 1024,
        timeout_s: float = 60.0,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Return the reply (see `vlp.models.protocol.Model.generate`); several threads may ask at once."""
        started = time.monotonic()
        prompt = self._prompt(messages)
        matcher = self._grammars.matcher(grammar) if grammar is not None else None
        expected = self.vocabulary.encode(draft) if draft else []
        lead, said, told = prompt.ids[-4:], Texts(self.vocabulary.names), SimpleQueue[list[int] | None]()
        said.add(prompt.ids)

        def replying() -> Decoding[Decoded]:
            wanted = Draft(expected, lead, (said, self._written), self.vocabulary.names)
            room = min(max_tokens, self.most_tokens - len(prompt.ids))
            tell = told.put if on_text else None
            done = yield from decode(matcher, wanted, self.ends, room, timeout_s, tell, started)
            self._written.add([*lead, *done.tokens])
            return done

        stream = _Stream(self.chat.tokenizer, on_text) if on_text else None
        prepared_s = time.monotonic() - started
        session = self.session(prompt)
        done = self.batch.decode(session, replying(), started + timeout_s - time.monotonic(), told, stream)
        text = _text(self.chat.tokenizer, done.tokens)
        if stream:
            stream.close(text)
        total_s = time.monotonic() - started
        read_s = max(done.prefill_s, prepared_s)  # a grammar may leave nothing to the model, which reads no prompt then
        timings = {"prompt": prepared_s, "prefill": read_s - prepared_s, "decode": total_s - read_s, "total": total_s}
        counts = {"prompt": len(prompt.ids), "reply": len(done.tokens), "forced": done.forced, "drafted": done.drafted}
        return Reply(text, timings, {**counts, "forwards": done.forwards}, done.finish)

    def trace(self, messages: Sequence[Message], *, max_tokens: int = 256, timeout_s: float = 120.0) -> Trace:
        """Return the greedy reply with log-probabilities (see `vlp.models.protocol.Traceable.trace`)."""
        deadline_s = time.monotonic() + timeout_s
        prompt = self._prompt(messages)

        def tracing() -> Decoding[Trace]:
            tokens, tops = list[int](), list[dict[int, float]]()
            room = min(max_tokens, self.most_tokens - len(prompt.ids))
            while len(tokens) < room and not (tokens and tokens[-1] in self.ends):
                if time.monotonic() > deadline_s:
                    raise MissingComponent(f"the model did not finish within {timeout_s:.1f} s.", TOO_SLOW)
                row = (yield Feed(0, tokens[-1:])).row(0).astype(np.float64)
                row -= row.max()
                row -= np.log(np.exp(row).sum())
                best = np.argsort(-row, kind="stable")[:TOP]
                tokens.append(int(best[0]))
                tops.append({int(token): float(row[token]) for token in best})
            return Trace(len(prompt.ids), tuple(tokens), tuple(tops), bool(tokens) and tokens[-1] in self.ends)

        return self.batch.decode(self.session(prompt), tracing(), timeout_s)

    def image_tokens(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Return what the vision tower makes of images, each on a thread of its own: (rows, columns, width) for each."""
        merge = self.chat.image_processor.merge_size

        def look(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
            pixels = self.chat.pixels(rgb)
            return self._numbers(self.features(pixels)).reshape(pixels.grid[1] // merge, pixels.grid[2] // merge, -1)

        with self.computing(), ThreadPoolExecutor(len(images)) as pool:
            return list(pool.map(look, images))

    def _numbers(self, values: Any) -> NDArray[np.float32]:
        return values

    def _best(self, rows: Any) -> list[int]:
        return np.where(np.isfinite(rows).all(1), rows.argmax(1), -1).tolist()

    def _prompt(self, messages: Sequence[Message]) -> Prompt:
        prompt = self.chat.prompt(messages)
        if len(prompt.ids) >= self.most_tokens:
            said = f"the prompt has {len(prompt.ids):,} tokens; {self.name!r} takes {self.most_tokens:,}."
            raise UsageError(said, "Shorten it.")
        return prompt


class _Stream:
    """Hands on the reply's text piece by piece, never half a character."""

    def __init__(self, tokenizer: Any, on_text: Callable[[str], None]) -> None:
        self._tokenizer, self._on_text, self._sent = tokenizer, on_text, ""

    def __call__(self, tokens: list[int]) -> None:
        text = _text(self._tokenizer, tokens)
        if not text.endswith("\ufffd"):
            self.close(text)

    def close(self, text: str) -> None:
        """Hand on what is left."""
        if len(text) > len(self._sent):
            self._on_text(text[len(self._sent) :])
            self._sent = text


def _text(tokenizer: Any, tokens: Sequence[int]) -> str:
    return tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
