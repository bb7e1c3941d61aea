import csv
import json
from pathlib import Path

import kit
import pytest
from PIL import Image

from vlp.core.errors import UsageError
from vlp.data.import_folder import BadRows, import_folder
from vlp.data.lint import lint
from vlp.data.store import Store

GOOD = json.dumps(kit.put_policy("red cube", "green bowl"))


@pytest.fixture
def lab(tmp_path) -> Path:
    folder = tmp_path / "lab"
    folder.mkdir()
    for i in range(4):
        Image.fromarray(kit.picture(i)).save(folder / f"{i}.jpg")
    (folder / "p.json").write_text(GOOD)
    return folder


def table(folder: Path, rows: list[dict], kind: str = "csv") -> None:
    if kind == "jsonl":
        (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return
    with (folder / "samples.csv").open("w", newline="") as file:
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def row(**changes) -> dict:
    return {"image": "0.jpg", "instruction": "put the red cube in the green bowl", "policy": GOOD, **changes}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_every_row_becomes_a_sample(lab, tmp_path, kind):
    rows = [
        row(),
        row(image="1.jpg", instruction="no, the bowl", before="put it away", at="table", split="test", policy="p.json"),
        row(image="2.jpg", instruction="fly", policy='{"goal":"flying","cannot":"there are no wings"}', family="silly"),
    ]
    table(lab, rows, kind)
    assert import_folder(tmp_path / "s", lab, kit.manifest()) == 3
    samples = list(Store(tmp_path / "s"))
    assert [s.family for s in samples] == ["plan", "plan", "silly"]
    assert samples[1].memory.instructions == ("put it away", "no, the bowl")
    assert (samples[1].state.at, samples[1].split) == ("table", "test")
    assert lint(tmp_path / "s").ok
    assert import_folder(tmp_path / "s", lab, kit.manifest()) == 0, "the same rows are not imported twice"


FAULTS = {
    "no image": (row(image="9.jpg"), "no file '9.jpg'"),
    "outside": (row(image="../../etc/passwd"), "outside the folder"),
    "absolute": (row(image="/etc/passwd"), "outside the folder"),
    "no picture": (row(image="p.json"), "not an image"),
    "policy outside": (row(policy="../secret.json"), "outside the folder"),
    "no JSON": (row(policy='{"goal":'), "not JSON"),
    "primitive": (row(policy=GOOD.replace('"grasp"', '"grab"')), "unknown primitive 'grab'"),
    "hand": (row(holding="red can"), "needs 'hand empty'"),
    "instruction": (row(instruction="a\x07b"), "control character"),
    "empty": (row(instruction=""), "instruction is empty"),
    "split": (row(split="dev"), "unknown split 'dev'"),
    "place": (row(at="tabel"), "at: the robot has no place 'tabel'. Did you mean 'table'? Known: bin, start, table."),
    "column": (row(colour="red"), "unknown column 'colour'"),
}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_by_its_row_and_nothing_is_imported(lab, tmp_path, fault, kind):
    bad, message = FAULTS[fault]
    table(lab, [row(), bad, row(image="1.jpg")], kind)
    number = 3 if kind == "csv" else 2
    with pytest.raises(BadRows) as error:
        import_folder(tmp_path / "s", lab, kit.manifest())
    named = [text for text in error.value.faults if text.startswith(f"row {number}: ")]
    assert named and message in named[0]
    assert not (tmp_path / "s").exists()


def test_a_link_out_of_the_folder_is_not_followed(lab, tmp_path):
    Image.fromarray(kit.picture(0)).save(tmp_path / "outside.png")
    (lab / "link.png").symlink_to(tmp_path / "outside.png")
    table(lab, [row(image="link.png")])
    with pytest.raises(BadRows, match="outside the folder"):
        import_folder(tmp_path / "s", lab, kit.manifest())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,words\n", "no column 'instruction'"),
        ("image,instruction,policy\na,b,c,d\n", "more cells"),
        ('image,instruction,policy\n"a', "not a row of a CSV file"),
    ],
)
def test_tables_that_are_none_are_refused(lab, tmp_path, text, message):
    (lab / "samples.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        import_folder(tmp_path / "s", lab, kit.manifest())


HEADS = {
    "semicolons": ("image;instruction;policy", r"Found: image;instruction;policy; needed: .* Separate cells by commas\.$"),
    "tabs": ("image\tinstruction\tpolicy", r"Found: image\tinstruction\tpolicy; needed: .* Separate cells by commas\.$"),
    "a near name": ("images,instruction,policy", r"needed: image, instruction, policy\. Rename 'images' if that is it\.$"),
    "known ones": ("image,policy", r"no column 'instruction'\. Found: image, policy; .* Add it to the first line\.$"),
    "nothing": ("", r"no column 'image'\. Found: nothing; needed: image, instruction, policy"),
}


@pytest.mark.parametrize("case", HEADS)
def test_a_head_without_a_column_is_told_what_was_found_and_what_is_needed(lab, tmp_path, case):
    """Against: a table with semicolons "has no column 'image'. Known: image;instruction;policy"."""
    head, message = HEADS[case]
    (lab / "samples.csv").write_text(head + "\n")
    with pytest.raises(UsageError, match=message):
        import_folder(tmp_path / "s", lab, kit.manifest())


@pytest.mark.parametrize(("name", "text"), [("samples.csv", "image,instruction,policy\n"), ("samples.jsonl", "\n")])
def test_a_table_without_rows_is_refused(lab, tmp_path, name, text):
    """Against: "0 new samples" with exit status 0."""
    (lab / name).write_text(text)
    with pytest.raises(UsageError, match=f"{name} has no rows"):
        import_folder(tmp_path / "s", lab, kit.manifest())
    assert not (tmp_path / "s").exists()


def test_a_folder_without_a_table_is_refused(lab, tmp_path):
    with pytest.raises(UsageError, match=r"neither samples\.csv nor samples\.jsonl"):
        import_folder(tmp_path / "s", lab, kit.manifest())
