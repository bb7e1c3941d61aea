"""Journals to samples: what a model was shown when it wrote a policy that turned out well."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from vlp.core.errors import UsageError
from vlp.core.images import decode_image, encode_png
from vlp.core.observation import RobotState
from vlp.data.sample import Sample, make_sample
from vlp.data.store import StoreWriter
from vlp.journal import Event, read_events
from vlp.primitives.manifest import Manifest
from vlp.prompt.render import Memory


class Fold(Protocol):
    """The runtime's memory of a run (`vlp.runtime.memory.RunMemory`), handed in from above this package."""

    def on_event(self, event: Event) -> None:
        """Take one event in."""
        ...

    def memory(self) -> Memory:
        """Return what a model may know now."""
        ...


@dataclass
class Harvest:
    """What came of some runs: how many new samples, how many set aside, and which runs were passed over and why.

    `splits` counts both, by split.
    """

    kept: int = 0
    aside: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    passed_over: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Asked:
    """One moment at which a policy was written, and what became of it."""

    memory: Memory
    seen: Event
    policy: dict[str, Any]
    revision: int
    ended_by: tuple[str, ...]


def from_runs(
    out: str | Path,
    runs: Sequence[str | Path],
    manifest: Manifest,
    fold: Callable[[], Fold],
    split: Callable[[Event], str] = lambda started: "train",
) -> Harvest:
    """Turn runs into samples: those of successful runs into `out`, the others into `out/aside` for correction.

    A policy is kept when its run succeeded by the true state (or by the robot's own checks where nobody knows that) and
    it was not given up after a failed step, nor replaced by a person who was asked about it.

    Args:
        out: a store; made when missing.
        runs: directories that `vlp run --out` wrote.
        manifest: of the robot; runs of another version are passed over.
        fold: makes an empty memory.
        split: gives the split of a run by its `run-started` event.

    Raises:
        UsageError: something in `runs` is no journal.
    """
    harvest = Harvest()
    # These triggers end a policy without saying that it was wrong: the world or the person changed, or the record was damaged.
    harmless = {
        "new-instruction", "target-lost", "not-done", "target-vanished", "target-moved", "container-changed", "thing-appeared",
        "journal-repaired",
    }  # fmt: skip
    stories = [(str(run), read_events(run)) for run in runs]
    with StoreWriter(out, {manifest.robot: manifest}) as good:
        found: list[tuple[Sample, bytes]] = []
        for name, events in stories:
            why = _unfit(events, manifest)
            if why:
                harvest.passed_over[name] = why
                continue
            success = _succeeded(events)
            for asked in _questions(events, fold()):
                reason = "" if success else f"the run ended as {_outcome(events)}"
                reason = reason or ("a person did not agree to it" if "declined" in asked.ended_by else "")
                reason = reason or ("a step of it failed" if set(asked.ended_by) - harmless else "")
                sample, image = _sample(good, events[0], asked, manifest.robot, split(events[0]), reason)
                if reason:
                    found.append((sample, image))
                elif good.add(sample):
                    harvest.kept += 1
                    harvest.splits[sample.split] += 1
    if found:
        with StoreWriter(Path(out) / "aside", {manifest.robot: manifest}) as aside:
            for sample, image in found:
                aside.add_image(image)
                if aside.add(sample):
                    harvest.aside += 1
                    harvest.splits[sample.split] += 1
    return harvest


def _unfit(events: Sequence[Event], manifest: Manifest) -> str:
    """Return why a run gives no samples, "" when it does."""
    if not events or events[0].kind != "run-started":
        return "its beginning is missing"
    version = events[0].data["versions"].get("manifest")
    if version != manifest.version:
        return f"its robot has manifest {version}, not {manifest.version}"
    if not any(event.kind == "run-finished" for event in events):
        return "it has not ended"
    return ""


def _outcome(events: Sequence[Event]) -> str:
    return str(next(e.data["outcome"] for e in reversed(events) if e.kind == "run-finished"))


def _succeeded(events: Sequence[Event]) -> bool:
    last = next(e for e in reversed(events) if e.kind == "run-finished").data
    done = last["outcome"] == "success" or (last["claim"] == "cannot" and last["verdict"] is True)
    return done and last["verdict"] is not False


def _questions(events: Sequence[Event], fold: Fold) -> Iterator[_Asked]:
    """Yield every moment at which a policy was accepted, in order."""
    seen: Event | None = None
    open_one: _Asked | None = None
    declined: tuple[str, ...] = ()
    for event in events:
        if event.kind == "confirm-answered" and event.data["answer"] in ("edit", "instruction"):
            declined = ("declined",)
        if event.kind == "policy":
            triggers, declined = (*declined, *(event.data.get("triggers") or ())), ()
            if open_one is not None:
                yield _Asked(open_one.memory, open_one.seen, open_one.policy, open_one.revision, triggers)
            open_one = None
            if seen is not None and seen.blob:
                document = event.data["policy"]["policy"]
                open_one = _Asked(fold.memory(), seen, document, int(event.data["revision"]), ())
        if event.kind == "observation":
            seen = event
        fold.on_event(event)
    if open_one is not None:
        yield open_one


def _sample(writer: StoreWriter, started: Event, asked: _Asked, robot: str, split: str, reason: str) -> tuple[Sample, bytes]:
    """Return the sample of a moment and its image, which is in the folder only when there is no reason against it."""
    blob = asked.seen.blob or b""
    png = encode_png(decode_image(blob))
    image = _name(png) if reason else writer.add_image(png)
    data = started.data
    source: dict[str, Any] = {
        "kind": "run",
        "run_id": data["run_id"],
        "revision": asked.revision,
        "model": data["model"],
    }
    if data["world"]:
        source |= {"world": data["world"], "scene_seed": data["seed"]}
    if asked.seen.data.get("stamp_s") is not None:
        source["stamp_s"] = asked.seen.data["stamp_s"]
    if reason:
        source["set_aside"] = reason
    state = {k: tuple(v) if isinstance(v, list) else v for k, v in asked.seen.data["state"].items()}
    try:
        known = RobotState(**cast(dict[str, Any], state))
    except TypeError as error:
        raise UsageError(f"run {data['run_id']} holds a state that cannot be read: {error}.") from None
    stem = f"run-{data['run_id']}-{asked.revision:02d}".lower()
    instruction = asked.memory.instruction
    sample = make_sample(stem, [image], instruction, robot, known, asked.memory, asked.policy, source, split)
    return sample, png


def _name(png: bytes) -> str:
    return hashlib.sha256(png).hexdigest()
