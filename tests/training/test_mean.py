"""The mean of models is one folder that the checks take; what has no mean is refused by name."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vlp.cli.main import main
from vlp.core.errors import UsageError
from vlp.models.folder import check_folder, sha256
from vlp.training.mean import mean


@pytest.fixture
def other(base: Path, tmp_path: Path) -> Path:
    """A copy of a model with every weight one more."""
    folder = Path(shutil.copytree(base, tmp_path / "other"))
    write(folder, {name: tensor + 1 for name, tensor in load_file(folder / "model.safetensors").items()})
    return folder


def write(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    if (folder / "vlp.json").is_file():
        record = json.loads((folder / "vlp.json").read_text())
        record["sha256"] = {"model.safetensors": sha256(folder / "model.safetensors")}
        (folder / "vlp.json").write_text(json.dumps(record))


def test_every_weight_is_the_mean(base: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mean"
    assert main(["train", "mean", str(base), str(other), str(other), "--out", str(out)]) == 0
    assert check_folder(base).name in capsys.readouterr().out
    before, found = load_file(base / "model.safetensors"), load_file(out / "model.safetensors")
    assert set(found) == set(before)
    for name, tensor in found.items():
        assert tensor.dtype == before[name].dtype
        torch.testing.assert_close(tensor.float(), before[name].float() + 2 / 3, rtol=1e-2, atol=1e-2)
    assert check_folder(out).profile == check_folder(base).profile


def test_what_has_no_mean_is_refused_by_name(base: Path, other: Path, tmp_path: Path) -> None:
    """Against: weights that only one of the models has, passed over without a word."""
    weights = load_file(other / "model.safetensors")
    name = sorted(weights)[0]
    write(other, {key: tensor for key, tensor in weights.items() if key != name})
    with pytest.raises(UsageError, match=rf"{name} is \[.*\] in .* and missing in"):
        mean([str(base), str(other)], tmp_path / "mean")
    with pytest.raises(UsageError, match="two models or more"):
        mean([str(base)], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
    with pytest.raises(UsageError, match="there already"):
        mean([str(base), str(base)], other)
