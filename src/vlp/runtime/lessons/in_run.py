"""Lessons in one run: shown to its model before each policy, and added to at its end."""

import re
from collections.abc import Iterator
from typing import Any

from vlp.core.errors import VlpError
from vlp.journal import Event, Journal
from vlp.primitives.manifest import Manifest
from vlp.runtime.lessons.learning import fault_code, is_fault, lessons_of
from vlp.runtime.lessons.store import LessonStore
from vlp.runtime.memory import RunMemory


class RunLessons:
    """Looks for lessons that fit, and learns. Nothing of it ends a run: what goes wrong is a note, and the run goes on without.

    Args:
        store: where the lessons are.
        manifest: of the robot.
        memory: what the run knows; what is found gets there through the journal.
        journal: told of what is found, and followed for what the run teaches.
        told: whether the wording of the model's prompts tells of lessons (`Wording.recalls`).
    """

    def __init__(self, store: LessonStore, manifest: Manifest, memory: RunMemory, journal: Journal, told: bool) -> None:
        self.store, self.manifest, self.memory, self.journal, self._told = store, manifest, memory, journal, told
        self._events: list[Event] = []
        self._noted = ""
        journal.outer.append(self)

    def on_event(self, event: Event) -> None:
        """Keep what `lessons_of` reads."""
        if event.kind in ("run-started", "instruction", "policy", "step-finished", "trigger"):
            self._events.append(event)

    def recall(self) -> None:
        """Look for the lessons that fit now, and write down what the next prompt shows.

        A run that was taken over before its policy was written asks what was asked before: what was shown then stands.
        """
        asked = self._asked()
        if asked == self.memory.recalled:
            return
        if not self._told:
            self._note("the prompts of this model have no place for lessons: it is told none, and the run is learned from")
            return
        failed = [(do, code) for do, code in asked["failed"]]
        try:
            found = self.store.fitting(self.manifest.robot, asked["words"], failed)
        except VlpError as error:
            self._note(f"the model is told of no lessons: {error}")
            return
        shown = [{"id": lesson.id, "text": lesson.text} for lesson in found]
        self.journal.emit(Event("lessons", {"asked": asked, "shown": shown}))

    def learned(self, end: Event) -> list[Event]:
        """Keep what the run teaches, and return a note of each lesson.

        Args:
            end: the event that ends the run, which is not written yet.
        """
        try:
            kept = self.store.learn(lessons_of([*self._events, end], self.manifest))
        except Exception as error:  # whatever goes wrong, the end of the run is to be written down
            return [Event("note", {"text": f"nothing is learned from this run: {error or type(error).__name__}"[:500]})]
        return [Event("note", {"text": f"lesson {lesson.id}: {lesson.text}"}) for lesson in kept]

    def _asked(self) -> dict[str, list[Any]]:
        """Return what is looked for: words of the instruction and of failed steps, and what failed, the latest of each."""
        failed = list(dict.fromkeys(self._failed()))[-8:]
        bad = [step for step in self.memory.knowledge.steps if step.status not in ("succeeded", "stopped")][-8:]
        said = [self.memory.knowledge.instruction, *(str(v) for step in bad for v in step.arguments.values() if v)]
        words = re.findall(r"[^\W_]+", " ".join(said).lower())
        return {"words": list(dict.fromkeys(words))[:64], "failed": [list(one) for one in failed]}

    def _failed(self) -> Iterator[tuple[str, str]]:
        for step in self.memory.knowledge.steps:
            if step.status not in ("succeeded", "stopped"):
                yield step.do, fault_code(step.code, step.status)
        yield from (("", name) for name in self.memory.progress.triggers if is_fault(name))

    def _note(self, text: str) -> None:
        if text != self._noted:
            self._noted = text
            self.journal.emit(Event("note", {"text": text[:500]}))
