"""What goes over HTTP between a robot's server and its client: token, requests, bodies, observations and refusals."""

import base64
import binascii
import io
import json
import time
from dataclasses import asdict
from typing import Annotated, Any, Literal, NoReturn
from urllib.parse import urlsplit

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.images import MAX_FILE_BYTES, decode_image
from vlp.core.observation import Intrinsics, Observation, RobotState
from vlp.robot.deadline import DeadlineTransport, until
from vlp.robot.protocol import Status, in_words, plain

MAX_BODY_BYTES = 64 * 1024
Key = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._:-]+$", description="Idempotency key: acts once.")
Epoch = Field(ge=0, le=2**53, description="Fencing epoch of the lease.")


def check_token(token: str) -> None:
    """Raise UsageError for a token that no server can have: none at all, or one with a character that no header takes."""
    if not token:
        raise UsageError(
            "no token for the robot's server was given.", "Set VLP_ROBOT_TOKEN to what the server printed when it started."
        )
    odd = next((place for place, letter in enumerate(token, 1) if not "!" <= letter <= "~"), 0)
    if odd:
        raise UsageError(
            f"the robot's token has {token[odd - 1]!r} at place {odd}; tokens are printable ASCII without spaces.",
            "The server prints it when it starts.",
        )


def is_address(url: str) -> bool:
    """Return whether a text is http(s)://host[:port]."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not parts.query
    except ValueError:  # unbalanced brackets, a port that is no port
        return False


def host_in(url: str) -> str:
    """Return the host of an address as it stands in one."""
    name = urlsplit(url).hostname or ""
    return f"[{name}]" if ":" in name else name


def check_server_token(token: str) -> None:
    """Raise UsageError for a token that a server may not have: as `check_token`, or one that could be guessed."""
    if len(token) < 8:
        said = f"a robot's token needs 8 characters or more; this one has {len(token)}."
        raise UsageError(said, "Leave it out (VLP_ROBOT_TOKEN) to get a new one.")
    check_token(token)


class Refusal(Exception):
    """A request that is refused, with what to do about it.

    Args:
        status: HTTP status, 4xx or 503.
        code: stable word for the fault.
        message: what was found and what was expected.
        hint: the next step.
        retry_after_s: after which the same request may be taken; 0 says nothing.
    """

    def __init__(self, status: int, code: str, message: str, hint: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.hint = status, code, message, hint
        self.retry_after_s = retry_after_s

    def to_json(self) -> dict[str, Any]:
        """Return the body that the client gets."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}


class RobotUnreachable(MissingComponent):
    """No usable answer came.

    Args:
        url: of the robot's server.
        why: what went wrong.
        sent: whether the request may have arrived.
    """

    def __init__(self, url: str, why: str, sent: bool) -> None:
        super().__init__(f"the robot at {url} cannot be reached: {why.rstrip('. ')}.", "Is a robot's server running there?")
        self.sent = sent


class RequestBody(BaseModel):
    """A body in which every key is known, and every value has the type that it is declared with."""

    model_config = ConfigDict(extra="forbid", strict=True)


def fault_in(error: ValidationError) -> str:
    """Return the first fault of a body in words: "epoch is the str 'x'; expected a valid integer"."""
    first = error.errors()[0]
    where = ".".join(str(part)[:50] for part in first["loc"]) or "it"
    if first["type"] in ("missing", "extra_forbidden"):
        return f"{where} is {'missing' if first['type'] == 'missing' else 'unknown'}"
    expected = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    if first["type"] in ("model_type", "dataclass_type"):  # those words name a class
        expected = "an object"
    return f"{where} is {in_words(first['input'])}; expected {expected}"


class WireFault(RequestBody):
    """What is wrong with a request."""

    code: str
    message: str
    hint: str


class ErrorBody(RequestBody):
    """Every refusal looks like this."""

    error: WireFault


class ExecutionRequest(RequestBody):
    """One step to carry out; arguments are described by `GET /manifest`."""

    primitive: str = Field(min_length=1, max_length=64)
    arguments: dict[str, Any] = Field(default_factory=dict)
    key: str = Key
    epoch: int = Epoch
    timeout_s: float | None = Field(default=None, gt=0, le=600)


class ReachRequest(RequestBody):
    """A step that is not carried out, and the located thing that its hand would go to."""

    primitive: str = Field(min_length=1, max_length=64)
    arguments: dict[str, Any] = Field(default_factory=dict)
    thing: dict[str, Any]


class ReachBody(RequestBody):
    """Why the robot cannot get there, "" when it can or does not say."""

    reason: str


