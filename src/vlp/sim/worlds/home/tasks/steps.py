"""The steps of policies for the home, by role; the one place that knows the arguments of primitives."""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]


def go_to(place: str) -> Json:
    """Go to a named place."""
    return {"do": "go_to", "place": place}


def locate(name: str) -> Json:
    """Look for a thing, a person or a handle; it is bound to its own name."""
    return {"do": "locate", "object": name, "as": bound(name)}


def grasp(name: str) -> Json:
    """Take hold of what was located."""
    return {"do": "grasp", "target": f"${bound(name)}"}


def lift() -> Json:
    """Raise what is held."""
    return {"do": "lift", "height_m": 0.1}


def place(where: str, relation: str) -> Json:
    """Put what is held on or in a named place."""
    return {"do": "place", "target": where, "relation": relation}


def open_(handle: str) -> Json:
    """Open what a located handle belongs to."""
    return {"do": "open", "target": f"${bound(handle)}"}


def close(handle: str) -> Json:
    """Close what a located handle belongs to."""
    return {"do": "close", "target": f"${bound(handle)}"}


def press(where: str) -> Json:
    """Press the button at a named place."""
    return {"do": "press", "target": where}


def handover(person: str) -> Json:
    """Hand what is held to a located person, or to who is before the robot where none is named."""
    return {"do": "handover", "target": f"${bound(person)}"} if person else {"do": "handover"}


def inspect(where: str) -> Json:
    """Bring a camera close before a named place, and keep looking at it."""
    return {"do": "inspect", "target": where}


def pour(vessel: str) -> Json:
    """Pour what is in the held thing into a located vessel."""
    return {"do": "pour", "target": f"${bound(vessel)}"}


def read(what: str) -> Json:
    """Read what is shown; the reading is bound to "reading"."""
    return {"do": "read", "object": what, "as": "reading"}


def say(text: str, value: str = "", to: str = "") -> Json:
    """Tell who commands, or what person a name stands for, a text, and behind it what a name stands for."""
    more = {"value": f"${value}"} if value else {}
    return {"do": "say", "text": text, **more, **({"target": f"${to}"} if to else {})}


def look(pan_rad: float, tilt_rad: float) -> Json:
    """Look in a direction from where the robot stands, and keep looking there."""
    return {"do": "look", "pan_rad": pan_rad, "tilt_rad": tilt_rad, "zoom": 1.0}


def locate_person(phrase: str) -> Json:
    """Look for a person; who is found is bound to "person"."""
    return {"do": "locate_person", "person": phrase, "as": "person"}


def follow() -> Json:
    """Go behind the located person to where they go."""
    return {"do": "follow", "target": "$person"}


def guide(place: str) -> Json:
    """Lead the located person to a named place."""
    return {"do": "guide", "target": "$person", "place": place}


def count(what: str) -> Json:
    """Count things of a category in view; how many there are is bound to "number"."""
    return {"do": "count", "object": what, "as": "number"}


def compare(names: Sequence[str], by: str) -> Json:
    """Find which of some things in view is the most of them in a respect; it is bound to "most"."""
    return {"do": "compare", "objects": list(names), "by": by, "as": "most"}


def check(relation: str, name: str, where: str) -> Json:
    """Look whether a thing is on or in a named place."""
    return {"do": "check", "relation": relation, "subject": name, "object": where}


def bound(name: str) -> str:
    """Return the name that a result about something is bound to."""
    return name.lower().replace(" ", "_")
