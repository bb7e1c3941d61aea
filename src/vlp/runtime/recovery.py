"""Taking a run over from a process that died: no finished step again, and no guess about the one in flight."""

from collections.abc import Sequence

from vlp.core.errors import UsageError, VlpError
from vlp.journal import Event
from vlp.robot.protocol import Step, StepResult
from vlp.runtime.body import Body
from vlp.runtime.bus import Bus
from vlp.runtime.loop import Steps
from vlp.runtime.memory import RunMemory

FINAL = ("success", "failure", "timeout")
"""Outcomes after which nothing is left to resume."""


class Hold(VlpError):
    """It cannot be known what the robot did; a person has to look."""


def check_resumable(events: Sequence[Event]) -> Event:
    """Return the event that started the run.

    Raises:
        UsageError: the journal holds no run, or one that has ended.
    """
    if not events or events[0].kind != "run-started":
        raise UsageError("the journal holds no run.", "Was the run killed before it began? Start it again.")
    ends = [e for e in events if e.kind == "run-finished"]
    if ends and ends[-1].data["outcome"] in FINAL and not any(e.kind == "run-resumed" for e in events if e.seq > ends[-1].seq):
        raise UsageError(f"this run has ended: {ends[-1].data['outcome']}.", "`vlp replay` shows it.")
    return events[0]


def recover(events: Sequence[Event], body: Body, memory: RunMemory, bus: Bus, steps: Steps) -> None:
    """Bring robot and memory to one agreed state, so that the loop can go on.

    Args:
        events: the journal so far.
        body: the robot; a simulated one is fresh, a remote one is as it was left.
        memory: takes the events in.
        bus: told what was found.
        steps: writes the end of a step that turns out to have happened.

    Raises:
        Hold: the state of the robot cannot be known.
    """
    before, now = check_resumable(events).data["versions"].get("manifest"), body.manifest.version
    if before != now:
        raise Hold(f"the run began with manifest {before} of its robot; the robot's manifest is now {now}.")
    for event in events:
        memory.on_event(event)
    _recall(events, body)
    flight = memory.progress.in_flight
    snapshots = [e for e in events if e.kind == "snapshot" and e.blob is not None]
    if snapshots:
        how = _restore(snapshots[-1], events, body)
    elif flight is None:
        how = "no step was in flight"
    else:
        how = _settle(flight, body, memory, steps)
    bus.emit(Event("run-resumed", {"in_flight": flight.data["key"] if flight else None, "how": how}))
    memory.progress.in_flight = None


def _restore(snapshot: Event, events: Sequence[Event], body: Body) -> str:
    """Bring a simulated robot back; what is newer than its last snapshot has not happened in the restored state."""
    late = [e for e in events if e.seq > snapshot.seq and e.kind == "step-finished" and e.data["status"] != "rejected"]
    if late:
        raise Hold(f"step {late[-1].data['id']} finished after the last snapshot; its effect cannot be restored.")
    if body.offers("restore") is None:
        raise Hold("the journal keeps snapshots of a simulated robot, and this robot cannot take one back.")
    body.ask("restore", snapshot.blob)
    body.ask("reset_stop")  # whoever resumes a simulated run has seen why it stopped
    return f"the simulated robot was restored as it was after {snapshot.data['after']}"


def _recall(events: Sequence[Event], body: Body) -> None:
    """Tell a robot that remembers what it did, such as one with perception around it, the steps that finished."""
    recall = body.offers("recall")
    if recall is None:
        return
    sent = {e.data["key"]: e.data for e in events if e.kind == "step-started"}
    for event in events:
        if event.kind == "step-finished" and (start := sent.get(event.data["key"])):
            recall(Step(start["do"], start["arguments"], start["key"]), StepResult(**event.data["result"]))


def _settle(flight: Event, body: Body, memory: RunMemory, steps: Steps) -> str:
    """Ask the robot by key what became of the step in flight."""
    key, step_id = flight.data["key"], flight.data["id"]
    if body.offers("result_of") is None:
        raise Hold(f"step {step_id} was in flight, and this robot cannot be asked about it. Look at the robot.")
    plan = memory.progress.plan
    assert plan is not None
    step = plan.step(step_id)
    result = body.ask("result_of", key)
    result = body.checked(step.step.do, result) if result is not None else None
    if result is None and body.instance() != flight.data.get("instance", ""):
        raise Hold(f"the robot's server started anew while step {step_id} was in flight. Look at the robot.")
    if result is None:
        return f"the robot has no result of step {step_id}; it is sent again under the same key"
    steps.ended(step, result, 0.0)
    return f"the robot had ended step {step_id}: {result.status}"
