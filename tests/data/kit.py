"""Small made-up datasets: no simulator, no model."""

from random import Random

import numpy as np

from vlp.core.observation import RobotState
from vlp.data.sample import Sample, make_sample
from vlp.data.store import StoreWriter
from vlp.primitives.manifest import Limits, Manifest
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.prompt.render import Memory
from vlp.sim.worlds.tabletop.places import PLACES
from vlp.sim.worlds.tabletop.words import COLOURS

LIMITS = Limits((0.2, -0.6, 0.0), (0.9, 0.6, 0.9), 1.0, 1.0, 20.0, 0.13, 1.2)
FAMILIES = ("put", "throw", "pick", "stack")
TRAIN = ("put the {a} in the {b}", "place the {a} into the {b}", "could you put the {a} in the {b}")
TEST = ("move the {a} over to the {b}", "the {a} belongs in the {b}")


def manifest() -> Manifest:
    return make_manifest("hsr", STANDARD, PLACES, LIMITS)


def picture(seed: int, width: int = 96, height: int = 72) -> np.ndarray:
    """Return a picture of some blocks on a table, another for each seed."""
    rng = np.random.default_rng(seed)
    rgb = np.full((height, width, 3), rng.integers(60, 200, 3), np.uint8)
    rgb[: height // 3] = rng.integers(60, 200, 3)
    for _ in range(6):
        x, y, w, h = rng.integers(0, width - 12), rng.integers(0, height - 12), *rng.integers(8, 30, 2)
        rgb[y : y + h, x : x + w] = rng.integers(0, 255, 3)
    return np.clip(rgb.astype(int) + rng.integers(-4, 5, rgb.shape), 0, 255).astype(np.uint8)


def put_policy(a: str, b: str) -> dict:
    first, second = a.replace(" ", "_"), b.replace(" ", "_")
    return {
        "goal": f"the {a} is in the {b}",
        "subtasks": [
            {
                "name": f"pick up the {a}",
                "steps": [
                    {"do": "locate", "object": a, "as": first},
                    {"do": "grasp", "target": f"${first}"},
                    {"do": "lift", "height_m": 0.1},
                ],
            },
            {
                "name": f"put it in the {b}",
                "steps": [
                    {"do": "locate", "object": b, "as": second},
                    {"do": "place", "target": f"${second}", "relation": "in"},
                    {"do": "check", "relation": "in", "subject": a, "object": b},
                ],
            },
        ],
    }


def example(number: int, image: str, split: str = "train") -> Sample:
    """Return the sample of a number; its scene and its family follow from the number."""
    rng = Random(number)
    a, b = f"{rng.choice(COLOURS)} cube", f"{rng.choice(COLOURS)} bowl"
    text = rng.choice(TEST if split == "test" else TRAIN).format(a=a, b=b)
    seed = number + {"train": 0, "validation": 10_000_000, "test": 20_000_000}[split]
    source = {"kind": "expert", "world": "tabletop", "scene_seed": seed, "family": FAMILIES[number % 4]}
    state = RobotState("table", "", {"head_pan_joint": 0.123456789}, (0.0, 0.0, 0.0), 0.1, (0.3, 0.0, 0.5))
    return make_sample(f"e-{number:05d}", [image], text, "hsr", state, Memory((text,)), put_policy(a, b), source, split)


def split_of(number: int) -> str:
    return ("train", "train", "train", "validation", "test")[number % 5]


def write(folder, n: int) -> list[Sample]:
    """Write n clean samples over three splits and return them."""
    samples = []
    with StoreWriter(folder, {"hsr": manifest()}) as writer:
        for number in range(n):
            samples.append(example(number, writer.add_image(picture(number)), split_of(number)))
            writer.add(samples[-1])
    return samples
