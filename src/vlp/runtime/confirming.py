"""A policy shown to a person before it is carried out: the question, where the answer is put, and what follows from it."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from vlp.core.errors import UsageError, VlpError
from vlp.core.messages import Instruction
from vlp.journal import Event, Journal
from vlp.policy.model import Plan, Policy, compact
from vlp.runtime.body import SLICE_S, Body
from vlp.runtime.memory import RunMemory
from vlp.runtime.planner import Planner, acts, final_steps, understood
from vlp.runtime.story import Outcome
from vlp.understanding.gate import Gate
from vlp.understanding.stopping import bare, says_no, says_yes


@dataclass(frozen=True)
class EditedText:
    """What an editor left: a policy's JSON, or refused by the checks of policies, also where it reads like a yes.

    Args:
        text: the content of the file.
    """

    text: str


Said = bool | str | Instruction | Policy | Mapping[str, Any] | EditedText
"""An answer: yes or no, a sentence, or a policy as an object, a document or its JSON text, typed or from an editor."""


@dataclass(frozen=True)
class Proposal:
    """What a person is asked to agree to.

    Args:
        revision: number of the policy.
        text: what it takes the instruction to mean, in one line.
        steps: its steps, each with its id.
        final: ids of the steps that cannot be undone.
        policy: the document as indented JSON, to be edited.
        doubt: what a general model may have misunderstood; "" for nothing.
        image_at_s: when the image was taken that it was written for, in seconds since the epoch; None where nobody knows.
    """

    revision: int
    text: str
    steps: tuple[str, ...]
    final: tuple[str, ...]
    policy: str
    doubt: str = ""
    image_at_s: float | None = None

    @property
    def image_age(self) -> str:
        """How old that image is by now, in words; "" where nobody knows."""
        if self.image_at_s is None:
            return ""
        return f"planned from an image taken {max(0.0, time.time() - self.image_at_s):.0f} s ago"


@dataclass(frozen=True)
class Answer:
    """What a person said to it.

    Args:
        answer: "yes", "no", "edit" or "instruction".
        by: through what it came: "terminal", "standard input" or "api".
        instruction: the new sentence.
        plan: the edited policy; it has passed the checks.
    """

    answer: str
    by: str
    instruction: Instruction | None = None
    plan: Plan | None = None


def _is_document(text: str) -> bool:
    return text.lstrip().startswith("{")


def _text(said: str | Instruction | Policy | Mapping[str, Any]) -> str:
    """Return an answer as text, a policy as its JSON; raises UsageError for what is neither."""
    if isinstance(said, str | Instruction):
        return str(said)
    if isinstance(said, Policy):
        return compact(said)
    try:
        return json.dumps(dict(said))
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{type(said).__name__} is no answer: {error}.", "Expected yes, no, a sentence or a policy.") from None


class Desk:
    """Where a question lies and its one answer is put; any thread may answer."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._proposal: Proposal | None = None
        self._answer: Answer | None = None
        self._refused: list[str] = []

    @property
    def proposal(self) -> Proposal | None:
        """What waits for an answer; None while nobody is asked."""
        with self._changed:
            return self._proposal if self._answer is None else None

    def answer(self, read: Callable[[], Answer], revision: int | None = None) -> None:
        """Take an answer; while it is read, the run waits.

        Args:
            read: makes the answer, and raises for one that cannot be taken: the question then stays open.
            revision: of the policy that whoever answers was shown; a yes needs it.

        Raises:
            UsageError: nobody is asked, the question has been answered, or it is about another policy.
            VlpError: what `read` raises.
        """
        with self._changed:
            if self._proposal is None:
                raise UsageError(
                    "nobody is asked anything now, so there is nothing to answer.", "`Run.proposal` is what is asked."
                )
            if self._answer is not None:
                raise UsageError(f"policy {self._proposal.revision} has been answered already: {self._answer.answer}.")
            try:
                asked = self._proposal.revision
                if revision is not None and revision != asked:
                    raise UsageError(
                        f"policy {revision} is no longer asked about; now it is policy {asked}.", "Look at that one."
                    )
                answer = read()
                if answer.answer == "yes" and revision is None:
                    raise UsageError("a yes is to one policy.", "Say which you were shown: revision=Run.proposal.revision.")
                self._answer = answer
            except VlpError as error:
                self._refused.append(str(error))
                raise
            finally:
                self._changed.notify_all()

    def open(self, proposal: Proposal) -> None:
        """Ask about a policy."""
        with self._changed:
            self._proposal, self._answer = proposal, None

    def wait(self, seconds: float) -> list[str] | None:
        """Wait a little; return what was refused meanwhile, None once there is an answer."""
        with self._changed:
            self._changed.wait_for(lambda: self._answer is not None or self._refused, seconds)
            refused, self._refused = self._refused, []
            return None if self._answer is not None and not refused else refused

    def close(self) -> Answer | None:
        """Take the question away, and return its answer; None where there was none."""
        with self._changed:
            answer, self._proposal, self._answer = self._answer, None, None
            return answer


