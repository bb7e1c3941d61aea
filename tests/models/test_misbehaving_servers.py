"""Servers that misbehave, each in its own way, asked through the command line.

Against: half an answer printed as an answer with status 0; an image generator asked because it was listed first; "ignores
response_format" said of reasoning models, refusals and empty replies; a run ended by one "503, loading"; "Is it the right
URL?" for a limit on requests, a web page, a certificate; a traceback for a key that is not ASCII; hours with the interpreter
locked for a page of "<", minutes for 20,000 keys; a run ended by one answer that broke off.
"""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from misbehaving_server import BOX, MODES, serving
from PIL import Image

from vlp.cli.main import main
from vlp.cli.run import open_chosen
from vlp.models.catalogue import _told_while_waiting
from vlp.models.protocol import patiently

ASK, GROUND = "ask", "ground"


@dataclass(frozen=True)
class Row:
    """What is expected of a mode.

    Args:
        status: of the exit.
        words: that are in the one line of the error; where the status is 0, those of the notes.
        command: "ask" answers "two"; "ground" asks for a box under a schema.
        options: more words of the command line.
        base: what follows the server's address in the URL.
    """

    status: int = 0
    words: tuple[str, ...] = ()
    command: str = ASK
    options: tuple[str, ...] = ()
    base: str = "/v1"


NAMED = ("--model-name", "m")
SHORT = ("--timeout-s", "0.5")

