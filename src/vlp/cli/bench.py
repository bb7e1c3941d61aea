"""`vlp bench run|speed|step|model`: figures with their intervals, and the failures behind them."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from vlp.cli.bars import Bars
from vlp.cli.names import BaseModel, Cluster, Eyes, of_worlds
from vlp.core.errors import UsageError, lookup, not_installed
from vlp.core.messages import counted
from vlp.evaluation.runner import WHOLE
from vlp.evaluation.speed.rows import ROWS, Effort, Measured, measure
from vlp.evaluation.suites import SUITES
from vlp.models.catalogue import DEFAULT_MODEL
from vlp.perception.grounder import DEFAULT_GROUNDER


def run(
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME", help=f"{', '.join([*SUITES, *WHOLE])}.")],
    n: int = 0,
    seed: int = 0,
    workers: int = 0,
    ray: Cluster = "",
    out: str = "",
    model: str = DEFAULT_MODEL,
    model_name: str = "",
    grounder: Eyes = DEFAULT_GROUNDER,
    split: str = "test",
    world: Annotated[str, of_worlds] = "",
    robot: str = "",
    family: str = "",
    change: str = "",
    without: str = "",
) -> int:
    """Measure: a row per case (rows.jsonl), summary.json with rates and 95 % intervals, report.html with the failures.

    The same command goes on where it stopped. Exit status 0 when all cases were run, whatever the rate.

    Args:
        n: cases; 0 takes the suite's own number.
        seed: number of the first case among the seeds of the split.
        workers: processes; 0 takes two, and on a Ray cluster one for each CPU.
        out: directory; by default runs/bench-NAME.
        model: what `vlp run --model` takes; "expert" is an upper bound.
        model_name: which of a server's models, where it lists several.
        split: test; or validation, to try out changes.
        robot: a simulated body; by default the first.
        family: only tasks of this family of the world.
        change: only this kind of change midway, e.g. put-back (dynamic, upper-dynamic, changes).
        without: what the second run of each case lacks: replan, memory, instructions (a new sentence leads to no new policy) or
            state (failed steps and what is sensed lead to none); by default replan.
    """
    from vlp.evaluation.runner import run_suite
    from vlp.models.catalogue import with_name

    model = with_name(model, model_name)
    lookup(name, dict.fromkeys([*SUITES, *WHOLE]), "suite")
    console = Console(markup=False)
    folder = Path(out or f"runs/bench-{name}")
    processes = workers or (0 if ray else 2)
    with _Shown() as shown:
        summary = run_suite(
            name, n or None, seed, processes, folder, model, grounder=grounder, split=split,
            world=world, robot=robot, family=family, change=change, without=without, ray=ray, progress=shown.case,
        )  # fmt: skip
    said = f"{name}: {summary.rate}, 95 % interval in brackets; {summary.seconds:.0f} s"
    console.print(said, highlight=False, soft_wrap=True)
    for column, rates in summary.groups.items():
        for value, rate in rates.items():
            console.print(f"  {column} {value:<14} {rate}", highlight=False)
    for column, numbers in summary.numbers.items():
        if numbers:
            console.print(
                f"  {column}: median {numbers['median']:g}, 95 % below {numbers['p95']:g}, at most {numbers['max']:g}",
                highlight=False,
            )
    for cause, count in summary.causes.items():
        console.print(f"  failed {counted(count, 'time')}: {cause}", highlight=False)
    written = [file for file in ("report.html", "summary.json", "rows.jsonl") if (folder / file).exists()]
    console.print(f"written to {folder}: {', '.join(written)}", highlight=False, soft_wrap=True)
    return 0


@dataclass(frozen=True)
class Workload:
    """What `step` and `model` measure: a base and a made-up batch.

    Args:
        base: what is measured; with random weights its configuration is enough.
        steps: of fine-tuning that are counted, for each adapter and trainer.
        examples: in a step.
        text_tokens: of each prompt, beside the image.
        policy_tokens: of each policy.
        width_px: of each image as the model sees it.
        height_px: of each image as the model sees it.
        precision: float32 or bfloat16; by default bfloat16 on a GPU that has it, else float32.
        recompute: compute activations again in the backward pass to save memory: yes or no.
        device: cpu, cuda, cuda:1, ...; by default a GPU where there is one.
        random_weights: of the base's shape, instead of its own.
    """

    base: BaseModel = DEFAULT_MODEL
    steps: int = 10
    examples: int = 8
    text_tokens: int = 80
    policy_tokens: int = 120
    width_px: int = 432
    height_px: int = 324
    precision: str = ""
    recompute: str = "no"
    device: str = ""
    random_weights: bool = False

    def shape(self) -> Any:
        """Return the batch's shape, a `vlp.training.step_speed.StepShape`.

        Raises:
            UsageError: a number that makes no sense, by its option.
            MissingComponent: that part of vlp is not installed.
        """
        for name in ("steps", "examples", "text_tokens", "policy_tokens", "width_px", "height_px"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} {getattr(self, name)} is too small.", "Give 1 or more.")
        lookup(self.recompute, {"yes": 1, "no": 0}, "answer to --recompute")
        try:
            from vlp.training.step_speed import StepShape
        except ImportError as error:
            raise not_installed("this needs", error, "train,data") from None
        return StepShape(self.examples, self.text_tokens, self.policy_tokens, self.width_px, self.height_px)


Load = Annotated[Workload, tyro.conf.arg(name="")]
Json = Annotated[bool, tyro.conf.arg(name="json")]


def step(load: Load, adapter: str = "decoder", json_: Json = False) -> int:
    """Time a step of fine-tuning against TRL's own trainer, in turns: same model, adapter and made-up batch.

    Exit status 1 when the losses differ; which one is faster changes with what else the machine does.

    Args:
        load: what is measured.
        adapter: decoder, vision+decoder or full.
        json_: print JSON.
    """
    shape = load.shape()
    from vlp.training.recipe import Recipe
    from vlp.training.step_speed import measure_steps

    recipe = Recipe(adapter=adapter, precision=load.precision, recompute=load.recompute)
    recipe.check()
    found = measure_steps(load.base, recipe, shape, load.steps, load.device or None, load.random_weights)
    told = found.to_json()
    if json_:
        print(json.dumps(told))
    else:
        print(
            f"{load.base}, {adapter}: {told['ours_median_s']:.3f} s a step{_clock(found)}, TRL {told['stock_median_s']:.3f} s "
            f"({found.times_faster:.2f} times as fast); losses differ by {found.loss_difference:.1e}"
        )
        if found.ours_peak_bytes:
            print(f"peak memory {found.ours_peak_bytes / 2**30:.1f} GiB, TRL {found.stock_peak_bytes / 2**30:.1f} GiB")
    rounding = 1e-3
    return 0 if found.loss_difference <= rounding else 1


def model(load: Load, trace: str = "", json_: Json = False) -> int:
    """Measure a model on this machine: step time and memory of both adapters, tokens per second, and a profile.

    As many tokens are written as a policy has. Of the 3B model on a GPU, without its weights:
    `vlp bench model --base Qwen/Qwen2.5-VL-3B-Instruct --random-weights --width-px 644 --height-px 476 --text-tokens 1200
    --policy-tokens 250 --examples 8 --recompute yes`.

    Args:
        load: what is measured.
        trace: file for the profile, which Chrome's trace viewer and Perfetto read.
        json_: print JSON.
    """
    shape = load.shape()
    from vlp.training.model_speed import measure_model

    found = measure_model(
        load.base, shape, load.steps, load.precision, load.recompute, load.device or None, load.random_weights,
        Path(trace) if trace else None,
    )  # fmt: skip
    if json_:
        print(json.dumps(found.to_json()))
        return 0
    for adapter, speed in found.steps.items():
        told = speed.to_json()
        peak = f", peak memory {speed.ours_peak_bytes / 2**30:.1f} GiB" if speed.ours_peak_bytes else ""
        ours, stock = (f"{told[f'{arm}_median_s']:.3f} s" for arm in ("ours", "stock"))
        print(f"{adapter}: {ours}{_clock(speed)} a step of {load.examples}{peak} (TRL {stock})")
    peak = f", peak memory {found.peak_bytes / 2**30:.1f} GiB" if found.peak_bytes else ""
    print(f"writing: prompt read in {found.prefill_s:.3f} s, then {found.tokens_per_s:.1f} tokens a second{peak}")
    for name, seconds, share in found.hottest:
        print(f"  {share:6.1%}  {seconds:.4f} s  {name}")
    return 0


def _clock(speed: Any) -> str:
    return "" if speed.ours_peak_bytes else " of processor time"


class _Shown(Bars):
    """How far a suite has come, and how many rows are good."""

    def __init__(self) -> None:
        super().__init__()
        self._good = self._rows = 0

    def case(self, done: int, cases: int, rows: list[dict[str, Any]]) -> None:
        """Take note of the rows of one case, or of those that are there already."""
        self._good, self._rows = self._good + sum(bool(row["success"]) for row in rows), self._rows + len(rows)
        self.moved("cases", done, cases, f"{self._good} of {self._rows} rows good" if self._rows else "")


def _rows() -> str:
    return "\n".join(["by default all:", *(f"{name}: {row}" for name, row in ROWS.items())])


def speed(
    rows: Annotated[list[str] | None, tyro.conf.Positional, tyro.conf.arg(metavar="[ROW ...]", help=_rows())] = None,
    repeats: int = 7,
    base: BaseModel = DEFAULT_MODEL,
    out: str = "runs/speed",
) -> int:
    """Measure how fast vlp is as ratios against named baselines, both arms in turns with equal outputs.

    Writes speed.md, speed.png and speed.json; rows measured before stay in them. Exit status 0 when all were measured, whatever
    they say.

    Args:
        repeats: turns of each arm.
        base: the model.
        out: directory.
    """
    said_s = [time.monotonic()]

    def progress(what: str, done: int, total: int) -> None:
        # A line now and then, and no bar: what draws it would compute beside what is measured.
        if done in (1, total) or time.monotonic() - said_s[0] > 15:
            said_s[0] = time.monotonic()
            print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)

    console = Console(markup=False)

    def tell(one: Measured) -> None:
        wanted = f"; wanted {one.wanted}" if one.wanted else ""
        console.print(f"{one.row} {one.what}: {one.told}{wanted}", highlight=False, soft_wrap=True)

    measure(rows or list(ROWS), Effort(repeats, base, Path(out), progress), tell)
    console.print(f"written to {out}: speed.md, speed.png, speed.json", highlight=False)
    return 0
