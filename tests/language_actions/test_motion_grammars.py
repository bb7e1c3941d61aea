"""Grammars of motion: they admit all that is written and nothing that is not read."""

import json
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from spaces import NAMES, SPACES, random_chunk, tokenizer, vocabulary

from vlp.language_actions.move import Chunk, Move
from vlp.language_actions.space import MoveSpace
from vlp.language_actions.stages import chunk_question
from vlp.models.catalogue import open_model
from vlp.models.grammar import Grammars, Matcher, Vocabulary
from vlp.prompt.render import asked_messages

END = tokenizer().token_to_id("<|end|>")
TOKENS = Vocabulary(SimpleNamespace(backend_tokenizer=tokenizer(), eos_token_id=END), tokenizer().get_vocab_size(), [END])
GRAMMARS = Grammars(TOKENS)
SPACE = MoveSpace({"x": 50, "z": 20, "yaw": 30}, max_moves=4)


def admitted(matcher: Matcher, text: str) -> bool:
    """Return whether a whole text is a reply under the grammar."""
    tokens = TOKENS.encode(text)
    if matcher.admits(tokens) < len(tokens):
        return False
    for token in tokens:
        matcher.accept(token)
    return matcher.complete


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_every_chunk_that_is_written_is_admitted(name: str, space: MoveSpace) -> None:
    """Against: a grammar that forbids the very text that the model was trained to write."""
    rng, written = Random(name), vocabulary(name, space)
    for _ in range(25):
        text = written.write(random_chunk(space, rng))
        assert admitted(GRAMMARS.matcher(written.grammar()), text), text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_whatever_is_admitted_is_read_and_written_again_as_it_stood(name: str, space: MoveSpace) -> None:
    """Against: badly formed replies, one in ten of the paper's; here a model that writes at random makes none."""
    rng, written = np.random.default_rng(0), vocabulary(name, space)
    for _ in range(6):
        matcher, tokens = GRAMMARS.matcher(written.grammar()), list[int]()
        while not matcher.done and len(tokens) < 1500:
            token = int(rng.choice(np.flatnonzero(matcher.allowed())))
            if token == END:
                break
            matcher.accept(token)
            tokens.append(token)
        text = b"".join(map(TOKENS.bytes_of, tokens)).decode()
        chunk, report = written.read(text)
        assert chunk is not None, f"{text}\n{report}"
        assert written.write(chunk) == text


MALFORMED = {
    "numbers": [
        "[]", "[[]]", "[[0,0,0]]", "[[0,0,0,0,0]]", "[[51,0,0,0]]", "[[0,21,0,0]]", "[[0,0,31,0]]", "[[0,0,0,2]]",
        "[[1.5,0,0,0]]", "[[-0,0,0,0]]", "[[01,0,0,0]]", "[[0, 0,0,0]]", "[[0,0,0,0]", '[["1",0,0,0]]', "{}", "move up 1 cm",
        "[[0,0,0,0],[0,0,0,0],[0,0,0,0],[0,0,0,0],[0,0,0,0]]",
    ],
    "directions": [
        "[]", '[""]', '["move forward 5.1 cm"]', '["move forward 0 cm"]', '["move forward 1.0 cm"]', '["move forward 1 mm"]',
        '["move left 1 cm"]', '["turn left 31 degrees"]', '["turn left 1 degrees"]', '["move up 1 cm, move forward 1 cm"]',
        '["move up 1 cm, move up 1 cm"]', '["open the gripper, close the gripper"]', '["stay, open the gripper"]', '["fly"]',
        '"stay"', '["stay"', '["stay","stay","stay","stay","stay"]', '["stay" ,"stay"]',
    ],
    "bins": ['""', '" zzz"', "[]", " ni ga"],
}  # fmt: skip


@pytest.mark.parametrize("name, text", [(name, text) for name, texts in MALFORMED.items() for text in texts])
def test_what_is_malformed_is_not_admitted(name: str, text: str) -> None:
    assert not admitted(GRAMMARS.matcher(vocabulary(name, SPACE).grammar()), text)


def test_bins_admit_whole_moves_and_three_words_for_the_gripper() -> None:
    written = vocabulary("bins", SPACE)
    words = written.write(Chunk("base", (Move((0.01, 0.0, 0.0)),))).strip('"').split()
    for wrong in (words[:3], [*words[:3], words[0]], words * 5, [*words, words[0]]):
        text = json.dumps("".join(f" {word}" for word in wrong))
        assert not admitted(GRAMMARS.matcher(written.grammar()), text), text


def test_most_of_what_directions_write_is_forced() -> None:
    """A sentence costs little more than its choices: the grammar writes the rest without the model."""
    written = vocabulary("directions", MoveSpace({"x": 50, "y": 50, "z": 50}, gripper=False))
    tokens = TOKENS.encode(written.write(Chunk("base", (Move((0.042, 0.0, -0.01)), Move((0.0, 0.003, 0.0))))))
    matcher, at, chosen = GRAMMARS.matcher(written.grammar()), 0, 0
    while at < len(tokens):
        forced = matcher.forced()
        assert forced == tokens[at : at + len(forced)]
        chosen += not forced
        for token in forced or tokens[at : at + 1]:
            matcher.accept(token)
        at += max(len(forced), 1)
    assert chosen <= len(tokens) / 2


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_never_learned_to_move_writes_a_chunk_all_the_same(name: str) -> None:
    """Against: a schema that the matcher takes and the models do not."""
    written = vocabulary(name, MoveSpace({"x": 50, "y": 50, "z": 50}, max_moves=2))
    model = open_model("nano-base")
    question = chunk_question("pick up the red cube", "move down", written)
    messages = asked_messages(np.zeros((480, 640, 3), np.uint8), question, model.profile)
    reply = model.generate(messages, grammar=written.grammar(), max_tokens=128)
    assert reply.finish == "stop"
    chunk, report = written.read(reply.text)
    assert chunk is not None, f"{reply.text}\n{report}"
