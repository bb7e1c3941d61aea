import json

import pytest

from vlp.core.errors import UsageError
from vlp.data.lerobot_in import import_lerobot
from vlp.data.store import Store
from vlp.episodes.collect import manifest_of
from vlp.episodes.record import record

pq = pytest.importorskip("pyarrow.parquet")


@pytest.mark.long
def test_a_recorded_episode_holds_frames_actions_subtasks_and_the_plan(tmp_path):
    assert record(tmp_path / "l", 1, seed=1) == 1
    info = json.loads((tmp_path / "l" / "meta" / "info.json").read_text())
    rows = pq.read_table(tmp_path / "l" / "data" / "chunk-000" / "file-000.parquet").to_pylist()
    assert info["fps"] == 10 and info["total_frames"] == len(rows) > 5 * 10
    assert len(rows[0]["action"]) == len(info["features"]["action"]["names"])
    assert rows[0]["action"] != rows[len(rows) // 2]["action"]
    spoken = [row["style"] for row in rows[0]["language_persistent"]]
    assert spoken.count("plan") == 1 and spoken.count("subtask") == 2
    assert import_lerobot(tmp_path / "s", tmp_path / "l", manifest_of("hsr")) == 1
    (sample,) = Store(tmp_path / "s")
    assert Store(tmp_path / "s").image(sample).shape == (480, 640, 3)


@pytest.mark.parametrize(
    ("n", "more", "message"),
    [(0, {}, "0 episodes"), (1, {"family": "juggle"}, "unknown family 'juggle'"), (1, {"split": "dev"}, "unknown split")],
)
def test_what_cannot_be_recorded_is_refused(tmp_path, n, more, message):
    with pytest.raises(UsageError, match=message):
        record(tmp_path / "l", n, **more)
