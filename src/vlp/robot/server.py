"""A robot over HTTP: one resource per thing, every body checked, refusals as JSON."""

import asyncio
import functools
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from vlp.core.errors import SimulationFault, VlpError, did_you_mean
from vlp.core.observation import Located
from vlp.robot.access import Access
from vlp.robot.audit import Audit
from vlp.robot.executor import Execution, Executor
from vlp.robot.guard import Guard, Receive, Scope, Send
from vlp.robot.protocol import Step, offered, plain, raised, state_now
from vlp.robot.stop_line import CONFIRM_S, reason_in
from vlp.robot.wire import (
    CancelRequest,
    ErrorBody,
    ExecutionBody,
    ExecutionRequest,
    HealthBody,
    LeaseBody,
    LeaseRequest,
    ObservationBody,
    ReachBody,
    ReachRequest,
    Refusal,
    ReleaseRequest,
    StateBody,
    StopBody,
    encode_observation,
)

T = TypeVar("T")
log = logging.getLogger(__name__)

Wait = Annotated[float, Query(ge=0, le=25.0, description="Seconds to wait for the execution to finish.")]
Sent = Annotated[
    float | None,
    Query(ge=0, le=2**53, description="When it was sent, by the sender's monotonic clock: what comes late is old."),
]
ExecutionId = Annotated[str, Path(min_length=1, max_length=64)]


@dataclass
class _Here:
    """One robot that is served; with the streams of events that are open, by token."""

    executor: Executor
    stop_port: int | None
    manifest: bytes
    streams: Counter[str] = field(default_factory=Counter)


async def _served(request: Request) -> _Here:
    return request.scope["here"]


Here = Annotated[_Here, Depends(_served)]


def create_app(
    executor: Executor,
    access: Access,
    audit: Audit,
    *,
    stop_port: int | None = None,
) -> Guard:
    """Return the ASGI application that serves a robot.

    Args:
        executor: the robot, started; its `execute` and `observe` are called from one worker thread, its `stop` from any.
        access: who may ask what, and how often; only the schema needs no token.
        audit: hears of what was asked.
        stop_port: TCP port of the stop line, told by `GET /health`.
    """
    here = _Here(executor, stop_port, json.dumps(plain(executor.manifest.to_json())).encode())

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await routes()({**scope, "here": here}, receive, send)

    return Guard(served, access, audit, open_paths=("/openapi.json",))


@functools.cache
def routes() -> FastAPI:
    """Return what a robot's server answers to: once for all servers of a process, since FastAPI forgets no route."""
    reasons = {
        400: "Bad JSON.",
        401: "No token.",
        403: "The token's role does not allow it, or a web page asked.",
        404: "No such thing.",
        408: "The body came too slowly.",
        409: "Not now: busy, stopped, another holder, stale epoch or reused key.",
        413: "The body is too large.",
        415: "Not application/json.",
        422: "A field or argument is wrong.",
        429: "Too often, or too many streams.",
        503: "The robot's driver failed, or the record cannot be read or written.",
    }
    app = FastAPI(
        title="vlp robot",
        description=__doc__ or "",
        docs_url=None,
        redoc_url=None,
        responses={status: {"model": ErrorBody, "description": text} for status, text in reasons.items()},
    )
    _add_reading(app)
    _add_executions(app)
    _add_stop(app)
    _add_lease(app)
    _add_events(app)
    _add_refusals(app)
    return app


