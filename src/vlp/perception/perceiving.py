"""Any robot that can observe, with the primitives that look: locate, find_all, check, count, compare, search, read and ask."""

import base64
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

from vlp.core.errors import MissingComponent, UsageError, VlpError, closest
from vlp.core.messages import Names
from vlp.core.observation import Located, Observation, Sizes
from vlp.models.protocol import Model
from vlp.perception.checks import Sight, check
from vlp.perception.comparing import comparing, counting, first_of, respects, weighing
from vlp.perception.grounder import ANYTHING, Detection, Grounder
from vlp.perception.people import locate_person, meeting
from vlp.perception.person import Person
from vlp.perception.points import Cloud, cloud
from vlp.perception.pose import locate
from vlp.perception.reading import TextFinder, read, reading
from vlp.perception.searching import glances, going, likely, searching
from vlp.primitives.facts import Facts
from vlp.primitives.manifest import Manifest, Primitive
from vlp.primitives.standard import STANDARD
from vlp.robot.protocol import Robot, Step, StepResult, offered


@dataclass
class Places:
    """Where things are in one observation: its points, and the pose of each detection, each worked out once.

    Args:
        observation: with depth.
        sizes: how large things are, where that is known.
    """

    observation: Observation
    sizes: Sizes | None = None
    known: dict[Detection, Located | None] = field(default_factory=dict)

    @cached_property
    def scene(self) -> Cloud:
        """Every pixel as a point."""
        return cloud(self.observation)

    def of(self, detection: Detection) -> Located | None:
        """Return where a detection is, None when depth shows nothing there."""
        if detection not in self.known:
            self.known[detection] = (
                locate_person(self.scene, detection, self.observation.stamp_s)
                if detection.is_person
                else locate(self.observation, detection, self.scene, self.sizes)
            )
        return self.known[detection]

    def hold(self, observation: Observation) -> bool:
        """Return whether another observation is this very one; arrays that can be written may hold another image by now."""
        depth_m = vars(self.observation).get("depth_m")
        return observation is self.observation and (depth_m is None or not depth_m.flags.writeable)


