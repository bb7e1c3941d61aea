"""Against a real vLLM, which `make test-serving` installs: nano served, asked, compared, mistreated, and still there.

VLP_VLLM_PYTHON names the Python that has vLLM; without it these tests are left out.
"""

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from vlp.evaluation.planning import grammar, prompt, prompt_messages
from vlp.models.catalogue import open_model
from vlp.nano.keeping import AND, DONE, keeping

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("VLP_VLLM_PYTHON"), reason="needs vLLM: make test-serving"),
]
VLP = [sys.executable, "-m", "vlp.cli.main"]
CPU = {"OMP_NUM_THREADS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of nano behind `vlp serve`."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = str(held.getsockname()[1])
    words = [*VLP, "serve", "--model", "nano", "--port", port]
    folder, given = tmp_path_factory.mktemp("serve"), {**os.environ, **CPU}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=folder, env=given) as serving:
        assert serving.stdout is not None
        line = [*(serving.stdout.readline() for _ in range(2))][-1]
        assert line.startswith("ready: "), (folder / "vllm.log").read_text()[-4000:]
        yield line.split()[1]
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(60) == 1


def test_a_run_over_http_ends_in_success(served: str, tmp_path: Path):
    words = [*VLP, "run", "put the red cube in the green bowl", "--seed", "20009802", "--model", served]
    done = subprocess.run(
        [*words, "--out", str(tmp_path / "run"), "--no-recordings"], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert json.loads((tmp_path / "run" / "result.json").read_text())["outcome"] == "success"


def test_what_is_served_is_what_runs_in_process(served: str, tmp_path: Path):
    words = [*VLP, "gate", "parity", "nano", "--url", served, "--n", os.environ.get("VLP_PARITY_N", "20"), "--device", "cpu"]
    done = subprocess.run([*words, "--out", str(tmp_path)], capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_a_policy_held_to_its_words_is_the_one_that_was_free(served: str):
    # With names fixed by the grammar alone, vLLM cut what follows into other tokens, and of 16 policies none was right.
    model = open_model(served)
    for index in range(4):
        asked = prompt_messages(*prompt(index, "validation", "train"), "brief")
        free = model.generate(asked, grammar=grammar(), max_tokens=1024).text
        names = AND.join(each["name"] for each in json.loads(free)["subtasks"])
        assert model.generate(asked, grammar=keeping(grammar(), names or DONE), max_tokens=1024).text == free


def png(width: int, height: int) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def shows(*urls: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}} for url in urls]}]


def under(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}}


DEEP: dict[str, Any] = {"type": "object"}
for _ in range(500):
    DEEP = {"type": "array", "items": DEEP}

BAD: dict[str, dict[str, Any]] = {
    "a schema that is none": {"response_format": under({"type": "nonsense"})},
    "a schema that is a list": {"response_format": under([1])},
    "a deep schema": {"response_format": under(DEEP)},
    "a huge image": {"messages": shows(png(9000, 9000))},
    "half an image": {"messages": shows("data:image/png;base64,iVBORw0KGgo=")},
    "a line for an image": {"messages": shows(png(5000, 1))},
    "an image from elsewhere": {"messages": shows("http://127.0.0.1:9/x.png")},
    "an image from the disk": {"messages": shows("file:///etc/hostname")},
    "many images": {"messages": shows(*[png(64, 64)] * 9)},
    "huge n": {"n": 100_000},
    "huge log-probabilities": {"logprobs": True, "top_logprobs": 100_000},
    "huge max_tokens": {"max_tokens": 10**9},
    "a long prompt": {"messages": [{"role": "user", "content": "put " * 20_000}]},
    "an unknown adapter": {"model": "nobody"},
    "a template of its own": {"chat_template": "{{ 7*7 }}"},
}
MAY_ANSWER: dict[str, dict[str, Any]] = {
    "a pattern that explodes": {"response_format": under({"type": "string", "pattern": "(a{1,30000}){1,30000}$"})},
    "a schema that names itself": {"response_format": under({"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/$defs/x"}}})},
}


def ask(client: httpx.Client, url: str, **body: Any) -> httpx.Response:
    name = client.get(f"{url}/models").json()["data"][0]["id"]
    plain = {"model": name, "messages": [{"role": "user", "content": "ask: what?"}], "max_tokens": 4}
    return client.post(f"{url}/chat/completions", json={**plain, **body})


@pytest.mark.parametrize("case", [*BAD, *MAY_ANSWER])
def test_a_bad_request_is_refused_and_the_server_lives(served: str, case: str):
    with httpx.Client(trust_env=False, timeout=120) as client:
        answer = ask(client, served, **(BAD | MAY_ANSWER)[case])
        assert case in MAY_ANSWER or answer.status_code >= 400, answer.text[:300]
    with httpx.Client(trust_env=False, timeout=120) as client:
        assert client.get(served.removesuffix("/v1") + "/health").status_code == 200
        assert ask(client, served).status_code == 200


def test_no_request_loads_an_adapter(served: str):
    with httpx.Client(trust_env=False, timeout=30) as client:
        answer = client.post(f"{served}/load_lora_adapter", json={"lora_name": "x", "lora_path": "/tmp"})
        assert answer.status_code in (404, 405)
