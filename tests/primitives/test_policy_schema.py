"""One schema is grammar and validator: the three readings of it agree."""

import copy
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from vlp.core.errors import Report, UsageError
from vlp.evaluation.stress import malformed
from vlp.evaluation.stress.random_policies import random_policy
from vlp.policy.parse import validator
from vlp.primitives.manifest import Argument, Limits, Primitive
from vlp.primitives.schema import Schema, guided, policy_schema
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.sim.worlds.tabletop.places import PLACES

LIMITS = Limits((0.2, -1.2, 0.0), (1.0, 0.6, 1.3), 0.3, 0.5, 20.0, 0.13, 1.2)
MANIFEST = make_manifest("tester", STANDARD, PLACES, LIMITS)
SCHEMA = policy_schema(MANIFEST)
OTHER = Draft202012Validator(SCHEMA)

STRUCTURAL = (
    malformed.missing_key, malformed.unknown_key, malformed.wrong_type, malformed.unknown_primitive,
    malformed.unknown_word, malformed.out_of_bounds, malformed.wrong_place, malformed.wrong_box,
    malformed.wrong_phrase, malformed.too_many, malformed.dangling, malformed.stale,
)  # fmt: skip


def some_policy(seed: int) -> dict[str, Any]:
    """Return a random valid policy with at least one step."""
    rng = random.Random(seed)
    while not (data := random_policy(rng, MANIFEST)).get("subtasks"):
        pass
    return data


def accepted(data: object) -> bool:
    report = Report()
    validator(MANIFEST)(data, report)
    return report.ok


def test_the_schema_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(STRUCTURAL))
def test_the_validator_and_a_general_one_agree_on_valid_and_on_spoiled_policies(
    seed: int, spoil: Callable[[random.Random, dict[str, Any]], str]
) -> None:
    data = some_policy(seed)
    assert accepted(data) and OTHER.is_valid(data)
    text = spoil(random.Random(seed), copy.deepcopy(data))
    if "\\n" not in text:  # `$` in the general validator also matches before a last line break, ours does not
        spoiled = json.loads(text)
        assert accepted(spoiled) == OTHER.is_valid(spoiled)


def admits(schema: Schema = SCHEMA) -> Callable[[str], bool]:
    """Return whether constrained decoding could write a text, byte by byte."""
    llguidance = pytest.importorskip("llguidance")
    tokenizer = llguidance.LLTokenizer("byte")
    grammar = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(guided(schema)))
    failed, messages = llguidance.LLMatcher.validate_grammar_with_warnings(grammar, tokenizer)
    assert not failed and not messages

    def admitted(text: str) -> bool:
        matcher = llguidance.LLMatcher(tokenizer, grammar)
        tokens = tokenizer.tokenize_str(text)
        return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()

    return admitted


def rounded(data: object) -> object:
    """Return a policy with its numbers in the steps that decoding can write."""
    if isinstance(data, dict):
        return {key: rounded(item) for key, item in data.items()}
    if isinstance(data, list):
        return [rounded(item) for item in data]
    return round(data, 2) if isinstance(data, float) else data


def test_short_numbers_can_be_written() -> None:
    """Failure guarded against: llguidance refuses 0.1 where a number from 0.02 to 0.15 is asked for."""
    admitted = admits()
    text = '{"goal":"g","subtasks":[{"name":"n","steps":[{"do":"push","target":"$x","direction":"left","distance_m":@}]}]}'
    assert all(admitted(text.replace("@", number)) for number in ("0.02", "0.05", "0.1", "0.15"))
    assert not any(admitted(text.replace("@", number)) for number in ("0.01", "0.16", "0.1000", "1", "-0.1", "1e-1"))


def test_constrained_decoding_can_write_every_valid_policy_in_compact_form_and_no_other() -> None:
    admitted = admits()
    for seed in range(25):
        data = rounded(some_policy(seed))
        assert admitted(malformed.dumps(data)), malformed.dumps(data)
        assert not admitted(json.dumps(data))
    assert admitted('{"goal":"g","cannot":"there is no blue bowl"}')


def test_what_a_check_has_refuted_cannot_be_written_again() -> None:
    """Failure guarded against: seven policies one after the other that only look whether all is so already."""
    admitted = admits(policy_schema(MANIFEST, refuted=True))
    look = '{"do":"check","relation":"holding","subject":"red cube"}'
    see = '{"do":"locate","object":"red cube","as":"red_cube"}'

    def begun(*steps: str) -> str:
        return '{"goal":"g","subtasks":[{"name":"n","steps":[@]}]}'.replace("@", ",".join(steps))

    assert not admitted('{"goal":"g","subtasks":[]}') and not admitted(begun(look)) and not admitted(begun(look, see))
    assert admitted(begun(see, look)) and admitted('{"goal":"g","cannot":"there is no red cube"}')
    assert admits()(begun(look))


@pytest.mark.parametrize("spoil", STRUCTURAL[:-2], ids=lambda spoil: spoil.__name__)
def test_constrained_decoding_cannot_write_what_the_schema_refuses(spoil: Callable[..., str]) -> None:
    admitted = admits()
    for seed in range(8):
        text = spoil(random.Random(seed), some_policy(seed))
        assert accepted(json.loads(text)) or not admitted(text), text


def test_a_place_takes_only_the_relations_it_can_stand_in_and_start_takes_nothing() -> None:
    def placed(target: str, relation: str) -> bool:
        step = {"do": "place", "target": target, "relation": relation}
        return accepted({"goal": "g", "subtasks": [{"name": "n", "steps": [step]}]})

    assert placed("$bowl", "at") and placed("table", "on") and placed("bin", "in")
    assert not (placed("table", "in") or placed("bin", "on") or placed("start", "on") or placed("table", "at"))


def test_a_primitive_of_ones_own_is_in_the_schema_by_declaring_it() -> None:
    pour = Primitive("pour", "action", "Pour.", (Argument("angle_rad", "number", "How far.", minimum=0.1, maximum=2.0),))
    wider = replace(MANIFEST, primitives={**MANIFEST.primitives, "pour": pour}, version="wider")
    report = Report()
    validator(wider)({"goal": "g", "subtasks": [{"name": "n", "steps": [{"do": "pour", "angle_rad": 1}]}]}, report)
    assert report.ok


@pytest.mark.parametrize("name", ["do", "import os", "A", "", "x-y", "é", "x" * 33])
def test_a_manifest_with_names_that_no_policy_could_spell_is_refused(name: str) -> None:
    bad = replace(MANIFEST, primitives={name: Primitive(name, "action", "Bad.")})
    with pytest.raises(UsageError, match="cannot be used in a policy"):
        policy_schema(bad)


def test_a_manifest_of_the_same_version_but_other_content_is_not_taken_for_the_first() -> None:
    """Failure guarded against: a robot that claims a known version and gets another robot's schema."""
    assert accepted({"goal": "g", "subtasks": []})
    poorer = replace(MANIFEST, primitives={"home": STANDARD["home"]})
    report = Report()
    step = {"do": "go_to", "place": "bin"}
    validator(poorer)({"goal": "g", "subtasks": [{"name": "n", "steps": [step]}]}, report)
    assert [issue.code for issue in report.issues] == ["unknown-primitive"]
