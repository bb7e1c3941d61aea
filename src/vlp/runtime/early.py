"""The first step of a policy, begun while the rest is still being written: a perception, which moves nothing."""

import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from vlp.journal import Event, Journal
from vlp.policy.model import Plan, PolicyStep, say
from vlp.primitives.manifest import Primitive
from vlp.robot.protocol import Step
from vlp.runtime.body import SLICE_S, Body
from vlp.runtime.memory import RunMemory
from vlp.understanding.lexicon import listed


class FirstStep:
    """Reads a reply as it grows, up to where it is known what its first step does: before the name of its result, at its end.

    Args:
        on_text: told each piece too; None for nobody.

    Attributes:
        closed: gets, once, the reply up to there as the policy of that step alone, whatever its result will be called.
    """

    def __init__(self, on_text: Callable[[str], None] | None = None) -> None:
        self.closed: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._on_text = on_text
        self._text, self._depth = "", 0
        self._quoted = self._escaped = self._done = False

    def add(self, piece: str) -> None:
        """Take one more piece in, from the model's thread."""
        for character in piece if not self._done else "":
            self._text += character
            if step := self._whole(character):
                self._done = True
                self.closed.put(f"{step}]}}]}}")  # of steps, subtask, subtasks and policy
                break
        if self._on_text:
            self._on_text(piece)

    def _whole(self, character: str) -> str:
        """Return the text with its first step closed, "" while it goes on: an object in a list in an object in a list."""
        if self._quoted:
            self._quoted = self._escaped or character != '"'
            self._escaped = character == "\\" and not self._escaped
            return ""
        self._quoted = character == '"'
        self._depth += (character in "[{") - (character in "]}")
        if character == "}" and self._depth == 4:
            return self._text
        named = character == ":" and self._depth == 5 and self._text.endswith(',"as":')
        return f'{self._text}"it"}}' if named else ""


class Early:
    """Begins the first step of a policy while the rest is still being written.

    The reply up to there must pass, as a policy of that step alone, every check of a whole one, and the step must be
    `harmless`. What it finds counts where it succeeded, and the whole policy passes the checks and begins with it: it is that
    step's result then, under the key with which it was begun. Otherwise it is dropped, with a note in the journal.

    A policy is asked for between two steps, with the robot at rest: whatever depends on where the camera is may look then.

    Args:
        body: the robot.
        journal: told before a step is sent.
        memory: what the run knows; it has the robot's primitives.
        tag: makes the keys of these steps unique.
    """

    def __init__(self, body: Body, journal: Journal, memory: RunMemory, tag: str) -> None:
        self._body, self._journal, self._memory, self._tag = body, journal, memory, tag
        self._begun: Step | None = None
        self._count = 0

    def follow(
        self,
        reply: Future[Any],
        first: FirstStep,
        checked: Callable[[str], Plan | None],
        wanted: Callable[[], bool],
        limit_s: float,
    ) -> None:
        """Wait until the first step of a reply has been written, and begin it; or until the reply has ended without one.

        Args:
            reply: ends with the reply.
            first: is told the reply as it grows.
            checked: returns the plan of a policy's text, None where it fails the checks.
            wanted: whether anybody still waits for the reply.
            limit_s: how long to wait.

        Raises:
            JournalError: that it was begun could not be written down; it was not sent.
            Overrun: a step that was begun before it hangs.
        """
        reply.add_done_callback(lambda done: first.closed.put(""))
        end_s = time.monotonic() + limit_s
        while wanted() and time.monotonic() < end_s:
            try:
                text = first.closed.get(timeout=SLICE_S)
            except queue.Empty:
                continue
            plan = checked(text) if text else None
            if plan is not None and wanted():
                self._begin(plan.steps[0].step)
            return

    def _begin(self, step: PolicyStep) -> None:
        self.drop("another one is begun")
        if not harmless(self._memory.primitives[step.do]):
            return
        self._count += 1
        sent = self._sent(step, f"{self._tag}.early.{self._count}")
        said = say(PolicyStep(step.do, step.arguments))  # the name of its result is not known yet
        self._journal.emit(Event("step-begun", {"key": sent.key, "do": sent.do, "arguments": sent.arguments, "text": said}))
        self._body.begin(sent)
        self._begun = sent

    def _sent(self, step: PolicyStep, key: str) -> Step:
        return Step(step.do, self._memory.primitives[step.do].filled(step.arguments), key)

    def taken(self, plan: Plan) -> str:
        """Return the key under which the first step of a checked plan has been done; "" where it is still to be done.

        Raises:
            Overrun, ProgramFault, MissingComponent: the step that was begun, whose end is waited for, as `Body.execute` does.
        """
        begun = self._begun
        if begun is None:
            return ""
        if not plan.steps or self._sent(plan.steps[0].step, begun.key) != begun:
            self.drop("the policy does not begin with it")
            return ""
        result = self._body.begun()
        if result.status != "succeeded":  # a model that writes may have been in the way of what looks through the same model
            self.drop(f"it did not succeed ({result.message.rstrip('.')}), so it is to be done again")
            return ""
        self._begun = None
        return begun.key

    def drop(self, why: str) -> None:
        """Let what the step that was begun finds count for nothing, and say so in the journal; nothing where none was begun."""
        begun, self._begun = self._begun, None
        if begun is not None:
            said = say(PolicyStep(begun.do, begun.arguments))
            text = f"{said}, begun early, is not used: {why}"
            self._journal.emit(Event("note", {"text": text, "key": begun.key}))


def harmless(primitive: Primitive) -> bool:
    """Return whether a step may be begun before its policy is known whole: it looks or reads, and speaks to nobody."""
    speaks = primitive.result == "answer" or any(word in listed("primitives", "speaking") for word in primitive.name.split("_"))
    return primitive.kind == "perception" and not (speaks or primitive.makes or primitive.final)