def _add_reading(app: FastAPI) -> None:
    @app.get("/manifest", response_model=dict[str, Any])
    async def manifest(here: Here) -> Any:
        """What the robot says of itself: primitives with their arguments, places, limits, cameras."""
        return Response(here.manifest, media_type="application/json")

    @app.get("/health", response_model=HealthBody)
    async def health(request: Request, here: Here) -> Any:
        """Whether the robot is stopped or busy, who holds it, and what this token may do. Answers whatever else hangs."""
        executor = here.executor
        return {
            "robot": executor.manifest.robot,
            "manifest_version": executor.manifest.version,
            "instance": executor.instance,
            "manifest_hash": executor.manifest_hash,
            "stop_port": here.stop_port,
            "silence_s": executor.waits.silence_s,
            "stopped": executor.stopped,
            "stop_reason": executor.stop_reason,
            "latch_recorded": executor.latch_recorded,
            "busy": executor.busy,
            "lease": executor.lease.to_json(),
            "roles": request.scope["roles"],
        }

    async def asked(executor: Executor, what: str, function: Callable[[], T]) -> T:
        def fault(said: str) -> Refusal:
            return Refusal(503, "robot-fault", f"the robot could not {what}: {said}.", "Look at the robot's own log.")

        def told() -> T:
            try:
                return function()
            except SimulationFault as broken:
                raise Refusal(503, "simulation-fault", broken.message, broken.hint) from None
            except BaseException as error:  # here, in the robot's thread: SystemExit would end the server's loop
                log.exception("the robot could not %s", what)
                raise fault(raised(error)) from None

        limit_s = executor.waits.observe_wait_s
        try:
            return await asyncio.wait_for(asyncio.wrap_future(executor.call(told)), limit_s)
        except TimeoutError:
            raise fault(f"it did not answer within {limit_s:g} s") from None

    @app.get("/observation", response_model=ObservationBody)
    async def observation(here: Here) -> Any:
        """What the robot perceives now; refused with 409 while a step is under way."""
        executor = here.executor
        return await asked(executor, "observe", lambda: encode_observation(executor.robot.observe()))

    @app.get("/state", response_model=StateBody)
    async def state(here: Here) -> Any:
        """What the robot knows of itself now, without an image; refused with 409 while a step is under way."""
        executor = here.executor
        return await asked(executor, "tell its state", lambda: {"state": state_now(executor.robot).to_json()})

    @app.post("/reachable", response_model=ReachBody)
    async def reachable(request: ReachRequest, here: Here) -> Any:
        """Why the robot cannot get to a located thing with a step; nothing moves, and 409 while a step is under way."""
        executor = here.executor
        if request.primitive not in executor.manifest.primitives:
            hint = did_you_mean(request.primitive, executor.manifest.primitives)
            raise Refusal(422, "unknown-primitive", f"no primitive {request.primitive!r}.", hint)
        try:
            thing = Located.from_json(request.thing)
        except (KeyError, TypeError, ValueError) as error:
            said = f"thing is no located object: {str(error)[:200]}."
            raise Refusal(422, "bad-located", said, "Send what locate gave.") from None
        says, step = offered(executor.robot, "reachable"), Step(request.primitive, request.arguments, key="")
        if says is None:
            return {"reason": ""}
        return {"reason": str(await asked(executor, "tell what it reaches", lambda: says(step, thing)) or "")[:500]}


def _add_executions(app: FastAPI) -> None:
    @app.post("/executions", status_code=202, response_model=ExecutionBody)
    async def create(request: ExecutionRequest, here: Here, sent_s: Sent = None, wait_s: Wait = 0.0) -> Any:
        """Carry out one step. The same key never acts twice: a repeated request gets the execution there is."""
        step = Step(request.primitive, request.arguments, request.key, request.epoch, request.timeout_s)
        return await _finished(here.executor.submit(step, sent_s), wait_s)

    @app.get("/executions", response_model=ExecutionBody)
    async def by_key(here: Here, key: Annotated[str, Query(min_length=1, max_length=100)]) -> Any:
        """Look an execution up by its idempotency key."""
        return here.executor.by_key(key).to_json()

    @app.get("/executions/{id}", response_model=ExecutionBody)
    async def get(here: Here, id: ExecutionId, wait_s: Wait = 0.0) -> Any:
        """How an execution stands, or how it ended."""
        return await _finished(here.executor.get(id), wait_s)

    @app.post("/executions/{id}/cancel", status_code=202, response_model=ExecutionBody)
    async def cancel(here: Here, id: ExecutionId, request: CancelRequest) -> Any:
        """Ask for an early end; the robot stays ready for the next step."""
        return here.executor.cancel(id, request.epoch).to_json()


async def _finished(execution: Execution, wait_s: float) -> dict[str, Any]:
    if wait_s and execution.state != "finished":
        await asyncio.wait([asyncio.wrap_future(execution.ended)], timeout=wait_s)
    return execution.to_json()


