"""A model's server that hangs, drips and stalls: the time limit holds, the robot too, and nothing is left behind.

    python -m vlp.evaluation.stress.model_late --n 1000 --out runs/model_late

A case is a run whose server is late in one way, for the first policy or midway for the second. Each reply is waited for as
long as the limit says and at most a tenth and 0.2 s more; the run asks once more and ends with the reason; no step begins
meanwhile. Then as many late replies again are asked for in this process, whose threads, file handles and memory are counted.
"""

import os
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from vlp.core.messages import Instruction, user
from vlp.evaluation.stress.command import stress_command
from vlp.evaluation.stress.model_server import Answer, Line, ModelServer, command, event, head, stream, task, whole
from vlp.models.openai_model import OpenAIModel
from vlp.models.protocol import NotInTime
from vlp.runtime.loop import Change


def _then(data: bytes, act: Answer) -> Answer:
    def answer(line: Line) -> None:
        line.send(data)
        act(line)

    return answer


def _for_ever(data: bytes, beat_s: float) -> Answer:
    def answer(line: Line) -> None:
        while True:
            line.send(data)
            line.wait(beat_s)

    return answer


def _drip_headers(line: Line) -> None:
    line.send(b"HTTP/1.1 200 OK\r\n")
    line.drip(b"X-Header: and so on\r\n" * 4000, 0.02)


def late_ways() -> dict[str, Answer]:
    """Return the ways of being late, by name."""
    reply, events = task()[2], head("Content-Type: text/event-stream")
    body = whole(reply.encode())
    return {
        "hangs": Line.hold,
        "drips headers": _drip_headers,
        "floods with empty events": _then(events, _for_ever(b'data: {"choices":[]}\n\n' * 100, 0.0)),
        "stalls in its stream": _then(stream(reply)[:600], Line.hold),
        "drips a refusal": _then(head(status="500 Oh"), lambda line: line.drip(b"no" * 4000, 0.02)),
        "stalls in its headers": _then(b"HTTP/1.1 200 OK\r\nX-One: ", Line.hold),
        "stalls in its body": _then(body[:150], Line.hold),
        "drips its body": lambda line: line.drip(body, 0.02),
        "drips its stream": lambda line: line.drip(stream(reply), 0.02),
        "gives signs of life": _then(events, _for_ever(b": still here\n\n", 0.05)),
        "never finishes": _then(events, _for_ever(event("a"), 0.02)),
    }


def be_late(n: int, seed: int = 0, limit_s: float = 0.4) -> dict[str, Any]:
    """Run n cases and ask for n more late replies; return counts, the worst delay and faults.

    Args:
        n: see above.
        seed: is not used; every way comes in turn.
        limit_s: on each reply.
    """
    ways, faults, counts, worst_s = late_ways(), list[str](), Counter[str](), 0.0
    for index in range(n):
        name = list(ways)[index % len(ways)]
        midway = index % 2 == 1
        counts[f"{name}{', midway' if midway else ''}"] += 1
        took_s, fault = _case(ways[name], midway, limit_s)
        worst_s = max(worst_s, took_s - limit_s)
        faults += [f"{name}{', midway' if midway else ''}: {each}" for each in fault]
    left = leaks(ways, n)
    return {"n": n, "limit_s": limit_s, "late": dict(counts), "most_over_s": round(worst_s, 3), **left} | {
        "faults": faults + left["left_over"]
    }


def _case(late: Answer, midway: bool, limit_s: float, tries: int = 3) -> tuple[float, list[str]]:
    """Return the longest wait for a reply in one run, and what was not as promised."""
    good, sentence = stream(task()[2]), task()[0]

    def answer(line: Line) -> None:
        line.send(good) if midway and line.number == 0 else late(line)

    changes = [Change(2, Instruction.of(f"{sentence} now"))] if midway else []
    with ModelServer(answer) as server:
        told = command(server.url, limit_s, changes)
    if midway and told.took_s[:1] > [0.9 * limit_s] and tries > 1:
        return _case(late, midway, limit_s, tries - 1)  # on a busy machine the good reply was itself late: nothing was shown
    waited = told.took_s[1:] if midway else told.took_s
    faults = [f"asked {len(waited)} times, not twice"] if len(waited) != 2 else []
    most_s = 1.1 * limit_s + 0.2
    faults += [f"a limit of {limit_s:g} s took {took:.2f} s" for took in waited if not limit_s * 0.9 <= took <= most_s]
    if not isinstance(told.outcome.error, NotInTime) or not told.outcome.reason:
        faults.append(f"ended as {told.outcome.outcome!r}, {told.outcome.reason!r}")
    if not any("once more" in note for note in told.notes):
        faults.append("the journal does not say that it was asked once more")
    faults += ["the robot's stop is latched"] if told.stopped else []
    late_ones = server.asked[1 if midway else 0 :]  # none where the good one before was not in time: "asked 0 times"
    faults += [f"{do} began while the reply was late" for at_s, do in told.steps if late_ones and at_s > late_ones[0][0]]
    if midway and len(told.steps) != 2:
        faults.append(f"did {told.done} before the new instruction")
    return max(waited, default=0.0), faults


def leaks(ways: dict[str, Answer], n: int, limit_s: float = 0.05, wait_s: float = 5.0) -> dict[str, Any]:
    """Return what this process has more of after n late replies, one after the other, than near their start.

    Args:
        ways: how the server answers late, by name.
        n: replies.
        limit_s: for each.
        wait_s: for threads that are at their end, and may still be there on a busy machine.
    """
    names = list(ways)
    with ModelServer(Line.hold) as server:
        model = OpenAIModel(server.url)
        before = {"threads": 0, "handles": 0, "kib": 0}
        for index in range(n):
            if index == min(n // 5, 10 * len(names)):
                before = _held(server)
            server.answer = ways[names[index % len(names)]]
            with suppress(NotInTime):
                model.generate([user("what?")], timeout_s=limit_s)
        end_s = time.monotonic() + wait_s
        while True:
            after = _held(server)
            more = {what: after[what] - before[what] for what in before}
            if more["threads"] <= 0 >= more["handles"] or time.monotonic() >= end_s:
                break
    left = [f"{count} more {what}" for what, count in more.items() if count > (8192 if what == "kib" else 0)]
    return {"replies_in_a_row": n, "more_after_them": more, "left_over": left}


def _held(server: ModelServer) -> dict[str, int]:
    """Return what this process holds once every connection has ended, or 3 s later."""
    end_s = time.monotonic() + 3.0
    while server.busy and time.monotonic() < end_s:
        time.sleep(0.01)
    time.sleep(0.1)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"threads": threading.active_count(), "handles": len(os.listdir("/proc/self/fd")), "kib": pages * 4}


if __name__ == "__main__":
    sys.exit(stress_command("model_late", __doc__, be_late))
