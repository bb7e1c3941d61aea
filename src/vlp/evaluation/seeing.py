"""Suites about what is seen: boxes, poses and answers, on the head camera's own images."""

import io
import json
import time
from functools import cache
from math import degrees, hypot, pi
from pathlib import Path
from random import Random

import numpy as np

from vlp.core.images import Rgb
from vlp.core.observation import Box, iou
from vlp.evaluation.suites import Options, Row, opened_model
from vlp.perception.grounder import Detection, Grounder, Sources, make_grounder
from vlp.perception.points import cloud
from vlp.perception.pose import locate
from vlp.prompt.render import question_messages
from vlp.sim.worlds.seeds import seed_of
from vlp.sim.worlds.tabletop.kept import kept_frame
from vlp.sim.worlds.tabletop.labels import seen_rows, seen_truth
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS


@cache
def opened_grounder(name: str, model: str) -> Grounder:
    """Return the grounder of a process, opened once."""
    return make_grounder(name, Sources(model=opened_model(model) if name == "model" else None))


def grounding(index: int, options: Options, out: Path) -> list[Row]:
    """Ask for everything that is to be seen in one image, and for one thing that is not there."""
    frame = kept_frame(seed_of(options.split, index))
    grounder, rows = opened_grounder(options.grounder, options.model), []
    for phrase, seen in seen_rows(frame.labels()).items():
        box = tuple(seen["box"])
        found, seconds = _ground(grounder, frame.rgb, phrase)
        best = iou(found.box, box) if found else 0.0
        good = best >= 0.5
        cause = "" if good else f"box off: IoU {best:.2f}" if found else "not found"
        rows.append(
            {"there": True, "phrase": phrase, "kind": seen["kind"], "iou": round(best, 3), "ground_s": seconds,
             "success": good, "cause": cause}
        )  # fmt: skip
        if not good:
            rows[-1]["picture"] = _picture(out, f"{index}-{phrase}", frame.rgb, box, found and found.box)
    names = {f"{o.colour} {o.kind}" for o in frame.objects}
    rng = Random(index)
    absent = next(p for p in iter(lambda: f"{rng.choice(COLOURS)} {rng.choice(KINDS)}", "") if p not in names)
    found, seconds = _ground(grounder, frame.rgb, absent)
    cause = "saw what is not there" if found else ""
    return [*rows, {"there": False, "phrase": absent, "kind": "", "success": not found, "cause": cause}]


def questions(index: int, options: Options, out: Path) -> list[Row]:
    """Ask one question about one image."""
    rgb, kind, question, expected = draw_question(index, options.split)
    model = opened_model(options.model)
    start = time.perf_counter()
    messages = question_messages(rgb, question, model.profile)
    answer = model.generate(messages, max_tokens=128).text.strip()
    seconds = round(time.perf_counter() - start, 4)
    good = same_answer(answer, expected)
    row: Row = {"question": question, "question_kind": kind, "expected": expected, "answer": answer[:300]}
    row |= {"success": good, "cause": "" if good else f"wrong answer: {kind}", "total_s": seconds}
    if not good:
        row["picture"] = _picture(out, f"{index}", rgb)
    return [row]


def same_answer(answer: str, expected: str) -> bool:
    """Return whether an answer says what is expected: case and a full stop do not matter, nor the order of a list.

    No question asks for an order, and of two things at the same distance from the left either may come first.
    """
    said, wanted = (_items(text.strip().lower().rstrip(".")) for text in (answer, expected))
    return said == wanted


def _items(text: str) -> str | list[str]:
    try:
        items = json.loads(text)
    except ValueError:
        return text
    return sorted(map(str, items)) if isinstance(items, list) else text


def draw_question(index: int, seeds: str) -> tuple[Rgb, str, str, str]:
    """Return image, kind, question and answer of a case: the same ones for the same number and split.

    Args:
        index: number of the case.
        seeds: the split whose scenes it comes from.
    """
    from vlp.sim.language.questions import sample_question

    rng = Random(f"questions {seeds} {index}")
    frame = kept_frame(seed_of(seeds, index))
    for attempt in range(1, 9):  # from elsewhere nothing is to be asked
        if not frame.before_things:
            frame = kept_frame(seed_of(seeds, index + 1_000_000 * attempt))
    truth = seen_truth(frame.labels())
    asked = sample_question(truth, rng, "test")
    while asked.kind in ("holding", "held"):  # which an image alone does not answer
        asked = sample_question(truth, rng, "test")
    return frame.rgb, asked.kind, asked.text, asked.answer


def pose(index: int, options: Options, out: Path) -> list[Row]:
    """Locate everything of one scene from its true box."""
    from vlp.episodes.assemble import open_robot
    from vlp.sim.render import Camera

    robot, simulation = open_robot(seed=seed_of(options.split, index), grounder="oracle")
    assert simulation is not None
    camera = Camera(simulation.model, simulation.embodiment.camera)
    seen = camera.visible(simulation.data, list(simulation.objects))
    observation, truth, rows = robot.observe(), simulation.truth(), []
    start = time.perf_counter()
    scene = cloud(observation)
    shared_s = time.perf_counter() - start
    for phrase, shown in seen.items():
        if shown.fraction < 0.34 or shown.pixels < 100:
            continue
        item, start = truth.objects[phrase], time.perf_counter()
        found = locate(observation, Detection(phrase, shown.box, 1.0), scene, simulation.world.sizes())
        row: Row = {"phrase": phrase, "kind": item.kind, "hidden": shown.fraction < 0.75}
        row["pose_s"] = round(time.perf_counter() - start + shared_s, 4)
        if found is None:
            rows.append({**row, "success": False, "cause": "no pose"})
            continue
        (x, y, z), (tx, ty, tz) = found.position_in_world, item.position_in_world
        away = hypot(x - tx, y - ty)
        row["xy_m"] = round(away, 4)
        row["top_m"] = round(abs(z + found.size_m[2] / 2 - tz - item.size_m[2] / 2), 4)
        if item.kind in ("cube", "block"):
            turn = pi / 2 if item.kind == "cube" else pi
            row["yaw_deg"] = round(degrees(abs((found.yaw_rad - item.yaw_rad + turn / 2) % turn - turn / 2)), 2)
        good = away < 0.02
        rows.append({**row, "success": good, "cause": "" if good else f"{100 * away:.1f} cm off"})
        if not good:
            rows[-1]["picture"] = _picture(out, f"{index}-{phrase}", observation.rgb, shown.box)
    return rows


def _ground(grounder: Grounder, rgb: Rgb, phrase: str) -> tuple[Detection | None, float]:
    start = time.perf_counter()
    found = grounder.ground(rgb, phrase)
    return (found[0] if found else None), round(time.perf_counter() - start, 4)


def _picture(out: Path, name: str, rgb: Rgb, true: Box | None = None, found: Box | None = None) -> str:
    """Write an image with the true box in green and the one found in red; return its path under `out`."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(np.ascontiguousarray(rgb))
    draw = ImageDraw.Draw(image)
    for box, colour in ((true, "lime"), (found, "red")):
        if box:
            draw.rectangle(box, outline=colour)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    file = out / "pictures" / f"{name.replace(' ', '-')}.jpg"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(buffer.getvalue())
    return str(file.relative_to(out))
