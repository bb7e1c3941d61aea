"""`vlp data ...`: samples collected, imported, checked, counted, shown and exchanged."""

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from vlp.cli.bars import Bars
from vlp.cli.names import Cluster, of_worlds
from vlp.cli.robots import manifest_of
from vlp.core.errors import UsageError, first, not_installed
from vlp.core.messages import counted
from vlp.data.sample import SPLITS
from vlp.data.store import Store, StoreWriter
from vlp.data.store import merge as merge_stores
from vlp.sim import EMBODIMENTS, WORLDS

if TYPE_CHECKING:
    from vlp.data.lint import LintReport

Folder = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
Folders = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DIR ...")]


def collect(
    out: str = "samples",
    n: int = 800,
    robot: str = first(EMBODIMENTS),
    world: Annotated[str, of_worlds] = first(WORLDS),
    split: str = "train",
    seed: int = 0,
    workers: int = 0,
    ray: Cluster = "",
    seen: bool = False,
    resume: bool = False,
) -> int:
    """Collect samples from the expert in simulation: balanced over families, four of ten in the middle of a task.

    Args:
        out: folder of the samples; made when missing.
        n: how many samples of this split, counted from --seed, the folder shall hold in the end; others are not counted.
        robot: a simulated robot.
        split: train, validation or test: scenes and phrasings of one are never in another.
        seed: number of the first scene in the split.
        workers: processes; 0 takes one per core, of this machine or of the Ray cluster.
        seen: let policies name the boxes they rest on.
        resume: go on with a folder that holds some of them already.
    """
    try:
        from vlp.episodes.collect import Order
        from vlp.episodes.collect import collect as run
    except ImportError as error:
        raise not_installed("collecting needs", error, "sim") from None
    order = Order(robot, world, split, seed, seen)
    processes = workers if ray else workers or os.cpu_count() or 1
    with Bars() as bars:
        new = run(out, n, order, workers=processes, ray=ray, resume=resume, progress=partial(bars.moved, "samples"))
    splits = [sample.split for sample in Store(out)]
    print(f"{out}: {len(splits)} in the folder, {splits.count(split)} of {split}, {new} of them new.")
    return 0


def from_runs(runs: Folders, out: str = "samples", robot: str = first(EMBODIMENTS), split: str = "") -> int:
    """Turn runs into samples; failed runs are set aside in OUT/aside for correction.

    Exit status 1 when nothing could be used.

    Args:
        runs: directories that `vlp run --out` wrote.
        out: folder of the samples; made when missing.
        robot: the robot that ran: a simulated one, the URL of a robot's server, or a file with its manifest.
        split: train, validation or test; by default that of the simulated scene's seed, else train. What is of test is
            never trained on.
    """
    from vlp.data.from_runs import from_runs as harvest_from
    from vlp.journal import Event
    from vlp.runtime.memory import RunMemory
    from vlp.sim.worlds.seeds import split_of

    if not runs:
        raise UsageError("no runs are named.", "Give the directories that `vlp run --out` wrote.")

    def split_by(started: Event) -> str:
        seed = started.data["seed"] if started.data["world"] else -1
        return split or split_of(seed) or "train"

    manifest = manifest_of(robot)
    harvest = harvest_from(out, runs, manifest, lambda: RunMemory(manifest.primitives), split_by)
    for name, why in harvest.passed_over.items():
        print(f"passed over {name}: {why}.")
    splits = ", ".join(f"{harvest.splits[name]} of {name}" for name in SPLITS if harvest.splits[name])
    aside = f"{harvest.aside} set aside in {Path(out) / 'aside'}"
    print(f"{out}: {harvest.kept} new samples, {aside}" + (f"; {splits}." if splits else "."))
    return 0 if harvest.kept or harvest.aside else 1


def import_(folder: Folder, out: str = "samples", robot: str = first(EMBODIMENTS), camera: str = "") -> int:
    """Import a lab's own images, instructions and policies, or a LeRobot dataset; all rows or none.

    FOLDER holds the images and `samples.csv` or `samples.jsonl` with the columns image, instruction and policy, and if
    you like split, at, holding, before and family. A folder with `meta/info.json` is read as a LeRobotDataset v3.

    Args:
        folder: what is imported.
        out: folder of the samples; made when missing.
        robot: whose policies they are: a simulated robot, the URL of a robot's server, or a file with its manifest.
        camera: of a LeRobot dataset, the one whose pictures are taken; needed where it has several in colour.
    """
    manifest = manifest_of(robot)
    if os.path.isfile(Path(folder) / "meta" / "info.json"):
        from vlp.data.lerobot_in import import_lerobot

        new = import_lerobot(out, folder, manifest, camera, print)
    elif camera:
        raise UsageError(f"--camera {camera[:80]!r} is for a LeRobot dataset.", "A table names each image itself.")
    else:
        from vlp.data.import_folder import BadRows, import_folder

        try:
            new = import_folder(out, folder, manifest)
        except BadRows as error:
            for fault in error.faults[1:]:
                error.add_note(f"also {fault}")
            raise
    print(f"{out}: {counted(new, 'new sample')}.")
    return 0


