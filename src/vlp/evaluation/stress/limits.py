"""Does a simulated robot keep the limits that it declares? Hostile but well-formed policies, measured in the physics."""

import math
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vlp.core.observation import Located
from vlp.evaluation.stress.random_policies import random_policy
from vlp.evaluation.suites import Options, Row
from vlp.primitives.manifest import Limits, Manifest
from vlp.primitives.standard import STANDARD
from vlp.robot.protocol import Step
from vlp.sim.open import simulated
from vlp.sim.opengl import mujoco
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.protocol import Pose2

LIMITS = ("base_speed_m_s", "hand_speed_m_s", "grip_force_n", "gripper_opening_m", "payload_kg", "out_of_workspace_m")

Pairs = list[list[int]]
"""The two geoms of each contact."""
Pressed = dict[int, tuple[list[float], list[float]]]
"""By body, the forces of the first and the second finger on it."""


@dataclass
class Gauge:
    """The greatest values of one simulation, read from the physics after every time step of it.

    Args:
        simulation: with a body that has a hand.
        limits: what the body declares.

    Attributes:
        most: the greatest value of each of `LIMITS` since `reset`, in its unit.
        during: the step in which it was reached.
        step: what is carried out now.
    """

    simulation: Simulation
    limits: Limits
    most: dict[str, float] = field(default_factory=dict)
    during: dict[str, str] = field(default_factory=dict)
    step: str = ""

    def __post_init__(self) -> None:
        model, fingers = self.simulation.model, self.simulation.embodiment.fingers
        assert fingers is not None
        names = [model.body(int(i)).name for i in model.geom_bodyid]
        self._body = model.geom_bodyid.tolist()
        self._finger = [next((k for k, f in enumerate(fingers.each) if n.startswith(f)), -1) for n in names]
        self._hand = [name.startswith(fingers.hand) for name in names]
        self._things = {model.body(phrase).id for phrase in self.simulation.objects}
        palm = model.body(fingers.palm).id
        self._followed = [model.body_rootid[palm], palm]
        tips = self._tip_bodies = [model.body(tip).id for tip in fingers.tips]
        self._tips = [[g for g in range(model.ngeom) if model.geom_bodyid[g] == tip and model.geom_contype[g]] for tip in tips]
        stands = [place.stand for place in self.simulation.places.values()]
        self._stands: list[Pose2] = stands if self.limits.workspace_at == "place" else [(0.0, 0.0, 0.0)]
        self._welds: list[int] = np.flatnonzero(model.eq_type == mujoco.mjtEq.mjEQ_WELD).tolist()
        people = self.simulation.world.people(self.simulation.scene).values() if self.limits.workspace_at else ()
        self._people = [model.body(bodies[0]).id for bodies in people]
        self._track: list[list[list[float]]] = []
        tick_s = 0.02
        self._borne_n: deque[float] = deque(maxlen=round(tick_s / model.opt.timestep))

    def reset(self) -> None:
        """Forget the greatest values."""
        self.most, self.during = {}, {}

    def breaches(self) -> list[str]:
        """Return the values that are greater than declared, in words."""
        allowed = {name: getattr(self.limits, name, 0.0) for name in LIMITS}
        return [
            f"{name} {value:.4f} > {allowed[name]:g} in {self.during[name]}"
            for name, value in self.most.items()
            if allowed[name] is not None and value > allowed[name]
        ]

    def after_step(self) -> None:
        """Take down where base and hand are (at the beginning of the time step), and read the grip and the load.

        Plain numbers instead of arrays: these would be too short to gain by them, and an episode
        spent as much time here as in the physics.
        """
        data = self.simulation.data
        places = data.xpos
        self._track.append([places[body].tolist() for body in self._followed])
        geoms = data.contact.geom.tolist()
        pressed = self._pressed(geoms)
        if pressed:
            one, two = data.xpos[self._tip_bodies].tolist()
            gap_m = math.dist(one, two)
            axis = [(b - a) / gap_m for a, b in zip(one, two, strict=True)]
            for forces in pressed.values():  # a push by both fingers is no grip
                self._note("grip_force_n", max(0.0, min(_dot(forces[0], axis), -_dot(forces[1], axis))))
        self._read_load(geoms, pressed)

    def after_tick(self, now_s: float) -> None:
        """Read speeds and places of the time steps since the last tick, and the gap between the finger tips."""
        del now_s
        model, data, track = self.simulation.model, self.simulation.data, self._track
        step_s = model.opt.timestep
        self._note("base_speed_m_s", max((math.dist(a[0][:2], b[0][:2]) for a, b in pairwise(track)), default=0.0) / step_s)
        self._note("hand_speed_m_s", max((math.dist(a[1], b[1]) for a, b in pairwise(track)), default=0.0) / step_s)
        self._note("out_of_workspace_m", self._outside())
        self._track = track[-1:]
        ends = np.zeros(6)
        gaps = [mujoco.mj_geomDistance(model, data, a, b, 1.0, ends) for a in self._tips[0] for b in self._tips[1]]
        self._note("gripper_opening_m", min(gaps))

    def _outside(self) -> float:
        """Return how far the hand was outside the workspace at most, unless it was above the body itself."""
        low, high = self.limits.workspace_min_m, self.limits.workspace_max_m
        if low is None or high is None:
            return 0.0
        stands, own_m = [*self._stands, *self._before_people()], self.simulation.embodiment.own_m
        stands.sort(key=lambda stand: math.dist(stand[:2], self._track[-1][0][:2]))  # the hand is mostly before the nearest
        most = 0.0
        for base, hand in self._track:
            if math.dist(base[:2], hand[:2]) < own_m:
                continue
            least = math.inf
            for stand in stands:
                least = min(least, _beyond(low, high, stand, hand))
                if least <= 0.0:
                    break
            most = max(most, least)
        return most

    def _before_people(self) -> list[Pose2]:
        """Return where the base is, if it is before a person: a workspace of its own, as before a place's stand."""
        near_m, base = 1.6, self.simulation.embodiment.base(self.simulation.data)
        people = self.simulation.data.xpos[self._people, :2].tolist()
        return [base] if any(math.dist(person, base[:2]) < near_m for person in people) else []

    def _pressed(self, geoms: Pairs) -> Pressed:
        """Return, for each body that is no part of the hand, the forces of either finger on it, in newtons in the world."""
        model, data, force = self.simulation.model, self.simulation.data, np.zeros(6)
        finger, hand = self._finger, self._hand
        touching = [i for i, (a, b) in enumerate(geoms) if (finger[a] >= 0 and not hand[b]) or (finger[b] >= 0 and not hand[a])]
        found: Pressed = {}
        if not touching:
            return found
        rows, frames = data.contact.efc_address, data.contact.frame
        for i in touching:
            if rows[i] < 0:
                continue
            own = 0 if finger[geoms[i][0]] >= 0 else 1
            mujoco.mj_contactForce(model, data, i, force)
            sign = 1.0 if own == 0 else -1.0  # the force is on the second geom
            f, frame = force.tolist(), frames[i].tolist()
            both = found.setdefault(self._body[geoms[i][1 - own]], ([0.0] * 3, [0.0] * 3))
            on = both[finger[geoms[i][own]]]
            for k in range(3):
                on[k] += sign * (frame[k] * f[0] + frame[3 + k] * f[1] + frame[6 + k] * f[2])
        return found

    def _read_load(self, geoms: Pairs, pressed: Pressed) -> None:
        """Note the mass that the fingers bear while nothing else does: the mean over 0.02 s, a control tick.

        What is carried is off its support for longer than that. A can of 2.27 kg that the fingers pushed along the table hopped
        by 0.05 mm, for 2 to 8 ms at a time; in those steps friction read up to 13 N upwards, in the steps before and after
        9 N downwards, and the lift's motor bore nothing.
        """
        if not pressed or not self._only_hand_bears(geoms, set(pressed)):
            self._borne_n.clear()
            return
        self._borne_n.append(sum(one[2] + two[2] for one, two in pressed.values()))
        if len(self._borne_n) == self._borne_n.maxlen:
            self._note("payload_kg", sum(self._borne_n) / len(self._borne_n) / 9.81)

    def _only_hand_bears(self, geoms: Pairs, load: set[int]) -> bool:
        """Return whether bodies, and the things that touch them, touch only the hand and one another, and nobody pulls."""
        model, active = self.simulation.model, self.simulation.data.eq_active
        for weld in self._welds:  # a person's grip, whose ends change when a hand takes hold
            if active[weld] and load & {int(model.eq_obj1id[weld]), int(model.eq_obj2id[weld])}:
                return False
        while load <= self._things:
            touching = [pair for pair in geoms if self._body[pair[0]] in load or self._body[pair[1]] in load]
            more = {self._body[geom] for pair in touching for geom in pair if not self._hand[geom]}
            if more <= load:
                return True
            load = load | more
        return False

    def _note(self, name: str, value: float) -> None:
        if value > self.most.get(name, -1.0):
            self.most[name], self.during[name] = float(value), self.step


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _beyond(low: Sequence[float], high: Sequence[float], stand: Pose2, hand: Sequence[float]) -> float:
    """Return how far a hand is outside a box around a stand, below 0 inside, in metres along the axis where it is farthest."""
    x, y, yaw = stand
    c, s, dx, dy = math.cos(yaw), math.sin(yaw), hand[0] - x, hand[1] - y
    ahead, left, up = c * dx + s * dy, c * dy - s * dx, hand[2]
    return max(low[0] - ahead, ahead - high[0], low[1] - left, left - high[1], low[2] - up, up - high[2])


