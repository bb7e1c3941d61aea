"""What can be measured: each suite runs numbered cases and returns rows with `success` and, where not, `cause`."""

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError, first
from vlp.models.catalogue import DEFAULT_MODEL
from vlp.models.protocol import Model
from vlp.perception.grounder import DEFAULT_GROUNDER
from vlp.sim import EMBODIMENTS, WORLDS

Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What is evaluated, as words: every worker process opens it for itself.

    Args:
        model: as `--model` takes it; "expert" puts the expert in its place.
        grounder: a row of `GROUNDERS`.
        split: "test" or "validation": which seeds the cases come from.
        world: a row of `vlp.sim.WORLDS`.
        robot: a row of `vlp.sim.EMBODIMENTS`.
        family: the only family of tasks to draw from; "" for all of the suite's kind.
        change: the only kind of change midway; "" for those of the suite.
        without: where something changes midway, what the second run of each case lacks: a row of `vlp.episodes.ablations`.
    """

    model: str = DEFAULT_MODEL
    grounder: str = DEFAULT_GROUNDER
    split: str = "test"
    world: str = first(WORLDS)
    robot: str = first(EMBODIMENTS)
    family: str = ""
    change: str = ""
    without: str = "replan"


@dataclass(frozen=True)
class Suite:
    """One measurement.

    Args:
        doc: one sentence: what a success is.
        n: cases by default.
        run: "module:function" of (index, options, out) -> rows of that case.
        headline: the rows that the rate is about, by column; {} for all.
        groups: columns whose values get a rate of their own.
        numbers: columns whose median and 95 % quantile are given.
        fixed: options that this suite sets itself.
        anywhere: whether its cases come from any world, for any body; else from the first ones alone.
        midway: whether something changes midway in its cases, so that a kind of change can be asked for.
    """

    doc: str
    n: int
    run: str
    headline: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)
    anywhere: bool = False
    midway: bool = False

    def case(self, index: int, options: Options, out: Path) -> list[Row]:
        """Run one case and return its rows."""
        module, _, name = self.run.partition(":")
        function: Callable[[int, Options, Path], list[Row]] = getattr(importlib.import_module(module), name)
        return function(index, options, out)


SUITES: dict[str, Suite] = {
    "static": Suite(
        "The task is done by its own test on the true state; full pipeline.",
        200, "vlp.evaluation.tasks:static", groups=("family",), numbers=("robot_s", "wall_s"), anywhere=True,
    ),
    "dynamic": Suite(
        "The task in force at the end is done, although instruction or scene changed midway; with the whole system, and on the "
        "same seeds without a part of it.",
        100, "vlp.evaluation.tasks:dynamic", headline={"without": "nothing"}, groups=("without", "event"),
        numbers=("robot_s", "wall_s"), anywhere=True, midway=True,
    ),
    "cannot": Suite("The robot said that it cannot be done and did not move.", 50, "vlp.evaluation.tasks:cannot"),
    "satisfied": Suite("The robot said that all is done already and did not move.", 50, "vlp.evaluation.tasks:satisfied"),
    "upper": Suite(
        "As static, with the expert in place of the model and the oracle in place of the grounder.",
        200, "vlp.evaluation.tasks:static", groups=("family",),
        numbers=(
            "robot_s", "wall_s", "base_speed_m_s", "hand_speed_m_s", "grip_force_n", "furniture_force_n", "person_force_n",
            "limit_breaches",
        ),
        anywhere=True, fixed={"model": "expert", "grounder": "oracle"},
    ),
    "household": Suite(
        "A household command is done, by the true state and the account of what was done and said; kind after kind, with "
        "the expert in place of the model and the oracle in place of the grounder.",
        31, "vlp.evaluation.tasks:household", groups=("family",),
        numbers=("robot_s", "wall_s", "furniture_force_n", "person_force_n", "limit_breaches"), anywhere=True,
        fixed={"model": "expert", "grounder": "oracle", "world": "home"},
    ),
    "household-day": Suite(
        "As household, ten commands one after the other in one world, without putting anything back; a case is a day.",
        10, "vlp.evaluation.tasks:day", groups=("family", "command"),
        numbers=("wall_s", "furniture_force_n", "person_force_n", "limit_breaches"), anywhere=True,
        fixed={"model": "expert", "grounder": "oracle", "world": "home"},
    ),
    "upper-dynamic": Suite(
        "As dynamic, with the expert in place of the model and the oracle in place of the grounder.",
        100, "vlp.evaluation.tasks:dynamic", headline={"without": "nothing"}, groups=("without", "event"),
        numbers=("robot_s", "wall_s"), anywhere=True, midway=True,
        fixed={"model": "expert", "grounder": "oracle"},
    ),
    "changes": Suite(
        "As upper-dynamic, over every kind of change that the world has, one after the other.",
        150, "vlp.evaluation.tasks:changes", headline={"without": "nothing"}, groups=("without", "event"),
        numbers=("robot_s", "wall_s"), anywhere=True, midway=True,
        fixed={"model": "expert", "grounder": "oracle"},
    ),
    "limits": Suite(
        "No hostile policy makes the robot break a limit that it declares, measured in the physics; a case is a scene.",
        100, "vlp.evaluation.stress.limits:limits", numbers=("hand_speed_m_s", "base_speed_m_s", "grip_force_n", "robot_s"),
    ),
    "grounding": Suite(
        "A thing that is to be seen is found, with a box of IoU >= 0.5, in images from the middle of tasks.",
        500, "vlp.evaluation.seeing:grounding", headline={"there": True}, groups=("there", "kind"), numbers=("iou", "ground_s"),
    ),
    "pose": Suite(
        "A thing is located less than 2 cm from where it is (x, y), from its true box, at the start of tasks.",
        100, "vlp.evaluation.seeing:pose", groups=("kind", "hidden"), numbers=("xy_m", "top_m", "yaw_deg", "pose_s"),
    ),
    "questions": Suite(
        "A question about an image is answered as the true state answers it; lists in any order.",
        500, "vlp.evaluation.seeing:questions", groups=("question_kind",), numbers=("total_s",),
    ),
    "planning": Suite(
        "A policy passes the checks and is right for the scene by symbolic execution; phrasings trained on and not.",
        300, "vlp.evaluation.planning:planning", headline={"phrasing": "train"}, groups=("phrasing", "family", "words"),
        numbers=("total_s",),
    ),
    "schema": Suite("A policy parses and matches the schema.", 1000, "vlp.evaluation.planning:schema", numbers=("total_s",)),
    "latency": Suite(
        "A checked policy came, at most two corrections included; seconds from instruction to checked policy.",
        60, "vlp.evaluation.planning:latency",
        numbers=("said_s", "prompt_s", "prefill_s", "decode_s", "check_s", "whole_s", "reply_tokens"),
    ),
}  # fmt: skip
"""Suites that run case by case; `fuzz`, `crash` and `journal` have runners of their own (see `runner.WHOLE`)."""


@cache
def opened_model(name: str) -> Model:
    """Return the model of a process, opened once; what a person should know of a server goes to standard error.

    Raises:
        UsageError: the suite needs a model that reads prompts, and the expert does not.
    """
    from vlp.models.catalogue import open_for_person

    if name == "expert":
        raise UsageError("the expert reads no prompts.", f"Name a model, e.g. {DEFAULT_MODEL}.")
    return open_for_person(name, tell=lambda line: print(f"note: {line}", file=sys.stderr, flush=True))
