"""Trying a step that failed once more, where that is worth more than a new policy."""

from typing import Any

from vlp.journal import Event, Journal
from vlp.policy.model import PlanStep, references
from vlp.primitives.facts import told_by_state
from vlp.primitives.manifest import Primitive
from vlp.primitives.schema import CHECK
from vlp.runtime.body import Body
from vlp.runtime.memory import RunMemory
from vlp.runtime.sequencer import FailedStep, Sequencer


class Retrying:
    """Asks a sequencer what follows a step that failed, and prepares the next try.

    What cannot be undone, questions, checks and steps that were stopped or ran out of time are never tried again, nor is
    anything once there is a new instruction.

    Args:
        body: the robot.
        journal: told of each try before it begins.
        memory: what the run knows.
        sequencer: decides.
    """

    def __init__(self, body: Body, journal: Journal, memory: RunMemory, sequencer: Sequencer) -> None:
        self._body, self._journal, self._memory, self._sequencer = body, journal, memory, sequencer

    def again(self) -> bool:
        """Return whether the step that failed is the next one again; what it needs was written down."""
        progress, known = self._memory.progress, self._memory.knowledge
        if not progress.failed or progress.triggers or known.instruction != progress.instruction:
            return False
        step, last = progress.remaining[0], known.steps[-1]
        primitive = self._memory.primitives[step.step.do]
        unknown = last.code in ("bad-result", "unknown")  # what the robot did then
        if last.status != "failed" or unknown or primitive.final or step.step.do in (CHECK, "ask"):
            return False
        if not self._able(primitive):
            return False
        acts_on = self._memory.references(step) if "locate" in self._body.manifest.primitives else {}
        failed = FailedStep(step.step.do, last.code, self._memory.ways, bool(acts_on))
        try:
            way = self._sequencer.decide(failed)
        except Exception as error:  # one of a person's own; what it does not decide, a new policy does
            self._journal.emit(Event("note", {"text": f"the sequencer failed: {type(error).__name__}: {error}"[:300]}))
            return False
        if way not in failed.left:  # "replan", or a way that was taken before
            return False
        bound: dict[str, Any] = {}
        if way == "look":
            for name in self._names(step):
                thing = progress.bindings[name]
                found = self._body.locate(thing.phrase)
                if found is None:
                    self._journal.emit(Event("belief", {"phrase": thing.phrase, "located": None}))
                    return False
                bound[name] = {**found.to_json(), "phrase": thing.phrase}
        data = {"revision": progress.revision, "id": step.id, "tries": 2 + len(self._memory.ways), "how": way, "bound": bound}
        self._journal.emit(Event("retry", data))
        return True

    def _able(self, primitive: Primitive) -> bool:
        """Return whether the robot's hand and place still are as the step needs them."""
        state = self._body.state()
        now = {"hand_empty": not state.holding, "holding": bool(state.holding)}
        return all(now.get(need.words[0], True) is need.positive for need in told_by_state(primitive))

    def _names(self, step: PlanStep) -> list[str]:
        """Return the names of the located things that a step acts on."""
        located = self._memory.references(step)
        return [name for argument, name in references(step.step) if argument in located]
