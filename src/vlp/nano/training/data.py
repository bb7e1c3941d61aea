"""What nano learns from: scenes with labels, and the turns (questions and instructions) asked about them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import cos, pi, prod, sin
from random import Random
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vlp.core.camera import Intrinsics, project, transform
from vlp.core.messages import Text
from vlp.core.observation import RobotState
from vlp.nano import wording as brief
from vlp.nano.code import CHANNELS, IMAGE_HEIGHT, IMAGE_WIDTH, SLOTS, SeenObject, encode
from vlp.nano.keeping import policy_words
from vlp.nano.scene import Standing, entries, quoted, reasoned, standing, told
from vlp.nano.training.packing import CELLS, Turn
from vlp.nano.training.unknown_words import disguised
from vlp.nano.training.writing import Pieces, copy_turn, each_turn, fill_turn, look_turn
from vlp.primitives.manifest import Limits, Manifest
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.prompt.memory import Memory, StepRecord
from vlp.prompt.request import PlanRequest
from vlp.prompt.target import policy_text
from vlp.sim import expert
from vlp.sim.language.changes import sample_change
from vlp.sim.language.families import WEIGHTS, sample_task
from vlp.sim.language.questions import KINDS_OF_QUESTION, list_answer, sample_question
from vlp.sim.language.random_truth import sample_truth
from vlp.sim.language.references import ORDERS, SIZES, Unclear, candidates, is_container, resolve
from vlp.sim.language.relations import visible
from vlp.sim.language.task import Split, Task
from vlp.sim.truth import ToldTruth, TrueObject, Truth
from vlp.sim.worlds.tabletop.words import COLOURS

NAMED_ONLY = {"put": 4.0, "throw": 1.0, "stack": 1.0, "swap": 1.0, "pick": 0.5}
"""Families that can be planned without seeing the table, for when the robot stands elsewhere."""

PRACTICE = {
    **WEIGHTS, "put": 4.5, "unload": 2.0, "spatial": 6.0, "relative": 14.0, "size": 30.0, "group": 5.0, "clear": 3.5,
    "stack": 4.0, "swap": 3.0, "sort": 20.0, "satisfied": 9.0, "impossible": 3.5,
}  # fmt: skip
"""How often each family is drawn for training: more where few scenes allow it, or long policies find no room."""

ASKED = {
    **KINDS_OF_QUESTION, "count_all": 0.8, "side": 3.0, "near": 1.2, "empty": 1.6, "inside": 1.8, "holding": 0.0, "held": 0.0,
    "refer": 10.0, "extreme": 3.0, "where": 1.0, "caption": 1.0, "record": 1.0, "records": 1.0,
}  # fmt: skip
"""How often each kind of question is drawn for training; what the hand holds is not in a question's prompt."""

MIX = {"policy": 5.0, "question": 4.0}
"""How often each kind of turn is drawn. A question teaches to look things up with a quarter of the tokens of a policy."""

BASE_MIX = {"writing": 2.4, "question": 3.0, "wanted": 0.8, "policy": 5.0}
BASE_PRACTICE = {**PRACTICE, "spatial": 24.0, "relative": 40.0, "size": 30.0, "group": 8.0, "clear": 6.0, "sort": 20.0}
BASE_ASKED = {**ASKED, "refer": 16.0, "extreme": 8.0, "side": 4.0}
"""The same for nano-base, with more of what it said wrongly after 14,600 steps: the biggest, the nearest, the one behind."""

_NO_IMAGE = np.zeros((8, 8, 3), np.uint8)


@cache
def every_primitive() -> Manifest:
    """Return a manifest with every standard primitive: what nano's tokens are made from."""
    limits = Limits((0, 0, 0), (1, 1, 1), 1, 1, 1, 1, 1)
    return make_manifest("any", STANDARD, ("table", "bin", "start"), limits)


@dataclass(frozen=True)
class LabelledScene:
    """What is in one image, and the true state behind it (visible objects only)."""

    objects: tuple[SeenObject, ...]
    truth: Truth

    def entries(self) -> dict[str, str]:
        """Return the scene text's entries from the true places: answers then follow from them, without exception.

        From the boxes the order from left to right is another than the true one in 1.9 % of pairs, so that one list in six
        contradicted its text. Away from the table things in the picture may lack a true place; there the boxes tell.
        """
        places = self.truth.objects
        seen = [o for o in self.objects if not o.held]
        if any(o.phrase not in places for o in seen):
            return entries(standing(self.objects))
        return entries([_standing(o, places[o.phrase], {s.phrase for s in seen}) for o in seen])

    def text(self) -> str:
        """Return the scene text."""
        return told(self.entries())

    def exact(self) -> "LabelledScene":
        """Return the scene with a state in which the smallest lead is clear, where its text follows from the true places.

        One scene in seventy had a clear biggest of a kind that was asked for: after 17,500 steps nano-base chose it by chance.
        """
        truth = self.truth
        told_by_boxes = any(o.phrase not in truth.objects for o in self.objects if not o.held)
        return self if told_by_boxes else replace(self, truth=ToldTruth(truth.objects, truth.holding, truth.at))