def limits(index: int, options: Options, out: Path, *, policies: int = 10, body: str = "") -> list[Row]:
    """Run hostile policies in one scene, each beginning where the last one ended; a row each.

    Args:
        index: of the scene, in the first world.
        options, out: not read; suites have them in common.
        policies: how many in a row.
        body: a row of `vlp.sim.EMBODIMENTS`; "" takes the first.
    """
    del options, out
    rng = random.Random(f"limits {index}")
    robot, simulation = simulated(body, seed=rng.randrange(10_000_000))
    for phrase in simulation.objects:
        if rng.random() < 0.3:  # around and beyond what the arm may carry
            make_heavy(simulation, phrase, rng.uniform(0.5, 3.0))
    gauge = Gauge(simulation, robot.describe().limits)
    robot.on_step.append(gauge.after_step)
    robot.on_tick.append(gauge.after_tick)
    rows = []
    for number in range(policies):
        gauge.reset()
        counts = {"succeeded": 0, "failed": 0, "stopped": 0, "timeout": 0, "rejected": 0}
        began_s = float(simulation.data.time)
        for k, step in enumerate(hostile_steps(rng, robot.describe(), simulation)):
            gauge.step = f"{step.do} {_short(step.arguments)}"
            counts[robot.execute(replace(step, key=f"{index}.{number}.{k}")).status] += 1
        breaches = gauge.breaches()
        values = {name: round(gauge.most.get(name, 0.0), 4) for name in LIMITS}
        seconds = round(float(simulation.data.time) - began_s, 2)
        rows.append(
            {"success": not breaches, "cause": "; ".join(breaches), "policy": number, "robot_s": seconds, **counts, **values}
        )
    return rows


