"""The standard primitives: what the shipped robots can do, declared once; a robot's manifest selects from them.

What conditions (`needs`, `makes`) mean stands in `vlp.primitives.facts`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vlp.core.errors import UsageError, lookup
from vlp.primitives.facts import SPATIAL
from vlp.primitives.manifest import Argument, Limits, Manifest, Place, Primitive

STANDARD: dict[str, Primitive] = {
    primitive.name: primitive
    for primitive in (
        Primitive(
            "go_to", "action", "Drive to a named place and look at it.",
            (Argument("place", "place", "The place to drive to."),),
            makes=("at place",), timeout_s=60.0,
        ),
        Primitive(
            "look_at", "action", "Turn the head towards a located thing or a named place.",
            (Argument("target", "target", "A $name bound by an earlier locate, or a named place."),),
            timeout_s=10.0,
        ),
        Primitive(
            "locate", "perception", "Find one thing in the camera image, and its place from depth; fails if not in view.",
            (Argument("object", "phrase", 'What to look for, e.g. "red cube".'),),
            result="object", timeout_s=30.0,
        ),
        Primitive(
            "find_all", "perception", "Find every thing in the camera image that fits a phrase.",
            (Argument("object", "phrase", 'A phrase, a kind alone, a colour alone, or "thing".'),),
            result="objects", timeout_s=30.0,
        ),
        Primitive(
            "grasp", "action", "Take hold of a located thing and retreat with it to the carry posture.",
            (Argument("target", "reference", "A $name bound by an earlier locate."),),
            needs=("hand_empty",), makes=("holding target",), timeout_s=60.0, interruptible=False,
        ),
        Primitive(
            "lift", "action", "Raise what is held above the height at which it is carried.",
            (Argument("height_m", "number", "How far to raise it, in metres.", minimum=0.02, maximum=0.30),),
            needs=("holding",), timeout_s=20.0,
        ),
        Primitive(
            "place", "action", "Put what is held in a relation to a located thing or a named place, and let go of it.",
            (
                Argument("target", "target", "A $name bound by an earlier locate, or a named place that can take things."),
                Argument(
                    "relation", "choice",
                    'Where, as seen from the station; "at" is the spot where the target was when it was located.',
                    choices=(*SPATIAL, "at"),
                ),
            ),
            needs=("holding",), makes=("relation held target", "hand_empty"), timeout_s=90.0, interruptible=False,
        ),
        Primitive(
            "release", "action", "Let go of what is held, at the place where the robot stands.",
            needs=("holding",), makes=("moved held", "hand_empty"), timeout_s=60.0, interruptible=False,
        ),
        Primitive(
            "push", "action", "Push a located thing along what it stands on.",
            (
                Argument("target", "reference", "A $name bound by an earlier locate."),
                Argument("direction", "choice", "As seen from the station.", choices=("left", "right", "forward", "back")),
                Argument("distance_m", "number", "How far, in metres.", minimum=0.02, maximum=0.15),
            ),
            needs=("hand_empty",), makes=("moved target",), timeout_s=60.0, interruptible=False,
        ),
        Primitive("home", "action", "Bring arm and head to their resting posture.", timeout_s=20.0),
        Primitive(
            "check", "perception", "Look whether a relation holds; the step fails when it does not.",
            (
                Argument("relation", "choice", "What should be true.", choices=("holding", *SPATIAL, "clear")),
                Argument("subject", "phrase", "The thing it is about; with clear also a place that can be cleared."),
                Argument("object", "subject", "The other thing or place; not with holding, clear.", required=False),
            ),
            timeout_s=30.0,
        ),
        Primitive(
            "ask", "perception", "Ask the person a question and wait for the answer.",
            (Argument("question", "text", "One question, at most 200 characters."),),
            result="answer", timeout_s=120.0,
        ),
    )
}  # fmt: skip
"""The standard primitives by name, in the order in which they are shown."""


def make_manifest(
    robot: str,
    primitives: Iterable[str | Primitive],
    places: Iterable[str | Place] = (),
    limits: Limits | None = None,
    frames: Sequence[str] = ("base",),
    cameras: Mapping[str, Mapping[str, Any]] | None = None,
    results: Mapping[str, Mapping[str, str]] | None = None,
) -> Manifest:
    """Return the manifest of a robot.

    Args:
        robot: the embodiment's name.
        primitives: the robot's own, and the names of standard ones, in the order to show them.
        places: named places; a name alone is a place that only is driven to.
        limits: bounds of the body; None for none.
        frames: frames that poses may be given in.
        cameras: by name, see `Manifest`.
        results: the robot's own result types.

    Returns:
        a manifest whose version is a hash of everything else in it.

    Raises:
        UsageError: a name that is not a standard primitive; a primitive or a place that is named twice.
    """
    chosen = [lookup(p, STANDARD, "primitive") if isinstance(p, str) else p for p in primitives]
    named = [Place(place) if isinstance(place, str) else place for place in places]
    for what, names in {"primitive": [p.name for p in chosen], "place": [place.name for place in named]}.items():
        for name, count in Counter(names).items():
            if count > 1:
                raise UsageError(
                    f"{robot[:40]} names the {what} {name[:64]!r} {count} times.", "Leave all but one of them out."
                )
    manifest = Manifest(
        robot=robot,
        version="",
        primitives={p.name: p for p in chosen},
        places={place.name: place for place in named},
        limits=limits or Limits(),
        frames=tuple(frames),
        cameras={name: dict(camera) for name, camera in (cameras or {}).items()},
        results={name: dict(shape) for name, shape in (results or {}).items()},
    )
    return _versioned(manifest)


def with_primitives(manifest: Manifest, added: Mapping[str, Primitive]) -> Manifest:
    """Return a manifest with further primitives behind its own, and the version that follows from it."""
    return _versioned(replace(manifest, version="", primitives={**manifest.primitives, **added}))


def _versioned(manifest: Manifest) -> Manifest:
    content = json.dumps(manifest.to_json(), sort_keys=True, default=list)
    return replace(manifest, version=hashlib.sha256(content.encode()).hexdigest()[:12])
