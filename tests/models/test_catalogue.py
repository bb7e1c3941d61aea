import subprocess
import sys
from pathlib import Path

import pytest

from vlp.core.errors import MissingComponent, UsageError
from vlp.models.catalogue import MODELS, find_folder, open_for_person, open_model
from vlp.models.folder import check_folder
from vlp.nano import folders


@pytest.mark.parametrize("spec", ["nanno", "", "/nowhere/model", "nano:x:y?", "a/b/c", "scriptd:x"])
def test_an_unknown_model_is_one_line_with_what_exists(spec: str) -> None:
    with pytest.raises((UsageError, MissingComponent)) as caught:
        open_model(spec)
    assert "\n" not in str(caught.value)
    if not spec.startswith("nano"):
        assert all(word in str(caught.value) for word in MODELS)


def test_an_option_that_a_back_end_does_not_have_is_named(toy_folder: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'device'"):
        open_model(str(toy_folder), devise="cpu")


def test_a_misspelt_word_offers_the_closest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'nano'"):
        open_model("nanno")


def test_an_installation_without_nanos_weights_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "WEIGHTS", tmp_path)
    with pytest.raises(MissingComponent, match="vlp train nano"):
        open_model("nano")


@pytest.mark.parametrize(("word", "folder", "profile"), [("nano", "nano", "brief"), ("nano-base", "nano_base", "brief_words")])
def test_the_shipped_weights_are_those_that_were_recorded(word: str, folder: str, profile: str) -> None:
    found = check_folder(find_folder(word))
    assert found.path == folders.WEIGHTS / folder and found.turns == "sight" and found.profile == profile
    size = sum(file.stat().st_size for file in found.path.iterdir())
    assert size < 40 * 2**20


def test_a_hub_id_that_cannot_be_fetched_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    def fetch(repo: str, allow_patterns: list[str]) -> str:
        assert not any(pattern.endswith((".py", ".bin", "*")) for pattern in allow_patterns)
        raise OSError(f"no network for {repo}\nsecond line")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingComponent, match="no folder here, and no model by that name can be fetched: no net") as caught:
        open_model("Qwen/Qwen2.5-VL-3B-Instruct")
    assert "\n" not in str(caught.value)


def test_a_local_folder_is_opened_with_its_profile(toy_folder: Path) -> None:
    model = open_model(str(toy_folder), device="cpu")
    assert getattr(model, "profile", "") == "brief"


def test_an_unknown_device_or_dtype_is_refused(toy_folder: Path) -> None:
    with pytest.raises(UsageError, match="device"):
        open_model(str(toy_folder), device="abacus")
    with pytest.raises(UsageError, match="Did you mean 'float32'"):
        open_model(str(toy_folder), device="cpu", dtype="float3")


def test_naming_models_loads_no_torch() -> None:
    code = (
        "import sys, vlp.models.catalogue, vlp.models.grammar, vlp.models.folder, vlp.prompt.render\n"
        "sys.exit(bool({'torch','transformers','mujoco'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_profile_that_is_named_counts_before_the_models_own(toy_folder: Path) -> None:
    assert open_for_person(str(toy_folder), profile="full").profile == "full"