def hostile_steps(rng: random.Random, manifest: Manifest, simulation: Simulation) -> list[Step]:
    """Return the steps of a well-formed policy that asks for too much: far, large, fast, in odd orders, cut short.

    Args:
        rng: the only source of chance.
        manifest: of the robot, without perceptions.
        simulation: whose things are named.
    """
    known = {"locate": STANDARD["locate"], **manifest.primitives}
    steps: list[dict[str, Any]] = []
    while len(steps) < 3:
        policy = random_policy(rng, replace(manifest, primitives=known), max_subtasks=2)
        steps = [step for subtask in policy.get("subtasks", ()) for step in subtask["steps"] if step["do"] != "locate"]
    if rng.random() < 0.5:  # what takes hold of a thing is rare among all there is to do
        steps = [{"do": "grasp", "target": "$thing"}, *steps]
    if rng.random() < 0.3:
        rng.shuffle(steps)
    made = []
    for step in steps[:3]:
        given = {name: value for name, value in step.items() if name not in ("do", "as")}
        arguments = {name: _hostile(rng, name, value, simulation, manifest) for name, value in given.items()}
        made.append(Step(step["do"], arguments, "", timeout_s=rng.uniform(0.2, 6.0) if rng.random() < 0.15 else None))
    return made


def _hostile(rng: random.Random, name: str, value: Any, simulation: Simulation, manifest: Manifest) -> Any:
    """Return another value for an argument: numbers at and beyond their bounds, things that are not where they are said."""
    if isinstance(value, str) and value.startswith("$"):
        true = simulation.truth().objects
        phrase = rng.choice(sorted(true))
        return (_seen if rng.random() < 0.65 else _invented)(rng, phrase, true[phrase], manifest.limits)
    bounds = [(a.minimum, a.maximum) for p in manifest.primitives.values() for a in p.arguments if a.name == name]
    if isinstance(value, int | float) and bounds:
        low, high = bounds[0][0] or 0.0, bounds[0][1] or 1.0
        return rng.choice([low, high, high, value, high * 1.001, high * 100, -high, low - 1e-6])
    return value


