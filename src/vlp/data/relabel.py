"""Episodes of a LeRobotDataset v3 to samples of motion as language: subtask, motion plan and chunk, each asked of an image."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from vlp.core.errors import UsageError, lookup
from vlp.core.messages import counted
from vlp.core.observation import RobotState
from vlp.data.lerobot_cameras import FramePlace, choose_camera, pictures
from vlp.data.lerobot_cameras import told as camera_told
from vlp.data.lerobot_hands import HandEpisode, StateColumns, hand_episodes
from vlp.data.lerobot_meta import check_counts, read_info, read_tasks
from vlp.data.sample import SPLITS, Sample, make_sample
from vlp.data.store import StoreWriter
from vlp.language_actions.move import Chunk
from vlp.language_actions.stages import Demonstration, Labelling, StageSample, chunks_of, stage_samples
from vlp.language_actions.trajectory import paced
from vlp.primitives.manifest import Manifest
from vlp.prompt.render import Memory


@dataclass
class Relabelled:
    """What came of a dataset.

    Args:
        episodes: how many were made into samples.
        new: samples that were not there already.
        kinds: samples by kind.
        moves: of each chunk, how many.
        farthest_mm: of each chunk, its net displacement along the axis on which it is largest.
        path_mm: of each chunk, the way in all.
        characters: of each chunk as text.
        passed_over: episodes that were left out, and why.
    """

    episodes: int = 0
    new: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    moves: list[int] = field(default_factory=list)
    farthest_mm: list[float] = field(default_factory=list)
    path_mm: list[float] = field(default_factory=list)
    characters: list[int] = field(default_factory=list)
    passed_over: dict[int, str] = field(default_factory=dict)

    def count(self, chunk: Chunk, text: str) -> None:
        """Take a chunk into account."""
        self.moves.append(len(chunk.moves))
        self.farthest_mm.append(1000 * max(map(abs, chunk.net_m)))
        self.path_mm.append(1000 * sum(float(np.linalg.norm(move.translation_m)) for move in chunk.moves))
        self.characters.append(len(text))

    def lines(self) -> list[str]:
        """Return the report for people: samples by kind, and how long and how far chunks are."""
        said = ", ".join(f"{count:,} {kind}" for kind, count in self.kinds.most_common())
        lines = [f"{counted(self.episodes, 'episode')}: {said}; {self.new:,} new."]
        lines += [f"episode {number} passed over: {why}" for number, why in self.passed_over.items()]
        rows = {
            "moves": self.moves,
            "farthest along an axis, mm": self.farthest_mm,
            "way, mm": self.path_mm,
            "characters": self.characters,
        }
        width = max(map(len, rows))
        for name, values in rows.items():
            if values:
                low, middle, high = np.quantile(np.array(values, float), (0.05, 0.5, 0.95))
                lines.append(
                    f"{name:<{width}}  median {middle:.3g}, 90 % from {low:.3g} to {high:.3g}, at most {max(values):.3g}"
                )
        return lines


@dataclass(frozen=True)
class _Asked:
    """A sample without its images, and the frames whose images it asks about."""

    places: tuple[FramePlace, ...]
    episode: HandEpisode
    stage: StageSample
    number: int


def relabel(
    out: str | Path,
    folder: str | Path,
    manifest: Manifest,
    columns: Callable[[dict[str, Any]], StateColumns],
    labelling: Callable[[StateColumns], Labelling],
    *,
    camera: str = "",
    rate_hz: float = 5.0,
    split: str = "train",
    told: Callable[[str], None] = lambda _: None,
) -> Relabelled:
    """Make samples of every episode of a dataset, all or none, and return what came of them.

    Args:
        out: a store; made when missing.
        folder: the dataset.
        manifest: of the robot whose episodes they are.
        columns: finds the hand among the dataset's features, as `vlp.data.lerobot_hands.find_columns` does.
        labelling: gives vocabulary and thresholds for what is known of the hand.
        camera: the feature whose pictures are taken, or its last part; needed where there are several in colour.
        rate_hz: moves a second; frames in between are left out.
        split: of all samples.
        told: called with a sentence that says which camera is read.

    Raises:
        UsageError: not a LeRobotDataset v3, one that is not whole, one in which no hand moves, or one whose moves cannot be
            written.
        MissingComponent: an extra that is not installed.
    """
    lookup(split, {name: name for name in SPLITS}, "split")
    if not 0.1 <= rate_hz <= 100:
        raise UsageError(f"{rate_hz:g} moves a second; expected 0.1 to 100.", "BridgeData has 5.")
    root, done, frames = Path(folder), Relabelled(), Counter[int]()
    info = read_info(root)
    chosen = choose_camera(info["features"], camera)
    told(camera_told(chosen))
    found = columns(info["features"])
    how, asked = labelling(found), list[_Asked]()
    for episode in hand_episodes(root, read_tasks(root), found, frames):
        asked += _asked(episode, how, rate_hz, done)
    check_counts(root, info, frames)
    if not asked:
        why = next(iter(done.passed_over.values()), "there are no episodes.")
        raise UsageError(f"nothing could be made of {str(root)[:300]!r}: {why}", "Is --position where the hand is, in metres?")
    shown = pictures(root, info["fps"], chosen, list(dict.fromkeys(place for each in asked for place in each.places)))
    first = next(shown)  # what is wrong with all of them is told before a store is made
    with StoreWriter(out, {manifest.robot: manifest}) as writer:
        images = {place: writer.add_image(picture) for place, picture in chain([first], shown)}
        done.new = writer.add_all([_sample(each, images, manifest.robot, split, chosen.name) for each in asked])
    return done


def _asked(episode: HandEpisode, how: Labelling, rate_hz: float, done: Relabelled) -> Sequence[_Asked]:
    """Return what is asked of one episode, and count it; one that does not move is passed over."""
    picked = paced(episode.poses, rate_hz)
    poses = [episode.poses[i] for i in picked]
    if len(poses) < 2:
        done.passed_over[episode.number] = f"it has {len(poses)} frames."
        return ()
    shown = Demonstration(episode.task, poses)
    try:
        chunks = chunks_of(shown, how)
        stages = list(stage_samples(shown, how)) if chunks else []
    except UsageError as error:
        raise UsageError(f"episode {episode.number}: {error.message}", error.hint) from None
    if not stages:
        done.passed_over[episode.number] = "its hand does not move."
        return ()
    done.episodes += 1
    for chunk in chunks:
        done.count(chunk, how.vocabulary.write(chunk))
    done.kinds.update(stage.kind for stage in stages)
    return [
        _Asked(tuple(episode.places[picked[image]] for image in stage.images), episode, stage, number)
        for number, stage in enumerate(stages)
    ]


def _sample(asked: _Asked, images: dict[FramePlace, str], robot: str, split: str, camera: str) -> Sample:
    stage, place = asked.stage, asked.places[0]
    source = {"kind": "lerobot", "family": stage.kind, "episode": place.episode, "frame": place.frame, "camera": camera[:200]}
    stem = f"motion-{place.episode:06d}-{asked.number:05d}-{stage.kind}"
    told = Memory((asked.episode.task,))
    return make_sample(
        stem,
        [images[each] for each in asked.places],
        asked.episode.task,
        robot,
        RobotState(),
        told,
        {},
        source,
        split,
        stage.question,
        stage.answer,
    )
