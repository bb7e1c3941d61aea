"""Motion to text and back: exact to the stated resolution, bounds checked, every fault named."""

import math
from random import Random

import pytest
from spaces import NAMES, SPACES, random_chunk, tokenizer, vocabulary

from vlp.core.errors import UsageError
from vlp.language_actions.bins import Bins
from vlp.language_actions.clip_rt import clip_rt_moves
from vlp.language_actions.directions import Directions
from vlp.language_actions.move import Chunk, Move
from vlp.language_actions.rare_words import rare_words
from vlp.language_actions.space import MoveSpace
from vlp.language_actions.vocabulary import open_vocabulary
from vlp.primitives.manifest import Limits

SPACE = MoveSpace({"x": 50, "y": 50, "z": 50, "yaw": 45})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_chunk_comes_back_at_the_nearest_levels(name: str, space: MoveSpace) -> None:
    """Against: a number that text cannot hold, so that the robot moves otherwise than the model was taught."""
    rng, written = Random(name), vocabulary(name, space)
    for _ in range(200):
        chunk = random_chunk(space, rng)
        back, report = written.read(written.write(chunk))
        assert report.ok, report
        assert back is not None
        assert back == written.grid.rounded(chunk)
        assert written.write(back) == written.write(chunk)
        assert [move.gripper for move in back.moves] == [move.gripper for move in chunk.moves]
        for axis in space.axes:
            at = strayed = 0.0
            half = axis.in_si(written.grid.steps[axis.name]) / 2
            for move, meant in zip(back.moves, chunk.moves, strict=True):
                at += move.numbers[axis.name] - meant.numbers[axis.name]
                strayed = max(strayed, abs(at))
            assert strayed <= half + 1e-9, "errors add up over the moves"


def test_moves_of_half_a_step_add_up() -> None:
    """Against: a slow motion of 0.4 mm a move that was written as no motion at all."""
    chunk = Chunk("base", (Move((0.0004, 0.0, -0.0004)),) * 10)
    back, _ = open_vocabulary("numbers", SPACE).read(open_vocabulary("numbers", SPACE).write(chunk))
    assert back is not None
    assert back.net_m == pytest.approx((0.004, 0.0, -0.004))


def test_each_vocabulary_writes_as_its_source_does() -> None:
    moves = (Move((0.042, 0.0, -0.01)), Move((0.0, -0.003, 0.0), (0.0, 0.0, math.radians(15))), Move(gripper="close"))
    chunk = Chunk("base", moves)
    assert vocabulary("numbers", SPACE).write(chunk) == "[[42,0,-10,0,0],[0,-3,0,15,0],[0,0,0,0,-1]]"
    directions = '["move forward 4.2 cm, move down 1 cm","move right 0.3 cm, turn left 15 degrees","close the gripper"]'
    assert vocabulary("directions", SPACE).write(chunk) == directions
    words = rare_words(tokenizer())
    zero, far = words[127], words[127 + round(42 / 50 * 127)]
    assert vocabulary("bins", SPACE).write(chunk).startswith(f'" {far} {zero} ')


@pytest.mark.parametrize("name", NAMES)
def test_what_is_out_of_bounds_is_not_written(name: str) -> None:
    written = vocabulary(name, SPACE)
    for move, said in (
        (Move((0.051, 0.0, 0.0)), "x moves by 51 mm; expected at most 50 mm"),
        (Move((0.0, math.nan, 0.0)), "y moves by nan mm"),
        (Move((0.0, 0.0, 0.0), (math.radians(5), 0.0, 0.0)), "Leave roll at 0"),
    ):
        with pytest.raises(UsageError, match=said):
            written.write(Chunk("base", (move,)))
    with pytest.raises(UsageError, match="frame 'hand'; expected 'base'"):
        written.write(Chunk("hand", (Move(),)))
    with pytest.raises(UsageError, match="17 moves; expected 1 to 16"):
        written.write(Chunk("base", (Move(),) * 17))


FAULTS = {
    "numbers": {
        "": "not-json",
        "{}": "wrong-type",
        "[]": "wrong-count",
        "[[1,2,3,4]]": "wrong-shape",
        "[1]": "wrong-shape",
        "[[51,0,0,0,0]]": "out-of-bounds",
        "[[0,0,0,0,2]]": "out-of-bounds",
        "[[4.2,0,0,0,0]]": "no-whole-number",
        "[[true,0,0,0,0]]": "no-whole-number",
        '[["5",0,0,0,0]]': "no-whole-number",
        "[[1e99,0,0,0,0]]": "no-whole-number",
        "[[NaN,0,0,0,0]]": "",
        f"[[{'9' * 25},0,0,0,0]]": "number-too-long",
        "[[0,0,0,0,0]] and then rest": "not-json",
    },
    "directions": {
        "[]": "wrong-count",
        "[3]": "no-sentence",
        '["fly forward 2 cm"]': "unknown-direction",
        '["move forward 2 miles"]': "unknown-direction",
        '["move forward"]': "unknown-direction",
        '["turn left 3 cm"]': "unknown-direction",
        '["move forward 5.1 cm"]': "out-of-bounds",
        '["roll clockwise 5 degrees"]': "out-of-bounds",
        '["move forward 4.25 cm"]': "off-grid",
        '["move forward 1 cm, move backward 1 cm"]': "twice",
        '["open the gripper, close the gripper"]': "twice",
        '["stay, open the gripper"]': "unknown-direction",
        '["' + "move left 1 cm, " * 30 + '"]': "no-sentence",
    },
    "bins": {
        "[]": "wrong-type",
        '""': "wrong-count",
        '" zzzz zzzz zzzz zzzz zzzz"': "unknown-word",
    },
}


