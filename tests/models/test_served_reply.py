"""JSON found in what a model wrote, and schemas as strict servers take them."""

import json
from typing import Any

import pytest

from vlp.models.served_reply import json_in, read_shape, shape_fields, strict
from vlp.policy.parse import parse_policy
from vlp.primitives.schema import guided, policy_schema
from vlp.sim.fake.robot import FakeRobot, fake_manifest

OBJECT: dict[str, Any] = {"anyOf": [{"type": "object", "properties": {}}]}
LIST: dict[str, Any] = {"anyOf": [{"type": "array"}, {"type": "array", "maxItems": 0}]}


def test_of_two_different_policies_none_is_chosen() -> None:
    """The longest won: "It would be wrong to do this: {unlock the door} So my answer is: {cannot}" unlocked the door."""
    schema = policy_schema(fake_manifest())
    wrong = '{"goal":"the door is open","subtasks":[{"name":"open","steps":[{"do":"go_to","place":"door"}]}]}'
    right = '{"goal":"nothing","cannot":"not allowed"}'
    text = f"It would be wrong to do this: {wrong} So my answer is: {right}"
    assert json_in(text, schema) == text
    assert parse_policy(json_in(text, schema), fake_manifest())[1].issues[0].code == "two-policies"
    assert json_in(f'As you know ({{"x": 1}}): {right} that is, {right}', schema) == right


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"goal":"x"}', '{"goal":"x"}'),
        (' {"goal": "x"}\n', ' {"goal": "x"}\n'),
        ('```json\n{"goal":"x"}\n```', '{"goal":"x"}'),
        ('At [1,2,3,4] I see {it}. So: {"goal":"x","subtasks":[]} Done {"a":1}!', '{"goal":"x","subtasks":[]}'),
        ("I will pick it up.", "I will pick it up."),
        ('{"goal":"x","subtasks":[', '{"goal":"x","subtasks":['),
        ('{"goal":"x","goal":"y"}', '{"goal":"x","goal":"y"}'),
    ],
)
def test_the_json_in_a_text_is_found_and_not_rewritten(text: str, found: str) -> None:
    """Against: a policy in a fence refused; a key twice is for the checks to see, so the text stays as it is."""
    assert json_in(text, OBJECT) == found


def test_the_kind_of_json_that_was_asked_for_is_taken() -> None:
    assert json_in('The {"box"} is [1, 2, 3, 4], not {"x":[9,9,9,9,9,9]}.', LIST) == "[1, 2, 3, 4]"


def test_hostile_text_is_looked_through_in_bounded_time() -> None:
    assert json_in("[" * 200_000, LIST) == "[" * 200_000
    assert json_in('{"a":' * 50_000, OBJECT).startswith('{"a":')


def test_a_policys_schema_becomes_one_that_strict_servers_take() -> None:
    """Against: OpenAI's strict mode refusing `anyOf` at the root, keys that may be left out, and `prefixItems`."""
    schema = guided(policy_schema(FakeRobot().describe()))
    asked = shape_fields("wrapped", schema)["response_format"]["json_schema"]["schema"]
    assert asked["type"] == "object" and list(asked["properties"]) == ["reply"]
    faults: list[str] = []

    def look(node: Any, path: str) -> None:
        for key in node:
            if key not in ("type", "properties", "required", "additionalProperties", "anyOf", "items", "enum", "description"):
                faults.append(f"{path}: {key}") if key not in ("minimum", "maximum", "minItems", "maxItems") else None
        if "properties" in node and (node["required"] != list(node["properties"]) or node["additionalProperties"] is not False):
            faults.append(f"{path}: required")
        if not {"type", "anyOf"} & set(node):
            faults.append(f"{path}: no type")
        for name, each in node.get("properties", {}).items():
            look(each, f"{path}/{name}")
        for each in [*node.get("anyOf", ()), *([node["items"]] if "items" in node else [])]:
            look(each, f"{path}/*")

    look(asked, "")
    assert not faults


def test_what_comes_out_of_the_wrapper_is_the_reply_without_its_nulls() -> None:
    text = json.dumps({"reply": {"goal": "x", "seen": None, "subtasks": []}})
    assert read_shape("wrapped", text, OBJECT) == '{"goal":"x","subtasks":[]}'
    assert read_shape("wrapped", '{"reply":[1,2,3,4]}', LIST) == "[1,2,3,4]"
    assert read_shape("wrapped", '{"goal":"x"}', OBJECT) == '{"goal":"x"}', "some servers take the schema and wrap nothing"


def test_definitions_stay_where_references_find_them() -> None:
    inside = {"type": "array", "items": {"$ref": "#/$defs/steps"}}
    schema = {"anyOf": [inside], "$defs": {"steps": {"const": "wait"}}}
    asked = shape_fields("wrapped", schema)["response_format"]["json_schema"]["schema"]
    assert asked["$defs"] == {"steps": {"enum": ["wait"], "type": "string"}}
    assert asked["properties"]["reply"]["anyOf"][0]["items"] == {"$ref": "#/$defs/steps"}


def test_a_long_list_of_numbers_becomes_its_bounds() -> None:
    assert strict({"enum": [i / 100 for i in range(50)]}) == {"type": "number", "minimum": 0.0, "maximum": 0.49}
