"""What a simulated world offers: scenes by seed, physics, places, the true state, events, and words for people."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from vlp.core.observation import Described, Sizes
from vlp.primitives.manifest import Place
from vlp.sim.opengl import mujoco
from vlp.sim.truth import Truth
from vlp.sim.worlds.floor import FloorPlan
from vlp.sim.worlds.tasks import Tasks

if TYPE_CHECKING:
    from vlp.sim.simulation import Simulation

Pose2 = tuple[float, float, float]
"""x and y in metres and yaw in radians, in the world frame."""


@dataclass(frozen=True)
class Station:
    """A named place: where a robot stands at it, and what is there, in metres in the world frame.

    Args:
        stand: x, y and yaw of a robot's base that stands before it.
        middle: x, y, z of what is there: of a surface's top, of a container's rim, of the floor.
        takes: "on" for a surface that things stand on, "in" for an open container, "" where nothing can be put.
        low, high: corners (x, y) of the surface or the opening.
        floor_m: height on which what is put into a container comes to rest.
        under_m: how far behind its near edge a low base can drive under a surface.
        headroom_m: how high things can be there; a hand that comes from above needs more.
        out_m: how far a drawer has been pulled out towards the stand as the scene begins; None for what is no drawer.
        hinge: x, y of the upright axis on which a door before it turns; None where there is no door.
    """

    stand: Pose2
    middle: tuple[float, float, float]
    takes: Literal["on", "in", ""] = ""
    low: tuple[float, float] = (0.0, 0.0)
    high: tuple[float, float] = (0.0, 0.0)
    floor_m: float = 0.0
    under_m: float = math.inf
    headroom_m: float = math.inf
    out_m: float | None = None
    hinge: tuple[float, float] | None = None


class SampledThing(Protocol):
    """One thing of a scene that may be moved; its body and its free joint bear its phrase as their name."""

    @property
    def phrase(self) -> str:
        """Its name."""
        ...

    @property
    def size_m(self) -> tuple[float, float, float]:
        """Length, width and height."""
        ...

    @property
    def rgb(self) -> tuple[float, float, float]:
        """Its colour, 0 to 1."""
        ...


class Sampled(Protocol):
    """A scene as plain data, before it is built."""

    @property
    def seed(self) -> int:
        """The seed that it follows from."""
        ...

    @property
    def objects(self) -> Sequence[SampledThing]:
        """The things that may be moved."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the scene as plain data."""
        ...


Act = Callable[["Simulation", np.random.Generator, Sequence[str]], tuple[str, ...]]


@dataclass(frozen=True)
class Happening:
    """Something that people do to a world while the robot works.

    Args:
        form: regular expression of its words, in small letters; its groups are phrases of things.
        example: its words, for people.
        act: does it with the phrases found ("" for a group that was left out); returns the phrases of what moved, none
            when there was no room for it.
        about: what each group of its form may name now; none for the things that are there.
    """

    form: str
    example: str
    act: Act
    about: Sequence[Callable[[Simulation], Collection[str]]] = ()


class World(Protocol):
    """One kind of world; any body stands in it, and it knows none by name."""

    name: str
    audience: str
    """The fixed camera that sees robot and scene, for films."""
    places: Sequence[Place]
    """Named places that a policy may speak of, the same in every scene; the robot starts at the first."""
    events: Mapping[str, Happening]
    """What people can do here, by the first word of how it is said."""
    legible: bool
    """Whether there is something to read here, e.g. a sign or a gauge."""
    tasks: Tasks | None
    """What can be asked for here; None for a world without tasks, where sentences have no verdict and there is no expert."""

    def sample(self, seed: int) -> Sampled:
        """Return the scene of a seed, 0 or greater; the same seed gives the same scene on every machine."""
        ...

    def build(self, scene: Any, robot: mujoco.MjSpec) -> mujoco.MjModel:
        """Return the compiled model of a scene of this world with a robot in it, made from the robot's specification."""
        ...

    def stations(self, scene: Any) -> dict[str, Station]:
        """Return where the places are in a scene, one for each of `places`."""
        ...

    def react(self, simulation: Simulation) -> None:
        """Let happen what follows by itself from the state, e.g. that a button switches a lamp, or that people take something.

        It is called after time steps and after a restored snapshot, also twice in one state. What it keeps from one call to
        the next belongs into MuJoCo's state, so that snapshots hold it. It moves things by servos and constraints of the
        world's own alone: it changes no joints, speeds or forces, and nothing of the robot's.
        """
        ...

    def floor(self, scene: Any, data: mujoco.MjData | None = None) -> FloorPlan:
        """Return the floor of a scene with what stands on it, for bodies that drive.

        Args:
            scene: a scene of this world.
            data: its state, by which people stand where they are now; None takes the scene as it begins.
        """
        ...

    def is_container(self, phrase: str) -> bool:
        """Return whether a thing of this name is an open vessel that things are put into or onto, too large for a hand."""
        ...

    def truth(self, simulation: Simulation, held: str | None = None) -> Truth:
        """Return the true state.

        Args:
            simulation: a scene of this world.
            held: what the hand holds where that is known beforehand; None looks at the contacts.
        """
        ...

    def sights(self, simulation: Simulation) -> Mapping[str, Sequence[str]]:
        """Return what can be seen by name, with the bodies that show it: the things that are there now, and what is fixed."""
        ...

    def people(self, scene: Any) -> Mapping[str, Sequence[str]]:
        """Return the people in a scene by name, with their bodies."""
        ...

    def described(self, truth: Truth) -> Mapping[str, Described]:
        """Return what the oracle grounder knows of things and persons beside their names; empty for a world of plain names."""
        ...

    def sizes(self) -> Sizes:
        """Return how large things are here by their nouns, for whoever measures them in images; empty when not known."""
        ...

    def describe(self, scene: Any, truth: Truth | None = None) -> str:
        """Return for people what a scene holds, as it was sampled or, given the truth, as it is."""
        ...
