"""nano-base meets all of its tokens and no policy."""

import re
from random import Random

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from vlp.nano.training.data import imagined_scene
from vlp.nano.training.packing import Turn
from vlp.nano.training.tokenizer import build_tokenizer
from vlp.nano.training.turns import TurnSource, every_primitive
from vlp.nano.training.writing import Pieces, copy_turn, each_turn, fill_turn, look_turn
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer(every_primitive(), [f"put the {c} {k} in the box" for c in COLOURS for k in KINDS] * 20, 500)


def base_turns(tokenizer: PreTrainedTokenizerFast, scenes: int) -> list[Turn]:
    source, rng, draws = TurnSource(writing=Pieces.of(tokenizer)), Random(0), np.random.default_rng(0)
    return [turn for _ in range(scenes) for turn in source.sample(imagined_scene(rng), draws)]


def test_every_token_that_a_policy_is_made_of_is_written(tokenizer: PreTrainedTokenizerFast) -> None:
    # Fine-tuned, nano-base wrote no policy: the embeddings of `{"do":"locate","object":"` had never been trained.
    rng, pieces = Random(0), Pieces.of(tokenizer)
    written = {token for _ in range(3000) for token in tokenizer(copy_turn(pieces, rng).reply).input_ids}
    source, draws = TurnSource(), np.random.default_rng(0)
    policies = [t.reply for _ in range(40) for t in source.sample(imagined_scene(rng), draws) if t.reply.startswith('{"goal')]
    wanted = {token for policy in policies for token in tokenizer(policy).input_ids}
    assert len(wanted) > 50
    assert not wanted - written, [tokenizer.decode([token]) for token in wanted - written]


def test_no_turn_holds_a_policy(tokenizer: PreTrainedTokenizerFast) -> None:
    turns = base_turns(tokenizer, 60)
    assert {"copy", "fill", "each", "look", "wanted", "meant"} < {turn.kind for turn in turns}
    instructions = [turn for turn in turns if "do: " in turn.ask]
    assert instructions and not any(set(turn.reply) & set('{}"') for turn in instructions)
    assert not [turn for turn in turns if '"do"' in turn.reply and turn.kind not in ("copy", "fill", "each")]


def test_a_form_is_filled_with_the_names_given(tokenizer: PreTrainedTokenizerFast) -> None:
    pieces = Pieces.of(tokenizer)
    for seed in range(200):
        turn = fill_turn(pieces, Random(seed))
        given, form = turn.ask.removeprefix("fill: ").split(": ", 1)
        for place, name in (pair.split(" ", 1) for pair in given.split(", ")):
            form = form.replace(f"_{place}", name.replace(" ", "_")).replace(place, name)
        assert turn.reply == form


def test_a_list_is_gone_through_to_its_end(tokenizer: PreTrainedTokenizerFast) -> None:
    # Tuned on 400 samples nano-base went back to the first of the things it had named, again and again.
    pieces, refrains = Pieces.of(tokenizer), 0
    for seed in range(200):
        turn = each_turn(pieces, Random(seed))
        asked = turn.ask.removeprefix("each: ")
        readings = [asked.split(": ", n) for n in range(1, asked.count(": ") + 1)]
        lists = [(": ".join(reading[:-1]).split(", "), reading[-1]) for reading in readings]
        fitting = [items for items, form in lists if turn.reply == "".join(form.replace("A", item) for item in items)]
        assert fitting, turn
        refrains += len(fitting[0]) > 3 and fitting[0][1] == fitting[0][3]
    assert 20 < refrains < 150


def test_nano_base_finds_what_a_reference_means_before_it_answers(tokenizer: PreTrainedTokenizerFast) -> None:
    turns = [turn for turn in base_turns(tokenizer, 150) if turn.kind in ("refer", "size")]
    found = [re.search(r"; (biggest|smallest)(\w+)$", turn.quote) for turn in turns]
    assert sum(match is not None for match in found) > 50
    for turn, match in zip(turns, found, strict=True):
        if match and turn.kind == "refer":
            word, name = match.groups()
            assert turn.reply == name.replace("_", " ")
            assert f"{word}{name}" in turn.quote[: match.start()] or turn.quote.count(";") == 1


def test_what_is_looked_up_stands_behind_its_word(tokenizer: PreTrainedTokenizerFast) -> None:
    pieces = Pieces.of(tokenizer)
    for seed in range(200):
        turn = look_turn(pieces, Random(seed))
        told, asked = turn.ask.removeprefix("look: ").rsplit(": ", 1)
        found = turn.reply.split("; ")
        assert len(found) == len(asked.split("; ")) and all(f"{each};" in f"{told};" for each in found)
        assert all(each.startswith(word) for each, word in zip(found, asked.split("; "), strict=True))