def _seen(rng: random.Random, phrase: str, thing: Any, limits: Limits) -> dict[str, Any]:
    """Return a true thing as a camera might report it."""
    del limits
    x, y, z = (p + rng.gauss(0, 0.004) for p in thing.position_in_world)
    yaw = (thing.yaw_rad + np.pi / 2) % np.pi - np.pi / 2
    return Located(phrase, (0, 0, 9, 9), (x, y, z), thing.size_m, float(yaw), 1.0, 0.0).to_json()


def _invented(rng: random.Random, phrase: str, thing: Any, limits: Limits) -> dict[str, Any]:
    """Return a thing that is not there: at the edges of the workspace, beyond them, or of a size that nothing has."""
    del thing
    low: tuple[float, ...] = limits.workspace_min_m or (-1.0, -1.0, 0.0)
    high: tuple[float, ...] = limits.workspace_max_m or (1.0, 1.0, 1.0)
    at = tuple(rng.choice([a, b, rng.uniform(a, b), rng.uniform(a, b), b + 1e-6]) for a, b in zip(low, high, strict=True))
    length = rng.choice([0.001, 0.05, 0.117, 0.3, 2.0])
    size = (length, length * rng.uniform(0.3, 1.0), rng.choice([0.001, 0.05, 0.2, 1.0]))
    return Located(phrase, (0, 0, 9, 9), at, size, rng.uniform(-np.pi / 2, np.pi / 2), 1.0, 0.0).to_json()  # type: ignore[arg-type]


def make_heavy(simulation: Simulation, phrase: str, mass_kg: float) -> None:
    """Give a thing another mass, with its inertia."""
    model = simulation.model
    body = model.body(phrase).id
    factor = mass_kg / float(model.body_mass[body])
    model.body_mass[body] *= factor
    model.body_inertia[body] *= factor
    mujoco.mj_setConst(model, mujoco.MjData(model))


def _short(arguments: Mapping[str, Any]) -> str:
    said = {name: value.get("phrase", value) if isinstance(value, dict) else value for name, value in arguments.items()}
    return " ".join(f"{name}={value}" for name, value in said.items())