def _standing(item: SeenObject, place: TrueObject, seen: set[str]) -> Standing:
    x, y, _ = place.position_in_world
    return Standing(item, place.support if place.support in seen else "", x, y, max(place.size_m[:2]))


class FrameSource(Protocol):
    """Rendered frames with labels."""

    def __len__(self) -> int: ...

    def scene(self, index: int) -> LabelledScene:
        """Return the labels of one frame."""
        ...

    def augmented(self, indices: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, list[LabelledScene]]:
        """Return normalised pixels (b, 3, h, w) with small random changes, and labels that fit them."""
        ...


def code_batch(scenes: Sequence[LabelledScene]) -> Tensor:
    """Return the codes (b, CELLS, CHANNELS) of scenes."""
    return torch.from_numpy(np.stack([encode(s.objects) for s in scenes])).view(len(scenes), CELLS, CHANNELS)


def noisy_codes(scenes: Sequence[LabelledScene], rng: np.random.Generator) -> Tensor:
    """Return codes with errors like those of a trained vision tower: soft decisions, boxes a pixel or two off."""
    code = code_batch(scenes).numpy()
    noisy = code * rng.uniform(0.75, 1.1, code.shape) + np.abs(rng.normal(0, 0.04, code.shape))
    for slot in SLOTS:
        errors = rng.normal(0, 0.05, (*code.shape[:2], 5))
        present = code[..., slot.start : slot.start + 1]
        noisy[..., slot.measures] = (code[..., slot.measures] + errors) * present + errors * 0.5 * (1 - present)
    return torch.from_numpy(noisy.astype(np.float32))


@cache
def _home_camera() -> tuple[np.ndarray, Intrinsics]:
    """Return the head camera's pose in the base frame at the table station, and nano's intrinsics."""
    import mujoco

    from vlp.sim.embodiments import open_embodiment

    body = open_embodiment()
    model = body.spec().compile()
    data = mujoco.MjData(model)
    body.set_home(model, data)
    pose = np.eye(4)
    pose[:3, :3] = data.camera(body.camera).xmat.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
    pose[:3, 3] = data.camera(body.camera).xpos
    f = body.intrinsics.fx * IMAGE_WIDTH / body.intrinsics.width
    return pose, Intrinsics(IMAGE_WIDTH, IMAGE_HEIGHT, f, f, IMAGE_WIDTH / 2, IMAGE_HEIGHT / 2)


def imagined_scene(rng: Random) -> LabelledScene:
    """Return a random table state with the boxes that the head camera would see, without rendering it.

    Occlusion is left out; the hand's place in the picture is a guess. Good for learning language from scene codes.
    """
    truth = sample_truth(rng)
    pose, k = _home_camera()
    yaw = rng.gauss(0, 0.03)
    base = np.eye(4)
    base[:2, :2] = [[cos(yaw), -sin(yaw)], [sin(yaw), cos(yaw)]]
    base[:2, 3] = rng.gauss(0, 0.02), rng.gauss(0, 0.02)
    camera_from_world = np.asarray(np.linalg.inv(base @ pose), np.float64)
    seen: list[SeenObject] = []
    loads = {item.support for item in truth.objects.values()}
    for name, item in truth.objects.items():
        if truth.at != "table":
            continue
        held = item.support == "hand"
        if held:
            if rng.random() < 0.5:
                continue
            x, y = rng.uniform(0, 90), rng.uniform(90, IMAGE_HEIGHT)
            box = (max(0.0, x - 30), y - 38, x + 30, min(y + 38, IMAGE_HEIGHT))
        else:
            angles = item.yaw_rad + np.arange(12) * pi / 6
            ring = np.stack([np.cos(angles) * item.size_m[0] / 2, np.sin(angles) * item.size_m[1] / 2], 1)
            points = np.concatenate([np.c_[ring, np.full(12, z)] for z in (-item.size_m[2] / 2, item.size_m[2] / 2)])
            pixels = project(transform(points + np.array(item.position_in_world), camera_from_world), k)
            low, high = pixels.min(0), pixels.max(0)
            box = (max(low[0], 0), max(low[1], 0), min(high[0], IMAGE_WIDTH), min(high[1], IMAGE_HEIGHT))
        if box[2] - box[0] < 6 or box[3] - box[1] < 6:
            continue
        x1, y1, x2, y2 = map(float, box)
        supported, size_m = item.support in truth.objects, prod(item.size_m) ** (1 / 3)
        seen.append(SeenObject(item.colour, item.kind, (x1, y1, x2, y2), supported, name in loads, held, size_m))
    return LabelledScene(tuple(seen), truth)


