"""A robot's server without the HTTP: one worker thread, one execution at a time, a latch and a watchdog."""

import hashlib
import json
import logging
import math
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from queue import SimpleQueue
from typing import Any, Literal, TypeVar

from vlp.core.errors import SimulationFault, VlpError
from vlp.robot.arguments import check_arguments
from vlp.robot.keys import fingerprint
from vlp.robot.lease import Lease
from vlp.robot.protocol import Robot, Step, StepResult, offered, plain, raised
from vlp.robot.record import Record
from vlp.robot.wire import Refusal

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Waits:
    """How long things may take around a robot, in seconds.

    Args:
        grace_s: how long it may overrun a step's time limit before it is stopped.
        silence_s: how long the client may be silent while it moves before it is stopped.
        observe_wait_s: how long it may take to observe.
        max_stream_s: longest life of one event stream.
        record_retry_s: pause after the latch could not be written to the record, before it is tried again.
    """

    grace_s: float = 5.0
    silence_s: float = 0.5
    observe_wait_s: float = 20.0
    max_stream_s: float = 3600.0
    record_retry_s: float = 0.5


class Stopping(threading.Thread):
    """One call of a robot's own stop.

    Args:
        robot: the body.

    Attributes:
        fault: how the call failed, "" while it has not.
    """

    def __init__(self, robot: Robot) -> None:
        super().__init__(name="robot-stop", daemon=True)
        self._robot, self.fault = robot, ""

    def run(self) -> None:
        """Stop the robot."""
        try:
            self._robot.stop()
        except BaseException as error:  # also SystemExit: a brake that fails is told, whatever it raises
            self.fault = f"the robot's own stop failed ({raised(error)})"
            log.exception("the robot's stop raised")


@dataclass
class Execution:
    """One step on its way; changed under the executor's lock only."""

    id: str
    step: Step
    holder: str
    state: Literal["queued", "running", "finished"] = "queued"
    started_s: float = 0.0
    result: StepResult | None = None
    cancelled: bool = False
    ended: "Future[None]" = field(default_factory=Future)

    def to_json(self) -> dict[str, Any]:
        """Return the execution as `ExecutionBody` data."""
        step, result = self.step, plain(asdict(self.result)) if self.result else None
        common = {"id": self.id, "key": step.key, "primitive": step.do, "epoch": step.epoch}
        return {**common, "state": self.state, "result": result}


