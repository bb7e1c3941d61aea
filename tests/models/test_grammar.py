import json
from collections.abc import Sequence

import pytest
from toy_model import STRUCTURAL, toy_tokenizer

from vlp.core.errors import UsageError
from vlp.models.grammar import Grammars, Vocabulary
from vlp.primitives.schema import policy_schema
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.sim.worlds.tabletop.places import PLACES

MANIFEST = make_manifest("hsr", STANDARD, PLACES)
SCHEMA = policy_schema(MANIFEST)
TOKENIZER = toy_tokenizer()
VOCABULARY = Vocabulary(TOKENIZER, len(TOKENIZER), [TOKENIZER.eos_token_id])
GRAMMARS = Grammars(VOCABULARY)

POLICIES = [
    {"goal": "it is done", "subtasks": []},
    {"goal": "none", "cannot": "there is no blue bowl"},
    {
        "goal": "the red cube is in the bin",
        "seen": [["red cube", [10, 20.5, 300, 400]]],
        "subtasks": [
            {
                "name": "pick up the red cube",
                "steps": [
                    {"do": "locate", "object": "red cube", "as": "red_cube"},
                    {"do": "grasp", "target": "$red_cube"},
                    {"do": "lift", "height_m": 0.1},
                ],
            },
            {
                "name": "put it in the bin",
                "steps": [{"do": "place", "target": "bin", "relation": "in"}, {"do": "home"}],
            },
        ],
    },
]


def names(tokens: Sequence[int]) -> list[str]:
    return [VOCABULARY.bytes_of(token).decode("utf-8", "replace") for token in tokens]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: p["goal"])
def test_a_policy_cut_as_in_training_is_admitted_and_every_forced_token_is_the_one_it_has(policy: dict) -> None:
    """Against: forced bytes cut into small tokens where training used one structural token."""
    text = json.dumps(policy, separators=(",", ":"))
    wanted = VOCABULARY.encode(text)
    assert any(piece in names(wanted) for piece in STRUCTURAL)
    matcher = GRAMMARS.matcher(SCHEMA)
    at = 0
    while at < len(wanted):
        forced = matcher.forced()
        assert forced == wanted[at : at + len(forced)], (names(forced), names(wanted[at : at + len(forced)]))
        for token in forced:
            matcher.accept(token)
        at += len(forced)
        if not forced:
            assert matcher.allowed()[wanted[at]] and matcher.admits([wanted[at]]) == 1
            matcher.accept(wanted[at])
            at += 1
    assert matcher.done and matcher.complete
    assert list(matcher.allowed().nonzero()[0]) == [TOKENIZER.eos_token_id]


def test_structural_tokens_are_on_offer_where_only_their_beginning_is_forced() -> None:
    matcher = GRAMMARS.matcher(SCHEMA)
    for token in VOCABULARY.encode('{"goal":"it","subtasks":[{"name":"it","steps":['):
        matcher.accept(token)
    assert matcher.forced() == []
    offered = names(matcher.allowed().nonzero()[0].tolist())
    assert {'{"do":"locate","object":"', '{"do":"grasp","target":"$', "{"} <= set(offered)


def test_looking_for_forced_tokens_does_not_move_the_matcher() -> None:
    matcher = GRAMMARS.matcher({"enum": ["a long constant text"]})
    first = matcher.forced()
    assert "".join(names(first)) == '"a long constant text"'
    assert matcher.forced() == first
    for token in first:
        matcher.accept(token)
    assert matcher.done


def test_no_white_space_between_tokens_is_admitted() -> None:
    matcher = GRAMMARS.matcher(SCHEMA)
    for text in (' {"goal":"a","subtasks":[]}', '{ "goal":"a","subtasks":[]}', '{"goal": "a","subtasks":[]}'):
        tokens = VOCABULARY.encode(text)
        assert matcher.admits(tokens) < len(tokens)


def test_special_tokens_are_never_admitted() -> None:
    matcher = GRAMMARS.matcher({"type": "string"})
    matcher.accept(VOCABULARY.encode('"')[0])
    allowed = matcher.allowed()
    special = [t for t in TOKENIZER.all_special_ids]
    assert special and not allowed[special].any()


def test_back_undoes_what_was_accepted() -> None:
    matcher = GRAMMARS.matcher(SCHEMA)
    before = matcher.allowed().copy()
    tokens = VOCABULARY.encode('{"goal":"the red')
    for token in tokens:
        matcher.accept(token)
    matcher.back(len(tokens))
    assert (matcher.allowed() == before).all()


def test_a_schema_that_cannot_be_compiled_is_named_in_one_line() -> None:
    with pytest.raises(UsageError, match="cannot be compiled") as caught:
        GRAMMARS.matcher({"type": "string", "pattern": "(?=a)b"})
    assert "\n" not in str(caught.value)


def test_an_enormous_schema_is_refused_before_it_is_compiled() -> None:
    with pytest.raises(UsageError, match="at most"):
        GRAMMARS.matcher({"enum": ["x" * 600_000]})