ROWS: list[tuple[str, Row]] = [
    ("good", Row()),
    ("good", Row(command=GROUND)),
    ("good", Row(base="/v1/chat/completions")),
    ("several", Row(2, ("'alpha-7b', 'beta-12b'", "--model-name"))),
    ("several", Row(2, ("serves no model 'alpha-8b'", "Did you mean 'alpha-7b'"), options=("--model-name", "alpha-8b"))),
    ("several", Row(3, ("asked for 'beta-12b', and 'm' answered",), options=("--model-name", "beta-12b"))),
    ("twins", Row(options=("--model-name", "GAMMA:latest"))),
    ("embedder-first", Row(0, ("lists 2 models", "'m' is asked", "--model-name"))),
    ("painter-first", Row(0, ("lists 3 models", "'m' is asked"))),
    ("modalities", Row(0, ("'m' is asked",))),
    ("only-embedders", Row(2, ("none of which seems to chat", "'bge-m3', 'e5-large'", "--model-name"))),
    ("bare-list", Row()),
    ("lists-nothing", Row(3, ("serves no model",))),
    ("no-list", Row(3, ("HTTP 404", "/v1"))),
    ("no-list", Row(0, ("does not list its models", "'m' is asked for"), options=NAMED)),
    ("root-only", Row(0, ("the API is at",))),
    ("v1-only", Row(0, ("the API is at", "/v1, not at"), base="")),
    ("v1-only", Row(3, ("HTTP 404", "/api/v1 lists none"), base="/api")),
    ("page-for-a-list", Row(3, ("a web page, Welcome",))),
    ("loading", Row(3, ("is not ready", "HTTP 503", "Loading model"), options=SHORT)),
    ("loading-once", Row(0, ("waiting", "Loading model"))),
    ("with-key", Row(3, ("wants a key, and none was given", "VLP_MODEL_KEY"))),
    ("forbidden", Row(3, ("HTTP 403", "your country is not served"))),
    ("dated", Row()),
    ("dated-otherwise", Row(3, ("asked for 'm-2024-05-13', and 'm-2025-01-01' answered",))),
    ("nameless", Row()),
    ("null-name", Row()),
    ("by-path", Row()),
    ("by-root", Row()),
    ("full-name", Row()),
    ("another", Row(3, ("asked for 'm', and 'tiny-llama' answered",))),
    ("null", Row(1, ("empty reply (content null",))),
    ("null", Row(3, ("empty reply (content null",), GROUND)),
    ("wordless", Row(1, ("empty reply (no content, finish_reason 'stop')",))),
    ("wordless", Row(3, ("empty reply (no content, finish_reason 'stop')",), GROUND)),
    ("refusal", Row(1, ("refuses to reply: 'I cannot help with that'",))),
    ("refusal", Row(3, ("refuses to reply: 'I cannot help with that'",), GROUND)),
    ("refusal-streamed", Row(1, ("refuses to reply: 'I cannot help'",))),
    ("parts", Row()),
    ("parts", Row(command=GROUND)),
    ("parts-streamed", Row()),
    ("parts-with-thinking", Row()),
    ("picture-for-a-reply", Row(1, ("content of the type 'image_url'",))),
    ("number-for-a-reply", Row(1, ("content is a int",))),
    ("empty", Row(1, ("empty answer",))),
    ("reasons", Row()),
    ("reasons", Row(command=GROUND)),
    ("reasons-for-ever", Row(1, ("only reasoning", "finish_reason 'length'"))),
    ("reasoning-only", Row(3, ("only reasoning",), GROUND)),
    ("thinks-aloud", Row()),
    ("thinks-aloud", Row(command=GROUND)),
    ("thinks-half-aloud", Row()),
    ("thinks-half-aloud", Row(command=GROUND)),
    ("thinks-to-the-limit", Row(1, ("only reasoning",))),
    ("cut-off", Row(1, ("cut off", "There are tw"))),
    ("filtered", Row(1, ("content filter", "There are tw"))),
    ("calls-a-tool", Row(1, ("calls a tool", "none was offered"))),
    ("ends-oddly", Row(1, ("finish_reason 'recitation'", "There are tw"))),
    ("error-at-once", Row(3, ("CUDA out of memory",))),
    ("error-midway", Row(3, ("broke off", "engine died"))),
    ("error-in-a-choice", Row(3, ("broke off", "provider left"))),
    ("breaks-off-once", Row()),
    ("breaks-off", Row(3, ("before the reply was complete",))),
    ("done-too-soon", Row(3, ("before the reply was complete",))),
    ("no-done", Row()),
    ("keeps-alive", Row()),
    ("signs-of-life", Row()),
    ("never-closes", Row()),
    ("limited-once", Row(0, ("waiting", "Rate limit reached"))),
    ("limited-once", Row(0, ("waiting", "Rate limit reached"), GROUND)),
    ("limited", Row(3, ("limits requests", "HTTP 429", "It was asked"), options=SHORT)),
    ("limited-for-hours", Row(3, ("Rate limit reached", "It asks to come back in 7"))),
    ("spent", Row(3, ("will answer no more", "insufficient_quota"))),
    ("busy-once", Row(0, ("waiting", "no slot available"))),
    ("unknown-model", Row(3, ("HTTP 404", "The model `m` does not exist"))),
    ("too-large", Row(3, ("HTTP 413", "Too Large"))),
    ("no-images", Row(3, ("image input is not supported", "Does this model take images?"))),
    ("no-chat", Row(3, ("does not support chat", "--model-name"), GROUND)),
    ("crashes", Row(3, ("HTTP 500", "internal server error"), GROUND)),
    ("crashes-once", Row()),
    ("gateway", Row(3, ("HTTP 502", "a web page, 502 Bad Gateway"))),
    ("redirects", Row(3, ("redirects to 'https://elsewhere.invalid",))),
    ("new-limit", Row()),
    ("new-limit", Row(command=GROUND)),
    ("no-temperature", Row(0, ("takes no temperature",))),
    ("no-stream-options", Row()),
    ("no-stream", Row()),
    ("strict-schemas", Row(command=GROUND)),
    ("wraps-nothing", Row(command=GROUND)),
    ("no-schemas", Row()),
    ("no-schemas", Row(0, ("'response_format.type' must be 'text'", "free text"), GROUND)),
    ("schema-breaks-it", Row(0, ("grammar compilation failed", "free text"), GROUND)),
    ("ignores-schemas", Row(0, ("ignores response_format", "Hello there!", "free text"), GROUND)),
    ("fences", Row(command=GROUND)),
    ("fences-later", Row(command=GROUND)),
    ("cut-off-later", Row(1, ("cut off", "bbox_2d"), GROUND)),
    ("chats-later", Row(1, ("I see no box", "instead of a box"), GROUND)),
    ("nothing-later", Row(1, command=GROUND)),
    ("page-for-a-reply", Row(3, ("a web page, Please log in",))),
    ("no-utf8", Row(3, ("not UTF-8",))),
    ("a-key-twice", Row(3, ("the key 'choices' twice",))),
    ("not-a-number", Row(3, ("NaN",))),
    ("less-than", Row(3, ("a web page, <<<",))),
    ("keys-without-end", Row(3, ("the key 'k19999' twice",))),
    ("name-without-end", Row(3, ("asked for 'm', and '-latest-latest",))),
    ("lists", Row(3, ("more than 524,288 bytes of JSON",))),
    ("deep", Row(3, ("nested too deep",))),
    ("plain-lines", Row(3, ("garbage", "two cubes"))),
    ("half-a-line", Row(3, ("broke off in the middle of an event",))),
    ("split-everywhere", Row()),
    ("huge", Row(3, ("more than 8,388,608 bytes",))),
    ("endless-text", Row(3, ("more than 262,144 characters",))),
    ("endless-white", Row(3, ("endless white space",))),
    ("endless-events", Row(3, ("more than 8,388,608 bytes",))),
    ("packed", Row(3, ("sends 'gzip'",))),
    ("header-flood", Row(3, ("headers without end",))),
    ("slow-headers", Row(3, ("did not finish within 0.5 s",), options=SHORT)),
    ("drips", Row(3, ("did not finish within 0.5 s",), options=SHORT)),
    ("hangs", Row(3, ("did not finish within 0.5 s",), options=SHORT)),
    ("hangs-up", Row(3, ("hung up",))),
    ("hangs-up", Row(3, ("hung up",), GROUND)),
    ("resets", Row(3, ("hung up",))),
    ("resets", Row(3, ("hung up",), GROUND)),
    ("no-http", Row(3, ("does not speak HTTP",))),
]


