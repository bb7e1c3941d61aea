"""Measure how fast the home is simulated with either body, and how long a frame of the body's camera takes.

    python recipes/measure_home_speed.py --homes 7 --out runs/home-speed.jsonl

In each home of the validation split, a body goes to six places and looks around; bodies take turns. `times real time` is
simulated time over the wall's, controller and reactions of the world included, with nothing drawn and nothing measured in
between. A frame is the image with its depth, drawn in software where there is no GPU, at each of the places.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from vlp.robot.protocol import Step
from vlp.sim import EMBODIMENTS
from vlp.sim.open import simulated
from vlp.sim.worlds.seeds import seed_of

PLACES = ("kitchen table", "cabinet", "sofa", "shelf", "gauges", "coffee table")


def measure(body: str, index: int) -> dict[str, Any]:
    """Return how long one home took: seconds simulated and on the wall, and milliseconds of each frame."""
    robot, simulation = simulated(body, seed=seed_of("validation", index), world="home")
    go = next(name for name in ("go_to", "walk_to") if name in robot.describe().primitives)
    frames_ms: list[float] = []
    wall_s = 0.0
    for k, place in enumerate(PLACES):
        began = time.perf_counter()
        result = robot.execute(Step(go, {"place": place}, f"{index}.{k}"))
        wall_s += time.perf_counter() - began
        if result.status != "succeeded":
            raise SystemExit(f"{body} did not get to {place!r} in home {index}: {result.message}")
        began = time.perf_counter()
        seen = robot.observe()
        assert seen.rgb.any() and seen.depth_m is not None and seen.depth_m.any()
        frames_ms.append(1000 * (time.perf_counter() - began))
    frames_ms = frames_ms[1:]  # the first frame of a process opens OpenGL
    return {"body": body, "home": index, "robot_s": float(simulation.data.time), "wall_s": wall_s, "frames_ms": frames_ms}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table: medians over homes, with the least and the greatest."""
    lines = ["| body | homes | times real time | camera frame, ms |", "| --- | --- | --- | --- |"]
    for body in EMBODIMENTS:
        mine = [row for row in rows if row["body"] == body]
        if not mine:
            continue
        speeds = [row["robot_s"] / row["wall_s"] for row in mine]
        frames = np.array([ms for row in mine for ms in row["frames_ms"]])
        speed = f"{np.median(speeds):.1f} ({min(speeds):.1f} to {max(speeds):.1f})"
        frame = f"{np.median(frames):.0f} (95 %: {np.quantile(frames, 0.95):.0f})"
        lines.append(f"| {body} | {len(mine)} | {speed} | {frame} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what the file does not have yet, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--homes", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("runs/home-speed.jsonl"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    for index in range(options.homes):
        for body in EMBODIMENTS:
            if not any((row["body"], row["home"]) == (body, index) for row in rows):
                rows.append(measure(body, index))
                with options.out.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
                print(f"{body} in home {index}: {rows[-1]['robot_s'] / rows[-1]['wall_s']:.1f} times real time", flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
