"""A robot at the other end of HTTP, as a `Robot`, and the lease under which it is held."""

import contextlib
import logging
import math
import os
import secrets
import threading
import time
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from vlp.core.errors import MissingComponent, SimulationFault, UsageError, VlpError
from vlp.core.observation import Located, Observation, RobotState
from vlp.primitives.manifest import Manifest
from vlp.robot.protocol import Step, StepResult, plain
from vlp.robot.wire import (
    ExecutionBody,
    HealthBody,
    Http,
    LeaseBody,
    ObservationBody,
    ReachBody,
    Refusal,
    RobotUnreachable,
    StateBody,
    StopBody,
    check_token,
    decode_observation,
    decode_state,
    fault_in,
    host_in,
    is_address,
)

B = TypeVar("B", bound=BaseModel)
log = logging.getLogger(__name__)


class RemoteRobot:
    """A robot served by `vlp.robot.server`.

    A lease is acquired with the first step and renewed from a thread of its own until `close`. A step whose answer was
    lost is sent again with the same key only, which finds the execution there is. Failures come back as results with
    the codes "robot-unreachable" (no contact), "outcome-unknown" (a restarted server, or garbage) and "lease-lost".

    Args:
        url: e.g. "http://127.0.0.1:8765".
        token: the server's bearer token.
        holder: who holds the lease; the same holder may take its own lease over after a crash. By default the run that it
            is used in, before that this client alone.
        ttl_s: silence after which the server stops a moving robot.
        timeout_s: time limit of one HTTP exchange.
        give_up_s: how long a step goes on without contact before it fails.

    Raises:
        UsageError: the URL is not http(s)://host[:port].
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        holder: str = "",
        ttl_s: float = 5.0,
        timeout_s: float = 10.0,
        give_up_s: float = 10.0,
    ) -> None:
        if not is_address(url):
            raise UsageError(f"{url[:200]!r} is not a robot's address.", "Expected e.g. http://127.0.0.1:8765.")
        check_token(token)
        self.url = url.rstrip("/")
        self._token = token
        self._http = Http(self.url, token, timeout_s)
        self._named = holder
        mine = holder or f"vlp-{os.getpid()}-{secrets.token_hex(4)}"
        self._beat = _Heartbeat(Http(self.url, token, min(timeout_s, ttl_s)), mine, ttl_s)
        self._give_up_s = give_up_s
        self._poll_s = min(5.0, timeout_s / 2)
        self._manifest: Manifest | None = None
        self._tells_state = True  # until it is known that its server is too old

    # The four methods.

    def describe(self) -> Manifest:
        """Return what the robot says of itself.

        Raises:
            MissingComponent: nobody answers, or not with a manifest.
        """
        reply = self._ask("GET", "/manifest")
        try:
            self._manifest = Manifest.from_json(reply)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._garbage("a manifest", f"{error} is missing" if isinstance(error, KeyError) else error) from None
        return self._manifest

    def observe(self) -> Observation:
        """Return what the robot perceives now; waits a little while a step is under way.

        Raises:
            MissingComponent: nobody answers, or not with an observation.
        """
        try:
            return decode_observation(ObservationBody.model_validate(self._looked("/observation")))
        except (ValueError, UsageError) as error:
            raise self._garbage("an observation", error) from None

    def execute(self, step: Step) -> StepResult:
        """Carry out one step and return what was really done; never raises for a failed step.

        Raises:
            SimulationFault: the robot is simulated, and the physics broke down.
        """
        started = time.monotonic()
        try:
            limit_s = self._limit_s(step) + 10.0  # for the answer to arrive
            execution = self._send(step, self._beat.epoch())
            result = self._follow(step, execution, limit_s)
            if result.code == "simulation-fault":
                raise SimulationFault(result.message)
            return result
        except SimulationFault:
            raise
        except Refusal as refused:
            return _refused(step, refused, time.monotonic() - started)
        except RobotUnreachable as error:
            return StepResult(step.key, "failed", code="robot-unreachable", message=error.message)
        except _Unknown as unknown:
            return StepResult(step.key, "failed", code="outcome-unknown", message=str(unknown))
        except VlpError as error:
            return StepResult(step.key, "failed", code="outcome-unknown", message=str(error))

    def stop(self) -> None:
        """Stop the robot and latch, over connections of its own; this takes 6 s at most, whatever answers.

        When the server cannot be reached the lease is no longer renewed: a moving robot then stops by its own watchdog.

        Raises:
            MissingComponent: the server did not confirm.
        """
        button = "Use the robot's own stop button."
        line = self._beat.stop_port
        ways = ([f"{urlsplit(self.url).scheme}://{host_in(self.url)}:{line}"] if line else []) + [self.url]
        reply, error, end_s = None, "", time.monotonic() + 6.0
        for url in ways * 3:
            left_s = end_s - time.monotonic()
            if reply is not None or left_s <= 0:
                break
            try:
                with contextlib.closing(Http(url, self._token, min(3.0, left_s))) as http:
                    reply = StopBody.model_validate(http.call("POST", "/stop", {"reason": "the client asked"}))
            except ValidationError as odd:
                error = f"its answer is not one to a stop: {fault_in(odd)}."
            except (Refusal, RobotUnreachable) as refused:
                error = str(refused)
                time.sleep(0.05)
        if reply is None:
            self._beat.end()
            raise MissingComponent(f"the robot at {self.url} did not confirm the stop: {error}", button)
        if not reply.confirmed:
            said = f"the robot latched, but the stop is not confirmed: {reply.standing or 'it does not say why'}."
            raise MissingComponent(said, button)

    # Beyond the four.

    def reset_stop(self) -> None:
        """Open the latch; for a person who has looked at the robot."""
        self._ask("POST", "/stop/reset")

    def cancel(self, key: str) -> None:
        """Ask for an early end of the step with this key; raises TaskFailed or MissingComponent when refused."""
        execution = self._parse(ExecutionBody, self._ask("GET", "/executions", params={"key": key}))
        self._ask("POST", f"/executions/{execution.id}/cancel", {"epoch": execution.epoch})

    def reachable(self, step: Step, thing: Located) -> str:
        """Return why the robot cannot get to a thing with a step, "" when it can or does not say; raises MissingComponent."""
        body = {"primitive": step.do, "arguments": plain(step.arguments), "thing": thing.to_json()}
        try:
            reply = self._http.call("POST", "/reachable", body)
        except Refusal as refused:
            if refused.status == 404:  # a server that does not have the question
                return ""
            raise self._refusal(refused) from None
        return self._parse(ReachBody, reply, "what it reaches").reason

    def observe_state(self) -> RobotState:
        """Return the robot's state without its images; waits a little while a step is under way.

        A server from before there was `GET /state` is asked for observations from then on, which a warning tells once.

        Raises:
            MissingComponent: nobody answers, or not with a state.
        """
        reply = self._looked("/state") if self._tells_state else None
        try:
            if reply is not None:
                return decode_state(StateBody.model_validate(reply))
            if self._tells_state:
                self._tells_state = False
                log.warning("the robot's server at %s has no GET /state: images come with every look at its state.", self.url)
            return decode_state(ObservationBody.model_validate(self._looked("/observation")))
        except ValueError as error:
            raise self._garbage("a state", error) from None

    def hold_as(self, holder: str) -> None:
        """Name who holds the robot from the next lease on, so that a run that is taken over need not wait for its own lease."""
        self._beat.holder = self._named or holder

    def take_lease(self) -> None:
        """Hold the robot from now on, not only from the first step; raises MissingComponent where another one holds it."""
        try:
            self._beat.epoch()
        except Refusal as refused:
            raise self._refusal(refused) from None

    def result_of(self, key: str) -> StepResult | None:
        """Return the result of a finished key, None when the server knows none; raises MissingComponent."""
        try:
            reply = self._parse(ExecutionBody, self._http.call("GET", "/executions", params={"key": key}))
        except Refusal as refused:
            if refused.status == 404:
                return None
            raise self._refusal(refused) from None
        return _result(reply)

    def life(self) -> str:
        """Return what changes when the server forgets its keys, as it was when the lease was taken; "" without a lease.

        No later life of the server takes a step under this lease. Nobody is asked.
        """
        return self._beat.life if self._beat.held else ""

    def health(self) -> HealthBody:
        """Return whether the robot is stopped or busy and who holds it; raises MissingComponent."""
        return self._parse(HealthBody, self._ask("GET", "/health"), "its health")

    def close(self) -> None:
        """Give the lease back and end the heartbeat. A step still under way is stopped by the robot."""
        self._beat.close()
        self._http.close()

    def __enter__(self) -> "RemoteRobot":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # One step.

    def _send(self, step: Step, epoch: int) -> ExecutionBody:
        """Post a step until there is an answer; the key makes repeating safe, the epoch fences a restarted server."""
        body = {"primitive": step.do, "arguments": step.arguments, "key": step.key, "epoch": epoch}
        if step.timeout_s is not None:
            body["timeout_s"] = step.timeout_s
        end = time.monotonic() + self._give_up_s
        repeated = False
        while True:
            try:
                # A short step is answered by its end; of a long one it is soon known that it is under way.
                params = {"sent_s": time.monotonic(), "wait_s": min(1.0, self._poll_s)}
                reply = self._http.call("POST", "/executions", body, params)
                return self._parse(ExecutionBody, reply)
            except RobotUnreachable as error:
                if time.monotonic() > end:
                    raise
                repeated = repeated or error.sent
                time.sleep(0.1)
            except Refusal as refused:
                if refused.code in ("stale-epoch", "no-lease"):
                    self._beat.end()
                    if repeated:  # an earlier attempt may have acted on a server that is gone
                        raise _Unknown("the connection broke and the robot's server does not know this step") from None
                if refused.code != "busy" or time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def _follow(self, step: Step, execution: ExecutionBody, limit_s: float) -> StepResult:
        """Wait for the end of an execution; a broken connection is bridged, a forgotten execution is not guessed."""
        started = contact = time.monotonic()
        while execution.state != "finished":
            if time.monotonic() - started > limit_s:
                message = f"no result within {limit_s:.0f} s; the step may still be running."
                return StepResult(step.key, "timeout", code="no-answer", message=message, duration_s=limit_s)
            try:
                reply = self._http.call("GET", f"/executions/{execution.id}", params={"wait_s": self._poll_s})
                execution, contact = self._parse(ExecutionBody, reply), time.monotonic()
            except RobotUnreachable:
                if time.monotonic() - contact > self._give_up_s:
                    raise
                time.sleep(0.1)
            except Refusal as refused:
                if refused.status == 404:
                    raise _Unknown("the robot's server was restarted while the step was under way") from None
                raise
        result = _result(execution)
        if result is None or result.key != step.key:
            raise self._garbage("this step's result", "another key or no result")
        return result

    def _limit_s(self, step: Step) -> float:
        if step.timeout_s is not None:
            return step.timeout_s
        try:
            manifest = self._manifest or self.describe()
        except RobotUnreachable:
            raise
        except MissingComponent as error:
            raise RobotUnreachable(self.url, error.message, sent=False) from None
        return manifest.primitives[step.do].timeout_s if step.do in manifest.primitives else 60.0

    # Replies and errors.

    def _looked(self, path: str) -> Any:
        """Return the answer to a look, None where there is no such route; asked again while a step is under way."""
        end = time.monotonic() + 10.0  # a step that is under way may end by then
        while True:
            try:
                return self._http.call("GET", path)
            except Refusal as refused:
                if refused.code == "no-such-route":
                    return None
                if refused.code != "busy" or time.monotonic() > end:
                    raise self._refusal(refused) from None
                time.sleep(0.05)

    def _ask(self, method: str, path: str, body: Any = None, params: dict[str, Any] | None = None) -> Any:
        try:
            return self._http.call(method, path, body, params)
        except Refusal as refused:
            raise self._refusal(refused) from None

    def _parse(self, kind: type[B], reply: Any, expected: str = "an execution") -> B:
        try:
            return kind.model_validate(reply)
        except ValidationError as error:
            raise self._garbage(expected, error) from None

    def _refusal(self, refused: Refusal) -> VlpError:
        if refused.code == "simulation-fault":
            return SimulationFault(refused.message, refused.hint)
        if refused.status == 401:
            said = f"the robot at {self.url} refused the token."
            return MissingComponent(said, "Set VLP_ROBOT_TOKEN to what that server printed when it started.")
        return MissingComponent(f"the robot at {self.url} refused: {refused.message}", refused.hint)

    def _garbage(self, expected: str, error: object) -> MissingComponent:
        found = " ".join((fault_in(error) if isinstance(error, ValidationError) else str(error)).split())[:200].rstrip(".")
        return MissingComponent(f"the robot at {self.url} did not answer with {expected}: {found}.", "Is it a vlp robot?")


class _Heartbeat:
    """One lease, kept alive at a third of its time to live, and of the silence after which a moving robot is stopped.

    Args:
        http: connections of its own, so that a slow answer to a step does not delay a beat.
        holder: the name under which the robot is held.
        ttl_s: silence after which the lease ends.
    """

    def __init__(self, http: Http, holder: str, ttl_s: float) -> None:
        self._http, self.holder, self._ttl_s = http, holder, ttl_s
        self._lock = threading.Lock()
        self._epoch: int | None = None
        self._gone = False
        self.stop_port: int | None = None
        self._silence_s, self._manifest_hash, self.life = math.inf, "", ""
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def epoch(self) -> int:
        """Return the epoch of the lease, acquiring one when there is none.

        The lease of a client that died runs out by itself; that is waited for.

        Raises:
            Refusal: somebody else holds the robot; or, once, the lease was lost since the last call: what is known of
                the robot may be out of date.
            RobotUnreachable: nobody answers.
        """
        with self._lock:
            if self._gone:
                self._gone = False
                raise Refusal(409, "no-lease", "the lease was lost between two steps.", "Look again before the next step.")
            if self._epoch is None:
                self._epoch = self._acquired()
                self._meet()
                self._end = threading.Event()
                self._thread = threading.Thread(target=self._beat, args=(self._end,), name="lease", daemon=True)
                self._thread.start()
            return self._epoch

    @property
    def held(self) -> bool:
        """Whether there is a lease, as far as is known here."""
        return self._epoch is not None

    def end(self) -> None:
        """Stop renewing: the lease runs out by itself, and the next `epoch` acquires a new one."""
        self._end.set()
        self._epoch = None

    def close(self) -> None:
        """Stop renewing and give the lease back."""
        epoch = self._epoch
        self.end()
        if epoch is not None:
            with contextlib.suppress(Refusal, RobotUnreachable):  # else it runs out by itself
                self._http.call("POST", "/lease/release", {"holder": self.holder, "epoch": epoch})
        self._http.close()

    def _acquired(self) -> int:
        left_s, end_s = self._ttl_s, time.monotonic() + self._ttl_s + 1.0
        while True:
            try:
                return self._post(None)
            except Refusal as refused:
                other_s = self._other_lease_s() if refused.code == "lease-held" else math.inf
                if other_s > left_s or time.monotonic() > end_s:  # a lease that grows is renewed: its holder lives
                    raise
            left_s = other_s
            time.sleep(0.25)

    def _other_lease_s(self) -> float:
        """Return how long somebody else's lease lasts, in seconds."""
        lease = self._health().lease
        return lease.expires_in_s if lease else 0.0

    def _meet(self) -> None:
        """Learn how the server wants to be treated, and whether it still has the same robot; raises Refusal when not."""
        health = self._health()
        known, self._manifest_hash, self.life = self._manifest_hash, health.manifest_hash, health.instance
        self.stop_port, self._silence_s = health.stop_port, health.silence_s or math.inf
        if known and health.manifest_hash != known:
            self.end()
            said = f"another robot, {health.robot}, answers at {self._http.url} now."
            raise Refusal(409, "another-robot", said, "Begin a new run with it.")

    def _health(self) -> HealthBody:
        """Return how the server is; raises RobotUnreachable."""
        try:
            return HealthBody.model_validate(self._http.call("GET", "/health"))
        except ValidationError:
            raise RobotUnreachable(self._http.url, "its answer is not its health", sent=True) from None

    def _post(self, epoch: int | None) -> int:
        body = {"holder": self.holder, "ttl_s": self._ttl_s}
        sent = {"sent_s": time.monotonic()}  # a beat that waits on its way while this process dies says nothing of now
        reply = self._http.call("POST", "/lease", body if epoch is None else {**body, "epoch": epoch}, sent)
        try:
            lease = LeaseBody.model_validate(reply)
        except ValidationError:
            raise RobotUnreachable(self._http.url, "its answer is not a lease", sent=True) from None
        return lease.epoch

    def _beat(self, end: threading.Event) -> None:
        epoch, alive = self._epoch, time.monotonic()
        while not end.wait(min(self._ttl_s, self._silence_s) / 3):
            try:
                self._post(epoch)
                alive = time.monotonic()
            except Refusal:
                break
            except RobotUnreachable:
                if time.monotonic() - alive > self._ttl_s:
                    break
        if not end.is_set() and self._epoch == epoch:
            self._epoch, self._gone = None, True


class _Unknown(Exception):
    """Nobody can say whether the step acted."""


def _result(execution: ExecutionBody) -> StepResult | None:
    return StepResult(**execution.result.model_dump()) if execution.result else None


def _refused(step: Step, refused: Refusal, duration_s: float) -> StepResult:
    message = f"{refused.message} {refused.hint}".strip()
    if refused.code == "stopped":
        return StepResult(step.key, "stopped", code="stopped", message=message)
    code = "lease-lost" if refused.code in ("stale-epoch", "no-lease") else refused.code
    return StepResult(step.key, "rejected", code=code, message=message, duration_s=duration_s)
