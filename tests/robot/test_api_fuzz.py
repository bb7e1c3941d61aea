"""No request that can be made from the published schema makes the server fail.

For the longer run of `docs/results/robot_api.md` set VLP_FUZZ_EXAMPLES to the number of requests per operation.
"""

import math
import os
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from vlp.robot.access import Access
from vlp.robot.audit import Audit
from vlp.robot.executor import Executor, Waits
from vlp.robot.record import Record
from vlp.robot.server import create_app
from vlp.sim.fake.robot import FakeRobot

ALL_CHECKS: list[HealthCheck] = list(HealthCheck)  # type: ignore[assignment]  # its metaclass has no types

TOKEN = "a-token-for-fuzzing"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
HOLDER = "fuzzer"
EXAMPLES = int(os.environ.get("VLP_FUZZ_EXAMPLES", "40"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ANSWERS: Counter[tuple[str, int]] = Counter()

WAITS = Waits(max_stream_s=0.02, silence_s=60.0)
executor = Executor(FakeRobot(), Record(), WAITS)
app = create_app(executor, Access.of(TOKEN, TOKEN, ("testserver",), rate_hz=math.inf), Audit(None))
schema = schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.fixture(scope="module", autouse=True)
def summary() -> Iterator[None]:
    """Print how often each operation gave each status."""
    executor.start()
    yield
    for (operation, status), count in sorted(ANSWERS.items()):
        print(f"{operation:40s} {status} {count:7d}")
    assert not [key for key in ANSWERS if key[1] >= 500]
    # Operations may be shared out over test processes: the one that posted steps must have had one accepted.
    posted = any(operation == "POST /executions" for operation, _ in ANSWERS)
    assert not posted or ("POST /executions", 202) in ANSWERS, "no step was ever accepted: the run was shallow"
    executor.close()


def steer(case: schemathesis.Case, n: int) -> None:
    """Lead most requests past the fence, the names and the ids, which random text never would."""
    # On a loaded machine the step before may still be running; a request that is refused as busy reaches nothing.
    patience_s = time.monotonic() + 5.0
    while case.path == "/executions" and executor.busy and time.monotonic() < patience_s:
        time.sleep(0.01)
    if not executor.lease.live:
        executor.with_lease(lambda lease: lease.acquire(HOLDER, 60.0))
    if executor.stopped and case.path == "/executions" and not executor.busy:
        executor.reset()
    if isinstance(case.body, dict) and n % 4:
        case.body |= {
            name: value for name, value in {"epoch": executor.lease.epoch, "holder": HOLDER}.items() if name in case.body
        }
        if case.path == "/executions":
            names = sorted(executor.manifest.primitives)
            # Every other one is a step that can be done as it stands: else a short run may end with none accepted.
            case.body["primitive"] = "home" if n % 2 else names[n // 2 % len(names)]
            if case.body["primitive"] == "home":
                case.body["arguments"] = {}
    latest = executor._latest
    if latest and n % 2 and case.path_parameters and "id" in case.path_parameters:
        case.path_parameters["id"] = latest.id


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=ALL_CHECKS,
)
def test_no_request_makes_the_server_fail(case: schemathesis.Case) -> None:
    steer(case, ANSWERS.total())
    response = case.call(headers=HEADERS)
    ANSWERS[f"{case.method} {case.path}", response.status_code] += 1
    case.validate_response(response, checks=CHECKS)