class Executor:
    """Runs steps on a robot for whoever holds the lease.

    `execute` and `observe` of the robot are called from one worker thread, `stop` from any. No lock is held while the
    robot is called, so that a stop gets through whatever hangs.

    Args:
        robot: the body.
        record: what outlives the server; a latch that it has closed is closed here too.
        waits: how long things may take.
        clock: monotonic seconds.
    """

    def __init__(
        self, robot: Robot, record: Record, waits: Waits = Waits(), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.robot = robot
        self.manifest = robot.describe()
        self.instance = uuid.uuid4().hex
        self.manifest_hash = hashlib.sha256(json.dumps(plain(self.manifest.to_json()), sort_keys=True).encode()).hexdigest()
        self.waits = waits
        self.lease = Lease(record.next_epoch, clock)
        self.stop_reason = record.stop_reason
        self.stopped = bool(self.stop_reason)
        self.changes = 0
        """Sequence number of the last event."""
        self.record, self._clock = record, clock
        self._moved_s = -math.inf
        self._lock = threading.Lock()
        self._stop_lock = threading.Lock()  # its own, held for two assignments: a stop waits for nobody
        self._recorded: str | None = self.stop_reason
        """The reason that the record holds; None while it is being written."""
        self._keep_latch = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="robot-latch", daemon=True)
        self._stops = 0
        self._stoppers: list[Stopping] = []
        self._events: deque[tuple[int, dict[str, Any]]] = deque(maxlen=1000)
        self._latest: Execution | None = None
        """The execution taken on last: the one under way, or finished. Earlier ones are in the record."""
        self._calls = 0
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._closed = threading.Event()
        self._closed.set()

    def start(self) -> None:
        """Start worker and watchdog; nothing when they run already."""
        if self._closed.is_set():
            self._closed.clear()
            threading.Thread(target=self._work, name="robot-worker", daemon=True).start()
            threading.Thread(target=self._watch, name="robot-watchdog", daemon=True).start()
            self._keeper = threading.Thread(target=self._keep, name="robot-latch", daemon=True)
            self._keeper.start()

    # Executions.

    def submit(self, step: Step, sent_s: float | None = None) -> Execution:
        """Take a step on, or return the execution that its key already has; for `sent_s` see `Lease.hear`."""
        with self._lock:
            known = self._find(key=step.key)
            if known is not None:
                if fingerprint(known.step) != fingerprint(step):
                    raise Refusal(409, "key-reused", "this key was used for another step.", "Use a new key for each step.")
                return known
            issues = check_arguments(step.do, step.arguments, self.manifest).issues
            if issues:
                raise Refusal(422, issues[0].code, f"{issues[0].path}: {issues[0].message}", issues[0].hint)
            self.lease.check(step.epoch)
            self.lease.hear(sent_s)
            if self.stopped:
                said = f"the robot is stopped: {self.stop_reason}."
                raise Refusal(409, "stopped", said, "A person resets it: `vlp robot reset` (POST /stop/reset).")
            self._refuse_when_busy()  # but not for looks: a step waits for those before it, and those after it are refused
            execution = Execution(uuid.uuid4().hex, step, self.lease.holder)
            self.record.take(execution.id, execution.holder, step)  # it may raise: a restarted server could do it again
            self._latest = execution
            self._event(execution)
            self._jobs.put(lambda: self._carry_out(execution))
            return execution

    def get(self, id: str) -> Execution:
        """Return the execution with this id, or raise Refusal 404."""
        return self._found(self._find(id=id))

    def by_key(self, key: str) -> Execution:
        """Return the execution with this key, also one of a server before this one, or raise Refusal 404."""
        return self._found(self._find(key=key))

    def cancel(self, id: str, epoch: int) -> Execution:
        """Ask the robot to end an execution early; refused where primitive or robot cannot."""
        execution = self.get(id)
        with self._lock:
            if execution.state == "finished":
                return execution
            self.lease.check(epoch)
            if not self.manifest.primitives[execution.step.do].interruptible:
                hint = "It ends by itself; POST /stop stops at once."
                raise Refusal(409, "not-interruptible", f"{execution.step.do} cannot be interrupted.", hint)
            ask = offered(self.robot, "cancel")
            if ask is None:
                raise Refusal(409, "cannot-cancel", "this robot cannot cancel a step.", "POST /stop stops it at once.")
            execution.cancelled = True
        try:
            ask(execution.step.key)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            log.exception("the robot's cancel raised")
            raise Refusal(503, "robot-fault", f"the robot could not cancel: {raised(error)}.", "POST /stop.") from None
        return execution

    def call(self, function: Callable[[], T]) -> "Future[T]":
        """Run a short function, such as an observation, in the worker thread; refused while a step is under way."""
        future: Future[T] = Future()

        def job() -> None:
            try:
                if future.set_running_or_notify_cancel():  # from here on a caller that gives up cannot cancel it
                    future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
            finally:
                with self._lock:
                    self._calls -= 1

        with self._lock:
            self._refuse_when_busy(calls=self._calls)
            self._calls += 1
            self._jobs.put(job)
        return future

    # Stopping.

    def stop(self, reason: str) -> Stopping:
        """Close the latch at once and start the robot's own stop; the thread returned ends when that has returned."""
        with self._stop_lock:
            self._stops += 1
            self.stopped, self.stop_reason = True, reason or "stop was asked for"
            self._stoppers = [thread for thread in self._stoppers if thread.is_alive()]
            if len(self._stoppers) < 8:  # calls of a stop that hangs
                self._stoppers.append(Stopping(self.robot))
                self._stoppers[-1].start()
            stopper = self._stoppers[-1]
        self._keep_latch.set()
        return stopper

    def standing(self, stopper: Stopping) -> str:
        """Return what a stop has not reached yet, in words; "" when the robot is at rest and a restart finds it latched."""
        if stopper.is_alive():
            return "the robot's own stop has not returned"
        if stopper.fault or self.busy:
            return stopper.fault or "the step that was under way has not ended"
        return "" if self.latch_recorded else "the latch is not on the disk yet, so that a restart of the server would open it"

    def stop_body(self, standing: str) -> dict[str, Any]:
        """Return the answer to a stop as `StopBody` data."""
        return {"stopped": self.stopped, "reason": self.stop_reason, "confirmed": not standing, "standing": standing}

    def reset(self) -> None:
        """Open the latch again; refused while a step or a stop still runs, after a stop that failed, and without a reset."""
        if self.busy:
            raise Refusal(409, "busy", "the stopped step has not ended yet.", "Wait for it, then reset.")
        release = offered(self.robot, "reset_stop")
        if self.stopped and not self._stoppers and release is not None:  # latched before: no stop of this life has worked
            self.stop(self.stop_reason).join(2.0)
        with self._stop_lock:
            stops, stoppers = self._stops, list(self._stoppers)
        if any(stopper.is_alive() for stopper in stoppers):
            hint = "Wait for it, then reset; when it hangs, make the robot safe and restart its server."
            raise Refusal(409, "busy", "the robot's own stop has not returned yet.", hint)
        if stoppers and stoppers[-1].fault:
            raise Refusal(
                409, "stop-failed", f"{stoppers[-1].fault}.", "Stop it again (POST /stop); reset it after one that works."
            )
        if release is None and stops:  # the robot itself is latched; one that was made anew since the stop is not
            raise Refusal(409, "cannot-reset", "this robot offers no reset.", "Restart its server, then reset.")
        try:
            if release is not None:
                release()
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            log.exception("the robot's reset_stop raised")
            raise Refusal(503, "robot-fault", f"the robot could not reset: {raised(error)}.", "Restart it.") from None
        with self._stop_lock:
            if self._stops == stops:
                self.stopped, self.stop_reason = False, ""
                self._keep_latch.set()
                return
        self.stop(self.stop_reason)  # a stop that came in meanwhile wins
        raise Refusal(409, "stopped", "another stop came in during the reset.", "Reset again when it is safe.")

    # Reading.

    @property
    def latch_recorded(self) -> bool:
        """Whether the record has the latch as it is now."""
        return self._recorded == self.stop_reason

    @property
    def busy(self) -> bool:
        """Whether a step is under way."""
        latest = self._latest
        return latest is not None and latest.state != "finished"

    def with_lease(self, change: Callable[[Lease], None]) -> dict[str, Any] | None:
        """Change the lease under the lock and return it as plain data."""
        with self._lock:
            change(self.lease)
            return self.lease.to_json()

    def events_after(self, sequence: int) -> list[tuple[int, dict[str, Any]]]:
        """Return the kept events with a higher sequence number, oldest first."""
        with self._lock:
            return [event for event in self._events if event[0] > sequence]

    def close(self) -> None:
        """Stop the robot when a step runs, write the latch where it is not recorded yet, and end the threads."""
        if self.busy:
            self.stop("the server is closing")
        if not self._closed.is_set():
            self._closed.set()
            self._jobs.put(None)
            self._keeper.join(2.0)  # a disk that hangs keeps no server
            if not self.latch_recorded:
                log.error("the latch is not on the disk: a server that is started again takes steps without a reset.")

    # Threads.

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _carry_out(self, execution: Execution) -> None:
        with self._lock:
            skip = self.stopped or execution.cancelled
            if not skip:
                execution.state, execution.started_s = "running", self._clock()
                self._event(execution)
        result = StepResult(execution.step.key, "stopped", code="stopped", message="stopped before it began.")
        if not skip:
            result = self._execute(execution.step)
        try:
            self.record.finish(execution.id, result)
        except VlpError as error:  # the latest one is known without it; a restarted server will call it unknown
            log.error("the end of a step was not recorded: %s", error)
        with self._lock:
            execution.result, execution.state = result, "finished"
            self._moved_s = self._clock()
            self._event(execution)
        execution.ended.set_result(None)

    def _execute(self, step: Step) -> StepResult:
        try:
            filled = self.manifest.primitives[step.do].filled(step.arguments)
            result = self.robot.execute(replace(step, arguments=filled))
            if not isinstance(result, StepResult):
                raise TypeError(f"execute returned a {type(result).__name__}")
            if result.key != step.key:  # one that comes late, or a second time, says nothing about this step
                raise ValueError(f"execute returned the result of {result.key[:100]!r}")
            json.dumps(plain(asdict(result)), allow_nan=False)
            return result
        except SimulationFault as fault:
            return StepResult(step.key, "failed", code="simulation-fault", message=f"{fault.message} {fault.hint}".strip())
        except BaseException as error:  # also SystemExit: a driver does not end the thread that drives it
            log.exception("the robot's execute raised")
            return StepResult(step.key, "failed", code="robot-fault", message=f"the robot's driver failed: {raised(error)}")

    def _watch(self) -> None:
        while not self._closed.wait(0.02):
            reason = self._reason_to_stop()
            if reason and not self.stopped:
                self.lease.lapse()  # who was silent comes back as a stranger
                self.stop(reason)

    def _reason_to_stop(self) -> str:
        """Return why the robot must stop now, "" when it need not; takes no lock, since who has it may wait for a disk."""
        execution, lease, now_s = self._latest, self.lease, self._clock()
        if execution is None:
            return ""
        moving = execution.state != "finished"
        if lease.holder != execution.holder and moving:
            return "the client gave the robot back during an execution"
        silent = now_s - lease.heard_s > self.waits.silence_s or not lease.live
        if silent and lease.holder == execution.holder and (moving or lease.heard_s < self._moved_s):  # or it moved just now
            return "the client went silent during an execution"
        limit_s = execution.step.timeout_s or self.manifest.primitives[execution.step.do].timeout_s
        late = execution.state == "running" and now_s > execution.started_s + limit_s + self.waits.grace_s
        return "a step overran its time limit" if late else ""

    def _keep(self) -> None:
        """Write the latch whenever it changed, until it is written; on its own thread, so that no stop waits for a disk."""
        told = False
        while not self._closed.is_set():
            self._keep_latch.wait(0.1)
            self._keep_latch.clear()
            if error := self._write_latch():
                if not told:
                    log.error("the latch is not on the disk yet; it is tried again until it is: %s", error)
                self._closed.wait(self.waits.record_retry_s)
            told = bool(error)
        self._write_latch()

    def _write_latch(self) -> VlpError | None:
        """Write the latch unless the record has it; return why it could not be written."""
        if self.latch_recorded:
            return None
        self._recorded = None  # before the reason is read: nothing else is taken for recorded meanwhile
        reason = self.stop_reason
        try:
            self.record.keep_stop(reason)
        except VlpError as error:
            return error
        self._recorded = reason
        return None

    # Under the lock.

    def _refuse_when_busy(self, calls: int = 0) -> None:
        if self.busy or calls >= 4:
            raise Refusal(409, "busy", "the robot is carrying out a step.", "Wait for it: GET /executions/{id}?wait_s=10.")

    def _event(self, execution: Execution) -> None:
        self.changes += 1
        self._events.append((self.changes, execution.to_json()))

    def _find(self, key: str = "", id: str = "") -> Execution | None:
        latest = self._latest
        if latest is not None and (latest.step.key == key or latest.id == id):
            return latest
        taken = self.record.find(key=key, id=id)
        if taken is None:
            return None
        unknown = "the robot's server ended while this step was under way; look what it did."
        result = taken.result or StepResult(taken.step.key, "failed", code="outcome-unknown", message=unknown)
        return Execution(taken.id, taken.step, taken.holder, "finished", result=result)

    def _found(self, execution: Execution | None) -> Execution:
        if execution is None:
            hint = "Executions are created by POST /executions."
            raise Refusal(404, "unknown-execution", "no execution has this id or key.", hint)
        return execution
