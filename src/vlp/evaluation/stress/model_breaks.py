"""A model's server that breaks off, refuses or is started anew: the run goes on by itself, or ends and nothing was done.

    python -m vlp.evaluation.stress.model_breaks --n 500 --out runs/model_breaks

A case is a run whose server fails once in one of the ways of `ways`, and then answers well; in every fifth one it keeps
failing. Answers are cut at 20 offsets, closed or reset. Either the task is done, each step once, after the one whole reply;
or the run ends with the reason, and the robot has done nothing. A server that is ended and started anew while a run and four
other clients wait for it is the last way.
"""

import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vlp.core.messages import user
from vlp.evaluation.stress.command import stress_command
from vlp.evaluation.stress.model_server import Answer, Line, ModelServer, Told, command, event, head, stream, task, whole
from vlp.models.openai_model import OpenAIModel


def ways(offsets: int = 20) -> dict[str, Answer]:
    """Return the ways of failing, by name."""
    good = stream(task()[2])
    places = [max(1, i * (len(good) - 60) // (offsets - 1)) for i in range(offsets)]  # the last one is in the end's own event

    def closed(place: int) -> Answer:
        return lambda line: line.send(good[:place])

    def reset(place: int) -> Answer:
        def answer(line: Line) -> None:
            line.send(good[:place])
            time.sleep(0.02)  # a reset overtakes what was sent before
            line.reset()

        return answer

    def status(words: str, *headers: str) -> Answer:
        return lambda line: line.send(whole(b'{"error":{"message":"come back later"}}', *headers, status=words))

    failed = head("Content-Type: text/event-stream") + event('{"goal"') + b'data: {"error":{"message":"engine died"}}\n\n'
    return {
        **{f"closed at {place} of {len(good)} bytes": closed(place) for place in places},
        **{f"reset at {place} of {len(good)} bytes": reset(place) for place in places},
        **{f"HTTP {words}": status(words) for words in ("500 Oh", "502 Oh", "503 Oh", "504 Oh", "529 Oh", "429 Oh")},
        "HTTP 429, back in 1 s": status("429 Oh", "Retry-After: 1"),
        "HTTP 503, back at once": status("503 Oh", "Retry-After: 0"),
        "an error in the stream": lambda line: line.send(failed),
    }


def fail(n: int, seed: int = 0) -> dict[str, Any]:
    """Run n cases; return counts and faults.

    Args:
        n: see above.
        seed: of the order.
    """
    made, counts, faults, most_asked = ways(), Counter[str](), list[str](), 0
    names = [*made, "started anew"]
    random.Random(seed).shuffle(names)
    for index in range(n):
        name, keeps = names[index % len(names)], index % 5 == 4
        if name == "started anew":
            counts[name] += 1
            fault = started_anew()
        else:
            counts["kept failing" if keeps else name.partition(" at ")[0]] += 1
            asked, fault = _case(made[name], keeps)
            most_asked = max(most_asked, asked)
        faults += [f"{name}{', always' if keeps else ''}: {each}" for each in fault]
    return {"n": n, "ways": len(names), "failed": dict(counts), "most_asked": most_asked, "faults": faults}


def _case(failing: Answer, keeps: bool) -> tuple[int, list[str]]:
    """Return how often a server was asked in one run, and what was not as promised."""
    good, limit_s = stream(task()[2]), 3.0 if keeps else 20.0
    well_s: list[float] = []

    def answer(line: Line) -> None:
        if keeps or line.number == 0:
            return failing(line)
        well_s.append(time.monotonic())
        line.send(good)

    with ModelServer(answer) as server:
        told = command(server.url, limit_s)
    faults = _unlike(told, well_s) if not keeps else []
    if keeps and (told.steps or told.outcome.outcome != "stopped" or not told.outcome.reason):
        faults.append(f"ended as {told.outcome.outcome!r} after {told.done}: {told.outcome.reason[:200]!r}")
    faults += [f"a limit of {limit_s:g} s took {took:.1f} s" for took in told.took_s if took > 1.1 * limit_s + 0.2]
    return len(server.asked), faults


def _unlike(told: Told, well_s: list[float]) -> list[str]:
    """Return in what a run differs from the task done once, after the whole reply."""
    faults = [] if told.outcome.outcome == "success" else [f"ended as {told.outcome.outcome!r}: {told.outcome.reason[:200]!r}"]
    faults += [] if told.done == task()[1] else [f"did {told.done}"]
    return faults + [f"{do} began before a whole reply" for at_s, do in told.steps if not well_s or at_s < well_s[0]]


def started_anew(clients: int = 4, gone_s: float = 2.5) -> list[str]:
    """Return what was not as promised when a server was ended and started anew while it was asked.

    Args:
        clients: that ask it beside the run.
        gone_s: how long it takes no connections.
    """
    good, well_s = stream(task()[2]), list[float]()

    def loading(line: Line) -> None:
        if line.number < clients:
            return line.send(whole(b"Loading", "Retry-After: 0", status="503 Oh"))
        well_s.append(time.monotonic())
        line.send(good)

    with ThreadPoolExecutor(clients + 1) as pool:
        with ModelServer(Line.hold) as server:
            run = pool.submit(command, server.url, 20.0)
            models = [OpenAIModel(server.url) for _ in range(clients)]
            others = [pool.submit(model.generate, [user("what?")], timeout_s=20.0) for model in models]
            end_s = time.monotonic() + 10.0
            while len(server.asked) <= clients and time.monotonic() < end_s:
                time.sleep(0.01)
        time.sleep(gone_s)
        with ModelServer(loading, server.port):
            faults = _unlike(run.result(), well_s)
            faults += [str(error) for other in others if (error := other.exception())]
    return faults


if __name__ == "__main__":
    sys.exit(stress_command("model_breaks", __doc__, fail))
