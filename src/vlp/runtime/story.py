"""A run as people are told it: how it ended, and its story folded from events, from which every display and report is made."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from vlp.core.errors import VlpError
from vlp.core.messages import counted
from vlp.journal import Event
from vlp.primitives.schema import CHECK

TIMES = ("perception", "model", "checks", "motion")


@dataclass(frozen=True)
class Outcome:
    """How a run ended, as the system itself judges it.

    Args:
        outcome: "success", "failure", "stopped" or "timeout".
        reason: one sentence; "" when all went well.
        claim: what the last policy says of the task: "done", "already", "cannot" or "asks"; "" when there was none.
        checked: how many checks of the last policy held.
        verdict: the true state's own answer, None where nobody knows it.
        error: what ended the run, when it was an error a person can act on.
    """

    outcome: str
    reason: str = ""
    claim: str = ""
    checked: int = 0
    verdict: bool | None = None
    error: VlpError | None = field(default=None, compare=False)

    @property
    def account(self) -> str:
        """What is known, in one sentence: how it ended, what the robot checked, and what the true state says."""
        held = "1 check of the robot held" if self.checked == 1 else f"{self.checked} checks of the robot held"
        checks = held if self.checked else "nothing was checked"
        done = {"done": f"every step succeeded and {checks}", "already": f"it is so already, {checks}"}
        known = done.get(self.claim, checks) if self.outcome == "success" else self.reason.rstrip(".")
        states = {
            None: "",
            True: "; in the true state the task is done" if self.claim != "cannot" else "; the true state agrees",
            False: "; in the true state the task is not done",
        }
        return f"{self.outcome}: {known}{states[self.verdict]}" if known else f"{self.outcome}{states[self.verdict]}"


@dataclass
class Row:
    """One step of a policy.

    Args:
        id, subtask, text: as planned.
        status: "" before it starts, "running", or a word of `vlp.robot.protocol.Status`.
        message: why it failed.
        seconds: how long it took, wall clock.
        finished_s: seconds since the run began.
        result: what the robot said, as plain data.
        final: whether it cannot be undone.
        gave: what it found out, in one line (see `gave`); "" of a check, which holds when it succeeds.
    """

    id: str
    subtask: str
    text: str
    status: str = ""
    message: str = ""
    seconds: float = 0.0
    finished_s: float = 0.0
    result: dict[str, Any] = field(default_factory=dict)
    final: bool = False
    gave: str = ""

    @property
    def told(self) -> str:
        """The step and what it found out, in one line."""
        return f"{self.text} = {self.gave}" if self.gave else self.text


@dataclass
class Chapter:
    """One policy: why it was asked for, what it says, what became of it.

    Args:
        revision: its number.
        instruction: the sentence it answers.
        triggers: why it was asked for, (name, sentence); none for the first.
        policy: the document.
        rows: its steps.
        claim: see `vlp.runtime.planner.claim_of`.
        started_s: seconds since the run began.
        replies: replies the model needed.
        model_s: time the model took for them.
        reports: issues of the replies that were refused, as text.
        said: what the model said before it wrote the policy, in a line for each turn; "" of a model that says nothing.
        diff_data: the change to the one before as plain data; None for the first.
        understood: what the policy takes the instruction to mean, in one line.
        confirmed: what a person who was asked said to it; "" when nobody was asked or answered.
        by: through what a person wrote it: "terminal", "standard input" or "api"; "" when the model did.
    """

    revision: int
    instruction: str
    triggers: list[tuple[str, str]]
    policy: dict[str, Any]
    rows: list[Row]
    claim: str = ""
    started_s: float = 0.0
    replies: int = 1
    model_s: float = 0.0
    reports: list[str] = field(default_factory=list)
    said: str = ""
    diff_data: dict[str, Any] | None = None
    understood: str = ""
    confirmed: str = ""
    by: str = ""

    @property
    def diff(self) -> str:
        """The change to the one before as text; "" for the first."""
        return (self.diff_data or {}).get("text", "")

    @property
    def whys(self) -> list[str]:
        """Why it took the place of the one before, a sentence each."""
        return [why for _, why in self.triggers] + ([f"edited by the person ({self.by})"] if self.by else [])

    @property
    def refused(self) -> str:
        """How many replies before it were refused, and the first issue of each, in one line; "" for none."""
        if not self.reports:
            return ""
        firsts = [report.split("\n")[0].rpartition(" [")[0] for report in self.reports]
        whys = [first.partition(" ")[2] if first.startswith("/") else first for first in firsts]  # without path and code
        return shortened(f"{counted(len(self.reports), 'reply')} refused: {' '.join(whys)}", 160)

    def row(self, step_id: str) -> Row | None:
        """Return the row of a step, None when there is none."""
        return next((row for row in self.rows if row.id == step_id), None)


def gave(value: Any) -> str:
    """Return the value that a step gave back in one line; "" for nothing and for located objects, which pictures show.

    Args:
        value: plain data.
    """
    each = value if isinstance(value, list) else [value]
    if value is None or any(isinstance(one, dict) and "position_in_world" in one for one in each):
        return ""
    if isinstance(value, dict):
        return shortened(", ".join(f"{name}: {_plain(one)}" for name, one in value.items()))
    return shortened(", ".join(map(_plain, each)))


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(round(value, 4) if isinstance(value, float) else value, ensure_ascii=False)


def shortened(text: str, chars: int = 80) -> str:
    """Return a text as one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= chars else f"{line[: chars - 1]}…"


