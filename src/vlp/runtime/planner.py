"""Asks the model for the next policy, checks what it writes, says what was understood, and passes on its questions."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace

from vlp.core.errors import Issue, Report, TaskFailed, UsageError
from vlp.core.messages import Instruction, Message, Names, counted
from vlp.core.observation import Observation
from vlp.journal import Event, Journal
from vlp.models.protocol import Model, NotInTime, Reply
from vlp.policy.checks import CHECKS, Context, Reachable, check_policy
from vlp.policy.model import Plan, PlanStep, Policy, PolicyStep, Situation, State, compact, diff, references, walk
from vlp.primitives.manifest import Manifest
from vlp.primitives.schema import CHECK, Schema, guided, policy_schema
from vlp.primitives.standard import STANDARD
from vlp.prompt.render import Memory, plan_messages, repair_messages
from vlp.runtime.body import Abandoned, Budget, Overrun, Worker
from vlp.runtime.early import Early, FirstStep
from vlp.runtime.lessons.in_run import RunLessons
from vlp.runtime.memory import ForGood, RunMemory, alike, deed_text
from vlp.runtime.story import Outcome
from vlp.understanding.final import Deed
from vlp.understanding.gate import OPEN, Gate
from vlp.understanding.meaning import is_number
from vlp.understanding.prohibitions import declines, deed_asked
from vlp.understanding.stopping import says_stop


def answered(memory: RunMemory) -> list[Event] | Outcome:
    """Return what follows from a question to the person: its answer goes back to the model.

    A longer policy ends there too, unless the steps behind the question use its answer; no step follows a no.

    Returns:
        the answer as an instruction and the trigger for a new policy, once it has come; nothing while it has not, where no step
        follows a question of a longer policy, or when the plan is no longer in force; the end of the run where asking leads
        nowhere.
    """
    progress = memory.progress
    if progress.plan is None or progress.triggers or memory.knowledge.instruction != progress.instruction:
        return []
    remaining, alone = progress.remaining, len(progress.plan.steps) == 1
    if progress.done and _asks(progress.done[-1]) and not progress.failed and (remaining or alone):
        step, value = progress.done[-1], memory.knowledge.steps[-1].value
        used = {name for later in remaining for _, name in references(later.step)}
        if declines(_question(step), value) or says_stop(value) or step.step.as_ not in used:
            return _taken(_question(step), value)
    if remaining and _asks(remaining[0]):
        question = _question(remaining[0])
        if progress.failed:
            why = memory.knowledge.steps[-1].message.rstrip(".")
            return Outcome("failure", f"not clear, and not answered: {question} ({why})")
        if progress.asks:
            return Outcome("failure", f"asked twice without getting on; it would ask now: {question}")
    return []


def _asks(step: PlanStep) -> bool:
    return step.step.do == "ask"


def _question(step: PlanStep) -> str:
    return str(step.step.arguments.get("question", ""))


def _taken(question: str, value: str) -> list[Event] | Outcome:
    try:
        said = Instruction.of(value, "answer")
    except UsageError as error:
        return Outcome("failure", f"the answer to {question!r} cannot be taken: {error}")
    trigger = {"name": "new-instruction", "detail": f"asked {question!r}, the person answered: {said.text}"}
    return [Event("instruction", {**asdict(said), "question": question}), Event("trigger", trigger)]


def understood(plan: Plan, final: Sequence[str] = ()) -> str:
    """Return the goal and the subtasks of a plan in words, and its steps that cannot be undone.

    Args:
        plan: what the model wrote.
        final: ids of the steps that cannot be undone.
    """
    policy = plan.policy
    if policy.cannot:
        return _line(f"{policy.goal} (cannot: {policy.cannot})")
    if policy.question:
        return _line(f"not yet clear, so it asks: {policy.question}")
    names = [subtask.name for subtask in policy.subtasks]
    parts = [f"{policy.goal} ({', '.join(names) or 'it is so already'})"]
    parts += [f"cannot be undone: {plan.step(step_id)}" for step_id in final]
    return _line("; ".join(parts))


def final_steps(plan: Plan, manifest: Manifest, known: State) -> Iterator[PlanStep]:
    """Yield the steps of a plan that cannot be undone: by their primitive, or by the place where they leave what is held.

    A final place that only is driven to makes the drive there one of them. A standard action without conditions or effects,
    such as a look at the place, leaves nothing there; what one of a robot's own does is not known.

    Args:
        plan: its steps in order.
        manifest: says which primitives and places are final.
        known: what holds before the plan; the place where the robot stands counts where a step names none.
    """
    situation = Situation(known, manifest.primitives)
    for step in plan.steps:
        primitive = manifest.primitives[step.step.do]
        looks = primitive.name in STANDARD and not primitive.needs and not primitive.makes
        acts = primitive.kind == "action" and not looks
        named = {place for place in manifest.places.values() if place.name in step.step.arguments.values()}
        carries = any(one.type not in ("place", "number", "integer", "boolean", "text") for one in primitive.arguments)
        reached = acts and any(place.final and (carries or not place.relations) for place in named)
        leaves = any("held" in effect.split() for effect in primitive.makes)
        target = str(step.step.arguments.get("target", situation.facts.at))
        if primitive.final or reached or (leaves and target in manifest.places and manifest.places[target].final):
            yield step
        situation.apply(step.step)


def _deed(step: PolicyStep, situation: Situation, manifest: Manifest) -> Deed:
    """Return a step that cannot be undone in words; arguments that have their usual value are left out."""
    primitive, known = situation.primitives[step.do], manifest.places
    chosen = {one.name: one for one in primitive.arguments if step.arguments.get(one.name, one.default) != one.default}
    said = {name: situation.phrase_of(v) for name in chosen if isinstance(v := step.arguments[name], str)}
    named = {name: phrase for name, phrase in said.items() if not phrase.startswith("$")}
    target = str(step.arguments.get("target", situation.facts.at))
    ends = [phrase for phrase in (*named.values(), target) if phrase in known and known[phrase].final]
    place = "" if primitive.final or not ends else ends[0]
    if place:  # the relation and other places say nothing of what is left there
        named = {
            name: phrase for name, phrase in named.items() if phrase not in known and name not in ("relation", "direction")
        }
        named |= {"held": situation.held} if situation.held else {}
    rivals = {
        name: frozenset(chosen[name].choices) | (frozenset(known) if named[name] in known else frozenset())
        for name in named
        if name in chosen
    }
    if place:
        rivals["place"] = frozenset(known)
    return Deed(
        do=step.do,
        doc=primitive.doc,
        named=named,
        amounts={name: v for name in chosen if is_number(v := step.arguments[name])},
        rivals={name: others for name, others in rivals.items() if others},
        texts=frozenset(name for name, one in chosen.items() if one.type == "text"),
        place=place,
    )


def _line(text: str) -> str:
    return " ".join(text.split())


HANG_GRACE_S = 5.0
"""What a model may take beyond its time limit before it counts as hung."""


class NoPolicy(TaskFailed):
    """The model wrote nothing that passes the checks."""


class Planner:
    """Asks a model for policies.

    Args:
        model: writes them; its `profile` names the wording of its prompts.
        manifest: what the robot can do.
        journal: told of replies, reports and policies.
        memory: what the run knows.
        budget: replies per policy, their length and time.
        on_text: told each piece of a reply as it is written, from the model's thread.
        gate: checks that policies keep to what was said.
        names: the only things that the robot finds in its images; None for whatever can be named.
        confirm: asks a person whether to go on; None where nobody is there.
        reachable: tells why the robot cannot get to a thing; None where it does not say.
        early: begins the first step of a policy while the rest is written; None begins nothing before the policy is whole.
        lessons: looks for lessons of earlier runs before each policy; None where the run has none.
        remembers: whether the model is told what was said, done and seen before; without, the last sentence and the present.
    """

    def __init__(
        self,
        model: Model,
        manifest: Manifest,
        journal: Journal,
        memory: RunMemory,
        budget: Budget,
        on_text: Callable[[str], None] | None = None,
        gate: Gate = OPEN,
        confirm: Callable[[str], bool] | None = None,
        names: Names | None = None,
        reachable: Reachable | None = None,
        early: Early | None = None,
        lessons: RunLessons | None = None,
        remembers: bool = True,
    ) -> None:
        self.early, self.lessons, self._remembers = early, lessons, remembers
        self._reachable = reachable
        self._names = names
        self.gate, self._confirm = gate, confirm
        self.model, self.manifest, self.journal, self.memory, self.budget = model, manifest, journal, memory, budget
        self._on_text = on_text
        self.wanted: Callable[[], bool] = lambda: True
        """Whether anybody still waits for a reply; set by the loop."""
        self._agreed: dict[tuple[str, str], set[str]] = {}  # instruction and doubt: the primitives that a person agreed to
        self._worker = Worker("model")
        self._profile = model.profile
        self._grammars = {refuted: guided(policy_schema(manifest, refuted)) for refuted in (False, True)}

    def plan(self, seen: Observation) -> Plan:
        """Return a checked plan for what is seen and remembered; it has been journalled.

        Raises:
            NoPolicy: every reply allowed failed the checks.
            Overrun: the model hung.
            MissingComponent: the model cannot be reached.
        """
        if self.lessons:
            self.lessons.recall()
        memory = self.memory.memory()
        if not self._remembers:
            memory = Memory((memory.instruction,), at=seen.state.at, holding=seen.state.holding)
        first = plan_messages(
            seen.rgb,
            memory.instruction,
            seen.state,
            memory,
            self.manifest,
            self._profile,
            now_s=seen.stamp_s,
            scene_text=seen.scene_text,
            names=self._names,
        )
        last = memory.steps[-1] if memory.steps else None
        # A check of which nobody knows how it ended, since the robot's server died under it, has refuted nothing.
        refuted = last is not None and last.do == CHECK and last.status == "failed" and last.code != "unknown"
        known = replace(self.memory.state(refuted), at=seen.state.at)
        fresh = self.memory.progress.instruction != memory.instruction
        checks = (*CHECKS, *self.gate.checks(memory.instructions, fresh), self._not_again, self._not_declined)

        def checked(text: str) -> tuple[Plan | None, Report]:
            return check_policy(text, self.manifest, known, self._reachable, checks)

        messages, report, said = first, Report(), ""
        for attempt in range(1, self.budget.replies + 1):
            reply = self._ask(messages, attempt, self._grammars[refuted], checked)
            start = time.perf_counter()
            plan, report = checked(reply.text)
            check_s = time.perf_counter() - start
            if plan is not None:
                if not plan.policy.question:  # a model that asks has not gone on with a misunderstanding
                    self._ask_person(plan, known)
                key = self.early.taken(plan) if self.early else ""
                self.journal.emit(self._policy_event(plan, check_s, key), self._understood(plan, known))
                return plan
            if reply.finish == "length":
                report.add("", "cut-off", f"the reply was cut off at {self.budget.reply_tokens} tokens.", "Write less.")
            self.journal.emit(Event("report", {"attempt": attempt, **report.to_json(), "check_s": check_s}))
            if self.early:
                self.early.drop("the reply was refused")
            said = " ".join(reply.text.split())[:60]
            messages = repair_messages(first, reply.text, report, self._profile, self.model.can.turns)
        worst = next((issue for issue in report.issues if issue.code == "cut-off"), report.issues[0])
        begins = f"; it begins {said!r}" if said else ""
        raise NoPolicy(f"no valid policy in {self.budget.replies} replies; the last one: {worst}{begins}")

    def _not_again(self, policy: Policy, context: Context) -> Iterator[Issue]:
        """Yield `done-already` for each step that cannot be undone, was done before, and is not asked for again."""
        situation = Situation(context.state, context.manifest.primitives)
        for path, step in walk(policy):
            known = self.memory.undoable.get(deed_text(step, situation))
            final = context.manifest.primitives[step.do].final
            if final and known is not None and known.sure and not self._asked_again(known, step, situation):
                message = f"{step.do} was done already, cannot be undone, and was not asked for again."
                yield Issue(path, "done-already", message, "Leave it out, and plan only what is still missing.")
            situation.apply(step)

    def _asked_again(self, known: ForGood, step: PolicyStep, situation: Situation) -> bool:
        said, anew = self.memory.knowledge.instructions, self.memory.asked_anew >= known.instructions
        this = _deed(step, situation, self.manifest)
        return anew and self.gate.asked_anew(said[known.instructions :], said[: known.instructions], this)

    def _not_declined(self, policy: Policy, context: Context) -> Iterator[Issue]:
        """Yield `declined` for each action of which a question spoke that the person did not agree to."""
        question = self.memory.declined
        for path, step in walk(policy) if question else ():
            if context.manifest.primitives[step.do].kind == "action" and deed_asked(step.do, question, loosely=True):
                message = f"the person was asked {question[:100]!r}, and did not agree to it."
                yield Issue(path, "declined", message, "Leave it out, or say that it cannot be done.")

    def doubts(self, plan: Plan, known: State) -> dict[str, str]:
        """Return what a general model may have misunderstood, each in one sentence, by the instruction in which it stands.

        Args:
            plan: what the model means to do.
            known: what holds before it.
        """
        said = self.memory.memory().instructions
        found = self.gate.doubts(said, plan.policy, [(s.do, s.arguments) for s in self.memory.knowledge.steps])
        last = said[-1] if said else ""
        unasked = self._for_good(said, plan, known) or found.get(last, "")
        told = list(filter(None, (self._clash(), self._again(plan, known), unasked)))
        return {**found, last: " ".join(told)} if last and told else found

    def _ask_person(self, plan: Plan, known: State) -> None:
        """Where a general model may have misunderstood, ask the person, once for each doubt and kind of step.

        Args:
            plan: what the model means to do.
            known: what holds before the plan.

        Raises:
            NoPolicy: the person does not want it, or nobody is there to ask.
            Abandoned: the run was stopped meanwhile.
            Overrun: there was no answer within the time of a run.
        """
        kinds = {step.step.do for step in plan.steps}
        doubts, last = self.doubts(plan, known), self.memory.knowledge.instruction
        if told := f"{doubts.get(last, '')} {self._changed(plan, known)}".strip():
            doubts[last] = told
        open_ = [one for one in doubts.items() if not kinds <= self._agreed.get(one, set())]
        doubt = " ".join(text for _, text in open_)
        if not doubt:
            return
        self.journal.emit(Event("note", {"text": doubt}))
        if self.early:
            self.early.drop("a person is asked first")
        if self._confirm is None:
            raise NoPolicy(f"{doubt} Nobody is there to be asked: say it in other words, or confirm it (`--confirm yes`).")
        confirm, question = self._confirm, f"{doubt} It means to do: {plan.policy.goal}. Go on? (yes or no)"
        # In a thread of its own: a wait for a line cannot keep a stop, Ctrl-C or the time limit from ending the run.
        person = Worker("person")
        try:
            agreed = person.call(lambda: confirm(question), self.budget.run_s, "an answer", self.wanted)
        except Overrun:
            raise Overrun(f"nobody answered within {self.budget.run_s:g} s: {doubt}") from None
        finally:
            person.close()
        if not self.wanted():
            raise Abandoned("the run was stopped while a person was asked.")
        if not agreed:
            raise NoPolicy(f"not confirmed: {doubt}")
        for one in open_:
            self._agreed.setdefault(one, set()).update(kinds)

    def _clash(self) -> str:
        """Return of what the two latest sentences want something else each, where both came since the last policy; "" else."""
        new = self.memory.knowledge.instructions[self.memory.planned_for :]
        before, last = ("", *new)[-2:] if new else ("", "")
        what = self.gate.clash(before, last)
        return f"{before[:60]!r} and {last[:60]!r} want something else of the {what} each." if what else ""

    def _changed(self, plan: Plan, known: State) -> str:
        """Return which steps cannot be undone under an instruction that changed midway, for somebody who is there; "" else."""
        changed = self.gate.reads and self.memory.asked_anew and self._confirm is not None
        final = dict.fromkeys(step.step.do for step in final_steps(plan, self.manifest, known)) if changed else ()
        return f"The instruction has changed, and {', '.join(final)} cannot be undone." if final else ""

    def _again(self, plan: Plan, known: State) -> str:
        """Return which step that cannot be undone may be done once too often; "" for none.

        That is one that failed or was stopped before, for nobody knows how much of it was done, and one that was done in other
        words.
        """
        situation = Situation(known, self.manifest.primitives)
        for step in (one.step for one in plan.steps):
            if self.manifest.primitives[step.do].final:
                this = deed_text(step, situation)
                before = [
                    one
                    for did, one in self.memory.undoable.items()
                    if alike(this, did) and not self._asked_again(one, step, situation)
                ]
                if times := sum(one.times for one in before):
                    return f"{step.do} was done {counted(times, 'time')} already, or may have been, and cannot be undone."
            situation.apply(step)
        return ""

    def _for_good(self, said: Sequence[str], plan: Plan, known: State) -> str:
        """Return which step cannot be undone, or puts a thing where it cannot be taken back, unasked; "" for none."""
        situation, deeds = Situation(known, self.manifest.primitives), list[Deed]()
        final = {step.id for step in final_steps(plan, self.manifest, known)}
        for step in plan.steps:
            this = _deed(step.step, situation, self.manifest)
            if step.id in final:
                deeds.append(this)
            elif len(this.rivals) > 1 and (odd := self.gate.swapped(said, this)):
                return f"{step.step.do} takes {odd!r}, which the instruction names for something else."
            situation.apply(step.step)
        return self.gate.unasked(said, deeds)

    def edited(self, text: str) -> Plan:
        """Return the plan of a policy that a person wrote in place of the present one, checked as the model's are.

        Raises:
            UsageError: it fails the checks.
        """
        fresh = self.memory.progress.replans == 0  # nothing has been done for the instruction
        checks = (*CHECKS, *self.gate.checks(self.memory.memory().instructions, fresh))
        plan, report = check_policy(text, self.manifest, self.memory.state(), self._reachable, checks)
        if plan is None:
            raise UsageError(f"the policy is refused: {'; '.join(str(issue) for issue in report.issues[:3])}")
        return plan

    def adopted(self, plan: Plan, by: str) -> list[Event]:
        """Return the events that put a person's plan in the place of the present one."""
        event = self._policy_event(plan, 0.0)
        event.data["by"] = by
        return [event, self._understood(plan, self.memory.state())]

    def close(self) -> None:
        """Let the model's thread end."""
        self._worker.close()

    def _ask(
        self,
        messages: Sequence[Message],
        attempt: int,
        grammar: Schema,
        checked: Callable[[str], tuple[Plan | None, Report]],
    ) -> Reply:
        start, old, limit_s = time.monotonic(), self.memory.progress.plan, self.budget.model_s
        draft = compact(old.policy) if old and self._remembers else None

        def replied() -> Reply:
            what, began_s = "a reply", time.monotonic()
            first = FirstStep(self._on_text) if self.early else None
            reply = self._worker.begin(
                lambda: self.model.generate(
                    messages,
                    grammar=grammar,
                    draft=draft,
                    max_tokens=self.budget.reply_tokens,
                    timeout_s=limit_s,
                    on_text=first.add if first else self._on_text,
                ),
                what,
            )
            if self.early and first:
                self.early.follow(reply, first, lambda text: checked(text)[0], self.wanted, limit_s)
            return self._worker.wait(reply, limit_s + HANG_GRACE_S, what, self.wanted, began_s)

        try:
            reply = replied()
        except NotInTime as late:  # the request may have been lost, e.g. in a server that was started anew
            self.journal.emit(Event("note", {"text": f"{late.message} It is asked once more."}))
            reply = replied()
        data = {
            "text": reply.text,
            "said": reply.said,
            "attempt": attempt,
            "timings_s": reply.timings_s,
            "tokens": reply.tokens,
            "finish": reply.finish,
            "seconds": time.monotonic() - start,
            **({"notes": list(reply.notes)} if reply.notes else {}),
        }
        self.journal.emit(Event("reply", data))
        return reply

    def _understood(self, plan: Plan, known: State) -> Event:
        ids = [step.id for step in final_steps(plan, self.manifest, known)]
        return Event("understood", {"revision": self.memory.progress.revision + 1, "text": understood(plan, ids), "final": ids})

    def _policy_event(self, plan: Plan, check_s: float, early: str = "") -> Event:
        progress = self.memory.progress
        old = progress.plan
        change = diff(old, plan, self.manifest, [s.id for s in progress.done]) if old else None
        data = {
            "revision": progress.revision + 1,
            "policy": plan.to_json(),
            "steps": [{"id": s.id, "subtask": s.subtask, "text": str(s)} for s in plan.steps],
            "diff": {**change.to_json(), "text": str(change)} if change else None,
            "claim": claim_of(plan.policy, progress.steps, self.manifest),
            "triggers": list(progress.triggers),
            "check_s": check_s,
            **({"early": early} if early else {}),
        }
        return Event("policy", data, live=plan)


def claim_of(policy: Policy, steps_before: int, manifest: Manifest) -> str:
    """Return what a policy says of the task: "cannot" be done, "already" true before any action, to be "done", or "asks"."""
    if policy.cannot:
        return "cannot"
    if policy.question:
        return "asks"
    looks = bool(policy.steps) and not any(step.do == CHECK for step in policy.steps)  # "measure the temperature" is a task
    return "done" if acts(policy, manifest) or looks or steps_before else "already"


def acts(policy: Policy, manifest: Manifest) -> bool:
    """Return whether a policy has an action, not perceptions alone."""
    return any(manifest.primitives[step.do].kind == "action" for step in policy.steps)
