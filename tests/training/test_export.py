"""An adapter in its base is one plain folder that computes the same; what does not belong together is refused by name."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vlp.cli.main import main
from vlp.core.errors import MissingComponent, UsageError
from vlp.models.folder import check_folder
from vlp.models.loading import load_model
from vlp.models.transformers_model import TransformersModel
from vlp.training.export import export, merge
from vlp.training.recipe import Recipe
from vlp.training.sft import train_sft

SHORT = Recipe(adapter="vision+decoder", epochs=1, batch=8, rate=5e-3, rehearse=0)


@pytest.fixture(scope="module")
def run(base: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "run"
    train_sft(str(base), samples, out, SHORT, device="cpu")
    return out


@pytest.fixture
def adapter(run: Path, tmp_path: Path) -> Path:
    """A copy of the run's adapter, to be broken."""
    return Path(shutil.copytree(run / "adapter", tmp_path / "adapter"))


def change(adapter: Path, **tensors: torch.Tensor) -> None:
    tell(adapter, sha256={})
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({**weights, **{k.replace("__", "."): v for k, v in tensors.items()}}, adapter / "adapter_model.safetensors")


def tell(adapter: Path, **record: object) -> None:
    told = json.loads((adapter / "vlp.json").read_text())
    (adapter / "vlp.json").write_text(json.dumps({**told, **record}))


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        ids = torch.arange(10, 40)[None]
        return model(input_ids=ids, mm_token_type_ids=torch.zeros_like(ids)).logits


