"""The manifest owns the robot's world: places, limits and results, read back from every format that was written."""

import json
from dataclasses import asdict, replace

import pytest

from vlp.core.errors import Report
from vlp.policy.checks import check_policy
from vlp.policy.model import State
from vlp.policy.parse import validator
from vlp.primitives.manifest import Argument, Limits, Manifest, Place, Primitive
from vlp.primitives.schema import guided, policy_schema
from vlp.primitives.standard import make_manifest

SHELF = make_manifest("clerk", ("locate", "grasp", "place", "check"), [Place("shelf", ("on",), visible=True, capacity=2)])
SPRAY = Primitive(
    "spray", "action", "Spray.",
    (
        Argument("bursts", "integer", "How often.", minimum=1, maximum=3, default=1),
        Argument("wide", "boolean", "A wide cone.", default=False),
        Argument("rows", "list", "Which rows.", items="integer", minimum=1, maximum=9, max_items=3),
        Argument("speed_m_s", "number", "How fast.", required=False, limit="base_speed_m_s"),
    ),
)  # fmt: skip


def faults(manifest: Manifest, *steps: dict[str, object], state: State | None = None) -> list[str]:
    policy = json.dumps({"goal": "g", "subtasks": [{"name": "n", "steps": list(steps)}]})
    return [issue.code for issue in check_policy(policy, manifest, state)[1].issues]


def test_a_robot_with_a_shelf_can_place_things_there() -> None:
    """A place that a robot called "shelf" could not be placed at: what places take was a constant of the package."""
    put = {"do": "place", "target": "shelf", "relation": "on"}
    look = {"do": "check", "relation": "on", "subject": "red cube", "object": "shelf"}
    assert faults(SHELF, put, look, state=State(holding="red cube")) == []
    assert faults(SHELF, {**put, "relation": "in"}, state=State(holding="red cube")) == ["unknown-word"]
    assert faults(SHELF, {**look, "relation": "in"}) == ["relation-not-possible"]
    assert faults(SHELF, {"do": "check", "relation": "clear", "subject": "shelf"}) == ["place-not-thing"]


def test_a_place_takes_no_more_than_its_capacity() -> None:
    there = frozenset({("on", "a can", "shelf"), ("on", "a jar", "shelf")})
    put = {"do": "place", "target": "shelf", "relation": "on"}
    assert faults(SHELF, put, state=State(holding="red cube", facts=there)) == ["place-full"]
    assert faults(SHELF, put, state=State(holding="red cube", facts=frozenset(list(there)[:1]))) == []


def test_a_manifest_of_the_first_format_is_read_with_what_its_places_took() -> None:
    """Stores of samples hold manifests whose places are names; all those robots had depth."""
    old = SHELF.to_json() | {"places": ["table", "bin", "dock"], "cameras": {"head": {"width": 640}}}
    old["limits"] = asdict(Limits((0, 0, 0), (1, 1, 1), 1, 1, 1, 1, 1))
    del old["format"], old["results"]
    read = Manifest.from_json(json.loads(json.dumps(old)))
    assert [(p.name, p.relations, p.clearable) for p in read.places.values()] == [
        ("table", ("on",), True), ("bin", ("in",), False), ("dock", (), False),
    ]  # fmt: skip
    assert read.sees_depth and read.limits.payload_kg == 1


def test_a_manifest_of_a_later_format_is_refused_with_its_number() -> None:
    with pytest.raises(ValueError, match="format 3; this version of vlp reads formats 1 and 2"):
        Manifest.from_json(SHELF.to_json() | {"format": 3})


@pytest.mark.parametrize(
    "change",
    [{"limits": {"payload_kg": "heavy"}}, {"places": {"dock": {"name": "dock", "relations": 3}}}, {"primitives": {"x": {}}}],
)
def test_what_is_no_manifest_is_not_taken_for_one(change: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Manifest.from_json(SHELF.to_json() | change)


def test_every_declaration_survives_json() -> None:
    reading = Argument("of", "reference", "What was measured.", result="reading")
    own = make_manifest(
        "rover", [SPRAY, Primitive("tell", "perception", "Tell.", (reading,), example={"of": {"value_c": 1.5}})],
        ["dock", Place("tray", ("in",), capacity=3, surface_height_m=0.4, doc="a tray")],
        Limits(base_speed_m_s=0.5), cameras={"front": {"depth": False}}, results={"reading": {"value_c": "number"}},
    )  # fmt: skip
    assert Manifest.from_json(json.loads(json.dumps(own.to_json()))) == own
    assert own.to_json()["limits"] == {"base_speed_m_s": 0.5}


def test_whole_numbers_truth_values_lists_and_defaults_are_in_the_schema() -> None:
    robot = make_manifest("sprayer", [SPRAY], limits=Limits(base_speed_m_s=0.5))

    def sprayed(**arguments: object) -> list[str]:
        report = Report()
        data = {"goal": "g", "subtasks": [{"name": "n", "steps": [{"do": "spray", **arguments}]}]}
        validator(robot)(data, report)
        return [issue.code for issue in report.issues]

    assert sprayed(rows=[1, 2]) == sprayed(bursts=2, wide=True, rows=[9], speed_m_s=0.5) == []
    assert sprayed(bursts=1.5, rows=[1]) == sprayed(wide=1, rows=[1]) == sprayed(rows="1") == ["wrong-type"]
    assert sprayed(rows=[1, 2, 3, 4]) == sprayed(rows=[]) == ["wrong-count"]
    assert sprayed(rows=[10]) == sprayed(rows=[1], speed_m_s=0.51) == ["out-of-bounds"], "the body's limit bounds it too"
    assert SPRAY.filled({"rows": [1]}) == {"bursts": 1, "wide": False, "rows": [1]}


def test_decoding_can_write_whole_numbers_truth_values_and_lists() -> None:
    llguidance = pytest.importorskip("llguidance")
    tokenizer = llguidance.LLTokenizer("byte")
    schema = guided(policy_schema(make_manifest("sprayer", [SPRAY])))
    grammar = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema))
    for arguments, fits in (
        ('"bursts":2,"wide":true,"rows":[1,9]', True),
        ('"bursts":4,"rows":[1]', False),
        ('"rows":[1.5]', False),
    ):
        matcher = llguidance.LLMatcher(tokenizer, grammar)
        text = f'{{"goal":"g","subtasks":[{{"name":"n","steps":[{{"do":"spray",{arguments}}}]}}]}}'
        tokens = tokenizer.tokenize_str(text)
        assert (matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()) is fits, arguments


def test_a_robot_without_places_has_targets_by_reference_alone() -> None:
    bare = replace(SHELF, places={}, version="bare")
    assert faults(bare, {"do": "locate", "object": "cup", "as": "cup"}, {"do": "grasp", "target": "$cup"}) == []