def recoloured(scene: LabelledScene, rng: Random) -> LabelledScene:
    """Return the scene with its colours exchanged at random, in labels and truth alike."""
    other = dict(zip(COLOURS, rng.sample(COLOURS, len(COLOURS)), strict=True))

    def name(phrase: str) -> str:
        colour, _, kind = phrase.partition(" ")
        return f"{other[colour]} {kind}" if colour in other and kind else phrase

    items = [replace(o, colour=other[o.colour], support=name(o.support)) for o in scene.truth.objects.values()]
    truth = replace(scene.truth, objects={o.phrase: o for o in items}, holding=name(scene.truth.holding))
    return LabelledScene(tuple(replace(o, colour=other[o.colour]) for o in scene.objects), truth)


def plan_prompt(truth: Truth, task: Task, failed: StepRecord | None = None) -> str:
    """Return the text behind the image that asks for a policy, exactly as at run time."""
    state = RobotState(truth.at, truth.holding, {}, (0.0, 0.0, 0.0), 0.0, (0.0, 0.0, 0.0))
    before = (task.before,) if task.before else ()
    memory = Memory(instructions=(*before, task.instruction), steps=(failed,) if failed else ())
    request = PlanRequest(_NO_IMAGE, task.instruction, state, memory, every_primitive(), None, ())
    return next(part.text for part in brief.plan(request)[0].parts if isinstance(part, Text))


class TurnSource:
    """Draws the turns asked about a scene.

    Args:
        split: which phrasings.
        writing: None for turns with policies. nano-base, which sees none, answers instructions in words instead, says what
            they want, and copies texts of these pieces, fills them in, goes through lists and looks things up with them.
        count: turns drawn for a scene; those that do not fit into a row are left out.
    """

    def __init__(self, split: Split = "train", writing: Pieces | None = None, count: int = 9) -> None:
        self.split: Split = split
        self.writing, self.count = writing, count
        self.practice, self.asked = (PRACTICE, ASKED) if writing is None else (BASE_PRACTICE, BASE_ASKED)

    def sample(self, scene: LabelledScene, rng: np.random.Generator) -> list[Turn]:
        """Return turns about one scene."""
        chance = Random(int(rng.integers(2**62)))
        scene = scene if self.writing is None else scene.exact()
        mix = MIX if self.writing is None else BASE_MIX
        makers = {"policy": self.policy, "wanted": self.wanted, "question": self.question, "writing": self.write}
        kinds = chance.choices(list(mix), list(mix.values()), k=self.count)
        if self.writing is None:
            kinds.sort(key=list(mix).index)  # policies first: a row takes as many turns as fit
        turns = [turn for turn in (makers[kind](scene, chance) for kind in kinds) if turn is not None]
        if self.writing is not None and turns:  # the longest first: it found no room, and seven things were never put away
            turns.insert(0, turns.pop(max(range(len(turns)), key=lambda i: len(turns[i].quote + turns[i].reply))))
        return turns

    def policy(self, scene: LabelledScene, rng: Random) -> Turn | None:
        """Return an instruction and the expert's policy for it, or what it does in words where policies are not shown."""
        truth = scene.truth
        task = sample_task(truth, rng, self.split, self.practice if truth.at == "table" else NAMED_ONLY)
        if task is not None and rng.random() < 0.35:
            task = sample_change(truth, task, rng, self.split)
        if task is None:
            return None
        failed = _failure(task, rng) if rng.random() < 0.2 else None
        policy = expert.plan(truth, task)
        reply = policy_text(policy) if self.writing is None else policy_words(policy)
        heard = replace(task, instruction=self._instruction(task, rng))
        return Turn(plan_prompt(truth, heard, failed), self._quote(scene, task), reply, task.family)

    def wanted(self, scene: LabelledScene, rng: Random) -> Turn | None:
        """Return the question what an instruction wants to be so, or which things it is about, in words and in JSON."""
        truth = scene.truth
        task = sample_task(truth, rng, self.split, self.practice) if truth.at == "table" else None
        if task is None or not task.goals:
            return None
        things = list(dict.fromkeys(name for goal in task.goals for name in (goal.subject, goal.target) if name))
        answers = {"wanted": expert.goal_text(truth, task, list(task.goals)), "meant": list_answer(things)}
        kind, answer = rng.choice(list(answers.items()))
        return Turn(f"{kind}: {brief.heard(self._instruction(task, rng))}", self._quote(scene, task), answer, kind)

    def write(self, scene: LabelledScene, rng: Random) -> Turn | None:
        """Return a text to copy, a form to fill in, a list to go through or things to look up; no scene is needed for it."""
        if self.writing is None:
            return None
        makers = (copy_turn, fill_turn, *[each_turn] * 2, *[look_turn] * 4)
        return rng.choice(makers)(self.writing, rng)

    def question(self, scene: LabelledScene, rng: Random) -> Turn | None:
        """Return a question about what is seen and its answer."""
        if scene.truth.at != "table":
            return None
        asked = sample_question(scene.truth, rng, self.split, self.asked)
        quote = quoted(scene.entries(), asked.about, asked.kind == "near")
        quote = quote if self.writing is None else reasoned(quote, _found(scene, [asked.reference]))
        return Turn(brief.question_line(asked.text), quote, asked.answer, asked.kind)

    def _instruction(self, task: Task, rng: Random) -> str:
        """Return the instruction, for nano-base with some words that it has never met."""
        return task.instruction if self.writing is None else disguised(task, rng)

    def _quote(self, scene: LabelledScene, task: Task) -> str:
        near = any(goal.relation == "next_to" for goal in task.goals)
        quote = quoted(scene.entries(), _about(scene.truth, task), near)
        references = [task.arguments[slot] for slot in "abc" if slot in task.arguments]
        return quote if self.writing is None else reasoned(quote, _found(scene, references))