@dataclass
class OneLook:
    """One observation with what has been found in it so far, and the time that took.

    Args:
        places: of the observation that the robot made.
        timings_s: seconds by stage: "observe", "ground", "pose".
    """

    places: Places
    timings_s: dict[str, float] = field(default_factory=dict)

    @property
    def observation(self) -> Observation:
        """What the robot saw."""
        return self.places.observation

    @property
    def scene(self) -> Cloud:
        """Every pixel of it as a point."""
        return self._timed("pose", lambda: self.places.scene)

    def ground(self, grounder: Grounder, phrase: str, also: Sequence[str] = ()) -> list[Detection]:
        """Return what matches a phrase in this image, best first; `also` names what is asked for next."""
        return self._timed("ground", lambda: grounder.ground(self.observation.rgb, phrase, also))

    def pose(self, detection: Detection) -> Located | None:
        """Return where a detection is, None when depth shows nothing there."""
        return self._timed("pose", lambda: self.places.of(detection))

    def _timed(self, stage: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        try:
            return work()
        finally:
            self.timings_s[stage] = self.timings_s.get(stage, 0.0) + time.perf_counter() - start


class PerceivingRobot:
    """A robot with eyes: perceptions that the robot inside lacks are answered here, everything else passes through to it.

    Args:
        robot: anything with the four methods of `Robot`.
        grounder: finds boxes; None for a robot without depth, in whose images nothing can be located.
        model: answers `check` of relations between things; None measures them in depth.
        ask_person: question -> answer; None when nobody is there to ask.
        sizes: how large things are by their nouns, where that is known.
        reader: finds text in images; None for a robot that is not to read.
    """

    def __init__(
        self,
        robot: Robot,
        grounder: Grounder | None,
        model: Model | None = None,
        ask_person: Callable[[str], str | None] | None = None,
        sizes: Sizes | None = None,
        reader: TextFinder | None = None,
    ) -> None:
        self.robot, self._reader = robot, reader
        self._sizes = sizes
        self._places: Places | None = None
        self._grounder = grounder
        self._model = model
        self._person = Person(ask_person)
        self._lock = threading.Lock()
        self._results: OrderedDict[str, StepResult] = OrderedDict()
        self._facts = Facts()
        self._manifest: Manifest | None = None
        self._here: set[str] = set()
        """The perceptions that are answered here."""
        if callable(state := getattr(robot, "observe_state", None)):
            self.observe_state = state
        if offered(robot, "snapshot") and offered(robot, "restore"):  # else it offers neither, as the robot inside
            self.snapshot, self.restore = self._snapshot, self._put_back

    @property
    def names(self) -> Names | None:
        """The only things that can be found in its images; None for whatever can be named."""
        return self._grounder.names if self._grounder else None

    @property
    def grounder(self) -> Grounder:
        """What finds boxes; raises MissingComponent for a robot that has none."""
        if self._grounder is None:
            raise MissingComponent("this robot has no depth camera, so nothing can be located.")
        return self._grounder

    def describe(self) -> Manifest:
        """Return the robot's manifest with the perceptions added."""
        inner = self.robot.describe()
        self._manifest = with_perceptions(inner, reads=self._reader is not None)
        self._here = set(self._manifest.primitives) - set(inner.primitives)
        asked = (("ask", self._person.present), ("check", self._model is not None))
        self._here |= {name for name, wanted in asked if wanted and name in self._manifest.primitives}
        return self._manifest

    def observe(self) -> Observation:
        """Return what the robot perceives now."""
        return self.robot.observe()

    def stop(self) -> None:
        """Stop the robot; a question that waits for an answer ends too."""
        self.robot.stop()
        self._person.interrupt()

    def execute(self, step: Step) -> StepResult:
        """Carry out one step; a perception whose key was seen before returns the result of then."""
        if self._manifest is None:
            self.describe()
        if step.do not in self._here:
            return self._act(step)
        answers = {
            "locate": self._locate, "find_all": self._find_all, "check": self._check, "read": self._read, "ask": self._ask,
            "locate_person": self._locate,
            "count": self._count, "compare": self._compare, "search": self._search,
        }  # fmt: skip
        with self._lock:
            if step.key in self._results:
                return self._results[step.key]
            start = time.perf_counter()
            try:
                result = answers[step.do](step)
            except VlpError as error:
                result = StepResult(step.key, "failed", code="perception-unavailable", message=str(error))
            except (KeyError, TypeError, ValueError) as error:
                message = f"{step.do} was given arguments it cannot use: {error!r}."
                result = StepResult(step.key, "rejected", code="bad-arguments", message=message)
            result = replace(result, duration_s=time.perf_counter() - start)
            self._results[step.key] = result
            while len(self._results) > 4096:
                self._results.popitem(last=False)
            return result

    def find(self, phrase: str) -> tuple[list[Located], OneLook]:
        """Return everything that matches a phrase and can be located, best first, and the look it was found in."""
        look = self._look()
        found = [look.pose(detection) for detection in look.ground(self.grounder, phrase)]
        return [item for item in found if item is not None], look

    def recall(self, step: Step, result: StepResult) -> None:
        """Take in an action that another process carried out: what was put where is known by its declared effects.

        Not every place can be looked into, so a check of such a place rests on this record.
        """
        primitive = (self._manifest or self.describe()).primitives.get(step.do)
        if primitive is None or result.status != "succeeded":
            return
        if result.done.get("held"):
            self._facts.measure(str(result.done["held"]), self._facts.at)
        said = {n: v.get("phrase", "") if isinstance(v, dict) else v for n, v in primitive.filled(step.arguments).items()}
        self._facts.apply(primitive, said)

    def _act(self, step: Step) -> StepResult:
        """Pass an action on, and keep what it made true."""
        result = self.robot.execute(step)
        self.recall(step, result)
        return result

    def _snapshot(self) -> bytes:
        """Return the state of the robot inside with what is remembered here."""
        inner = base64.b64encode(cast(Callable[[], bytes], offered(self.robot, "snapshot"))()).decode()
        facts = {"known": sorted(self._facts.lasting), "held": self._facts.held}
        return json.dumps({"robot": inner, "facts": facts}).encode()

    def _put_back(self, snapshot: bytes) -> None:
        """Go back to what `snapshot` returned; raises UsageError when it is none."""
        try:
            state = json.loads(snapshot)
            inner = base64.b64decode(state["robot"], validate=True)
            known = [tuple(map(str, fact)) for fact in state["facts"]["known"]]
            facts = Facts(known, str(state["facts"]["held"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"this is not a snapshot of a robot that looks: {str(error)[:120]}.") from None
        cast(Callable[[bytes], None], offered(self.robot, "restore"))(inner)
        self._facts = facts

    def _look(self) -> OneLook:
        start = time.perf_counter()
        observation = self.robot.observe()
        if self._places is None or not self._places.hold(observation):
            self._places = Places(observation, self._sizes)
        return OneLook(self._places, {"observe": time.perf_counter() - start})

    def _locate(self, step: Step) -> StepResult:
        phrase = str(step.arguments["object" if step.do == "locate" else "person"])
        timings: dict[str, float] = {}
        seen: list[str] = []
        boxed: list[Detection] = []
        for attempt in range(1, self.grounder.looks + 1):
            look = self._look()
            boxed = look.ground(self.grounder, phrase)
            found = next((item for detection in boxed if (item := look.pose(detection)) is not None), None)
            _add(timings, look.timings_s)
            if found is not None:
                done = {"object": phrase, "attempts": attempt, "timings_s": timings}
                return StepResult(step.key, "succeeded", done, found.to_json())
            seen = [d.phrase for d in look.ground(self.grounder, ANYTHING)]
        done = {"object": phrase, "attempts": self.grounder.looks, "timings_s": timings, "in_view": seen}
        if boxed:
            return StepResult(step.key, "failed", done, code="not-located", message=without_depth(boxed[0].phrase))
        return StepResult(step.key, "failed", done, code="not-found", message=not_found(phrase, seen))

    def _find_all(self, step: Step) -> StepResult:
        phrase = str(step.arguments["object"])
        found, look = self.find(phrase)
        done = {"object": phrase, "count": len(found), "timings_s": look.timings_s}
        return StepResult(step.key, "succeeded", done, [item.to_json() for item in found])

    def _count(self, step: Step) -> StepResult:
        found = self._find_all(step)
        return replace(found, value={"count": found.done["count"]})

    def _compare(self, step: Step) -> StepResult:
        by, look = str(step.arguments["by"]), self._look()
        phrases = [str(phrase) for phrase in step.arguments["objects"]]
        seen = {detection.box: detection for phrase in phrases for detection in look.ground(self.grounder, phrase)}
        things = [thing for detection in seen.values() if (thing := look.pose(detection)) is not None]
        if not things:
            message = not_found(phrases[0], [d.phrase for d in look.ground(self.grounder, ANYTHING)])
            return StepResult(step.key, "failed", {"objects": phrases}, code="not-found", message=message)
        values: list[float] = []
        for i, thing in enumerate(things):
            if (measure := respects()[by].measure) is not None:
                values.append(measure(thing))
                continue
            weighed = self._weigh(step, thing, f"{step.key}/{i}")
            if weighed.status != "succeeded":
                return weighed
            values.append(float(weighed.done["weight_n"]))
        chosen = things[first_of(values, by)]
        measured = {thing.phrase: round(value, 6) for thing, value in zip(things, values, strict=True)}
        done = {"object": chosen.phrase, "by": by, "measured": measured, "timings_s": look.timings_s}
        return StepResult(step.key, "succeeded", done, chosen.to_json())

    def _weigh(self, step: Step, thing: Located, key: str) -> StepResult:
        """Lift a thing, feel its weight and put it back; return what was felt, or how that failed."""
        results: dict[str, StepResult] = {}
        for do, given in weighing(thing).items():
            results[do] = result = self._act(replace(step, do=do, arguments=given, key=f"{key}/{do}", timeout_s=None))
            if result.status != "succeeded" and do != "weigh":  # what could not be weighed is put back all the same
                return replace(result, key=step.key)
        return replace(results["weigh"], key=step.key)

    def _search(self, step: Step) -> StepResult:
        manifest, phrase = self._manifest or self.describe(), str(step.arguments["object"])
        go = going(manifest)
        assert go is not None
        looked: list[str] = []
        missed: dict[str, str] = {}
        for place in likely(manifest, step.arguments.get("places") or (), self.robot.observe().state.at):
            if looked or missed:
                there = self._act(replace(step, do=go[0], arguments={go[1]: place}, key=f"{step.key}/{place}", timeout_s=None))
                if there.status == "stopped":
                    return replace(there, key=step.key)
                if there.status != "succeeded":
                    missed[place] = there.message
                    continue
            looked.append(place)
            if found := self._glance(step, phrase, f"{step.key}/{place}"):
                return StepResult(step.key, "succeeded", {"object": phrase, "at": place, "looked_at": looked}, found.to_json())
        message = f"there is no {phrase} to be seen from {', '.join(filter(None, looked)) or 'here'}."
        message += f" Not reached: {'; '.join(f'{place} ({why})' for place, why in missed.items())}" if missed else ""
        return StepResult(step.key, "failed", {"object": phrase, "looked_at": looked}, code="not-found", message=message)

    def _glance(self, step: Step, phrase: str, key: str) -> Located | None:
        """Look for a thing straight ahead, then to both sides where the robot turns its camera."""
        found, _ = self.find(phrase)
        for i, (do, arguments) in enumerate(() if found else glances((self._manifest or self.describe()).primitives)):
            turned = self._act(replace(step, do=do, arguments=arguments, key=f"{key}/{i}", timeout_s=None))
            if turned.status == "succeeded" and (seen := self.find(phrase)[0]):
                return seen[0]
        return found[0] if found else None

    def _check(self, step: Step) -> StepResult:
        relation, subject = str(step.arguments["relation"]), str(step.arguments["subject"])
        other = str(step.arguments.get("object") or "")
        places = (self._manifest or self.describe()).places
        timings: dict[str, float] = {}
        holds, evidence = None, ""
        for _ in range(self.grounder.looks):
            look = self._look()
            sight = Sight(look, self.grounder, self._model, self._facts.lasting, places)
            holds, evidence = check(sight, relation, subject, other)
            _add(timings, look.timings_s)
            if holds:
                done = {**step.arguments, "evidence": evidence, "timings_s": timings}
                return StepResult(step.key, "succeeded", done, True)
        done = {**step.arguments, "evidence": evidence, "timings_s": timings}
        asked = f"{subject} {relation.replace('_', ' ')} {other}".strip()
        return StepResult(step.key, "failed", done, holds, "check-failed", f"not so: {asked}; {evidence}.")

    def _read(self, step: Step) -> StepResult:
        assert self._reader is not None
        phrase, look = str(step.arguments["object"]), self._look()
        found = look.ground(self.grounder, phrase)
        if not found:
            seen = [d.phrase for d in look.ground(self.grounder, ANYTHING)]
            return StepResult(step.key, "failed", {"object": phrase}, code="not-found", message=not_found(phrase, seen))
        done = {"object": phrase, "box": [round(side, 1) for side in found[0].box], "timings_s": look.timings_s}
        if text := read(look.observation.rgb, found[0].box, self._reader)[:200]:
            return StepResult(step.key, "succeeded", done, text)
        message = f"nothing on the {phrase} is legible from here; go closer, or look at it from the front."
        return StepResult(step.key, "failed", done, code="not-legible", message=message)

    def _ask(self, step: Step) -> StepResult:
        question = str(step.arguments["question"])
        if not self._person.present:
            why = "nobody is there to answer questions: that takes a terminal, or an instruction that leaves nothing to ask."
            return StepResult(step.key, "failed", code="nobody-to-ask", message=why)
        timeout_s = STANDARD["ask"].timeout_s if step.timeout_s is None else step.timeout_s
        answer = self._person.ask(question, timeout_s)
        if answer is None and self._person.interrupted:
            return StepResult(step.key, "stopped", code="stopped", message="the robot was stopped while a person was asked.")
        if answer is None:
            return StepResult(step.key, "timeout", code="no-answer", message=f"no answer within {timeout_s:g} s.")
        return StepResult(step.key, "succeeded", {"question": question}, answer)


def with_perceptions(manifest: Manifest, reads: bool = False) -> Manifest:
    """Return the manifest of a robot with the primitives added that its cameras and a person give it.

    Things are located by depth: a robot without it gets `ask` alone. One without a hand has no check of what it holds.
    `count`, `compare`, `search` and `locate_person` are added where a place affords them.

    Args:
        manifest: the robot's own.
        reads: whether text in its images is read.
    """
    able = ("locate", "find_all", "check", "ask") if manifest.sees_depth else ("ask",)
    added = {name: STANDARD[name] for name in able if name not in manifest.primitives}
    if reads and manifest.sees_depth and "read" not in manifest.primitives:
        added["read"] = reading()
    if "check" in added and not manifest.has_hand:
        added["check"] = without_choice(added["check"], "holding")
    if manifest.sees_depth:
        more = [counting(), comparing(manifest.primitives), meeting(), *([searching()] if going(manifest) else [])]
        afforded = {name for place in manifest.places.values() for name in place.affords} - set(manifest.primitives)
        added |= {primitive.name: primitive for primitive in more if primitive.name in afforded}
    results = manifest.results | ({"count": {"count": "integer"}} if "count" in added else {})
    known = manifest.primitives | added
    ordered = {name: known[name] for name in STANDARD if name in known} | known
    mark = "+perception"
    version = manifest.version.removesuffix(mark) + mark  # a robot that looks by itself may be wrapped once more
    return replace(manifest, version=version, primitives=ordered, results=results)


def without_choice(primitive: Primitive, word: str) -> Primitive:
    """Return a primitive whose arguments do not offer a word."""
    arguments = tuple(replace(a, choices=tuple(c for c in a.choices if c != word)) for a in primitive.arguments)
    return replace(primitive, arguments=arguments)


def not_found(phrase: str, seen: list[str]) -> str:
    """Return the sentence for a thing that is not in view: the closest match, and what was seen instead."""
    if not seen:
        return f"there is no {phrase} in view; nothing at all was recognised."
    near = closest(phrase, seen)
    instead = f"closest: {near}; " if near else ""
    return f"there is no {phrase} in view; {instead}seen: {', '.join(sorted(set(seen)))}."


def without_depth(phrase: str) -> str:
    """Return the sentence for a thing that has a box in the image and no shape in depth."""
    shown = f"the image shows a {phrase}, but depth shows nothing above a surface there"
    return f"{shown}; check the observation's depth_m, intrinsics and camera_in_base."


def _add(total: dict[str, float], more: dict[str, float]) -> None:
    for stage, seconds in more.items():
        total[stage] = total.get(stage, 0.0) + seconds