class Confirming:
    """Asks a person about every new policy that has an action, before its first step.

    Args:
        body: the robot; its lease is held while the person thinks, and its stop ends the wait.
        planner: checks an edited policy as it checks those of the model.
        journal: told of question and answer.
        memory: holds the plan, and whether a person has agreed to it.
        gate: says which sentences may move the robot.
    """

    def __init__(self, body: Body, planner: Planner, journal: Journal, memory: RunMemory, gate: Gate) -> None:
        self.body, self.planner, self.journal, self.memory, self.gate = body, planner, journal, memory, gate
        self.desk = Desk()

    def answer(self, said: Said, by: str, stop: Callable[[str], None], revision: int | None = None) -> None:
        """Take an answer, from any thread; `Run.answer` tells what it may be.

        Args:
            said: the answer.
            by: through what it came.
            stop: stops robot and run, for words that say so; they need no question.
            revision: of the policy that was shown.

        Raises:
            UsageError: nobody is asked about that policy, or it was answered already; a policy that fails the checks; a
                sentence out of bounds.
            NotUnderstood: a sentence that may not move the robot.
        """
        text = str(said) if isinstance(said, str | Instruction) else ""
        if not _is_document(text) and not (says_no(text) and self.desk.proposal):
            why = self.gate.sentence(text, follows=True)
            if why is not None and (why.stops or why.code == "forbids"):
                stop(f"{str(why).rstrip('.')}; said: {text!r}")
                return
        self.desk.answer(lambda: self._read(said, by), revision)

    def due(self) -> bool:
        """Return whether the present plan waits for a yes."""
        progress = self.memory.progress
        return progress.plan is not None and not progress.agreed and acts(progress.plan.policy, self.planner.manifest)

    def ask(self, wanted: Callable[[], bool]) -> Outcome | None:
        """Ask whether to carry out the present plan, and wait.

        Args:
            wanted: asked now and then; the wait ends when it says no.

        Returns:
            the end of the run after a no or a stop of the robot; None when the run goes on.

        Raises:
            MissingComponent: somebody else holds the robot, or it cannot be reached.
        """
        proposal = self._proposed()
        self.body.ask("take_lease")  # else another one could take the robot while the person thinks
        start_s = time.monotonic()
        with self._asking(proposal):
            end = self._wait(wanted)
            answer = self.desk.close()
        if answer is None:
            return end
        data = {"revision": proposal.revision, "answer": answer.answer, "by": answer.by}
        data |= {"waited_s": time.monotonic() - start_s, "image_age_s": self._image_age_s()}
        self.journal.emit(Event("confirm-answered", data), *self._following(answer))
        if answer.answer == "no":
            return Outcome("stopped", f"not confirmed, no ({answer.by}): {proposal.text}")
        return end

    def _read(self, said: Said, by: str) -> Answer:
        if isinstance(said, bool):
            return Answer("yes" if said else "no", by)
        if isinstance(said, EditedText):
            return Answer("edit", by, plan=self.planner.edited(said.text))
        text = _text(said)
        if says_yes(text) or says_no(text):
            return Answer("yes" if says_yes(text) else "no", by)
        if _is_document(text):
            return Answer("edit", by, plan=self.planner.edited(text))
        if bare(text) == "edit":
            raise UsageError("an edit is the policy itself.", "Answer with the policy's JSON, in one line.")
        told = Instruction.of(text)
        why = self.gate.sentence(told.text, follows=True)
        if why is not None:
            raise why
        return Answer("instruction", by, instruction=told)

    def _proposed(self) -> Proposal:
        plan, manifest, state = self.memory.progress.plan, self.planner.manifest, self.memory.state()
        assert plan is not None
        final = tuple(step.id for step in final_steps(plan, manifest, state))
        steps = tuple(str(step) for step in plan.steps)
        policy = json.dumps(plan.policy.to_json(), indent=1, ensure_ascii=False) + "\n"
        doubt = " ".join(self.planner.doubts(plan, state).values())
        taken_s = self.memory.planned_on_s
        return Proposal(self.memory.progress.revision, understood(plan, final), steps, final, policy, doubt, taken_s)

    @contextmanager
    def _asking(self, proposal: Proposal) -> Iterator[None]:
        """Ask and tell that it was asked; whatever happens, the question does not stay open."""
        self.desk.open(proposal)
        try:
            shown = {"revision": proposal.revision, "text": proposal.text, "doubt": proposal.doubt}
            shown |= {"steps": list(proposal.steps), "final": list(proposal.final), "image_age_s": self._image_age_s()}
            self.journal.emit(Event("confirm-asked", shown))
            yield
        finally:
            self.desk.close()

    def _wait(self, wanted: Callable[[], bool]) -> Outcome | None:
        look_s = 0.0
        while (refused := self.desk.wait(SLICE_S)) is not None:
            for why in refused:
                self.journal.emit(Event("note", {"text": f"answer not taken: {why}"}))
            if not wanted():
                return None
            if time.monotonic() > look_s:
                look_s = time.monotonic() + 1.0
                if getattr(health := self.body.ask("health"), "stopped", False):
                    return Outcome("stopped", f"the robot was stopped: {health.stop_reason or 'no reason given'}")
        return None

    def _following(self, answer: Answer) -> list[Event]:
        """Return the events that go into the journal in one piece with an answer."""
        if answer.instruction is not None:
            trigger = {"name": "new-instruction", "detail": f"new instruction: {answer.instruction}"}
            return [Event("instruction", asdict(answer.instruction)), Event("trigger", trigger)]
        return self.planner.adopted(answer.plan, answer.by) if answer.plan is not None else []

    def _image_age_s(self) -> float:
        return max(0.0, time.time() - self.memory.planned_on_s)