@pytest.mark.parametrize("name, text, code", [(n, t, c) for n, rows in FAULTS.items() for t, c in rows.items()])
def test_what_is_no_chunk_is_refused_with_its_fault(name: str, text: str, code: str) -> None:
    """Against: a reply that was nearly right and moved the robot all the same."""
    chunk, report = vocabulary(name, SPACE).read(text)
    assert chunk is None
    assert not report.ok
    assert not code or code in [issue.code for issue in report.issues]
    assert all(issue.message and issue.hint for issue in report.issues)


def test_bins_refuse_a_level_that_no_gripper_has_and_half_a_move() -> None:
    written = vocabulary("bins", SPACE)
    text = written.write(Chunk("base", (Move((0.01, 0.0, 0.0)),)))
    words = text.strip('"').split()
    assert "no-gripper-word" in str(written.read(f'" {" ".join([*words[:4], words[0]])}"')[1])
    assert "wrong-count" in str(written.read(f'" {" ".join(words[:4])}"')[1])


def test_people_are_read_who_do_not_write_as_the_grammar_does() -> None:
    directions = Directions(SPACE)
    move, report = directions.read_sentence("Move forward 4.20 cm and left 1 cm, turn right 1 degree.")
    assert report.ok
    assert move == directions.read_sentence("move forward 4.2 cm, move left 1 cm, turn right 1 degree")[0]
    assert "Did you mean 'move backward 1 cm'?" in str(directions.read_sentence("move bakward 3 cm")[1])


def test_the_motions_of_clip_rt_are_a_subset() -> None:
    moves = clip_rt_moves()
    assert len(moves) == len(set(moves.values())) == 58
    assert moves["move backward 20 cm"].translation_m == (-0.2, 0.0, 0.0)
    assert moves["turn left 15 degrees"].rotation_rad == pytest.approx((0.0, 0.0, math.radians(15)))
    assert sum(move.wrist_rad != 0 for move in moves.values()) == 8
    assert {move.gripper for move in moves.values()} == {"keep", "open", "close"}
    space = MoveSpace(dict.fromkeys(("x", "y", "z"), 200) | dict.fromkeys(("roll", "pitch", "yaw", "wrist"), 90))
    for sentence, move in moves.items():
        assert Directions(space).read_sentence(sentence)[0] == move


def test_rare_words_are_read_back_into_the_very_same_tokens() -> None:
    """Against: two words that a tokenizer joins, so that the model is taught tokens it never writes."""
    words = rare_words(tokenizer())
    assert len(set(words)) == 255
    rng = Random(0)
    each = {word: tokenizer().encode(f" {word}").ids for word in words}
    for _ in range(100):
        picked = rng.choices(words, k=20)
        ids = tokenizer().encode("".join(f" {word}" for word in picked)).ids
        assert ids == [token for word in picked for token in each[word]]
    with pytest.raises(UsageError, match="5000 are needed"):
        rare_words(tokenizer(), 5000)


def test_a_space_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean 'yaw'"):
        MoveSpace({"yaws": 10})
    with pytest.raises(UsageError, match="steps of 7"):
        MoveSpace({"x": 50}, step_mm=7)
    with pytest.raises(UsageError, match="nothing can be moved"):
        MoveSpace({"x": 0}, gripper=False)
    with pytest.raises(UsageError, match="expected 1 to 64"):
        MoveSpace({"x": 5}, max_moves=0)
    with pytest.raises(UsageError, match="odd number"):
        Bins(SPACE, ("one", "two"))
    with pytest.raises(UsageError, match="no word of plain letters"):
        Bins(SPACE, ("one", "two", 'th"ree'))
    with pytest.raises(UsageError, match="Did you mean 'numbers'"):
        open_vocabulary("number", SPACE)


def test_bounds_follow_from_the_body() -> None:
    """Against: limits that stood in a prompt or a dataset; they come from the embodiment alone."""
    space = MoveSpace.of(Limits(hand_speed_m_s=0.3, gripper_opening_m=0.1), period_s=0.2)
    assert dict(space.most) == {"x": 60, "y": 60, "z": 60, "roll": 0, "pitch": 0, "yaw": 0}
    assert space.gripper
    assert open_vocabulary("numbers", space).read("[[61,0,0,0]]")[0] is None
    assert not MoveSpace.of(Limits(hand_speed_m_s=0.3), period_s=0.2).gripper
    with pytest.raises(UsageError, match="no hand_speed_m_s"):
        MoveSpace.of(Limits(), 0.2)
    with pytest.raises(UsageError, match="shorter than 1 mm"):
        MoveSpace.of(Limits(hand_speed_m_s=0.01), 0.01)