def _add_stop(app: FastAPI) -> None:
    said = {"type": "object", "properties": {"reason": {"type": "string"}}}
    may_say = {"description": "Why; any body will do.", "content": {"application/json": {"schema": said}}}

    @app.post("/stop", response_model=StopBody, openapi_extra={"requestBody": may_say})
    async def stop(here: Here, request: Request) -> Any:
        """Stop all motion and latch. Needs the token only: no lease, no model. Not a certified safety function."""
        executor = here.executor
        stopper = executor.stop(reason_in(await request.body()))
        loop = asyncio.get_running_loop()
        end = loop.time() + CONFIRM_S
        while executor.standing(stopper) and loop.time() < end:
            await asyncio.sleep(0.005)
        return executor.stop_body(executor.standing(stopper))

    @app.post("/stop/reset", response_model=StopBody)
    async def reset(here: Here) -> Any:
        """Open the latch; for a person who has looked at the robot."""
        here.executor.reset()
        return here.executor.stop_body("")


def _add_lease(app: FastAPI) -> None:
    @app.post("/lease", response_model=LeaseBody)
    async def lease(request: LeaseRequest, here: Here, sent_s: Sent = None) -> Any:
        """Acquire the robot (no epoch) or renew the lease (its epoch). Silence during a step stops the robot."""
        epoch, who = request.epoch, request.holder
        held = here.executor.with_lease(
            lambda one: (
                one.acquire(who, request.ttl_s, sent_s) if epoch is None else one.renew(who, epoch, request.ttl_s, sent_s)
            )
        )
        if held is None:
            said = "the lease has ended by now: this was under way for longer than it lasts."
            raise Refusal(409, "no-lease", said, "Acquire a new one: POST /lease.")
        return held

    @app.post("/lease/release", status_code=204)
    async def release(request: ReleaseRequest, here: Here) -> None:
        """Give the robot back before the lease ends."""
        here.executor.with_lease(lambda held: held.release(request.holder, request.epoch))


def _add_events(app: FastAPI) -> None:
    @app.get(
        "/events",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events named 'execution'."}},
    )
    async def events(
        request: Request,
        here: Here,
        after: Annotated[int, Query(ge=0, le=2**53, description="Sequence number of the last event seen.")] = 0,
        wait_s: Annotated[float, Query(ge=0, le=3600, description="How long to stay connected.")] = 3600.0,
    ) -> StreamingResponse:
        """Every change of an execution, from the kept ones after `after` on; `Last-Event-ID` works too."""
        by: str = request.scope["by"]
        if here.streams[by] >= 4 or here.streams.total() >= 16:  # one token does not take those of all
            raise Refusal(429, "too-many-streams", "4 streams of this token are open, or 16 in all.", "Close one.")
        last = request.headers.get("last-event-id", "")
        first = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else after
        return StreamingResponse(
            _stream(here, by, first, min(wait_s, here.executor.waits.max_stream_s)), media_type="text/event-stream"
        )


async def _stream(here: _Here, by: str, sequence: int, seconds: float) -> AsyncIterator[str]:
    here.streams[by] += 1
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    try:
        yield ": connected\n\n"
        while True:
            for number, data in here.executor.events_after(sequence):
                sequence = number
                yield f"id: {number}\nevent: execution\ndata: {json.dumps(data)}\n\n"
            if loop.time() >= end:
                return
            await asyncio.sleep(0.05)
    finally:
        here.streams[by] -= 1


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> JSONResponse:
        return JSONResponse(plain(refusal.to_json()), refusal.status)

    @app.exception_handler(VlpError)  # of the record: an epoch or a key that is not on the disk could be granted twice
    async def not_recorded(request: Request, error: VlpError) -> JSONResponse:
        return JSONResponse(plain(Refusal(503, "not-recorded", error.message, error.hint).to_json()), 503)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> JSONResponse:
        refusal = Refusal(error.status_code, "no-such-route", f"{error.detail}.", "GET /openapi.json lists what exists.")
        return JSONResponse(refusal.to_json(), error.status_code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def bad_field(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = "/".join(str(part)[:50] for part in first["loc"])
        more = len(error.errors()) - 1
        hint = f"{more} more field(s) are wrong. " if more else ""
        refusal = Refusal(422, "bad-field", f"{where}: {first['msg']}.", f"{hint}GET /openapi.json has the schema.")
        return JSONResponse(plain(refusal.to_json()), 422)