def test_the_merged_model_computes_what_base_and_adapter_do(run: Path, base: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    folder = merge(run / "adapter", str(base), tmp_path / "merged")
    plain = load_model(check_folder(base), None, torch.device("cpu"), torch.float32)
    before = logits(plain)
    with_adapter = logits(PeftModel.from_pretrained(plain, str(run / "adapter")).eval())
    merged = logits(TransformersModel(folder.path, device="cpu").model)
    assert torch.allclose(merged, with_adapter, atol=1e-4)
    assert not torch.allclose(merged, before, atol=1e-2)
    at_run_time = logits(TransformersModel(base, adapter=run / "adapter", device="cpu").model)
    assert torch.allclose(at_run_time, merged, atol=1e-5)


def test_an_export_has_hashes_card_and_curve(run: Path, base: Path, tmp_path: Path, capsys) -> None:
    assert main(["train", "export", str(run), "--base", str(base), "--out", str(tmp_path / "m")]) == 0
    assert "toy-vision-decoder" in capsys.readouterr().out
    record = json.loads((tmp_path / "m" / "vlp.json").read_text())
    assert record["name"] == "toy-vision-decoder" and record["prompt"] == "brief"
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= set(record["sha256"])
    assert record["trained"]["data"]["samples"] == 24 and record["trained"]["scores"]
    assert "## Scores" in (tmp_path / "m" / "README.md").read_text() and (tmp_path / "m" / "curve.png").is_file()
    (tmp_path / "m" / "config.json").write_text((tmp_path / "m" / "config.json").read_text() + " ")
    with pytest.raises(UsageError, match=r"'config.json' in 'm' is not the file that vlp.json records"):
        check_folder(tmp_path / "m")


def test_the_nested_image_processor_of_the_base_goes_with_the_merged_model(run: Path, base: Path, tmp_path: Path) -> None:
    """Against: a merged model that sees images at another size than its base, for want of processor_config.json."""
    nested = Path(shutil.copytree(base, tmp_path / "nested"))
    (nested / "processor_config.json").write_text(json.dumps({"image_processor": {"min_pixels": 784}}))
    folder = merge(run / "adapter", str(nested), tmp_path / "m")
    assert (folder.path / "processor_config.json").read_text() == (nested / "processor_config.json").read_text()


def test_a_full_run_is_exported_too(base: Path, samples: Path, tmp_path: Path) -> None:
    train_sft(str(base), samples, tmp_path / "run", Recipe(adapter="full", epochs=1, batch=8, samples=8), device="cpu")
    folder = export(tmp_path / "run", tmp_path / "m", dtype="bfloat16")
    assert folder.name == "toy-full"
    assert {v.dtype for v in load_file(tmp_path / "m" / "model.safetensors").values()} == {torch.bfloat16}
    config = json.loads((tmp_path / "m" / "config.json").read_text())  # against: parts that say what they were loaded in
    assert {part["dtype"] for part in (config, config["text_config"], config["vision_config"])} == {"bfloat16"}
    found = load_file(tmp_path / "run" / "model" / "model.safetensors")
    exported = load_file(tmp_path / "m" / "model.safetensors")
    assert all(torch.equal(found[name].bfloat16(), exported[name]) for name in found)


def test_a_key_without_a_place_is_refused_by_name(adapter: Path, base: Path, tmp_path: Path) -> None:
    key = "base_model__model__model__visual__blocks__9__attn__qkv"
    change(adapter, **{f"{key}__lora_A__weight": torch.ones(8, 32), f"{key}__lora_B__weight": torch.ones(96, 8)})
    with pytest.raises(UsageError, match=r"no place for: 'base_model.model.model.visual.blocks.9.attn.qkv.lora_A.weight'"):
        merge(adapter, str(base), tmp_path / "m")
    with pytest.raises(UsageError, match=r"no place for: 'base_model.model.model.visual.blocks.9.attn.qkv"):
        TransformersModel(base, adapter=adapter, device="cpu")
    assert not (tmp_path / "m").exists()


def test_a_weight_of_another_size_or_without_its_half_is_refused_by_name(adapter: Path, base: Path, tmp_path: Path) -> None:
    key = "base_model__model__model__language_model__layers__0__self_attn__q_proj__lora_A__weight"
    change(adapter, **{key: torch.ones(16, 99)})
    with pytest.raises(UsageError, match=r"layers.0.self_attn.q_proj.lora_A.weight' is \[16, 99\], but 48 was expected"):
        merge(adapter, str(base), tmp_path / "m")
    weights = load_file(adapter / "adapter_model.safetensors")
    del weights[key.replace("__", ".").replace("lora_A", "lora_B")]
    save_file({**weights, key.replace("__", "."): torch.ones(16, 48)}, adapter / "adapter_model.safetensors")
    with pytest.raises(UsageError, match="without its other half"):
        merge(adapter, str(base), tmp_path / "m")


def test_pickles_are_refused(adapter: Path, base: Path, tmp_path: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(UsageError, match=r"'adapter_model.bin' in 'adapter' is a pickle"):
        merge(adapter, str(base), tmp_path / "m")


def test_an_adapter_of_another_base_is_refused(run: Path, adapter: Path, base: Path, tmp_path: Path) -> None:
    from toy_model import write_toy_model

    other = write_toy_model(tmp_path / "other", seed=1)
    with pytest.raises(UsageError, match=r"was trained on 'toy'; the weights of 'other' are others"):
        merge(adapter, str(other), tmp_path / "m")
    with pytest.raises(UsageError, match=r"was trained on 'toy'"):
        TransformersModel(other, adapter=adapter, device="cpu")
    told = json.loads((adapter / "vlp.json").read_text())["base"]
    tell(adapter, base={**told, "profile": "full"})
    with pytest.raises(UsageError, match=r"trained with profile 'full'; that of 'toy' is 'brief'"):
        merge(adapter, str(base), tmp_path / "m")
    with pytest.raises(UsageError, match=r"was trained on 'toy', a folder. Say where that is with --base"):
        merge(adapter, "", tmp_path / "m")


def test_the_base_is_found_where_the_configuration_names_it(adapter: Path, base: Path, tmp_path: Path) -> None:
    """Against: "does not say what it was trained on" of adapters that name their base in base_model_name_or_path alone."""
    (adapter / "vlp.json").unlink()
    config = json.loads((adapter / "adapter_config.json").read_text())

    def name(told: str | None) -> None:
        (adapter / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": told}))

    name(str(base))
    assert merge(adapter, "", tmp_path / "m").name.startswith("toy")
    assert "from `toy`" in (tmp_path / "m" / "README.md").read_text()
    name("/data/models/Qwen2.5-VL-7B")
    with pytest.raises(UsageError, match=r"trained on '/data/models/Qwen2.5-VL-7B', which is no folder here. Say where it is"):
        merge(adapter, "", tmp_path / "n")
    name(None)
    with pytest.raises(UsageError, match="does not say what it was trained on"):
        merge(adapter, "", tmp_path / "n")


def test_a_sum_that_is_no_number_is_not_written(adapter: Path, base: Path, tmp_path: Path) -> None:
    """Against: a merged model in float16 whose weights are infinite, exported with status 0."""
    key = "base_model__model__model__language_model__layers__0__self_attn__q_proj__lora_B__weight"
    change(adapter, **{key: torch.full((48, 16), 1e7)})
    with pytest.raises(UsageError, match=r"layers.0.self_attn.q_proj.weight' has [\d,]+ of 2,304 values that are NaN"):
        merge(adapter, str(base), tmp_path / "m", dtype="float16")
    assert not (tmp_path / "m").exists()


def test_nothing_is_written_over_and_a_full_disk_leaves_nothing(run: Path, base: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match="is there already"):
        merge(run / "adapter", str(base), tmp_path / "there")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vlp.training.export.model_card", full)
    with pytest.raises(MissingComponent, match="No space left"):
        merge(run / "adapter", str(base), tmp_path / "m")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_base_of_any_name_gives_a_folder_that_can_be_loaded(run: Path, base: Path, tmp_path: Path) -> None:
    """Against: a merged folder that no command takes because its base is called "modèle"."""
    named = Path(shutil.copytree(base, tmp_path / "modèle"))
    (named / "vlp.json").unlink()
    adapter = Path(shutil.copytree(run / "adapter", tmp_path / "adapter"))
    told = json.loads((adapter / "vlp.json").read_text())["base"]
    tell(adapter, base={**told, "profile": "full"})
    folder = merge(adapter, str(named), tmp_path / "m")
    assert folder == check_folder(tmp_path / "m") and folder.name == "mod-le-vision-decoder"


def test_a_folder_that_cannot_be_loaded_is_not_left_there(run: Path, base: Path, tmp_path: Path, monkeypatch) -> None:
    """Against: a merged folder that is refused only after it took its place."""
    monkeypatch.setattr("vlp.training.export.derived_name", lambda *_: "mod\u00e8le")
    with pytest.raises(UsageError, match="no readable name"):
        merge(run / "adapter", str(base), tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_a_run_that_has_not_ended_is_not_exported(run: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    shutil.copy(run / "run.json", tmp_path / "run")
    with pytest.raises(UsageError, match="has not ended"):
        export(tmp_path / "run", tmp_path / "m")
    with pytest.raises(UsageError, match="no run at"):
        export(tmp_path / "nowhere", tmp_path / "m")
