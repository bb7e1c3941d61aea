"""Demonstrations of skills: the expert of motion carries them out through the runner, and what it was asked becomes samples.

    python -m vlp.episodes.demonstrations --n 100 --family pick --out motion

The samples are those of `vlp data relabel`, with the same questions and the same vocabularies.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import cast

from vlp.core.errors import UsageError, VlpError, first, lookup
from vlp.core.observation import RobotState
from vlp.data.sample import Sample, make_sample
from vlp.data.store import StoreWriter
from vlp.episodes.motion_expert import MotionExpert
from vlp.language_actions.hand import move_space
from vlp.language_actions.vocabulary import open_vocabulary
from vlp.primitives.manifest import Manifest
from vlp.prompt.render import Memory
from vlp.robot.protocol import Step, StepResult
from vlp.sim import EMBODIMENTS
from vlp.sim.embodiments.robot import SimRobot
from vlp.sim.open import simulated
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.seeds import SPLITS, seed_of
from vlp.skills.asking import Answered
from vlp.skills.skilled import SkilledRobot


@dataclass
class Demonstrated:
    """What came of some scenes.

    Args:
        done, tried: episodes.
        new: samples that were not there already.
        kinds: samples by kind.
        failed: how often a code ended an episode.
    """

    done: int = 0
    tried: int = 0
    new: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.kinds.most_common())
        lost = "".join(f"; {count} {code}" for code, count in self.failed.most_common())
        return f"{self.done} of {self.tried} episodes done{lost}; {kinds or 'no samples'}; {self.new:,} new."


@dataclass(frozen=True)
class MotionEpisode:
    """One episode.

    Args:
        number: of the scene within its split.
        text: what was to be done.
        result: of the skill.
        done: whether it is so in the true state.
        heard: every question and its answer.
        manifest: of the robot.
    """

    number: int
    text: str
    result: StepResult
    done: bool
    heard: Sequence[Answered]
    manifest: Manifest


def demonstrate(
    number: int, family: str, robot: str = "", split: str = "train", actions: str = "numbers", words: Sequence[str] = ()
) -> MotionEpisode | None:
    """Return one episode of the expert of motion, None where the scene has nothing to do it with.

    Args:
        number: of the scene within the split.
        family: reach, pick, put or push.
        robot, split: as elsewhere.
        actions, words: see `vlp.language_actions.vocabulary.open_vocabulary`.

    Raises:
        UsageError: an unknown name.
    """
    draw = lookup(family, _families(), "family of skills")
    seed, rng = seed_of(split, number), Random(f"{family} {split} {number}")
    body, simulation = simulated(robot, seed=seed, hand=True)
    text = draw(simulation, rng)
    if not text:
        return None
    vocabulary = open_vocabulary(actions, move_space(body.describe(), ("x", "y", "z", "wrist")), words)
    heard: list[Answered] = []
    expert = MotionExpert(cast(SimRobot, body), vocabulary)
    skilled = SkilledRobot(body, expert, vocabulary, heard=heard.append)
    result = skilled.execute(Step("skill", {"text": text}, f"{family}-{number}"))
    done = result.status == "succeeded" and expert.answer(f'Is the subtask "{text}" done? Answer yes or no.') == "yes"
    return MotionEpisode(number, text, result, done, heard, body.describe())


def samples(shown: MotionEpisode, split: str, image: Callable[[Answered], str], rng: Random) -> list[Sample]:
    """Return the samples of an episode; as many moments at which it was not done as those at which it was.

    Args:
        shown: the episode.
        split: of all samples.
        image: puts an image down and returns its hash.
        rng: chooses the moments.
    """
    numbered = list(enumerate(shown.heard))
    undone = [n for n, one in numbered if one.kind == "done" and one.answer == "no"]
    yes = sum(one.kind == "done" and one.answer == "yes" for one in shown.heard)
    left_out = set(undone) - set(rng.sample(undone, min(yes, len(undone))))
    return [
        make_sample(
            f"skill-{shown.number:06d}-{n:05d}-{one.kind}",
            [image(one)],
            shown.text,
            shown.manifest.robot,
            RobotState(),
            Memory((shown.text,)),
            {},
            {"kind": "skill", "family": one.kind, "episode": shown.number},
            split,
            one.question,
            one.answer,
        )
        for n, one in numbered
        if n not in left_out
    ]


def collect(
    out: str | Path, n: int, family: str, robot: str = first(EMBODIMENTS), split: str = "train", actions: str = "numbers",
    seed: int = 0, words: Sequence[str] = (),
) -> Demonstrated:  # fmt: skip
    """Make samples of n episodes that the expert has done; those that fail are left out, and counted.

    Args:
        out: a store; made when missing.
        n: episodes.
        family, robot, split, actions, words: see `demonstrate`.
        seed: the first scene's number.

    Raises:
        UsageError: an unknown name, or n out of bounds.
        MissingComponent: it cannot be written.
    """
    lookup(split, SPLITS, "split")
    if not 1 <= n <= 100_000:
        raise UsageError(f"{n} episodes cannot be made.", "Give 1 to 100,000.")
    made, number = Demonstrated(), seed
    while made.done < n and made.tried < 2 * n + 20:
        shown = demonstrate(number, family, robot, split, actions, words)
        number += 1
        if shown is None:
            continue
        made.tried += 1
        if not shown.done:
            made.failed[shown.result.code or "not-so"] += 1
            continue
        with StoreWriter(out, {shown.manifest.robot: shown.manifest}) as writer:
            taken = samples(shown, split, lambda one, writer=writer: writer.add_image(one.image), Random(number))
            made.new += writer.add_all(taken)
        made.kinds.update(str(sample.source["family"]) for sample in taken)
        made.done += 1
    return made


def _families() -> dict[str, Callable[[Simulation, Random], str]]:
    """Return what makes the sentence of each family in a scene, "" where it has nothing for it."""

    def free(simulation: Simulation, rng: Random) -> list[str]:
        """Return what stands by itself and fits the hand, in any order."""
        truth, most_m, places = simulation.truth(), 0.09, set(simulation.places)
        fit = [
            name
            for name, thing in sorted(truth.objects.items())
            if thing.support in places and thing.upright and thing.size_m[1] < most_m and not truth.inside(name)
        ]
        fit = [name for name in fit if not simulation.world.is_container(name)]
        return rng.sample(fit, len(fit))

    def one(sentence: str) -> Callable[[Simulation, Random], str]:
        return lambda simulation, rng: next((sentence.format(thing) for thing in free(simulation, rng)), "")

    def put(simulation: Simulation, rng: Random) -> str:
        things, truth = free(simulation, rng), simulation.truth()
        vessels = sorted(name for name in truth.objects if simulation.world.is_container(name) and not truth.inside(name))
        return f"put the {things[0]} in the {rng.choice(vessels)}" if things and vessels else ""

    def push(simulation: Simulation, rng: Random) -> str:
        objects, side_m, room_m = simulation.truth().objects, 0.12, 0.03
        for thing in free(simulation, rng):
            (x, y, _), others = objects[thing].position_in_world, [o for name, o in objects.items() if name != thing]
            # Room for the hand beside it, and where it goes.
            spots = [(x, y - side_m), (x, y + side_m)]
            rooms = [math.dist(s, o.position_in_world[:2]) - math.hypot(*o.size_m[:2]) / 2 for s in spots for o in others]
            if min(rooms, default=room_m) >= room_m:
                return f"push the {thing} to the {rng.choice(('left', 'right'))}"
        return ""

    return {
        "reach": one("reach the {}"),
        "pick": one("pick up the {}"),
        "put": put,
        "push": push,
    }


def main() -> int:
    """Run from the command line; exit status 1 where no episode was done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--family", default="pick", help="reach, pick, put or push")
    parser.add_argument("--robot", default=first(EMBODIMENTS))
    parser.add_argument("--split", default="train")
    parser.add_argument("--actions", default="numbers", help="numbers or directions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    given = parser.parse_args()
    try:
        made = collect(given.out, given.n, given.family, given.robot, given.split, given.actions, given.seed)
    except VlpError as error:
        print(f"vlp: {error}", file=sys.stderr)
        return error.exit_status
    print(made)
    return 0 if made.done else 1


if __name__ == "__main__":
    sys.exit(main())
