"""Write docs/changes_shown.md: an episode of every kind of change, with pictures and the change of plan.

    python tools/write_change_pages.py                  # all kinds, some ten minutes
    python tools/write_change_pages.py put-back shut    # these anew, the others as they are

Each kind is shown by the first episode of it in the train split that the expert finishes: at the table where that has the kind,
else in the home. The pictures are taken when the last policy has been accepted and when the run has ended.
"""

import argparse
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vlp.episodes.assemble import manifest_in
from vlp.episodes.cases import Episode, changes_in, sample_episode
from vlp.episodes.episode import System, run_episode, words_of
from vlp.episodes.verdict import Verdict
from vlp.journal import Event
from vlp.robot.protocol import Robot
from vlp.runtime.story import Story
from vlp.sim import EMBODIMENTS, WORLDS
from vlp.sim.filming import FilmCamera
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.changes import change_kinds
from vlp.sim.worlds.seeds import seed_of
from vlp.sim.worlds.tasks import ScriptedEvent

DOCS = Path(__file__).parents[1] / "docs"
HEAD = """# Changes midway, shown

One episode of each kind of [change](changes.md), by the expert with the oracle grounder: the robot when the new policy had been
accepted, and at the end. Of the steps, `undo` are done and taken back, `done` are done and stay, `-` are dropped, `=` are kept,
`+` are new.

This page is written by `python tools/write_change_pages.py`.
"""


class Stills:
    """A `Subscriber` that keeps what an audience sees when a policy is accepted, and the events of the run."""

    def __init__(self, robot: Robot, simulation: Simulation) -> None:
        del robot
        self._simulation = simulation
        self.events: list[Event] = []
        self.pictures: list[NDArray[np.uint8]] = []

    def on_event(self, event: Event) -> None:
        """Take a picture of every policy."""
        self.events.append(event)
        if event.kind == "policy":
            self.take()

    def take(self) -> None:
        """Take a picture of this moment: the middle of what an audience sees."""
        picture = FilmCamera(self._simulation, (1280, 720)).rgb(self._simulation.data)
        self.pictures.append(picture[144:576, 256:1024])

    def row(self) -> dict[str, Any]:
        """Return nothing more about the episode."""
        return {}


@dataclass(frozen=True)
class Shown:
    """An episode as the page shows it.

    Args:
        kind: of change.
        episode: what was run.
        robot: whose episode.
        story: of its last run.
        pictures: two, at the last policy and at the end.
    """

    kind: str
    episode: Episode
    robot: str
    story: Story
    pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]]


def shown(kind: str, world: str, robot: str, tries: int = 12) -> Shown:
    """Run episodes of a kind until the robot finishes one in which something is taken back; else return the first finished.

    Raises:
        SystemExit: none was finished.
    """
    body, finished = manifest_in(robot, world), list[Shown]()
    for index in range(tries):
        episode = sample_episode(seed_of("train", 700 + index), "dynamic", world=world, manifest=body, change=kind)
        stills: list[Stills] = []

        def watched(robot: Robot, simulation: Simulation, verdict: Verdict, stills: list[Stills] = stills) -> Stills:
            del verdict  # pictures judge nothing
            stills.append(Stills(robot, simulation))
            return stills[-1]

        with tempfile.TemporaryDirectory() as folder:
            row = run_episode(episode, System(None, "oracle", robot=robot), Path(folder), measure=watched)
        last = stills[-1]
        story = Story.of(last.events)
        print(f"{kind}, {world}, seed {episode.seed}: {row['outcome']}, {len(story.chapters)} policies", flush=True)
        if row["success"]:
            last.take()
            finished.append(Shown(kind, episode, robot, story, (last.pictures[-2], last.pictures[-1])))
            if any((chapter.diff_data or {}).get("undone") for chapter in story.chapters):
                return finished[-1]
        if finished and (index >= 3 or change_kinds()[kind].side != "said"):
            return finished[0]
    raise SystemExit(f"{kind}: none of {tries} episodes in the {world} was finished.")


def section(one: Shown) -> str:
    """Return the section of a kind, and write its picture."""
    name = f"images/changes/{one.kind}.webp"
    halves = [Image.fromarray(picture).resize((560, 315), Image.Resampling.LANCZOS) for picture in one.pictures]
    both = Image.new("RGB", (1128, 315), "white")
    for k, half in enumerate(halves):
        both.paste(half, (568 * k, 0))
    (DOCS / name).parent.mkdir(exist_ok=True)
    both.save(DOCS / name, quality=60, method=6)
    episode, kind = one.episode, change_kinds()[one.kind]
    what = "; ".join(f"after step {event.step} {_quoted(event)}" for event in episode.events) or kind.example
    where = f"{one.robot}, {episode.world}, scene {episode.scene_seed}"
    chapter = one.story.chapters[-1]
    plan = chapter.diff or f"goal: {chapter.policy['goal']}\n" + "\n".join(f"      {row.text}" for row in chapter.rows)
    why = "".join(f"\nWhy: {why}.\n" for why in dict.fromkeys(why.rstrip(".") for why in chapter.whys))
    if not chapter.diff:
        went_on = "Shown is the run that went on after it, from where the robot stood."
        why = f"\n{went_on if one.kind == 'stopped' else 'No new policy was needed: a step saw it and acted on it.'}\n"
    return (
        f'## {one.kind}\n\n{kind.doc[0].upper()}{kind.doc[1:]}. "{episode.task.instruction}"; {what} ({where}).\n\n'
        f"![{one.kind}: at the last policy, and at the end]({name})\n{why}\n```\n{plan}\n```\n\nEnd: {one.story.account}.\n"
    )


def _quoted(event: ScriptedEvent) -> str:
    return f'"{words_of(event)}"' if event.kind == "instruct" else f"`{words_of(event)}`"


def main() -> None:
    """Write the sections asked for anew, in the order of the kinds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*change_kinds(), []], help="all by default")
    options = parser.parse_args()
    path = DOCS / "changes_shown.md"
    there = re.split(r"^(?=## )", path.read_text() if path.is_file() else "", flags=re.MULTILINE)[1:]
    sections = {part.split("\n")[0].removeprefix("## "): part.rstrip() + "\n" for part in there}
    for kind in options.kinds or change_kinds():
        world = next(world for world in WORLDS if kind in changes_in(world))
        sections[kind] = section(shown(kind, world, next(iter(EMBODIMENTS))))
        path.write_text("\n".join([HEAD, *(sections[name] for name in change_kinds() if name in sections)]))


if __name__ == "__main__":
    main()
