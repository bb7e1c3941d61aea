"""The standard primitives are what manifest, schema and documentation are made of."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from vlp.core.errors import UsageError
from vlp.primitives.describe import describe_primitives
from vlp.primitives.manifest import Argument, Limits, Manifest
from vlp.primitives.schema import ARGUMENT_TYPES
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.sim.worlds.tabletop.places import PLACES

LIMITS = Limits((0.2, -1.2, 0.0), (1.0, 0.6, 1.3), 0.3, 0.5, 20.0, 0.13, 1.2)


def test_every_argument_has_a_type_the_schema_knows_and_numbers_have_bounds_and_units() -> None:
    for primitive in STANDARD.values():
        for argument in primitive.arguments:
            assert argument.type in ARGUMENT_TYPES
            if argument.type == "number":
                assert argument.minimum is not None and argument.maximum is not None
                assert argument.name.endswith(("_m", "_rad", "_s"))
        assert primitive.timeout_s > 0 and primitive.doc.endswith(".")


def test_what_touches_things_ends_before_it_is_interrupted_and_perceptions_need_nothing() -> None:
    assert {p.name for p in STANDARD.values() if not p.interruptible} == {"grasp", "place", "release", "push"}
    assert all(not p.needs and not p.makes for p in STANDARD.values() if p.kind == "perception")


def test_a_robot_with_every_standard_perception_looks_by_itself_and_no_other() -> None:
    perceptions = [name for name, primitive in STANDARD.items() if primitive.kind == "perception"]
    assert make_manifest("r", perceptions).looks
    assert not any(make_manifest("r", [p for p in perceptions if p != left_out]).looks for left_out in perceptions)


def test_a_manifest_selects_by_name_in_the_order_given_and_survives_json() -> None:
    manifest = make_manifest("r", ("locate", "grasp"), PLACES, LIMITS, cameras={"head": {"width": 640}})
    assert list(manifest.primitives) == ["locate", "grasp"]
    assert Manifest.from_json(json.loads(json.dumps(manifest.to_json()))) == manifest


def test_the_version_changes_with_anything_else_in_the_manifest() -> None:
    one = make_manifest("r", ("locate", "grasp"), PLACES, LIMITS)
    others = [
        make_manifest("r", ("locate",), PLACES, LIMITS),
        make_manifest("r", ("locate", "grasp"), PLACES[:2], LIMITS),
        make_manifest("r", ("locate", "grasp"), PLACES, replace(LIMITS, payload_kg=1.0)),
        make_manifest("s", ("locate", "grasp"), PLACES, LIMITS),
    ]
    assert one.version == make_manifest("r", ("locate", "grasp"), PLACES, LIMITS).version
    assert len({m.version for m in (one, *others)}) == 5


def test_an_unknown_primitive_is_refused_with_the_closest_match() -> None:
    with pytest.raises(UsageError, match=r"unknown primitive 'grsp'.*Did you mean 'grasp'"):
        make_manifest("r", ("grsp",), PLACES, LIMITS)


def test_the_documentation_holds_the_tables_of_these_declarations() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "primitives.md").read_text()
    assert describe_primitives(STANDARD.values()) in text, (
        "docs/reference/primitives.md is out of step: run tools/write_reference.py"
    )


def test_the_tables_have_a_row_for_every_primitive_and_argument() -> None:
    text = describe_primitives(STANDARD.values())
    for primitive in STANDARD.values():
        assert f"| `{primitive.name}` | {primitive.kind} |" in text
        for argument in (*primitive.arguments, *([Argument("as", "", "")] if primitive.result else [])):
            assert f"| `{primitive.name}` | `{argument.name}` |" in text
