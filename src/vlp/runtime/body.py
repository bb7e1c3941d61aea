"""The robot as a run sees it, and calls that may hang: each has a limit in time."""

import contextlib
import queue
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from vlp.core.errors import MissingComponent, VlpError
from vlp.core.observation import Located, Observation, RobotState
from vlp.journal import Event
from vlp.policy.model import PolicyStep
from vlp.robot.protocol import (
    HELD,
    UNKNOWN,
    Robot,
    Step,
    StepResult,
    innermost,
    offered,
    plain_observation,
    plain_result,
    result_fault,
    state_now,
)

T = TypeVar("T")
SLICE_S = 0.2
"""How often a wait looks whether it is still wanted."""


class Overrun(VlpError):
    """Something did not answer within its time limit."""


@dataclass(frozen=True)
class Budget:
    """Bounds on one run; times are wall-clock seconds.

    Args:
        replans: new policies per instruction after the first; see `replans_after`.
        replies: replies per policy: the first one and the corrected ones.
        model_s: one reply.
        observe_s: one observation.
        step_grace_s: what a step may take beyond the time limit of its primitive before the robot is stopped; a perception,
            which moves nothing and may be a model's, may take twelve times as much.
        run_s: the whole run.
        reply_tokens: length of one reply.
        instructions: sentences that one run takes.
    """

    replans: int = 6
    replies: int = 3
    model_s: float = 120.0
    observe_s: float = 30.0
    step_grace_s: float = 5.0
    run_s: float = 1800.0
    reply_tokens: int = 2048
    instructions: int = 100

    def replans_after(self, steps: int) -> int:
        """Return how many new policies an instruction may have after so many steps of a run.

        A long task meets more that fails: one for ten steps, and at most three times the usual number.
        """
        return min(max(self.replans, steps // 10), 3 * self.replans)


class ProgramFault(VlpError):
    """A component raised what it should not: a fault of the program, not of the task."""


class Abandoned(VlpError):
    """Nobody waits for the answer any more."""


class Worker:
    """One daemon thread that makes all calls to one component, so that graphics and models stay in one thread.

    Args:
        name: the word for the component in messages, e.g. "robot".
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], str, Future[Any]] | None] = queue.SimpleQueue()
        self._hung = ""
        self._thread = threading.Thread(target=self._serve, name=f"vlp-{name}", daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], T], limit_s: float, what: str, wanted: Callable[[], bool] = lambda: True) -> T:
        """Return `work()`, carried out in the thread (see `wait`)."""
        return self.wait(self.begin(work, what), limit_s, what, wanted)

    def begin(self, work: Callable[[], T], what: str) -> Future[T]:
        """Return what ends with `work()`, carried out in the thread.

        Args:
            work: the call.
            what: the words for the call in messages, e.g. "an observation".

        Raises:
            Overrun: an earlier call has not ended in time; the thread is lost.
        """
        if self._hung:
            raise Overrun(self._hung)
        future: Future[T] = Future()
        self._jobs.put((work, what, future))
        return future

    def wait(
        self,
        future: Future[T],
        limit_s: float,
        what: str,
        wanted: Callable[[], bool] = lambda: True,
        began_s: float | None = None,
    ) -> T:
        """Return what a call gives.

        Args:
            future: from `begin`.
            limit_s: how long to wait for it.
            what: the words for the call in messages.
            wanted: asked now and then; waiting ends when it says no.
            began_s: since when it has been waited for, by `time.monotonic()`; None for now.

        Raises:
            Overrun: no answer in time; the thread is lost and every later call raises at once.
            Abandoned: no longer wanted; the thread goes on by itself.
            VlpError: whatever the call raised of that kind.
            ProgramFault: the call raised anything else.
        """
        end_s = (time.monotonic() if began_s is None else began_s) + limit_s
        while True:
            try:
                return future.result(max(0.0, min(SLICE_S, end_s - time.monotonic())))
            except TimeoutError:
                if future.done():
                    return future.result()
            if not wanted():
                raise Abandoned(f"nobody waits for {what} any more.")
            if time.monotonic() >= end_s:
                self._hung = f"the {self.name} did not give {what} within {limit_s:g} s."
                raise Overrun(self._hung)

    def close(self) -> None:
        """End the thread after the calls it has."""
        self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, what, future = job
            try:
                future.set_result(work())
            except BaseException as error:  # also SystemExit and KeyboardInterrupt: they are the component's, not the person's
                future.set_exception(self._told(error, what))

    def _told(self, error: BaseException, what: str) -> VlpError:
        """Return the error that whoever waits is told."""
        if isinstance(error, VlpError):
            return error
        if isinstance(error, OSError):
            told: VlpError = MissingComponent(f"the {self.name} cannot be reached: {error}.", "Is it running?")
        else:
            text = f"{type(error).__name__}: {str(error)[:300]}".removesuffix(": ")
            told = ProgramFault(f"the {self.name} failed to give {what}: {text}.", "This is a fault in the program.")
        told.__cause__ = error
        return told


JPEG_QUALITY = 80
STOP_S = 5.0
"""How long a robot's `stop` may take, which should return at once, and then the end of what is under way."""
_INSTANCES: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
"""Names of the robots that live in this process, and die with it."""


class StopFailed(VlpError):
    """A robot did not take the order to stop."""


def fault_of(work: Callable[[], Any], limit_s: float) -> str:
    """Return how a call failed, "" when it did not; one that does not return in time goes on by itself.

    Args:
        work: the call; it is made in a thread of its own.
        limit_s: how long it may take.
    """
    failed: list[BaseException] = []

    def call() -> None:
        try:
            work()
        except BaseException as error:  # also SystemExit: whatever a driver raises, the person is told
            failed.append(error)

    thread = threading.Thread(target=call, name="vlp-call", daemon=True)
    thread.start()
    thread.join(limit_s)
    if not failed:
        return f"it did not return within {limit_s:g} s" if thread.is_alive() else ""
    kind = "" if isinstance(failed[0], VlpError) else f"{type(failed[0]).__name__}: "
    said = "".join(c if c.isprintable() else " " for c in f"{kind}{str(failed[0])[:300]}")
    return " ".join(said.split()).rstrip(".: ")


class Body:
    """A robot behind time limits.

    Args:
        robot: anything with the four methods; what it offers beyond them (`snapshot`, `restore`, `result_of`) is used
            when it, or the robot that it wraps, has it.
        budget: time limits.
        tag: makes the keys of looks at step boundaries unique.

    Attributes:
        tell: told what is waited for once the run has to end, from the thread that waits; set by the loop.
        meanwhile: called now and then while the robot is waited for, from that thread, and after each step; set by the loop.

    Raises:
        Abandoned: from looks, once the run has to end.
        MissingComponent: from any method, when the robot cannot be reached.
        Overrun: from any method, when it did not answer in time; it has been told to stop.
        ProgramFault: from any method, when it raised what it should not; it has been told to stop.
    """

    def __init__(self, robot: Robot, budget: Budget, tag: str) -> None:
        self.robot = robot
        self._budget = budget
        self._tag = tag
        self._looks = 0
        self._worker = Worker("robot")
        self._looking_s = 0.0
        self._own = uuid.uuid4().hex
        self._begun: tuple[Step, Future[tuple[StepResult, bytes | None]]] | None = None
        self._hurried = threading.Event()
        self.tell: Callable[[str], None] = lambda what: None
        self.meanwhile: Callable[[], None] = lambda: None
        self.stop_fault = ""
        self.manifest = self._call(robot.describe, budget.observe_s, "its manifest")

    def observe(self, purpose: str) -> tuple[Observation, Event]:
        """Return what the robot perceives now, and the event that says so."""
        start = time.monotonic()
        seen = self._call(lambda: observed(self.robot), self._budget.observe_s, "an observation")
        seconds = time.monotonic() - start
        data = {"purpose": purpose, "state": seen.state.to_json(), "seconds": seconds, "stamp_s": seen.stamp_s}
        return seen, Event("observation", data, blob=encode_jpeg(seen), live=seen)

    def begin(self, step: Step) -> None:
        """Send a step and do not wait for its end: `execute` of the same step gives it, any other call waits for it first."""
        self._rest()
        self._begun = step, self._send(step)

    def begun(self) -> StepResult:
        """Return the result of the step that was begun last, once it has ended."""
        assert self._begun is not None
        self._rest()
        step, future = self._begun
        return self.checked(step.do, future.result()[0])

    @property
    def busy(self) -> bool:
        """Whether a step that was begun is still under way."""
        begun = self._begun
        return begun is not None and not begun[1].done()

    def execute(self, step: Step) -> tuple[StepResult, bytes | None]:
        """Carry out a step; return its result and, where the robot can give one, its state afterwards."""
        begun, self._begun = self._begun, None
        if begun is not None and begun[0] != step:
            self._ended(*begun)
            begun = None
        result, after = self._ended(step, begun[1] if begun else self._send(step))
        self.meanwhile()
        result = self.checked(step.do, result)
        if result.code == "another-robot":
            raise MissingComponent(result.message)
        if result.code in HELD:
            raise MissingComponent(result.message, "Let the other holder release the robot, or wait until its lease ends.")
        if result.code in UNKNOWN:
            raise MissingComponent(result.message, "`vlp resume` asks the robot what became of the step.")
        return result, after

    def checked(self, do: str, result: StepResult) -> StepResult:
        """Return a step's result, as a failure where what came back is not what its primitive gives."""
        result = _taken(plain_result, result, f"the end of {do!r}")
        if result.status != "succeeded":
            return result
        fault = result_fault(self.manifest.primitives[do], result.value, self.manifest)
        if not fault:
            return result
        message = f"{do} gave back something else than it declares: {fault}."
        return replace(result, status="failed", value=None, code="bad-result", message=message)

    def reachable(self, step: PolicyStep, thing: Located) -> str:
        """Return why the robot cannot get to a thing, "" when it can or does not say."""
        return str(self.ask("reachable", Step(step.do, dict(step.arguments), key=""), thing) or "")

    def instance(self) -> str:
        """Return what changes when a robot's keys are forgotten: its server starts anew, or it lived in a process that died."""
        inner = innermost(self.robot)
        try:
            own = _INSTANCES.setdefault(inner, uuid.uuid4().hex)
        except TypeError:  # a class without weak references
            own = self._own
        life = self.offers("life")  # of a served robot that is held: known without asking, step by step
        return str((life() if life else "") or getattr(self.ask("health"), "instance", own))

    def offers(self, method: str) -> Callable[..., Any] | None:
        """Return a method that not every robot has, from the robot or the one that it wraps; None when none has it."""
        return offered(self.robot, method)

    def ask(self, method: str, *arguments: Any) -> Any:
        """Return the answer of a method that not every robot has; None when it has not."""
        found = self.offers(method)
        if found is None:
            return None
        return self._call(lambda: found(*arguments), self._budget.observe_s, f"an answer to {method!r}")

    def call(self, work: Callable[[], T], what: str) -> T:
        """Return `work()`, carried out in the robot's thread."""
        return self._call(work, self._budget.observe_s, what)

    def take(self) -> None:
        """Hold a served robot from now on.

        Raises:
            MissingComponent: it is stopped, somebody else holds it, or its token may not operate it.
        """
        health = self.ask("health")
        if getattr(health, "stopped", False):
            hint = "Look at it; who may reset it opens its latch: `vlp robot reset`."
            raise MissingComponent(f"the robot is stopped: {getattr(health, 'stop_reason', '') or 'no reason given'}.", hint)
        self.ask("take_lease")

    def stop(self) -> None:
        """Stop the robot, from any thread; raises StopFailed, kept as `stop_fault`, where it fails or does not return."""
        self.hurry()
        if fault := fault_of(self.robot.stop, STOP_S):
            self.stop_fault = f"the robot's stop failed: {fault}; look at the robot"
            raise StopFailed(f"{self.stop_fault}.")

    def hurry(self) -> None:
        """From now on wait `STOP_S` at most for whatever the robot does, and begin no look: the run has to end."""
        self._hurried.set()

    def rest(self) -> None:
        """Wait for a step that was begun; the last looks after it may take their usual time again.

        Raises:
            Overrun, ProgramFault, MissingComponent: as `execute` does.
        """
        try:
            self._rest()
        finally:
            self._hurried.clear()

    def close(self) -> None:
        """Let the thread end."""
        self._worker.close()

    # Fresh looks for triggers.

    def state(self) -> RobotState:
        """Return proprioception."""
        start = time.monotonic()
        what = "its state"  # images stay unread, so that a simulated robot need not draw them
        state = self._call(lambda: _taken(state_now, self.robot, what), self._budget.observe_s, what)
        self._looking_s += time.monotonic() - start
        return state

    def locate(self, phrase: str) -> Located | None:
        """Return where a thing is now, None when it is not in view."""
        result = self.perceive("locate", {"object": phrase})
        return Located.from_json(result.value) if result.status == "succeeded" else None

    def things(self) -> list[Located]:
        """Return every thing in view; nothing for a robot that cannot find all."""
        if "find_all" not in self.manifest.primitives:
            return []
        result = self.perceive("find_all", {"object": "thing"})
        return [Located.from_json(item) for item in result.value] if result.status == "succeeded" else []

    def spent(self) -> float:
        """Return the seconds that looks took since this was asked last."""
        seconds, self._looking_s = self._looking_s, 0.0
        return seconds

    def perceive(self, do: str, arguments: dict[str, Any]) -> StepResult:
        """Return what a perception that no policy asked for finds now."""
        if self._hurried.is_set():
            raise Abandoned("nobody waits for another look any more.")
        self._looks += 1
        step = Step(do, arguments, key=f"{self._tag}.look.{self._looks}")
        start = time.monotonic()
        result = self.checked(do, self._call(lambda: executed(self.robot, step), self._limit_s(step), f"the end of {do!r}"))
        self._looking_s += time.monotonic() - start
        return result

    def _limit_s(self, step: Step) -> float:
        """Return how long a step is waited for before the robot is stopped."""
        primitive = self.manifest.primitives[step.do]
        grace_s = self._budget.step_grace_s * (12 if primitive.kind == "perception" else 1)
        return (step.timeout_s or primitive.timeout_s) + grace_s

    def _send(self, step: Step) -> Future[tuple[StepResult, bytes | None]]:
        snapshot = self.offers("snapshot")

        def work() -> tuple[StepResult, bytes | None]:
            return executed(self.robot, step), snapshot() if snapshot else None

        with self._stopping():
            return self._worker.begin(work, f"the end of {step.do!r}")

    def _ended(self, step: Step, future: Future[T]) -> T:
        return self._given(future, self._limit_s(step), f"the end of {step.do!r}")

    def _given(self, future: Future[T], limit_s: float, what: str) -> T:
        """Return what a call gives; once the run has to end, it is waited for `STOP_S` at most."""
        with self._stopping():
            try:
                return self._worker.wait(future, limit_s, what, self._wanted)
            except Abandoned:
                began_s = time.monotonic()
            if not wait_for([future], SLICE_S).done:
                self.tell(f"{what}, for {STOP_S:g} s at most")
            return self._worker.wait(future, STOP_S, what, began_s=began_s)

    def _wanted(self) -> bool:
        self.meanwhile()
        return not self._hurried.is_set()

    def _rest(self) -> None:
        """Wait for the end of a step that was begun: the robot does one thing at a time, and each has its own time limit."""
        if self._begun is not None:
            try:
                self._ended(*self._begun)
            except VlpError:
                self._begun = None
                raise

    def _call(self, work: Callable[[], T], limit_s: float, what: str) -> T:
        self._rest()
        with self._stopping():
            future = self._worker.begin(work, what)
        return self._given(future, limit_s, what)

    @contextlib.contextmanager
    def _stopping(self) -> Iterator[None]:
        """Stop a robot that hangs, or whose program fails."""
        try:
            yield
        except (Overrun, ProgramFault):
            with contextlib.suppress(StopFailed):  # told at the end of the run
                self.stop()
            raise


def observed(robot: Robot) -> Observation:
    """Return what a robot perceives now; raises ProgramFault when what it gives back is no observation."""
    return _taken(plain_observation, robot.observe(), "an observation")


def executed(robot: Robot, step: Step) -> StepResult:
    """Return the result of a step as plain data; raises ProgramFault when what the robot gives back is no result of it."""
    result = _taken(plain_result, robot.execute(step), f"the end of {step.do!r}")
    if result.key != step.key:  # one that comes late, or a second time, says nothing about this step
        said = f"the robot failed to give the end of {step.do!r}: it gave back the result of {result.key[:100]!r}."
        raise ProgramFault(said, "This is a fault in the robot's program.")
    return result


def _taken(take: Callable[[Any], T], given: Any, what: str) -> T:
    try:
        return take(given)
    except ValueError as error:
        raise ProgramFault(f"the robot failed to give {what}: {error}.", "This is a fault in the robot's program.") from error


def encode_jpeg(seen: Observation) -> bytes:
    """Return an observation's image as JPEG bytes."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(seen.rgb).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
