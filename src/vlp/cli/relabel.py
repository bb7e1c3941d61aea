"""`vlp data relabel`: motion of recorded episodes as language."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import tyro

from vlp.cli.data import Folder
from vlp.cli.names import BaseModel
from vlp.cli.robots import manifest_of
from vlp.core.errors import MissingComponent, UsageError, first
from vlp.models.catalogue import DEFAULT_MODEL, find_folder
from vlp.sim import EMBODIMENTS

Names = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")]


def relabel(
    folder: Folder,
    out: str = "samples",
    actions: str = "numbers",
    robot: str = first(EMBODIMENTS),
    base: BaseModel = DEFAULT_MODEL,
    camera: str = "",
    position: Names = (),
    rotation: Names = (),
    opening: str = "",
    rate_hz: float = 5.0,
    degrees: int = 45,
    run_cm: float = 2.5,
    path_cm: float = 5.0,
    corner_cm: float = 1.5,
    merge_mm: float = 3.0,
    others: int = 0,
    auxiliary: bool = True,
    split: str = "train",
    seed: int = 0,
) -> int:
    """Turn episodes of a LeRobotDataset v3 into samples of motion as language, which `vlp train sft` reads.

    Each chunk of motion gives a motion plan, asked of image and subtask, and the chunk, asked of image, subtask and plan;
    each subtask is asked of image and instruction. Prints how long and how far chunks are.

    Args:
        folder: the dataset, of `vlp data record` or of others.
        out: folder of the samples; made when missing.
        actions: how chunks are written: numbers, directions or bins.
        robot: whose episodes they are, and whose hand speed bounds a move: a simulated robot, a server's URL, or a manifest.
        base: the model that will be trained; for bins, whose rarest words stand for numbers.
        camera: the one whose pictures are taken; needed where there are several in colour.
        position: three numbers of observation.state that say where the hand is, in metres; by default hand_x_m hand_y_m
            hand_z_m, or x y z.
        rotation: three that say its roll, pitch and yaw in radians; by default roll pitch yaw where they are there.
        opening: the one that says how wide the gripper is open; by default gripper_m or gripper.
        rate_hz: moves a second; frames in between are left out.
        degrees: how far one move may turn, where rotation is known.
        run_cm: a chunk ends when the hand has gone so far along one axis without turning back.
        path_cm: or so far in all.
        corner_cm: a way that strays less from a straight line has one motion plan.
        merge_mm: moves that go on straight within so much are written as one; 0 writes every move.
        others: at most how many other ways to the same place are written of each chunk.
        auxiliary: also ask whether a subtask is done, and which way the hand goes.
        split: train, validation or test.
        seed: of other ways, and of the moments that are asked about.
    """
    from vlp.data.lerobot_hands import StateColumns, find_columns
    from vlp.data.relabel import relabel as run
    from vlp.language_actions.chunking import ChunkRule
    from vlp.language_actions.space import MoveSpace
    from vlp.language_actions.stages import Labelling
    from vlp.language_actions.vocabulary import open_vocabulary

    manifest = manifest_of(robot)
    if not 0.1 <= rate_hz <= 100:
        raise UsageError(f"--rate-hz is {rate_hz:g}; expected 0.1 to 100.", "BridgeData has 5.")
    words = _words(base) if actions == "bins" else ()

    def labelling(hand: StateColumns) -> Labelling:
        space = MoveSpace.of(manifest.limits, 1 / rate_hz, max_degrees=degrees if hand.rotation else 0)
        space = replace(space, gripper=space.gripper and hand.opening is not None)
        rule = ChunkRule(run_cm / 100, path_cm / 100, max_moves=space.max_moves)
        vocabulary = open_vocabulary(actions, space, words)
        return Labelling(vocabulary, rule, corner_cm / 100, merge_mm / 1000, others, auxiliary, seed)

    columns = partial(find_columns, position=position, rotation=rotation, opening=opening)
    done = run(out, folder, manifest, columns, labelling, camera=camera, rate_hz=rate_hz, split=split, told=print)
    print("\n".join(f"{out}: {line}" if i == 0 else line for i, line in enumerate(done.lines())))
    return 0


def _words(base: str) -> tuple[str, ...]:
    """Return the rarest words of a model's tokenizer."""
    from vlp.language_actions.rare_words import rare_words

    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise MissingComponent("bins need tokenizers.", "Install it with: pip install 'vlp[models]'.") from None
    file = find_folder(base) / "tokenizer.json"
    if not file.is_file():
        raise UsageError(f"{base[:200]!r} has no tokenizer.json.", "Bins need a fast tokenizer of Hugging Face.")
    return rare_words(Tokenizer.from_file(str(file)))