def export(folder: Folder, out: str, video: bool = False, strings: bool = False, split: str = "") -> int:
    """Write samples as a LeRobotDataset v3, one episode per sample, with language columns for subtask and plan.

    Args:
        folder: the samples.
        out: the dataset's folder; must not exist.
        video: write mp4 instead of images (lossy).
        strings: plain text columns `subtask` and `plan` instead of `language_persistent`, for older readers.
        split: only one split.
    """
    from vlp.data.lerobot import export_samples

    print(f"{out}: {export_samples(folder, out, video=video, strings=strings, split=split)} episodes.")
    return 0


def record(
    out: str,
    n: int = 10,
    robot: str = first(EMBODIMENTS),
    world: Annotated[str, of_worlds] = first(WORLDS),
    split: str = "train",
    seed: int = 0,
    family: str = "put",
    video: bool = False,
    strings: bool = False,
) -> int:
    """Let the expert carry out tasks in simulation and write frames and actions as a LeRobotDataset v3.

    Args:
        out: the dataset's folder; must not exist.
        n: episodes that succeeded.
        robot: a simulated robot.
        split: train, validation or test.
        seed: number of the first scene in the split.
        family: the kind of task, e.g. put, throw, stack.
        video: write mp4 instead of images (lossy).
        strings: plain text columns `subtask` and `plan` instead of `language_persistent`, for older readers.
    """
    try:
        from vlp.episodes.record import record as run
    except ImportError as error:
        raise not_installed("recording needs", error, "sim") from None
    places: dict[str, Any] = {"world": world, "robot": robot, "split": split, "seed": seed, "family": family}
    with Bars() as bars:
        count = run(out, n, **places, video=video, strings=strings, progress=partial(bars.moved, "episodes"))
    print(f"{out}: {counted(count, 'episode')}.")
    return 0


def lint(
    folder: Folder,
    skip: tuple[str, ...] = (),
    json_: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> int:
    """Find what is wrong with samples: exit status 1 when anything is, each fault named by its sample's id.

    Args:
        folder: the samples.
        skip: checks left out: identity, images, policies, duplicates, leakage, balance, execution, splits.
        json_: print the whole report as JSON.
    """
    report = _linted(folder, skip)
    if json_:
        print(json.dumps(report.to_json()))
        return 0 if report.ok else 1
    for fault in report.faults:
        print(fault)
    kinds = ", ".join(f"{n} {code}" for code, n in report.counts().items())
    faults = counted(len(report.faults), "fault") + (f" ({kinds})" if kinds else "")
    print(f"{folder}: {counted(report.samples, 'sample')}, {faults}.")
    return 0 if report.ok else 1


def stats(folder: Folder, json_: Annotated[bool, tyro.conf.arg(name="json")] = False) -> int:
    """Print what is in a folder of samples, in numbers.

    Args:
        folder: the samples.
        json_: print JSON.
    """
    from vlp.data.stats import stats as count
    from vlp.data.stats import stats_lines

    found = count(folder)
    print(json.dumps(found) if json_ else "\n".join(stats_lines(found)))
    return 0


def view(folder: Folder, out: str = "", n: int = 60, split: str = "", family: str = "", lint: bool = False) -> int:
    """Write one HTML page with images, instructions and policies.

    Args:
        folder: the samples.
        out: the page; by default FOLDER.html, here.
        n: how many samples, evenly spread.
        split: only one split.
        family: only one family.
        lint: look for faults first; samples with faults come first, each with what is wrong.
    """
    from vlp.data.view import view as write

    page = out or f"{Path(folder).resolve().name}.html"
    faults: dict[str, list[str]] = {}
    for fault in _linted(folder).faults if lint else ():
        if fault.sample:
            faults.setdefault(fault.sample, []).append(f"{fault.message} {fault.hint}".rstrip())
        else:  # a fault of the whole set has no place on the page
            print(fault)
    print(f"{counted(write(folder, page, n, split, family, faults), 'sample')} in {page}")
    return 0


def merge(folders: Folders, out: str) -> int:
    """Copy the samples of several folders into one, such as those that were set aside once they are corrected.

    Args:
        folders: where they are.
        out: where they go; made when missing.
    """
    if not folders:
        raise UsageError("no folders are named.", "Give folders of samples.")
    print(f"{out}: {counted(merge_stores(out, folders), 'new sample')}.")
    return 0


def seal(folder: Folder) -> int:
    """Take a folder's samples as they are now, after you changed `samples.jsonl` by hand: counts and hashes anew.

    Args:
        folder: the samples.
    """
    Store(folder)  # a folder that holds none is not made into one
    with StoreWriter(folder) as writer:
        print(f"{folder}: {counted(len(writer.ids), 'sample')} sealed.")
    return 0


def _linted(folder: str, skip: tuple[str, ...] = ()) -> "LintReport":
    """Return what every check but those skipped says of a folder."""
    from vlp.core.errors import did_you_mean
    from vlp.data.lint import CHECKS, lint

    try:
        from vlp.episodes.right import SIM_CHECKS, every_check
    except ImportError as error:
        raise not_installed("the checks of simulated samples need", error, "sim") from None
    known = {*CHECKS, *SIM_CHECKS}
    for name in skip:
        if name not in known:
            raise UsageError(f"unknown check {name[:80]!r}.", did_you_mean(name, known))
    return lint(folder, every_check(skip))
