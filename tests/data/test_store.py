import json
import os
import subprocess
import sys
from dataclasses import replace

import kit
import numpy as np
import pytest

from vlp.core.errors import MissingComponent, UsageError
from vlp.data.hf import to_hf
from vlp.data.sample import Sample, make_sample
from vlp.data.store import Store, StoreWriter
from vlp.prompt.render import Memory, StepRecord, plan_messages


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("samples")
    kit.write(where, 10)
    return where


def test_what_was_written_is_read(folder):
    store = Store(folder)
    assert [s.id for s in store] == [kit.example(i, s.images[0], s.split).id for i, s in enumerate(store)]
    first = next(store.samples())
    assert np.array_equal(store.image(first), kit.picture(0))
    assert {s.split for s in store.samples("test")} == {"test"}
    assert len(store) == 10
    assert store.manifest("hsr") == kit.manifest()


def test_json_round_trip_keeps_everything():
    steps = (StepRecord("grasp", {"target": "$red_cube"}, "failed", "it slipped", code="slipped"),)
    memory = Memory(
        ("put it away", "no, the mug"), steps, gone=("red cube",), failures=("it slipped",), trigger="new", lessons=("x",)
    )
    plain = kit.example(3, "a" * 64)
    state = replace(plain.state, own={"battery_percent": 80}, facts={"open lab door": False})
    sample = make_sample("x", ["a" * 64], "no, the mug", "hsr", state, memory, plain.policy, {"kind": "run"}, "test")
    assert Sample.from_json(json.loads(json.dumps(sample.to_json()))) == sample
    assert list(sample.to_json()["policy"]) == ["goal", "subtasks"]


def test_the_prompt_is_that_of_run_time():
    sample, rgb = kit.example(1, "a" * 64), kit.picture(1)
    asked = plan_messages(rgb, sample.instruction, sample.state, sample.memory, kit.manifest(), "brief")
    assert [m.text for m in sample.messages(rgb, kit.manifest(), "brief")] == [m.text for m in asked]


@pytest.mark.parametrize(
    ("change", "path", "found"),
    [
        ({"version": 2}, "/version", "2"),
        ({"images": ["../../etc/passwd"]}, "/images/0", "etc/passwd"),
        ({"images": []}, "/images", "list of 0"),
        ({"split": "dev"}, "/split", "'dev'"),
        ({"state": {"at": 3}}, "/state/at", "3"),
        ({"instruction": "a\nb"}, "/instruction", "control character"),
        ({"memory": {"instructions": ["other"]}}, "/memory", "last of its instructions"),
        ({"source": {}}, "/source", "kind"),
        ({"id": "A B"}, "/id", "'A B'"),
        ({"surprise": 1}, "/surprise", "unknown key"),
        ({"policy": "x"}, "/policy", "'x'"),
    ],
)
def test_faults_are_told_by_path_and_finding(change, path, found):
    with pytest.raises(UsageError) as error:
        Sample.from_json({**kit.example(0, "a" * 64).to_json(), **change})
    assert str(error.value).startswith(path + ":")
    assert found in str(error.value)


@pytest.mark.parametrize("text", ["{", "[]", "null", "1e999", '{"id":NaN}', "[" * 100_000, b"\xff\xfe", "{" * 500])
def test_text_that_is_no_sample_is_refused(text):
    with pytest.raises(UsageError):
        Sample.from_json(text)


def test_the_id_follows_from_the_question_and_not_from_the_answer():
    sample = kit.example(0, "a" * 64)
    assert sample.id.endswith(sample.digest)
    assert replace(sample, policy={"goal": "x", "subtasks": []}).digest == sample.digest
    assert replace(sample, images=("b" * 64,)).digest != sample.digest
    assert replace(sample, state=replace(sample.state, holding="red cube")).digest != sample.digest