def _found(scene: LabelledScene, references: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the words by which references mean something in view, and what that is: "smallest", "left_of blue_bowl"."""
    seen = scene.entries()
    for first, *rest in (reference.split() for reference in references if reference):
        how = first if first in (*ORDERS, *SIZES) else f"{rest[0]} {rest[1]}_{rest[2]}" if len(rest) == 3 else ""
        try:
            names = resolve(scene.truth, " ".join((first, *rest))) if how else []
        except Unclear:
            names = []
        yield from ((how, name) for name in names if name in seen)


def _about(truth: Truth, task: Task) -> list[str]:
    """Return the things that one has to look at to plan a task: all that its words may stand for.

    For sorting, every container from left to right, each with the things of its colour: which container is the first with
    something to put there was the error in a quarter of the quotes.
    """
    if task.family == "sort":
        homes = [name for name in visible(truth) if is_container(name)]
        return [name for home in homes for name in (home, *(g.subject for g in task.goals if g.target == home))]
    if "a" not in task.arguments:
        return [goal.subject for goal in task.goals]
    return [name for slot in "abc" if slot in task.arguments for name in candidates(truth, task.arguments[slot])]


def _failure(task: Task, rng: Random) -> StepRecord | None:
    """Return a step that may just have failed on the way to a task: the plan starts anew from the state all the same.

    A check that failed says that all is not done already.
    """
    if not task.goals:
        return None
    goal = rng.choice(task.goals)
    name = "$" + goal.subject.replace(" ", "_")
    shown = "table" if expert.clears(task) else goal.subject
    looks = () if task.satisfied else (("check", {"subject": shown}, "check-failed"),) * 3
    do, arguments, code = rng.choice(
        (
            *looks,
            ("grasp", {"target": name}, "slipped"),
            ("grasp", {"target": name}, "unreachable"),
            ("locate", {"object": goal.subject}, "not-found"),
            ("place", {"target": name}, "slipped"),
            ("grasp", {"target": name}, "target-moved"),
        )
    )
    return StepRecord(do=do, arguments=arguments, status="failed", code=code)


def shifted_box(item: SeenObject, dx: float, dy: float) -> SeenObject | None:
    """Return the object with its box moved and cut at the image's edge, or None when little is left of it."""
    x1, y1, x2, y2 = item.box
    box = (max(x1 + dx, 0.0), max(y1 + dy, 0.0), min(x2 + dx, float(IMAGE_WIDTH)), min(y2 + dy, float(IMAGE_HEIGHT)))
    if box[2] - box[0] < 0.5 * (x2 - x1) or box[3] - box[1] < 0.5 * (y2 - y1):
        return None
    return replace(item, box=box)