@dataclass(frozen=True)
class Told:
    """What one command said."""

    status: int
    out: str
    err: str


Vlp = Callable[..., Told]


@pytest.fixture
def vlp(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vlp:
    """Call the command line on a grey picture, with nothing of the environment that speaks of servers."""
    for name in ("VLP_MODEL_KEY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(patiently.__kwdefaults__, "longest_pause_s", 0.1)
    picture = tmp_path / "grey.png"
    Image.fromarray(np.full((240, 320, 3), 128, np.uint8)).save(picture)

    def call(url: str, command: str = ASK, *options: str) -> Told:
        what = "how many cubes?" if command == ASK else "red cube"
        status = main([command, str(picture), what, "--model", url, *options])
        said = capsys.readouterr()
        return Told(status, said.out.strip(), said.err.strip())

    return call


def check(told: Told, row: Row) -> None:
    """Claim that a row holds: the right answer with its notes, or one line that names the cause."""
    *notes, last = told.err.splitlines() or [""]
    assert told.status == row.status, told
    assert "Traceback" not in told.err and all(len(line) < 700 for line in told.err.splitlines())
    if row.status == 0:
        right = "two" if row.command == ASK else "red cube           10.0   20.0  110.0  220.0   score 0.50"
        assert told.out == right, told
        assert all(line.startswith("note: ") for line in told.err.splitlines())
        assert bool(told.err) == bool(row.words), told
        last = told.err
    elif row.words:
        assert last.startswith("vlp: ") and all(line.startswith("note: ") for line in notes), told
        assert "There are tw" not in told.out and not told.out, "half an answer is no answer"
    assert all(word in last for word in row.words), told


@pytest.mark.parametrize(("mode", "row"), ROWS, ids=[f"{mode}-{i}" for i, (mode, _) in enumerate(ROWS)])
def test_the_answer_or_one_line_with_the_true_cause(mode: str, row: Row, vlp: Vlp) -> None:
    with serving(mode) as server:
        check(vlp(server.origin + row.base, row.command, *row.options), row)


def test_who_waits_is_told_and_with_which_option_to_wait_longer(vlp: Vlp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was said for 30 s, and then to raise a limit that no option raised."""
    monkeypatch.setitem(_told_while_waiting.__wrapped__.__kwdefaults__, "after_s", 0.0)  # type: ignore[attr-defined]
    monkeypatch.setitem(open_chosen.__kwdefaults__, "open_s", 0.5)
    with serving("hangs") as server:
        told = vlp(f"{server.origin}/v1", GROUND)
    assert f"note: waiting for the model server at {server.origin}/v1 ..." in told.err.splitlines()
    check(told, Row(3, ("did not finish within 0.", "`vlp run --model-timeout-s`")))


def test_an_unknown_kind_of_server_is_refused_before_it_is_asked(vlp: Vlp) -> None:
    """Whoever wrote `--server vlmm` was told that the server cannot be reached."""
    check(vlp("http://model.invalid/v1", ASK, "--server", "vlmm"), Row(2, ("unknown kind of server 'vlmm'", "'vllm'")))


def test_every_mode_has_a_row() -> None:
    assert set(MODES) == {mode for mode, _ in ROWS}


def test_a_key_that_is_wrong_is_told_from_one_that_is_missing(vlp: Vlp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: "refuses the key" said to who has given none. The key is not repeated, even where the server does."""
    with serving("with-key") as server:
        monkeypatch.setenv("VLP_MODEL_KEY", "guessed")
        told = vlp(f"{server.origin}/v1")
        check(told, Row(3, ("refuses the key in VLP_MODEL_KEY",)))
        assert "guessed" not in told.err
        monkeypatch.setenv("VLP_MODEL_KEY", " secret\n")  # as a file of secrets ends
        check(vlp(f"{server.origin}/v1"), Row())


@pytest.mark.parametrize("key", ["schlüssel", "two words", "a\tb", "\u201csecret\u201d"])
def test_a_key_that_no_header_can_hold_is_bad_usage(key: str, vlp: Vlp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: a traceback of the HTTP client for a key with an umlaut."""
    monkeypatch.setenv("VLP_MODEL_KEY", key)
    told = vlp("http://127.0.0.1:9/v1")
    check(told, Row(2, ("VLP_MODEL_KEY", "ASCII")))
    assert key not in told.err


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.1.1", "0.0.0.0", "localhost"])
def test_no_proxy_stands_between_this_machine_and_itself(host: str, vlp: Vlp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: 0.0.0.0 and 127.0.1.1 asked of a company's proxy, which knows no such server."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving("good", "0.0.0.0" if host != "127.0.0.1" else host) as server:
        check(vlp(f"http://{host}:{server.server_address[1]}/v1"), Row())
    check(vlp("http://model.invalid/v1"), Row(3, ("cannot be reached",)))
    monkeypatch.setenv("HTTP_PROXY", "nonsense://x")
    monkeypatch.setenv("http_proxy", "nonsense://x")
    check(vlp("http://model.invalid/v1"), Row(2, ("HTTP_PROXY",)))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its self-signed certificate for 127.0.0.1, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    words += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", "-"]
    made = subprocess.run(words, check=True, capture_output=True, text=True)
    file.write_text(file.read_text() + made.stdout)
    return file


def test_a_self_signed_certificate_is_named_with_the_remedy_which_helps(
    certificate: Path, vlp: Vlp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Against: "cannot be reached, or hung up. Is it running?", and SSL_CERT_FILE ignored on this machine alone."""
    with serving("good", certificate=certificate) as server:
        url = f"{server.origin}/v1"
        check(vlp(url), Row(3, ("certificate", "self-signed", "SSL_CERT_FILE")))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        check(vlp(url), Row())
        check(vlp(url.replace("127.0.0.1", "localhost")), Row(3, ("certificate", "localhost", "by the name")))
        check(vlp(url.replace("https:", "http:")), Row(3, ("https://",)))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
        check(vlp(url), Row(2, ("SSL_CERT_FILE", "gone.pem", "No such file")))
    monkeypatch.delenv("SSL_CERT_FILE")
    with serving("good") as server:
        check(vlp(server.origin.replace("http:", "https:") + "/v1"), Row(3, ("does not speak TLS", "http://")))


def test_a_name_goes_with_a_url_alone_and_once(vlp: Vlp) -> None:
    check(vlp("nano", ASK, *NAMED), Row(2, ("--model-name", "'nano' is no URL")))
    check(vlp("http://127.0.0.1:9/v1#a", ASK, *NAMED), Row(2, ("names a model already",)))


def test_a_name_may_stand_behind_the_url(vlp: Vlp) -> None:
    """The form in which a journal keeps the name for `vlp resume`."""
    with serving("twins") as server:
        check(vlp(f"{server.origin}/v1#gamma"), Row())
    with serving("several") as server:
        check(vlp(f"{server.origin}/v1#beta-12b", GROUND), Row(3, ("asked for 'beta-12b'",), GROUND))
        assert server.asked[0]["model"] == "beta-12b"


def test_a_server_without_its_scheme_is_told_what_is_missing(vlp: Vlp) -> None:
    check(vlp("127.0.0.1:8000/v1"), Row(2, ("Write http:// before it",)))


def test_the_reply_of_a_strict_server_is_unwrapped(vlp: Vlp) -> None:
    """OpenAI's strict mode takes no `anyOf` at the root: the schema goes into a property, and the reply comes out of it."""
    with serving("strict-schemas") as server:
        check(vlp(f"{server.origin}/v1", GROUND), Row(command=GROUND))
        schema = server.asked[-1]["response_format"]["json_schema"]["schema"]
        assert list(schema["properties"]) == ["reply"] and schema["properties"]["reply"]["type"] == "array"
    assert BOX.startswith("[{")