class CancelRequest(RequestBody):
    """Who wants the execution to end."""

    epoch: int = Epoch


class LeaseRequest(RequestBody):
    """Acquire a lease (no epoch) or renew one (its epoch)."""

    holder: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._:@-]+$")
    ttl_s: float = Field(default=5.0, ge=0.2, le=60.0, description="Seconds of silence after which it ends.")
    epoch: int | None = Field(default=None, ge=0, le=2**53)


class ReleaseRequest(RequestBody):
    """Give a lease back."""

    holder: str = Field(min_length=1, max_length=100)
    epoch: int = Epoch


class LeaseBody(RequestBody):
    """The lease as it stands."""

    holder: str
    epoch: int
    expires_in_s: float


class ResultBody(RequestBody):
    """What was really done; see `StepResult`."""

    key: str
    status: Status
    done: dict[str, Any]
    value: Any = None
    code: str = ""
    message: str = ""
    duration_s: float = 0.0


class ExecutionBody(RequestBody):
    """One execution; `result` is there once the state is finished."""

    id: str
    key: str
    primitive: str
    epoch: int
    state: Literal["queued", "running", "finished"]
    result: ResultBody | None = None


class HealthBody(RequestBody):
    """How the robot's server is; `latch_recorded` is false while its record does not have the latch as it is now."""

    robot: str
    manifest_version: str
    instance: str
    manifest_hash: str = ""
    stop_port: int | None = None
    silence_s: float | None = None
    stopped: bool
    stop_reason: str
    latch_recorded: bool = True
    busy: bool
    lease: LeaseBody | None
    roles: list[str] | None = None


class StopBody(RequestBody):
    """Whether the latch is closed, and whether that is confirmed: the robot is at rest, and a restart finds it latched.

    At rest means that its driver gives no motion any more. `standing` says in words what is not confirmed.
    """

    stopped: bool
    reason: str
    confirmed: bool
    standing: str = ""


class ObservationBody(RequestBody):
    """PNGs in base64, depth as 16 bit in millimetres (0: no return); the rest in metres and radians.

    A robot without depth, or whose camera is not calibrated, sends null.
    """

    rgb_png: str
    depth_mm_png: str | None = None
    intrinsics: dict[str, float] | None = None
    camera_in_base: list[list[float]] | None = None
    state: dict[str, Any]
    stamp_s: float
    scene_text: list[Annotated[str, Field(max_length=200)]] = Field(default=[], max_length=16)


class StateBody(RequestBody):
    """What the robot knows of itself, in metres and radians: `state` of an observation, without its images."""

    state: dict[str, Any]


class Http:
    """Connections to one server, with the token in every request.

    Args:
        url: the server's address.
        token: bearer token.
        timeout_s: limit for one exchange, however its answer comes in, and for asking again what was asked too often.
    """

    def __init__(self, url: str, token: str, timeout_s: float) -> None:
        self.url, self._timeout_s = url, timeout_s
        self._client = httpx.Client(
            base_url=url,
            # Without https 60 ms would go by for certificates that nobody needs, before each stop.
            transport=DeadlineTransport(verify=url.startswith("https")),
            headers={"Authorization": f"Bearer {token}"},
            follow_redirects=False,
            trust_env=False,  # a robot is not reached through a proxy from the environment
        )

    def call(self, method: str, path: str, body: Any = None, params: dict[str, Any] | None = None) -> Any:
        """Return the parsed JSON of a 2xx answer; one that is refused as too often is sent again when the server says so.

        Raises:
            RobotUnreachable: no connection, no answer in time, or an answer that is too large or not JSON.
            Refusal: any other status; 429 where the server says no time, or one beyond `timeout_s`.
        """
        end_s = time.monotonic() + self._timeout_s
        while True:
            try:
                return self._called(method, path, body, params)
            except Refusal as refused:
                if refused.status != 429 or not 0 < refused.retry_after_s < end_s - time.monotonic():
                    raise
                time.sleep(refused.retry_after_s)

    def _called(self, method: str, path: str, body: Any, params: dict[str, Any] | None) -> Any:
        try:
            limits = until(time.monotonic() + self._timeout_s)
            with self._client.stream(method, path, json=body, params=params, timeout=limits) as response:
                data = bytearray()
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > 48 * 1024 * 1024:
                        raise RobotUnreachable(self.url, "its answer is too large", sent=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise RobotUnreachable(self.url, _words(error), sent=False) from None
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError) as error:
            raise RobotUnreachable(self.url, _words(error), sent=True) from None
        except (TypeError, ValueError, RecursionError) as error:  # the body itself is not JSON
            raise Refusal(422, "bad-json", f"the step is not plain JSON: {_words(error)}", "") from None
        try:
            value = json.loads(bytes(data), parse_constant=_constant) if data else None
        except (ValueError, RecursionError):
            raise RobotUnreachable(self.url, "its answer is not JSON", sent=True) from None
        if response.is_success:
            return value
        raise _refused(response, value)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return what JSON calls an object, from its pairs; raises ValueError for a name that stands there twice."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("an object has the same key twice")
    return data


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _refused(response: httpx.Response, value: Any) -> Refusal:
    status, after = response.status_code, response.headers.get("retry-after", "")
    after_s = float(after) if after.isascii() and after.isdigit() and len(after) < 5 else 0.0
    fault = value.get("error") if isinstance(value, dict) else None
    fault = fault if isinstance(fault, dict) else {}
    message = str(fault.get("message", f"HTTP status {status}"))[:500]
    return Refusal(status, str(fault.get("code", "http-error"))[:50], message, str(fault.get("hint", ""))[:500], after_s)


