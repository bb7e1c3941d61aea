"""Tables as spreadsheets, pandas, other systems and models write them: read, or row, column and remedy are named."""

import csv
import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import kit
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from vlp.core.errors import UsageError, VlpError
from vlp.data.import_folder import BadRows, import_folder
from vlp.data.store import Store

ALL_CHECKS: list[HealthCheck] = list(HealthCheck)  # type: ignore[assignment]  # its metaclass has no types

POLICY = kit.put_policy("red cube", "green bowl")
TEXT = json.dumps(POLICY)
SAID = "put the red cube in the green bowl"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.png", unicodedata.normalize("NFC", "caf\u00e9 \u97e9.png")):
        Image.fromarray(kit.picture(len(name))).save(folder / name)
    return folder


def csv_text(rows: list[dict[str, Any]], **options: Any) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)), **options)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def row(**changes: Any) -> dict[str, Any]:
    return {"image": "a.png", "instruction": SAID, "policy": TEXT, **changes}


def imported(lab: Path, data: bytes | str, kind: str = "csv") -> list[Any]:
    (lab / f"samples.{kind}").write_bytes(data.encode() if isinstance(data, str) else data)
    import_folder(lab.parent / "s", lab, kit.manifest())
    return list(Store(lab.parent / "s"))


def refused(lab: Path, data: bytes | str, kind: str = "csv") -> str:
    with pytest.raises(UsageError) as error:
        imported(lab, data, kind)
    assert not (lab.parent / "s").exists()
    assert "\n" not in str(error.value)
    return str(error.value)


PLAIN = csv_text([row()])
READ: dict[str, bytes | str] = {
    "a byte order mark": PLAIN.encode("utf-8-sig"),
    "UTF-16, little end first": b"\xff\xfe" + PLAIN.encode("utf-16-le"),
    "UTF-16, big end first": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "UTF-32": PLAIN.encode("utf-32"),
    "line ends of old Macs": csv_text([row()], lineterminator="\r"),
    "every cell quoted": csv_text([row()], quoting=csv.QUOTE_ALL),
    "an empty row at the end": PLAIN + ",,\r\n\r\n",
    "a mark inside the cell": csv_text([row(policy="\ufeff" + TEXT)]),
    "a pretty policy": csv_text([row(policy=json.dumps(POLICY, indent=2))]),
}


@pytest.mark.parametrize("case", READ)
def test_tables_that_differ_in_writing_alone_are_read(lab: Path, case: str) -> None:
    [sample] = imported(lab, READ[case])
    assert (sample.policy, sample.instruction) == (POLICY, SAID)


LINES: dict[str, dict[str, Any]] = {
    "null": row(at=None, holding=None, before=None, split=None, family=None),
    "NaN": row(at=float("nan"), before=float("nan")),
    "an object": row(policy=POLICY),
    "text": row(policy=TEXT),
}


