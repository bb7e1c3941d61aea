"""The evidence for a relation: proprioception, geometry, colour inside a container, records, a model's opinion."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vlp.core.observation import Located, Observation
from vlp.models.protocol import Model
from vlp.perception.grounder import ANYTHING, Detection, Grounder
from vlp.perception.looks import colour_of, has_colour, shape_of
from vlp.perception.points import Cloud
from vlp.perception.relations import RELATIONS, bottom, over, top
from vlp.primitives.facts import Fact
from vlp.primitives.manifest import Place
from vlp.prompt.render import question_messages

Verdict = tuple[bool | None, str]
"""Whether it holds, None where that could not be seen, and a clause that says what was seen."""


class LookLike(Protocol):
    """One observation in which things can be grounded and located."""

    @property
    def observation(self) -> Observation:
        """What the robot saw."""
        ...

    @property
    def scene(self) -> Cloud:
        """Every pixel of it as a point."""
        ...

    def ground(self, grounder: Grounder, phrase: str, also: Sequence[str] = ()) -> list[Detection]:
        """Return what matches a phrase; `also` names what is asked for next."""
        ...

    def pose(self, detection: Detection) -> Located | None:
        """Return where a detection is."""
        ...


@dataclass(frozen=True)
class Sight:
    """What a check may use.

    Args:
        look: one observation.
        grounder: finds boxes.
        model: says of relations between things whether they hold; None measures them.
        facts: what the robot's actions have made true.
        places: the robot's named places, by name.
    """

    look: LookLike
    grounder: Grounder
    model: Model | None
    facts: frozenset[Fact]
    places: Mapping[str, Place]

    def find(self, phrase: str, also: Sequence[str] = ()) -> Located | None:
        """Return the best match of a phrase that can be located; `also` names what is asked for next."""
        found = (self.look.pose(d) for d in self.look.ground(self.grounder, phrase, also))
        return next((item for item in found if item is not None), None)


def check(sight: Sight, relation: str, subject: str, other: str) -> Verdict:
    """Return whether a relation holds, with what was seen.

    Raises:
        ValueError: no such relation, or an object missing.
    """
    if alone := {"holding": _holding, "clear": _clear}.get(relation):
        return alone(sight, subject)
    if relation not in RELATIONS or not other:
        raise ValueError(f"relation {relation!r} of {subject!r} and {other!r}")
    if sight.look.observation.state.holding == subject:
        return False, f"the {subject} is in the hand"
    place = sight.places.get(other)
    if sight.model is not None and (place is None or place.visible):
        return _asked(sight.model, sight, relation, subject, other)
    if place is not None:
        return _at_place(sight, relation, subject, place)
    return _between(sight, relation, subject, other)


def _between(sight: Sight, relation: str, subject: str, other: str) -> Verdict:
    target = sight.find(other, also=(subject,))
    if target is None:
        return None, f"the {other} is not in view"
    item = sight.find(subject)
    if item is not None and RELATIONS[relation](item, target):
        return True, _where(item, target)
    if relation in ("in", "on") and shape_of(target.phrase).container:
        pixels = colour_inside(sight.look.scene, sight.look.observation, target, subject)
        if pixels >= 20 and (item is None or over(item, target, 0.03)):
            return True, f"{pixels} pixels of its colour inside the {other}"
    if item is not None:
        return False, _where(item, target)
    return None, f"the {subject} is not in view"


def _holding(sight: Sight, subject: str) -> Verdict:
    held = sight.look.observation.state.holding
    return held == subject, f"the hand holds the {held}" if held else "the hand is empty"


def _clear(sight: Sight, subject: str) -> Verdict:
    if subject in sight.places:
        if not sight.places[subject].clearable:
            return None, f"it cannot be seen whether the {subject} is clear"
        seen = [d.phrase for d in sight.look.ground(sight.grounder, ANYTHING)]
        left = [name for name in seen if not (shape_of(name).container or shape_of(name).fixed)]
        return not left, f"the {left[0]} is still there" if left else "nothing is left that can be grasped"
    item = sight.find(subject)
    if item is None:
        return None, f"the {subject} is not in view"
    for detection in sight.look.ground(sight.grounder, ANYTHING):
        if detection.phrase == subject or shape_of(detection.phrase).container:
            continue
        other = sight.look.pose(detection)
        if other is None:
            continue
        inside = shape_of(item.phrase).container and over(other, item, 0.0)
        atop = over(other, item, 0.02) and top(other) > top(item) + 0.01 and bottom(other) > bottom(item) + 0.02
        if inside or atop:
            return False, f"the {other.phrase} is on or in it"
    return True, f"nothing is on or in the {subject}"


def _at_place(sight: Sight, relation: str, subject: str, place: Place) -> Verdict:
    """Return whether a thing is at a named place: seen on its surface, or, out of view, put there and gone from view."""
    if relation not in place.relations:
        return False, f"nothing can be {relation.replace('_', ' ')} the {place.name}"
    return _on_surface(sight, subject, place) if place.visible else _by_record(sight, relation, subject, place)


def _on_surface(sight: Sight, subject: str, place: Place) -> Verdict:
    at = sight.places.get(sight.look.observation.state.at)
    if place.surface_height_m is None and at is not None and at.visible and at != place:
        return None, f"the robot looks at the {at.name}, not at the {place.name}"
    item = sight.find(subject)
    if item is None:
        return None, f"the {subject} is not in view"
    measured = sight.look.scene.support_z_m
    height = bottom(item) - (measured if place.surface_height_m is None else place.surface_height_m)
    return abs(height) < 0.03, f"the {subject} is {height * 100:.0f} cm above the {place.name}"


def _by_record(sight: Sight, relation: str, subject: str, place: Place) -> Verdict:
    if sight.look.observation.state.holding:
        return False, f"the hand holds the {sight.look.observation.state.holding}"
    if sight.look.ground(sight.grounder, subject):
        return False, f"the {subject} is in view"
    if (relation, subject, place.name) in sight.facts:
        return True, f"the {subject} was put {relation.replace('_', ' ')} the {place.name} and is no longer in view"
    return False, f"the {subject} was not put {relation.replace('_', ' ')} the {place.name}"


def colour_inside(scene: Cloud, observation: Observation, container: Located, subject: str) -> int:
    """Return how many pixels inside a container's rim have the subject's colour; 0 when the container shares it."""
    colour = colour_of(subject)
    if not colour or colour == colour_of(container.phrase):
        return 0
    x1, y1, x2, y2 = (int(v) for v in container.box)
    part = (slice(max(y1 - 20, 0), y2), slice(x1, x2))
    mask = np.zeros(observation.rgb.shape[:2], dtype=bool)
    mask[part] = has_colour(observation.rgb[part], colour)
    if not mask.any():
        return 0
    spots = scene.on_plane(mask, top(container))
    away = np.linalg.norm(spots - np.array(container.position_in_world[:2]), axis=1)
    return int((away < 0.45 * container.size_m[1]).sum())


def _where(item: Located, target: Located) -> str:
    (x, y, z), (tx, ty, _) = item.position_in_world, target.position_in_world
    across = f"{abs(y - ty) * 100:.0f} cm {'left' if y > ty else 'right'}"
    along = f"{abs(x - tx) * 100:.0f} cm {'behind' if x > tx else 'in front'}"
    return f"the {item.phrase} is {across} and {along} of the middle of the {target.phrase}, at height {z:.2f} m"


def _asked(model: Model, sight: Sight, relation: str, subject: str, other: str) -> Verdict:
    """Return what a model says of a relation; what begins neither with yes nor with no tells nothing."""
    question = f"is the {subject} {relation.replace('_', ' ')} the {other}?"
    messages = question_messages(sight.look.observation.rgb, question, model.profile)
    said = " ".join(model.generate(messages, max_tokens=16, timeout_s=20.0).text.split())
    holds = {"yes": True, "no": False}.get(re.split(r"\W", said.lower(), maxsplit=1)[0])
    return holds, f"asked {question!r}, the model says {said[:40]!r}"
