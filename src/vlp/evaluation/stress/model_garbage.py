"""A model's server that answers garbage: nothing reaches the robot, the run ends with the reason, memory stays bounded.

    python -m vlp.evaluation.stress.model_garbage --n 500 --out runs/model_garbage

A case is a run whose server answers in one of the ways of `garbage`, most of them made anew from the seed. The robot carries
nothing out, the end is a refusal or an error by name, it comes within the time limit, and the process never holds 64 MiB more
than before. Then twenty times as many good answers with some bytes changed are read: each gives a reply or an error by name.
"""

import gzip
import json
import random
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from vlp.core.errors import VlpError
from vlp.evaluation.stress.command import stress_command
from vlp.evaluation.stress.model_server import Answer, Line, ModelServer, command, event, head, stream, task, whole
from vlp.evaluation.stress.random_policies import random_policy
from vlp.models.endpoint import Deadline
from vlp.models.served_reply import events, json_in, read_reply
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.runtime.body import ProgramFault
from vlp.sim.fake.robot import fake_manifest

MOST_KIB = 64 * 1024


def _flood(first: bytes, piece: bytes) -> Answer:
    """Send 100 MB, or as much of it as is taken."""

    def answer(line: Line) -> None:
        line.send(first)
        for _ in range(1600):
            line.send(piece * (65536 // len(piece)))

    return answer


def _elsewhere() -> str:
    """Return a policy for a robot with primitives and places of its own."""
    steps = [{"do": "dive", "depth_m": 3.0}, {"do": "grasp", "target": "reef"}]
    return json.dumps({"goal": "on the ground", "subtasks": [{"name": "go down", "steps": steps}]})


def _misfit(rng: random.Random) -> str:
    """Return a well-formed policy for the same primitives in a robot with other places."""
    own = fake_manifest()
    places = {f"bay {i}": place for i, place in enumerate(own.places.values())}
    other = make_manifest("other", STANDARD, places, own.limits, own.frames, dict(own.cameras))
    while True:
        text = json.dumps(random_policy(rng, other))
        if '"place": "bay' in text or '"target": "bay' in text:
            return text


def garbage(rng: random.Random) -> dict[str, Callable[[], bytes | Answer]]:
    """Return the ways of answering garbage, by name: each makes an answer."""
    said = task()[2]
    sse, plain = head("Content-Type: text/event-stream"), head("Content-Type: application/json")
    packed = gzip.compress(b" " * 10**8, 9)

    def reply(text: str) -> Callable[[], bytes]:
        return lambda: stream(text)

    def data(what: str) -> Callable[[], bytes]:
        return lambda: sse + b"data: " + what.encode() + b"\n\n"

    return {
        "a page": lambda: whole(b"<!doctype html><html><body>Please log in</body></html>"),
        "262,144 times <": lambda: whole(b"<" * 2**18),
        "random bytes": lambda: rng.randbytes(rng.randrange(1, 4000)),
        "random bytes for a body": lambda: whole(rng.randbytes(rng.randrange(1, 100_000))),
        "random bytes in a stream": lambda: sse + b"data: " + rng.randbytes(rng.randrange(1, 4000)) + b"\n\n",
        "nothing": lambda: whole(b""),
        "another protocol": lambda: b"SSH-2.0-OpenSSH_9.6\r\n",
        "100 MB in one string": lambda: _flood(plain + b'{"choices":"', b"x"),
        "100 MB of empty events": lambda: _flood(sse, b'data: {"choices":[]}\n\n'),
        "100 MB in one line": lambda: _flood(sse + b"data: ", b"[],"),
        "100 MB of line ends": lambda: _flood(sse, b"\n"),
        "100 MB of headers": lambda: _flood(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        "100 MB of a refusal": lambda: _flood(head(status="400 No"), b"no "),
        "half a MB of lists": lambda: whole(b"[" + b",".join([b"[]"] * 170_000) + b"]"),
        "half a MB of objects in a reply": lambda: sse + b'data: {"choices":[' + b",".join([b"{}"] * 170_000) + b"]}\n\n",
        "a gzip bomb, as such": lambda: whole(packed, "Content-Encoding: gzip"),
        "a gzip bomb, not said": lambda: whole(packed),
        "a deflate bomb": lambda: whole(zlib.compress(b" " * 10**8, 9), "Content-Encoding: deflate"),
        "chunks of a wrong size": lambda: head("Transfer-Encoding: chunked") + b"FFFFFFFFFF\r\n" + b"x" * 100,
        "nested objects": lambda: whole(b'{"error":' * rng.randrange(100, 100_000)),
        "nested lists": data("[" * 900 + "]" * 900),
        "a nested error": data('{"error":' * 900 + "1" + "}" * 900),
        "NaN": data('{"choices":[{"delta":{"content":NaN},"finish_reason":"stop"}]}'),
        "20,000 keys, one twice": lambda: whole(
            b"{" + b",".join(b'"k%d":0' % i for i in range(20_000)) + b',"k19999":0}'
        ),
        "a name without end": data(json.dumps({"model": "-latest" * 20_000, "choices": []})),
        "counts without end": data(
            '{"choices":[{"delta":{"content":"?"},"finish_reason":"stop"}],"usage":{"completion_tokens":' + "9" * 4000 + "}}"
        ),
        "half a character": data('{"choices":[{"delta":{"content":"\\ud800"},"finish_reason":"stop"}]}'),
        "an end that is none": lambda: sse + event(said, "recitation"),
        "endless white space": reply(" " * 300_000),
        "brackets": reply("[{" * 50_000),
        "a policy cut off": lambda: stream(said[: rng.randrange(1, len(said))]),
        "a policy for another robot": reply(_elsewhere()),
        "a policy for other places": lambda: stream(_misfit(rng)),
        "a list of policies": reply(f"[{said}]"),
    }  # fmt: skip


def answer_garbage(n: int, seed: int = 0) -> dict[str, Any]:
    """Run n cases and read 20 n changed answers; return counts, the most memory and faults."""
    rng = random.Random(seed)
    _case(stream(task()[2]))  # what a first run loads is no garbage
    ways = garbage(rng)
    names = rng.sample(list(ways), len(ways))
    counts, ends, faults, most_kib = Counter[str](), Counter[str](), list[str](), 0
    for index in range(n):
        name = names[index % len(names)]
        counts[name] += 1
        more_kib, end, fault = _case(ways[name]())
        most_kib, ends[end] = max(most_kib, more_kib), ends[end] + 1
        faults += [f"{name}: {each}" for each in fault]
    read = Counter(_changed(rng) for _ in range(20 * n))
    faults += [f"{count} changed answers: {what}" for what, count in read.items() if what.startswith("raised")]
    summary = {"n": n, "seed": seed, "garbage": dict(counts), "ends": dict(ends), "most_more_kib": most_kib}
    return summary | {"changed": 20 * n, "read_as": dict(read), "faults": faults}


def _case(made: bytes | Answer, limit_s: float = 3.0) -> tuple[int, str, list[str]]:
    """Return by how much the process grew in one run, how it ended, and what was not as promised."""
    with ModelServer(made if callable(made) else lambda line: line.send(made)) as server:
        before_kib = _memory_kib("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        told = command(server.url, limit_s)
        more_kib = _memory_kib("VmHWM") - before_kib
    error = told.outcome.error
    faults = [f"the robot did {told.done}"] if told.steps else []
    if told.outcome.outcome not in ("failure", "stopped") or not told.outcome.reason or isinstance(error, ProgramFault):
        faults.append(f"ended as {told.outcome.outcome!r}: {told.outcome.reason[:200]!r}")
    if more_kib > MOST_KIB:
        faults.append(f"took {more_kib // 1024} MiB more")
    faults += [f"took {took:.1f} s" for took in told.took_s if took > 1.1 * limit_s + 0.2]
    return more_kib, type(error).__name__ if error else told.outcome.outcome, faults


def _memory_kib(what: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(f"{what}:")).split()[1])


def _changed(rng: random.Random) -> str:
    """Return what a good answer with some bytes changed was read as."""
    good = stream(task()[2]).partition(b"\r\n\r\n")[2]
    data = bytearray(good)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        place = rng.randrange(len(data))
        what = rng.random()
        if what < 0.4:
            data[place] = rng.randrange(256)
        elif what < 0.7:
            del data[place : place + rng.randrange(1, 40)]
        else:
            data[place:place] = rng.choice((b'"', b"{", b"]", b"\\u", b"\n", b"data: ", b"null", b"1e999", b"\xff", b"<think>"))
        if not data:
            break
    cut = rng.randrange(1, 2000)
    try:
        with suppress(VlpError):
            reply = read_reply("u", events("u", [bytes(data[i : i + cut]) for i in range(0, len(data), cut)]), Deadline(10.0))
            assert reply is not None
            json_in(reply.text, {"type": "object"}).encode()
            return "a reply"
    except Exception as error:
        return f"raised {type(error).__name__}: {str(error)[:100]}"
    return "an error by name"


if __name__ == "__main__":
    sys.exit(stress_command("model_garbage", __doc__, answer_garbage))