def test_a_torn_line_is_passed_over_and_then_cut_off(tmp_path):
    # Guards against a process killed in the middle of a write: its half line made the whole folder unreadable.
    samples = kit.write(tmp_path, 4)
    with (tmp_path / "samples.jsonl").open("ab") as file:
        file.write(b'{"id":"half-of-a-li')
    assert [s.id for s in Store(tmp_path)] == [s.id for s in samples]
    with StoreWriter(tmp_path, {"hsr": kit.manifest()}) as writer:
        writer.add(kit.example(9, writer.add_image(kit.picture(9))))
    assert len(list(Store(tmp_path))) == 5


def test_a_killed_writer_leaves_only_whole_samples(tmp_path):
    code = f"""
import sys, os, signal; sys.path.insert(0, {str(os.path.dirname(__file__))!r})
import kit
from vlp.data.store import StoreWriter
writer = StoreWriter({str(tmp_path)!r}, {{"hsr": kit.manifest()}})
for i in range(1000):
    writer.add(kit.example(i, writer.add_image(kit.picture(i))))
    if i == 7: os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert done.returncode == -9
    store = Store(tmp_path)
    assert len(list(store)) == 8
    assert all(store.image(s).shape == (72, 96, 3) for s in store)
    with StoreWriter(tmp_path) as writer:
        assert len(writer.ids) == 8
    assert Store(tmp_path).sealed["counts"] == {"samples": 8, "train": 8}


def test_the_same_sample_is_written_once(tmp_path):
    samples = kit.write(tmp_path, 3)
    with StoreWriter(tmp_path) as writer:
        assert not writer.add(samples[0])
    assert len(list(Store(tmp_path))) == 3


def test_one_writer_at_a_time(tmp_path):
    with (
        StoreWriter(tmp_path, {"hsr": kit.manifest()}),
        pytest.raises(UsageError, match="another process"),
    ):
        StoreWriter(tmp_path)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    kit.write(tmp_path, 2)
    before = (tmp_path / "samples.jsonl").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    with StoreWriter(tmp_path) as writer:
        image = writer.add_image(kit.picture(5))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(MissingComponent, match="No space left"):
                writer.add(kit.example(5, image))
        assert (tmp_path / "samples.jsonl").read_bytes() == before
        assert writer.add(kit.example(5, image))
    assert len(list(Store(tmp_path))) == 3


def test_an_altered_image_is_refused(tmp_path):
    sample = kit.write(tmp_path, 1)[0]
    store = Store(tmp_path)
    path = store.image_path(sample.images[0])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UsageError, match="does not fit its hash"):
        store.image(sample)


def test_names_of_images_lead_nowhere_else(folder):
    for name in ("../manifest", "a" * 63 + "/", "A" * 64, ""):
        with pytest.raises(UsageError):
            Store(folder).image_path(name)


def test_a_sample_without_its_image_or_robot_is_not_written(tmp_path):
    with StoreWriter(tmp_path, {"hsr": kit.manifest()}) as writer:
        with pytest.raises(UsageError, match="not been added"):
            writer.add(kit.example(0, "a" * 64))
        with pytest.raises(UsageError, match="no manifest of robot 'spot'"):
            writer.add(replace(kit.example(0, writer.add_image(kit.picture(0))), robot="spot"))


def test_other_folders_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        StoreWriter(tmp_path)
    with pytest.raises(UsageError, match="no samples"):
        Store(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format":"vlp-samples","version":99,"robots":{}}')
    with pytest.raises(UsageError, match="version 99, expected 1"):
        Store(tmp_path)


def test_loads_as_a_hugging_face_dataset(folder):
    pytest.importorskip("datasets")
    rows = to_hf(folder, "train")
    samples = list(Store(folder).samples("train"))
    assert rows["id"] == [s.id for s in samples] or list(rows["id"]) == [s.id for s in samples]
    assert json.loads(rows[0]["policy"]) == samples[0].policy
    assert np.array_equal(np.asarray(rows[0]["images"][0]), kit.picture(0))
