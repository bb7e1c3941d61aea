"""The round trip of a policy that only asks: question, answer, new instruction, new policy."""

from dataclasses import asdict

from vlp.core.errors import UsageError
from vlp.core.instruction import Instruction
from vlp.journal import Event
from vlp.runtime.memory import RunMemory
from vlp.runtime.outcome import Outcome


def answered(memory: RunMemory) -> list[Event] | Outcome:
    """Return what follows from a policy that only asks.

    Returns:
        the answer as an instruction and the trigger for a new policy, once it has come; nothing while it has not, or when the
        plan is of another kind or no longer in force; the end of the run where asking leads nowhere.
    """
    progress = memory.progress
    question = progress.plan.policy.question if progress.plan else ""
    if not question or progress.triggers or memory.knowledge.instruction != progress.instruction:
        return []
    if progress.asks > 1:
        return Outcome("failure", f"asked twice without getting on; it would ask now: {question}")
    if progress.failed:
        return Outcome("failure", f"not clear, and not answered: {question} ({memory.knowledge.steps[-1].message.rstrip('.')})")
    if progress.remaining:
        return []
    value = memory.knowledge.steps[-1].value
    try:
        said = Instruction.of(value, "answer")
    except UsageError as error:
        return Outcome("failure", f"the answer to {question!r} cannot be taken: {error}")
    trigger = {"name": "new-instruction", "detail": f"asked {question!r}, the person answered: {said.text}"}
    return [Event("instruction", {**asdict(said), "question": question}), Event("trigger", trigger)]
