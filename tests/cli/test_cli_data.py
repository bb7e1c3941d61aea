"""`vlp data ...` on a small made-up set: what it prints, what it leaves, and its exit status."""

import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
import kit
from test_from_runs import write_run

from vlp.data.store import Store


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    kit.write(tmp_path / "samples", 10)
    return tmp_path / "samples"


def damage(samples: Path) -> str:
    """Cut an image off, and return the id of the sample that shows it."""
    sample = next(iter(Store(samples)))
    image = samples / "images" / f"{sample.images[0]}.png"
    image.write_bytes(image.read_bytes()[:100])
    return sample.id


def test_a_clean_set_passes_and_a_damaged_one_is_named(vlp, samples):
    skip = ("--skip", "balance", "duplicates", "leakage")
    said = vlp("data", "lint", samples, *skip)
    assert said.status == 0 and "10 samples, 0 faults." in said.out
    name = damage(samples)
    said = vlp("data", "lint", samples, *skip)
    assert said.status == 1 and name in said.out and "1 truncated-image" in said.out
    report = json.loads(vlp("data", "lint", samples, *skip, "--json").out)
    assert not report["ok"] and report["counts"] == {"truncated-image": 1} and report["faults"][0]["sample"] == name
    assert vlp("data", "lint", samples, *skip, "images").status == 0


def test_a_check_that_there_is_not_is_named_with_the_closest(vlp, samples):
    said = vlp("data", "lint", samples, "--skip", "leekage")
    assert said.status == 2 and "Did you mean 'leakage'" in said.err


def test_a_set_changed_by_hand_is_found_and_can_be_sealed(vlp, samples):
    skip = ("--skip", "balance", "duplicates", "leakage")
    lines = (samples / "samples.jsonl").read_text().splitlines()
    (samples / "samples.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    assert "not-sealed" in vlp("data", "lint", samples, *skip).out
    assert "9 samples sealed" in vlp("data", "seal", samples).out
    assert vlp("data", "lint", samples, *skip).status == 0


def test_sets_are_merged_once(vlp, samples, tmp_path):
    kit.write(tmp_path / "more", 12)
    assert "12 new samples" in vlp("data", "merge", samples, tmp_path / "more", "--out", tmp_path / "both").out
    assert "0 new samples" in vlp("data", "merge", samples, "--out", tmp_path / "both").out
    assert vlp("data", "merge", "--out", tmp_path / "none").status == 2


def test_counts_and_a_page(vlp, samples, tmp_path):
    assert json.loads(vlp("data", "stats", samples, "--json").out)["counts"]["split"]["train"] == 6
    assert "10 samples" in vlp("data", "stats", samples).out
    assert "5 samples in page.html" in vlp("data", "view", samples, "--out", "page.html", "--n", 5).out
    assert (tmp_path / "page.html").stat().st_size > 1000


def test_a_page_shows_faults_where_they_are_asked_for(vlp, samples, tmp_path):
    """Against: faults that the page can show, and no word on the command line for them."""
    name = damage(samples)
    assert "1 sample in samples.html" in vlp("data", "view", samples, "--n", 1, "--lint").out
    page = (tmp_path / "samples.html").read_text()
    assert f'id="{name}"' in page and re.search('<p class="fault">[^<]*cut off', page), re.findall('"fault">[^<]*', page)


@pytest.mark.parametrize("word", ["lint", "stats", "view", "seal"])
def test_a_folder_without_samples_is_one_line(vlp, tmp_path, word):
    said = vlp("data", word, tmp_path / "none")
    assert said.status == 2 and "Traceback" not in said.err and said.err.count("\n") <= 2


def test_a_lab_s_table_and_a_lerobot_dataset_are_told_apart(vlp, samples, tmp_path):
    manifest = samples / "manifest.json"
    lab = tmp_path / "lab"
    lab.mkdir()
    sample = next(iter(Store(samples)))
    (lab / "a.png").write_bytes((samples / "images" / f"{sample.images[0]}.png").read_bytes())
    row = {"image": "a.png", "instruction": sample.instruction, "policy": json.dumps(sample.policy)}
    (lab / "samples.jsonl").write_text(json.dumps(row) + "\n")
    robot = tmp_path / "robot.json"
    robot.write_text(json.dumps(kit.manifest().to_json()))
    said = vlp("data", "import", lab, "--out", tmp_path / "in", "--robot", robot)
    assert said.status == 0 and "1 new sample" in said.out, (said, manifest)
    (lab / "samples.jsonl").write_text(json.dumps({**row, "image": "../b.png"}) + "\n")
    said = vlp("data", "import", lab, "--out", tmp_path / "in2", "--robot", robot)
    assert said.status == 2 and "row 1" in said.err and not (tmp_path / "in2").exists()
    (lab / "meta").mkdir()
    (lab / "meta" / "info.json").write_text("{}")
    said = vlp("data", "import", lab, "--out", tmp_path / "in3", "--robot", robot)
    assert said.status == 2 and "Traceback" not in said.err


def test_collecting_counts_the_folder_the_split_and_what_is_new(vlp):
    """Against: a folder of 12 samples "2 samples, 2 of them new"."""
    words = ("data", "collect", "--workers", 1)
    assert "samples: 1 in the folder, 1 of train, 1 of them new." in vlp(*words, "--n", 1).out
    assert "samples: 3 in the folder, 2 of validation, 2 of them new." in vlp(*words, "--n", 2, "--split", "validation").out
    assert "samples: 3 in the folder, 1 of train, 0 of them new." in vlp(*words, "--n", 1, "--resume").out


def test_runs_say_which_splits_their_samples_are_of(vlp, tmp_path):
    """Against: journals of test seeds became samples of test, and only training said, with "0 samples"."""
    write_run(tmp_path / "r1", seed=20_000_007)
    write_run(tmp_path / "r2", seed=7, trigger="step-failed")
    robot = tmp_path / "robot.json"
    robot.write_text(json.dumps(kit.manifest().to_json()))
    said = vlp("data", "from-runs", tmp_path / "r1", tmp_path / "r2", "--robot", robot)
    assert "3 new samples, 1 set aside in samples/aside; 2 of train, 2 of test." in said.out, said


def test_runs_that_are_none_are_passed_over(vlp, tmp_path):
    assert vlp("data", "from-runs").status == 2
    (tmp_path / "empty").mkdir()
    said = vlp("data", "from-runs", tmp_path / "empty")
    assert said.status in (1, 2) and "Traceback" not in said.err


def test_the_camera_is_chosen_printed_and_only_for_a_lerobot_dataset(vlp, samples, tmp_path):
    """Against: of several cameras the first by alphabet was taken without a word."""
    pytest.importorskip("pyarrow")
    assert vlp("data", "export", samples, "--out", tmp_path / "l").status == 0
    said = vlp("data", "import", tmp_path / "l", "--out", tmp_path / "s", "--camera", "head")
    assert said.status == 0 and "camera observation.images.head.\n" in said.out and "10 new samples" in said.out
    vlp("data", "import", tmp_path / "l", "--camera", "wrist").refused(2, "no camera 'wrist'", "Known: head")
    (tmp_path / "lab").mkdir()
    vlp("data", "import", tmp_path / "lab", "--camera", "head").refused(2, "is for a LeRobot dataset")