class Story:
    """Folds events; feed it all of them in order.

    Attributes:
        started: data of the event that started the run.
        chapters: policies with their steps.
        moments: the time line: seconds since the run began, the kind of event, and what happened.
        times_s: seconds in perception, model, checks and motion.
        first_image, last_image: JPEG bytes of the first and the last observation.
        waiting: what the run is doing now, for a display.
        asking: whether a person is asked to agree to the last policy.
        end: data of the event that ended it; empty before.
    """

    def __init__(self) -> None:
        self.started: dict[str, Any] = {}
        self.instructions: list[str] = []
        self.chapters: list[Chapter] = []
        self.moments: list[tuple[float, str, str]] = []
        self.times_s: dict[str, float] = dict.fromkeys(TIMES, 0.0)
        self.first_image: bytes | None = None
        self.last_image: bytes | None = None
        self.waiting = ""
        self.asking = False
        self.end: dict[str, Any] = {}
        self._begin_s: float | None = None
        self._triggers: list[tuple[str, str]] = []
        self._replies: list[float] = []
        self._said = ""
        self._reports: list[str] = []
        self.now_s = 0.0

    @classmethod
    def of(cls, events: Iterable[Event]) -> "Story":
        """Return the story that events tell."""
        story = cls()
        for event in events:
            story.on_event(event)
        return story

    def on_event(self, event: Event) -> None:
        """Take one event in."""
        self._begin_s = event.wall_s if self._begin_s is None else self._begin_s
        self.now_s = max(0.0, event.wall_s - self._begin_s)
        fold = _FOLDS.get(event.kind)
        if fold:
            fold(self, event)

    @property
    def steps(self) -> list[Row]:
        """Every step that was tried, in order."""
        return [row for chapter in self.chapters for row in chapter.rows if row.status not in ("", "running")]

    @property
    def account(self) -> str:
        """How the run ended, in one sentence; of a journal that has none, outcome and reason."""
        told = ": ".join(filter(None, (str(self.end.get("outcome", "unfinished")), str(self.end.get("reason", "")))))
        return str(self.end.get("account") or told)

    @property
    def failures(self) -> list[Row]:
        """Every step that did not succeed."""
        return [row for row in self.steps if row.status != "succeeded"]

    def _say(self, kind: str, text: str) -> None:
        self.moments.append((self.now_s, kind, text))

    # The folds, one per kind.

    def _started(self, event: Event) -> None:
        self.started = event.data
        self.waiting = "looking"

    def _resumed(self, event: Event) -> None:
        self.end = {}
        self._say("resumed", str(event.data["how"]))

    def _instruction(self, event: Event) -> None:
        self.instructions.append(event.data["text"])
        self._say("instruction", event.data["text"])

    def _observation(self, event: Event) -> None:
        self.times_s["perception"] += event.data["seconds"]
        self.first_image = self.first_image or event.blob
        self.last_image = event.blob or self.last_image
        self.waiting = "the model writes" if event.data["purpose"] == "plan" else ""

    def _reply(self, event: Event) -> None:
        self.times_s["model"] += event.data["seconds"]
        self._replies.append(event.data["seconds"])
        self._said = str(event.data.get("said", event.data.get("quote", "")))  # "quote" in journals of version 1

    def _report(self, event: Event) -> None:
        self.times_s["checks"] += event.data.get("check_s", 0.0)
        issues = event.data["issues"]
        lines = [f"{i.get('path', '')} {i.get('message', '')} [{i.get('code', '')}]".strip() for i in issues]
        self._reports.append("\n".join(lines))
        self._say("report", f"reply {event.data['attempt']} refused: {lines[0] if lines else ''}")
        self.waiting = f"the model writes again, reply {event.data['attempt']} was refused"

    def _lessons(self, event: Event) -> None:
        for lesson in event.data["shown"]:
            self._say("lesson", f"told of lesson {lesson['id']}: {lesson['text']}")

    def _policy(self, event: Event) -> None:
        data = event.data
        self.times_s["checks"] += data.get("check_s", 0.0)
        chapter = Chapter(
            revision=data["revision"],
            instruction=self.instructions[-1] if self.instructions else "",
            triggers=self._triggers,
            policy=data["policy"]["policy"],
            rows=[Row(step["id"], step["subtask"], step["text"]) for step in data["steps"]],
            claim=data["claim"],
            started_s=self.now_s,
            replies=len(self._replies),
            model_s=sum(self._replies),
            reports=self._reports,
            said=self._said,
            diff_data=data["diff"],
            by=data.get("by", ""),
        )
        self._triggers, self._replies, self._reports = [], [], []
        self.chapters.append(chapter)
        said = chapter.policy.get("cannot") or chapter.policy.get("goal", "")
        by = f", {chapter.whys[-1]}" if chapter.by else ""
        self._say("policy", f"policy {chapter.revision}{by}: {said}")
        self.waiting = ""

    def _understood(self, event: Event) -> None:
        chapter = self.chapters[-1]
        chapter.understood = event.data["text"]
        for row in chapter.rows:
            row.final = row.id in event.data["final"]
        self._say("understood", chapter.understood)

    def _asked(self, event: Event) -> None:
        doubt = f"{event.data['doubt']} " if event.data["doubt"] else ""
        age = f"planned from an image taken {event.data['image_age_s']:.0f} s ago"
        self._say("confirm", f"{doubt}carry out policy {event.data['revision']}, {age}? yes, no, another sentence, or a policy")
        self.waiting, self.asking = "waits for a yes", True

    def _answered(self, event: Event) -> None:
        told = f"{event.data['answer']} ({event.data['by']}, after {event.data['waited_s']:.0f} s)"
        self.chapters[-1].confirmed = told
        self._say("confirm", told)
        self.waiting, self.asking = "", False

    def _step_begun(self, event: Event) -> None:
        self._say("step", f"begun while the policy is written: {event.data['text']}")

    def _step_started(self, event: Event) -> None:
        row = self._row(event)
        if row:
            row.status = "running"
        self.waiting = ""

    def _step_finished(self, event: Event) -> None:
        data, self.waiting = event.data, ""
        where = "motion" if data.get("kind") == "action" else "perception"
        self.times_s[where] += data.get("seconds", 0.0)
        self.times_s["perception"] += data.get("looks_s", 0.0)
        row = self._row(event)
        if row:
            row.status, row.message, row.result = data["status"], data["result"].get("message", ""), data["result"]
            row.seconds, row.finished_s = data.get("seconds", 0.0), self.now_s
            row.gave = gave(data["result"].get("value")) if data["do"] != CHECK else ""
            done = "" if row.status == "succeeded" else f": {row.status}, {row.message}"
            self._say("step", f"{row.told}{done}")

    def _verified(self, event: Event) -> None:
        each = [f"{f['fact']}: {f['verdict']}, {f['evidence']}" for f in event.data["findings"]]
        self._say("verify", f"{event.data['verdict']} ({'; '.join(each)})")

    def _retry(self, event: Event) -> None:
        row, how = self._row(event), {"retry": "in the same way", "look": "after another look"}
        self._say("retry", f"try {event.data['tries']} {how[event.data['how']]}: {row.text if row else event.data['id']}")

    def _trigger(self, event: Event) -> None:
        self._triggers.append((event.data["name"], event.data["detail"]))
        self._say("trigger", event.data["detail"])
        self.waiting = "looking"

    def _world_event(self, event: Event) -> None:
        self._say("world", event.data["text"])

    def _note(self, event: Event) -> None:
        self._say("note", event.data["text"])
        self.waiting = event.data.get("waiting", self.waiting)

    def _finished(self, event: Event) -> None:
        self.end = event.data
        self.waiting = ""
        for chapter in self.chapters:
            for row in chapter.rows:
                row.status = "in flight" if row.status == "running" else row.status
        self._say("end", self.account)

    def _row(self, event: Event) -> Row | None:
        return self.chapters[-1].row(event.data["id"]) if self.chapters else None


_FOLDS = {
    "run-started": Story._started,
    "run-resumed": Story._resumed,
    "instruction": Story._instruction,
    "observation": Story._observation,
    "reply": Story._reply,
    "report": Story._report,
    "lessons": Story._lessons,
    "policy": Story._policy,
    "understood": Story._understood,
    "confirm-asked": Story._asked,
    "confirm-answered": Story._answered,
    "step-begun": Story._step_begun,
    "step-started": Story._step_started,
    "step-finished": Story._step_finished,
    "verified": Story._verified,
    "retry": Story._retry,
    "trigger": Story._trigger,
    "world-event": Story._world_event,
    "note": Story._note,
    "run-finished": Story._finished,
}