def _words(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:200]


def encode_observation(observation: Observation) -> dict[str, Any]:
    """Return an observation as `ObservationBody` data; depth beyond 65.535 m or not finite becomes 0."""
    return {
        "rgb_png": base64.b64encode(_png(observation.rgb)).decode(),
        "depth_mm_png": None
        if observation.depth_m is None
        else base64.b64encode(_png(_millimetres(observation.depth_m))).decode(),
        "intrinsics": None if observation.intrinsics is None else plain(asdict(observation.intrinsics)),
        "camera_in_base": plain(observation.camera_in_base),
        "state": plain(observation.state.to_json()),
        "stamp_s": plain(observation.stamp_s),
        "scene_text": [text[:200] for text in observation.scene_text[:16]],
    }


def _millimetres(depth_m: NDArray[np.float32]) -> NDArray[np.uint16]:
    millimetres = np.nan_to_num(depth_m.astype(np.float64) * 1000, nan=0.0, posinf=0.0, neginf=0.0).round()
    return np.where((millimetres < 0) | (millimetres > 65535), 0, millimetres).astype(np.uint16)


def decode_observation(body: ObservationBody) -> Observation:
    """Return the observation in a reply.

    Raises:
        UsageError: an image that cannot be decoded.
        ValueError: anything else that is not an observation (pydantic's errors included).
    """
    try:
        rgb_png = base64.b64decode(body.rgb_png, validate=True)
        depth_png = None if body.depth_mm_png is None else base64.b64decode(body.depth_mm_png, validate=True)
    except binascii.Error as error:
        raise ValueError(f"an image is not base64: {error}") from None
    rgb = decode_image(rgb_png, "rgb_png")
    height, width = rgb.shape[:2]
    depth = None if depth_png is None else _depth(depth_png, (width, height))
    intrinsics = TypeAdapter(Intrinsics | None).validate_python(body.intrinsics)
    if intrinsics and ((intrinsics.width, intrinsics.height) != (width, height) or min(intrinsics.fx, intrinsics.fy) <= 0):
        raise ValueError("the intrinsics do not belong to the image")
    pose = None if body.camera_in_base is None else np.array(body.camera_in_base, dtype=np.float64)
    if pose is not None and (pose.shape != (4, 4) or not np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-3)):
        raise ValueError("camera_in_base is not a pose")
    if depth is not None and (intrinsics is None or pose is None):
        raise ValueError("depth without intrinsics and camera_in_base")
    return Observation(rgb, depth, intrinsics, pose, decode_state(body), body.stamp_s, tuple(body.scene_text))


def decode_state(body: StateBody | ObservationBody) -> RobotState:
    """Return the state in a reply; raises ValueError (pydantic's) where it is none."""
    return TypeAdapter(RobotState).validate_python(body.state)


def _png(pixels: NDArray[Any]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _depth(png: bytes, size: tuple[int, int]) -> NDArray[np.float32]:
    from PIL import Image

    if len(png) > MAX_FILE_BYTES:
        raise ValueError("the depth image is too large")
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            if image.size != size or image.mode not in ("I;16", "I"):
                raise ValueError(f"expected 16-bit depth of {size}, found {image.mode} of {image.size}")
            return (np.asarray(image).astype(np.float64) / 1000).astype(np.float32)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"the depth image cannot be decoded: {error}") from None
