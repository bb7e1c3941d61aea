"""Boxes are found in what models really write, and nothing is made of what is no place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlp.prompt.marks import Mark, read_marks

TOWEL, CUP = Mark((10, 20, 110, 220), "striped towel"), Mark((300, 40, 360, 90), "cup")
WRITTEN = """```json
[
\t{"bbox_2d": [10, 20, 110, 220], "label": "striped towel"},
\t{"bbox_2d": [300, 40, 360, 90], "label": "cup"}
]
```"""


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        (WRITTEN, [TOWEL, CUP]),
        (WRITTEN.removeprefix("```json\n").removesuffix("\n```"), [TOWEL, CUP]),
        ("Here they are:\n" + WRITTEN + "\nThat is all.", [TOWEL, CUP]),
        (WRITTEN[:115], [TOWEL]),
        (WRITTEN.replace("[300, 40, 360, 90]", "[300, 40, 36"), [TOWEL]),
        ('{"bbox_2d": [10, 20, 110, 220], "label": "striped towel"}', [TOWEL]),
        ('{"objects": [{"label": "cup", "bbox": [300.0, 40.0, 360.0, 90.0]}]}', [CUP]),
        ('[{"point_2d": [5, 6], "label": "handle"}]', [Mark((5, 6, 5, 6), "handle")]),
        ('[{"bbox_2d": [1, 2, 3, 4]}]', [Mark((1, 2, 3, 4))]),
        ('[{"bbox_2d": [1, 2, 3, 4], "label": 7}]', [Mark((1, 2, 3, 4))]),
        ("[1,2,30,40]", [Mark((1, 2, 30, 40))]),
        ("[[1,2,30,40],[5,6]]", [Mark((1, 2, 30, 40)), Mark((5, 6, 5, 6))]),
        ('[{"bbox_2d": [1, 2, 3, 4], "label": "a"}, {"bbox_2d": [1, 2, 3, 4], "label": "a"}]', [Mark((1, 2, 3, 4), "a")]),
        ("[]", []),
        ("```json\n[]\n```", []),
        ("[30,2,1,40]", []),
        ("[1,2,3,1e999]", []),
        ("[NaN,2,3,4]", []),
        ('[{"bbox_2d": [5, 5, 5, 9], "label": "flat"}]', []),
    ],
)
def test_places_are_read_as_models_write_them(text: str, marks: list[Mark]) -> None:
    assert read_marks(text) == marks


@pytest.mark.parametrize(
    "text",
    ["", "no", "{}", "[1,2,3]", "[10,20", '["a",1,2,3]', "[1,2,3,true]", "[" * 30_000, "the cube", '{"bbox_2d": "here"}'],
)
def test_what_says_nothing_about_places_is_told_from_an_empty_list(text: str) -> None:
    assert read_marks(text) is None


@given(st.text(max_size=300) | st.text('[]{}",:0123456789bbox_2dlae \n', max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    found = read_marks(text)
    assert found is None or all(abs(n) <= 1e5 for mark in found for n in mark.box)


def test_ten_thousand_brackets_are_read_in_no_time() -> None:
    assert read_marks("{" * 10_000) is None
    assert len(read_marks(json.dumps([{"bbox_2d": [1, 2, 3 + i, 4]} for i in range(5000)])) or ()) == 128
