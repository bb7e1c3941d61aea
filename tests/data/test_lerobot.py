import json
from pathlib import Path

import kit
import numpy as np
import pytest

from vlp.core.errors import UsageError
from vlp.data.lerobot import export_samples, write_lerobot
from vlp.data.lerobot_in import import_lerobot
from vlp.data.lerobot_schema import CAMERA, Layout, RecordedEpisode, RecordedFrame
from vlp.data.store import Store
from vlp.prompt.target import policy_text

pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    kit.write(folder, 5)
    return folder


@pytest.mark.parametrize("strings", [False, True])
def test_samples_come_back_as_they_were(store, tmp_path, strings):
    assert export_samples(store, tmp_path / "l", strings=strings) == 5
    assert import_lerobot(tmp_path / "back", tmp_path / "l", kit.manifest()) == 5
    assert list(Store(tmp_path / "back")) == list(Store(store))


def test_the_datasets_package_loads_it(store, tmp_path):
    datasets = pytest.importorskip("datasets")
    export_samples(store, tmp_path / "l")
    files = [str(file) for file in sorted((tmp_path / "l").glob("data/*/*.parquet"))]
    rows = datasets.Dataset.from_parquet(files, cache_dir=str(tmp_path / "cache"))
    samples = list(Store(store))
    assert np.array_equal(np.asarray(rows[2][CAMERA]), kit.picture(2))
    spoken = {row["style"]: row["content"] for row in rows[2]["language_persistent"]}
    assert json.loads(spoken["plan"]) == samples[2].policy
    assert spoken["subtask"] == samples[2].policy["subtasks"][0]["name"]


def test_the_layout_is_the_public_one(store, tmp_path):
    root = tmp_path / "l"
    export_samples(store, root)
    info = json.loads((root / "meta" / "info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    assert (info["total_episodes"], info["total_frames"], info["splits"]) == (5, 5, {"train": "0:5"})
    data = pq.read_table(root / info["data_path"].format(chunk_index=0, file_index=0))
    assert set(data.column_names) == set(info["features"])
    episodes = pq.read_table(root / "meta" / "episodes" / "chunk-000" / "file-000.parquet").to_pylist()
    assert [(e["dataset_from_index"], e["dataset_to_index"]) for e in episodes] == [(i, i + 1) for i in range(5)]
    tasks = pq.read_table(root / "meta" / "tasks.parquet").to_pylist()
    assert [t["task"] for t in tasks] == [s.instruction for s in Store(store)]
    stats = json.loads((root / "meta" / "stats.json").read_text())
    assert np.asarray(stats[CAMERA]["mean"]).shape == (3, 1, 1)


def _episodes(n: int, frames: int) -> list[RecordedEpisode]:
    plans = [
        policy_text(kit.put_policy("red cube", "green bowl")),
        policy_text(kit.put_policy("blue cube", "white bowl")),
    ]
    return [
        RecordedEpisode(
            f"tidy up {e}",
            [
                RecordedFrame(kit.picture(100 * e + i), (float(i), 2.0), (0.5,), "first" if i < 3 else "second", plans[i >= 4])
                for i in range(frames)
            ],
        )
        for e in range(n)
    ]


@pytest.mark.parametrize("video", [False, True])
def test_a_sample_begins_where_a_plan_begins(tmp_path, video):
    layout = Layout(10, "hsr", ("x", "y"), ("a",), video=video)
    assert write_lerobot(tmp_path / "l", _episodes(2, 6), layout) == 2
    assert import_lerobot(tmp_path / "s", tmp_path / "l", kit.manifest()) == 4
    samples = list(Store(tmp_path / "s"))
    assert [(s.source["episode"], s.source["frame"]) for s in samples] == [(0, 0), (0, 4), (1, 0), (1, 4)]
    for sample in samples:
        expected = kit.picture(100 * sample.source["episode"] + sample.source["frame"]).astype(int)
        off = np.abs(Store(tmp_path / "s").image(sample).astype(int) - expected).mean()
        assert off == 0 if not video else off < 12


def test_nothing_is_imported_when_one_plan_is_wrong(tmp_path):
    episodes = _episodes(2, 2)
    bad = RecordedFrame(kit.picture(1), (0.0, 0.0), (0.0,), "", '{"goal":"g","subtasks":[{"name":"n","steps":[{"do":"fly"}]}]}')
    write_lerobot(tmp_path / "l", [*episodes, RecordedEpisode("fly", [bad])], Layout(10, "hsr", ("x", "y"), ("a",)))
    with pytest.raises(UsageError, match=r"episode 2, frame 0, data/\S+: the plan is no policy of 'hsr'.*fly"):
        import_lerobot(tmp_path / "s", tmp_path / "l", kit.manifest())
    assert not (tmp_path / "s").exists()


def test_an_export_that_fails_leaves_nothing(store, tmp_path):
    small = RecordedFrame(kit.picture(1, 40, 30), (0.0,))
    frames = [RecordedFrame(kit.picture(1), (0.0,)), small]
    with pytest.raises(UsageError, match="frame 1 is 40 x 30 pixels; the first one is 96 x 72"):
        write_lerobot(tmp_path / "l", [RecordedEpisode("t", frames)], Layout(10, "hsr", ("x",)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codebase_version": "v2.1"}, "LeRobotDataset v2.1; v3 is read"),
        ({"fps": 0}, "frames per second"),
        ({"features": {}}, "no camera"),
        ({"features": {"../../x": {"dtype": "image"}}}, "no name of a feature"),
    ],
)
def test_other_datasets_are_refused(store, tmp_path, change, message):
    export_samples(store, tmp_path / "l")
    path = tmp_path / "l" / "meta" / "info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError, match=message):
        import_lerobot(tmp_path / "s", tmp_path / "l", kit.manifest())


@pytest.mark.slow
def test_lerobot_itself_loads_it(store, tmp_path):
    reader = pytest.importorskip("lerobot.datasets.lerobot_dataset")
    language = pytest.importorskip("lerobot.datasets")
    strings = not hasattr(language, "language")
    export_samples(store, tmp_path / "l", strings=strings)
    dataset = reader.LeRobotDataset("local/samples", root=tmp_path / "l")
    assert dataset.num_episodes == 5
    assert dataset[0][CAMERA].shape == (3, 72, 96)
