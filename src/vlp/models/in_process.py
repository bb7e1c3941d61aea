"""A model in this process, whatever computes it: one reply at a time, decoded greedily under a grammar."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.messages import Message
from vlp.models.chat import Chat, Pixels, Prompt
from vlp.models.decode import TOO_SLOW, Draft, Session, Texts, decode
from vlp.models.grammar import Grammars, Vocabulary
from vlp.models.protocol import TOP, Capabilities, Reply, Trace
from vlp.models.turns import Turns

Mark = int | str
"""What a token that was read stands for: its id, or the digest of the image of which it shows a piece."""


class Marks:
    """What a language part has read, token by token.

    Attributes:
        marks: of the tokens whose keys and values are held.
    """

    def __init__(self) -> None:
        self.marks: list[Mark] = []

    def keep(self, marks: Sequence[Mark]) -> int:
        """Forget all but what a prompt has in common with what is held, and return how many tokens that is.

        Args:
            marks: of the prompt; its last token is always read anew, for what follows from it.
        """
        most = min(len(self.marks), len(marks) - 1)
        same = next((i for i in range(most) if self.marks[i] != marks[i]), most)
        del self.marks[same:]
        return same

    def forget(self, count: int) -> None:
        """Forget the last tokens."""
        del self.marks[len(self.marks) - count :]


class InProcess:
    """What models in process have in common; one that computes gives `session`, `features` and `forget_images`.

    Attributes:
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

    engine: Any
    name: str
    profile: str
    turns: Turns | None
    can: Capabilities
    chat: Chat
    ends: frozenset[int]
    vocabulary: Vocabulary
    most_tokens: int

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def prepare(self, vocabulary: Vocabulary, drafts: Sequence[str]) -> None:
        """Take the tokens, and texts such as the model often writes."""
        self.vocabulary, self._grammars = vocabulary, Grammars(vocabulary)
        self._drafts = [vocabulary.encode(text) for text in drafts]
        self._written = self._drafted()

    def forget(self) -> None:
        """Forget what was read and written, as if just opened; replies stay the same, the next one takes longer."""
        self.engine.keep([0])
        self.forget_images()
        self.chat.forget()
        self._written = self._drafted()

    def _drafted(self) -> Texts:
        written = Texts(self.vocabulary.names, most=20_000)
        for draft in self._drafts:
            written.add(draft)
        return written

    def session(self, prompt: Prompt) -> Session:
        """Return the model with a prompt, of which what it has in common with the last one is not read again."""
        raise NotImplementedError

    def features(self, pixels: Pixels) -> Any:
        """Return the image tokens (n, width) of one image; the last few images are remembered."""
        raise NotImplementedError

    def forget_images(self) -> None:
        """Forget image tokens."""
        raise NotImplementedError

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
        """Return the reply (see `vlp.models.protocol.Model.generate`); one at a time per model."""
        started = time.monotonic()
        if not self._lock.acquire(timeout=timeout_s):
            raise MissingComponent(f"the model was busy with another request for {timeout_s:.1f} s.")
        try:
            with self.computing():
                prompt = self._prompt(messages)
                room = min(max_tokens, self.most_tokens - len(prompt.ids))
                matcher = self._grammars.matcher(grammar) if grammar is not None else None
                lead, said = prompt.ids[-4:], Texts(self.vocabulary.names)
                said.add(prompt.ids)
                expected = self.vocabulary.encode(draft) if draft else []
                wanted = Draft(expected, lead, (said, self._written), self.vocabulary.names)
                prepared = time.monotonic()
                session = self.session(prompt)
                read_s = time.monotonic() - prepared
                stream = _Stream(self.chat.tokenizer, on_text) if on_text else None
                done = decode(session, matcher, wanted, self.ends, room, timeout_s, stream, started)
                self._written.add([*lead, *done.tokens])
                text = _text(self.chat.tokenizer, done.tokens)
                if stream:
                    stream.close(text)
        finally:
            self._lock.release()
        ended = time.monotonic()
        prefill_s = read_s + done.prefill_s
        timings = {"prompt": prepared - started, "prefill": prefill_s, "decode": ended - prepared - prefill_s}
        timings["total"] = ended - started
        counts = {"prompt": len(prompt.ids), "reply": len(done.tokens), "forced": done.forced, "drafted": done.drafted}
        return Reply(text, timings, {**counts, "forwards": done.forwards}, done.finish)

    def trace(self, messages: Sequence[Message], *, max_tokens: int = 256, timeout_s: float = 120.0) -> Trace:
        """Return the greedy reply with log-probabilities (see `vlp.models.protocol.Traceable.trace`)."""
        deadline_s = time.monotonic() + timeout_s
        with self._lock, self.computing():
            prompt = self._prompt(messages)
            session, tokens, tops = self.session(prompt), list[int](), list[dict[int, float]]()
            room = min(max_tokens, self.most_tokens - len(prompt.ids))
            while len(tokens) < room and not (tokens and tokens[-1] in self.ends):
                if time.monotonic() > deadline_s:
                    raise MissingComponent(f"the model did not finish within {timeout_s:.1f} s.", TOO_SLOW)
                row = session.forward(tokens[-1:], 1)[0].astype(np.float64)
                row -= row.max()
                row -= np.log(np.exp(row).sum())
                best = np.argsort(-row, kind="stable")[:TOP]
                tokens.append(int(best[0]))
                tops.append({int(token): float(row[token]) for token in best})
        return Trace(len(prompt.ids), tuple(tokens), tuple(tops), bool(tokens) and tokens[-1] in self.ends)

    def image_tokens(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Return what the vision tower makes of images, each on a thread of its own: (rows, columns, width) for each."""
        merge = self.chat.image_processor.merge_size

        def look(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
            pixels = self.chat.pixels(rgb)
            return self._numbers(self.features(pixels)).reshape(pixels.grid[1] // merge, pixels.grid[2] // merge, -1)

        with self._lock, self.computing(), ThreadPoolExecutor(len(images)) as pool:
            return list(pool.map(look, images))

    def _numbers(self, values: Any) -> NDArray[np.float32]:
        return values

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
