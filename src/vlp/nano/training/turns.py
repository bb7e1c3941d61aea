"""The turns (questions and instructions) that nano learns to answer, drawn about scenes."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from random import Random

import numpy as np

from vlp.core.observation import RobotState
from vlp.nano import wording as brief
from vlp.nano.keeping import policy_words
from vlp.nano.scene import quoted, reasoned
from vlp.nano.training.data import LabelledScene, imagined_scene
from vlp.nano.training.packing import Turn
from vlp.nano.training.unknown_words import disguised
from vlp.nano.training.writing import Pieces, copy_turn, each_turn, fill_turn, look_turn
from vlp.primitives.manifest import Manifest
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.prompt.render import Memory, PlanRequest, StepRecord
from vlp.prompt.target import policy_text
from vlp.sim import expert
from vlp.sim.language.changes import sample_change
from vlp.sim.language.families import sample_task
from vlp.sim.language.questions import list_answer, sample_question
from vlp.sim.language.references import ORDERS, SIZES, Unclear, candidates, is_container, resolve
from vlp.sim.language.relations import visible
from vlp.sim.language.task import Split, Task
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.places import PLACES


@cache
def odds() -> dict[str, dict[str, dict[str, float]]]:
    """Return how often what is drawn, from `odds.toml`: for "nano", "nano_base" and "elsewhere" turns, families, questions."""
    return tomllib.loads(resources.files("vlp.nano.training").joinpath("odds.toml").read_text("utf-8"))


@cache
def every_primitive() -> Manifest:
    """Return a manifest with every standard primitive: what nano's tokens are made from."""
    return make_manifest("any", STANDARD, PLACES)


def plan_prompt(truth: Truth, task: Task, failed: StepRecord | None = None) -> str:
    """Return the text behind the image that asks for a policy, exactly as at run time."""
    state = RobotState(truth.at, truth.holding, {}, (0.0, 0.0, 0.0), 0.0, (0.0, 0.0, 0.0))
    before = (task.before,) if task.before else ()
    memory = Memory(instructions=(*before, task.instruction), steps=(failed,) if failed else ())
    request = PlanRequest(np.zeros((8, 8, 3), np.uint8), task.instruction, state, memory, every_primitive(), None, ())
    return brief.plan(request)[0].text


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
        self.odds = odds()["nano" if writing is None else "nano_base"]

    def sample(self, scene: LabelledScene, rng: np.random.Generator) -> list[Turn]:
        """Return turns about one scene."""
        chance = Random(int(rng.integers(2**62)))
        scene = scene if self.writing is None else scene.exact()
        mix = self.odds["turns"]
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
        task = sample_task(truth, rng, self.split, self._families(truth))
        if task is not None and rng.random() < 0.35:
            task = sample_change(truth, task, rng, self.split)
        if task is None:
            return None
        failed = _failure(task, rng) if rng.random() < 0.2 else None
        policy = expert.plan(truth, task)
        reply = policy_text(policy) if self.writing is None else policy_words(policy)
        heard = replace(task, instruction=self._instruction(task, rng))
        return Turn(plan_prompt(truth, heard, failed), self._quote(scene, task), reply, task.family)

    def usual(self, scenes: int = 300) -> list[str]:
        """Return a long reply to an instruction of each family, for the folder of the model (see `ModelFolder.drafts`)."""
        rng, found = Random(0), dict[str, str]()
        for _ in range(scenes):
            turn = self.policy(imagined_scene(rng), rng)
            if turn is not None:
                found[turn.kind] = max(found.get(turn.kind, ""), turn.reply, key=len)
        return list(found.values())

    def wanted(self, scene: LabelledScene, rng: Random) -> Turn | None:
        """Return the question what an instruction wants to be so, or which things it is about, in words and in JSON."""
        truth = scene.truth
        task = sample_task(truth, rng, self.split, self.odds["families"]) if truth.at == "table" else None
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
        asked = sample_question(scene.truth, rng, self.split, self.odds["questions"])
        quote = quoted(scene.entries(), asked.about, asked.kind == "near")
        quote = quote if self.writing is None else reasoned(quote, _found(scene, [asked.reference]))
        return Turn(brief.question_line(asked.text), quote, asked.answer, asked.kind)

    def _families(self, truth: Truth) -> dict[str, float]:
        return (self.odds if truth.at == "table" else odds()["elsewhere"])["families"]

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

    For sorting, every container from left to right, each with the things of its colour, so that the first with something to
    put there is seen.
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
