"""`vlp data relabel` on a small made-up dataset."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
from test_relabel import OWN, dataset, frames

from vlp.data.store import Store


@pytest.mark.parametrize("actions, begins", [("numbers", "[["), ("directions", '["'), ("bins", '" ')])
def test_every_vocabulary_makes_samples_and_a_report(vlp, tmp_path, actions, begins):
    folder = dataset(tmp_path / "lerobot", OWN, frames(OWN))
    out = tmp_path / "samples"
    said = vlp("data", "relabel", folder, "--out", out, "--actions", actions, "--others", "1")
    assert said.status == 0, said.err
    assert "camera observation.images.head" in said.out
    assert "farthest along an axis, mm" in said.out
    chunks = [sample.reply for sample in Store(out) if sample.family == "chunk"]
    assert chunks
    assert all(chunk.startswith(begins) for chunk in chunks)
    assert vlp("data", "lint", out).status == 0
    again = vlp("data", "relabel", folder, "--out", out, "--actions", actions, "--others", "1")
    assert "0 new" in again.out


def test_the_rule_is_an_option(vlp, tmp_path):
    folder = dataset(tmp_path / "lerobot", OWN, frames(OWN))
    counts = []
    for run_cm in ("2.5", "1"):
        vlp("data", "relabel", folder, "--out", tmp_path / run_cm, "--run-cm", run_cm, "--no-auxiliary")
        counts.append(sum(sample.family == "chunk" for sample in Store(tmp_path / run_cm)))
    assert counts[1] > counts[0]


@pytest.mark.parametrize(
    "options, said",
    [
        (("--actions", "number"), "Did you mean 'numbers'"),
        (("--rate-hz", "0"), "--rate-hz is 0"),
        (("--run-cm", "0"), "run_m is 0.0; expected more than 0"),
        (("--position", "hand_x", "hand_y_m", "hand_z_m"), "Did you mean 'hand_x_m'"),
        (("--camera", "wrist"), "no camera 'wrist'"),
    ],
)
def test_a_wrong_option_is_told_with_what_would_be_right(vlp, tmp_path, options, said):
    folder = dataset(tmp_path / "lerobot", OWN, frames(OWN))
    told = vlp("data", "relabel", folder, "--out", tmp_path / "out", *options)
    assert told.status == 2
    assert said in told.err
    assert not (tmp_path / "out").exists()