@pytest.mark.parametrize("case", LINES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_null_is_an_empty_cell(lab: Path, case: str, end: str) -> None:
    """Against: "at: found NoneType; expected text" for what pandas writes of an empty cell."""
    [sample] = imported(lab, json.dumps(LINES[case]) + end, "jsonl")
    assert (sample.state.at, sample.split, sample.memory.instructions) == ("", "train", (SAID,))


ACCENTED = "caf\u00e9 \u97e9.png"


@pytest.mark.parametrize(
    "spelled",
    [
        unicodedata.normalize("NFC", ACCENTED),
        unicodedata.normalize("NFD", ACCENTED),
        "sub\\b.png",
        "sub/b.png",
        "./a.png",
        "sub/../a.png",
    ],
)
def test_a_file_is_found_however_a_system_spells_its_name(lab: Path, spelled: str) -> None:
    """Against: a name with an accent from a Mac "is not there", and looks the same as the one that is."""
    assert len(imported(lab, csv_text([row(image=spelled)]))) == 1


CELLS: dict[str, tuple[str, str]] = {
    "fence": (f"```json\n{TEXT}\n```", "a Markdown fence"),
    "fence of tildes": (f"~~~\n{TEXT}\n~~~", "a Markdown fence"),
    "encoded twice": (json.dumps(TEXT), "encoded twice"),
    "encoded three times": (json.dumps(json.dumps(TEXT)), "encoded twice"),
    "list": (json.dumps([POLICY]), "it is a list"),
    "empty list": ("[]", "it is a list"),
    "backslashes": (TEXT.replace('"', '\\"'), "a backslash stands before its quotes"),
    "Python's dict": (str(POLICY), "in single quotes, as Python prints a dict"),
    "in single quotes": (f"'{TEXT}'", "it stands in single quotes"),
    "smart quotes": (TEXT.replace('"', "“"), "typographic"),
    "German quotes": (TEXT.replace('"', "„"), "typographic"),
    "HTML": (TEXT.replace('"', "&quot;"), "written as in HTML"),
    "template": ("{{ policy }}", "a template"),
    "null in words": ("null", "found 'null'"),
    "nan in words": ("nan", "found 'nan'"),
    "number": ("4.5", "a single value"),
    "prose": (f"Here is the policy: {TEXT}", "no JSON object and no file"),
    "a key twice": (TEXT.replace('{"goal"', '{"goal": "x", "goal"'), "the key 'goal' appears twice"),
    "two objects": (TEXT + TEXT, "more than one policy"),
    "a comma too many": (TEXT[:-1] + ",}", "not JSON"),
    "a comment": ("{// first\n" + TEXT[1:], "not JSON"),
    "NaN inside": (TEXT.replace("0.1", "NaN"), "NaN is not a number"),
    "cut off": (TEXT[:60], "not JSON"),
    "a picture": ("a.png", "zero bytes"),
    "a folder": ("sub", "no JSON object and no file"),
}


@pytest.mark.parametrize("case", CELLS)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_cell_that_is_no_policy_is_told_what_it_is(lab: Path, case: str, kind: str) -> None:
    """Against: "no file '```json ..." for a policy in a fence, in JSON inside JSON, or in a list."""
    cell, word = CELLS[case]
    data = csv_text([row(), row(policy=cell)]) if kind == "csv" else f"{json.dumps(row())}\n{json.dumps(row(policy=cell))}\n"
    said = refused(lab, data, kind)
    assert f"row {3 if kind == 'csv' else 2}: policy: " in said and word in said


@pytest.mark.parametrize("case", [case for case in CELLS if "a picture" not in case and "in words" not in case])
def test_a_file_that_holds_no_policy_is_told_what_it_holds(lab: Path, case: str) -> None:
    cell, word = CELLS[case]
    (lab / "p.json").write_text(cell)
    said = refused(lab, csv_text([row(policy="p.json")]))
    assert "row 2: policy: " in said and any(w in said for w in (word, "no JSON object", "not JSON"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_a_file_of_a_policy_is_read_in_every_unicode_encoding(lab: Path, encoding: str) -> None:
    (lab / "p.json").write_bytes(TEXT.encode(encoding))
    assert imported(lab, csv_text([row(policy="p.json")]))[0].policy == POLICY


def line(text: str) -> str:
    return json.dumps(row()) + "\n" + text + "\n"


DUPLICATES = {
    "in the row": line(json.dumps(row())[:-1] + ', "image": "b.png"}'),
    "in the policy": line(json.dumps(row(policy={"goal": 1})).replace('"goal": 1', '"goal": "a", "goal": "b"')),
    "in a subtask": line(json.dumps(row(policy=POLICY)).replace('{"name"', '{"name": "x", "name"', 1)),
    "in a step": line(json.dumps(row(policy=POLICY)).replace('"height_m"', '"height_m": 9, "height_m"')),
    "written in escapes": line(json.dumps(row(policy=POLICY)).replace('{"goal"', '{"go\\u0061l": "x", "goal"')),
    "alike, twice": line(json.dumps(row(policy=POLICY)).replace('"do": "grasp"', '"do": "grasp", "do": "grasp"')),
}


@pytest.mark.parametrize("case", DUPLICATES)
def test_a_key_twice_is_refused_at_any_depth(lab: Path, case: str) -> None:
    """Against: the first of two goals was lost without a word, in JSON lines alone."""
    said = refused(lab, DUPLICATES[case], "jsonl")
    assert "row 2: the key '" in said and "appears twice" in said


TABLES: dict[str, tuple[str, bytes | str, str]] = {
    "an index": ("csv", csv_text([{"": 0, **row()}]), "column 1 has no name"),
    "an index in the middle": ("csv", csv_text([{"image": "a.png", "": 0, **row()}]), "column 2 has no name"),
    "an index, named": ("csv", csv_text([{"Unnamed: 0": 0, **row()}]), "index=False"),
    "a column twice": ("csv", f"policy,{PLAIN.replace(chr(10), chr(10) + 'x,', 1)}", "two columns 'policy'"),
    "Excel's first line": ("csv", "sep=,\r\n" + PLAIN, "Delete the first line"),
    "Excel's semicolons": ("csv", csv_text([row()], delimiter=";"), "Separate cells by commas"),
    "tabs": ("csv", csv_text([row()], delimiter="\t"), "Separate cells by commas"),
    "Latin-1": ("csv", csv_text([row(instruction="pose le caf\u00e9")]).encode("latin-1"), "row 2: instruction: found"),
    "Latin-1 in a policy": ("csv", csv_text([row(policy=TEXT.replace("red", "r\u00e9d"))]).encode("latin-1"), "policy: found"),
    "Latin-1 in lines": ("jsonl", json.dumps(row(family="caf\u00e9"), ensure_ascii=False).encode("latin-1"), "family: found"),
    "half a character": ("jsonl", json.dumps(row(holding="\ud83d")), "holding: found"),
    "UTF-16 without its mark": ("csv", PLAIN.encode("utf-16-le"), "UTF-16 without its mark"),
    "UTF-16, cut off": ("csv", b"\xff\xfe" + PLAIN.encode("utf-16-le")[:-1], "begins with the mark of UTF-16"),
    "a workbook": ("csv", b"PK\x03\x04" + bytes(100), "a workbook"),
    "an old workbook": ("csv", b"\xd0\xcf\x11\xe0" + bytes(100), "an old Excel workbook"),
    "compressed": ("csv", b"\x1f\x8b\x08" + bytes(100), "compressed"),
    "a pointer": ("csv", "version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "one list": ("jsonl", json.dumps([row(), row()], indent=1), "one JSON list; expected one object on each line"),
    "a pretty object": ("jsonl", json.dumps(row(), indent=1), "one JSON object on each line"),
    "backslash quotes": ("csv", f'image,instruction,policy\na.png,{SAID},"{TEXT}"\n'.replace(TEXT, TEXT.replace('"', '\\"')),
                         "row 2: policy: a backslash stands before its quotes"),
    "bare quotes": ("csv", f'image,instruction,policy\na.png,{SAID},"{TEXT}"\n', "row 2: "),
    "cells without quotes": ("csv", f"image,instruction,policy\na.png,{SAID},{TEXT}\n", "row 2: more cells"),
    "too few cells": ("csv", "image,instruction,policy\na.png,go\n", "row 2: policy is empty"),
    "a number": ("jsonl", json.dumps(row(instruction=7)), "instruction: found a number; expected text"),
    "a list": ("jsonl", json.dumps(row(policy=[POLICY])), "policy: found a list; expected one JSON object"),
    "nan for a hand": ("csv", csv_text([row(holding="nan")]), "holding: found 'nan'"),
    "none for a place": ("csv", csv_text([row(at="None")]), "at: found 'None'"),
    "another case": ("csv", csv_text([row(image="A.PNG")]), "Did you mean 'a.png'?"),
    "a path of Windows": ("csv", csv_text([row(image="C:\\lab\\a.png")]), "Did you mean 'a.png'?"),
    "a share of Windows": ("csv", csv_text([row(image="\\\\lab\\a.png")]), "outside the folder"),
    "up, as Windows writes it": ("csv", csv_text([row(image="..\\x.png")]), "outside the folder"),
    "a folder": ("csv", csv_text([row(image="sub")]), "is a folder"),
    "a long name": ("csv", csv_text([row(image="a" * 5000)]), "is no file name"),
    "a blank line before": ("csv", PLAIN + "\r\n" + PLAIN.partition("\n")[2].replace("a.png", "9.png"), "row 4: image: no"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_what_is_wrong_with_a_table_is_named_with_its_remedy(lab: Path, case: str) -> None:
    kind, data, words = TABLES[case]
    assert words in refused(lab, data, kind)


def test_a_table_of_another_name_is_pointed_out(lab: Path) -> None:
    (lab / "Samples.xlsx").touch()
    with pytest.raises(UsageError, match=r"Is it 'Samples\.xlsx'\?"):
        import_folder(lab.parent / "s", lab, kit.manifest())


@pytest.mark.parametrize("name", ["gone", "a" * 5000, "nul\0"])
def test_a_folder_that_is_none_is_told(lab: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no folder at"):
        import_folder(lab.parent / "s", lab / name, kit.manifest())


SEEDS = [
    ("csv", csv_text([row(), row(image="sub/b.png", at="table", split="test")]).encode()),
    ("csv", PLAIN.encode("utf-16")),
    ("jsonl", f"{json.dumps(row())}\n{json.dumps(row(policy=POLICY, before='go', at=None))}\n".encode()),
]
PIECES = [b'"', b"\\", b"{", b"}", b"[", b",", b"\n", b"\r", b"\0", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"null", b"NaN",
          b"1e999", b"'", b"```", b"../", b"\xef\xbb\xbf", b"[" * 2000, b'{"a":' * 300, b"9" * 5000]  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=ALL_CHECKS)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from(PIECES) | st.binary(max_size=3), st.integers(0, 6)), min_size=1, max_size=3
    ),
)  # fmt: skip
def test_damaged_tables_are_imported_or_refused(
    lab: Path, seed: tuple[str, bytes], changes: list[tuple[float, bytes, int]]
) -> None:
    kind, data = seed
    for place, put, left_out in changes:
        at = int(place * len(data))
        data = data[:at] + put + data[at + left_out :]
    for name in ("csv", "jsonl"):
        (lab / f"samples.{name}").unlink(missing_ok=True)
    try:
        imported(lab, data, kind)
    except BadRows as error:
        assert all(fault.startswith("row ") for fault in error.faults)
    except VlpError as error:
        assert error.message
