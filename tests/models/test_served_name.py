import pytest

from vlp.models.server import on_loopback, same_model


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gpt-x", "gpt-x-2025-01-01"),
        ("gpt-x-2025-01-01", "gpt-x"),
        ("gpt-x-latest", "gpt-x-2025-01-01"),
        ("claude-x", "anthropic/claude-x-20250101"),
        ("gemini-x", "models/gemini-x-001"),
        ("llava", "llava:latest"),
        ("Qwen/Qwen2.5-VL-3B-Instruct", "/data/hub/models--Qwen--Qwen2.5-VL-3B-Instruct/snapshots/0a1b"),
        ("Qwen2.5-VL-3B-Instruct", "qwen/qwen2.5-vl-3b-instruct:free"),
        ("m", "C:\\models\\M.gguf"),
        ("qwen2.5-vl-7b", "/models/qwen2.5-vl-7b-Q4_K_M.gguf"),
        ("m", ""),
        ("m", "  "),
        ("/models/m/", "m"),
    ],
)
def test_names_of_one_model(asked: str, answered: str) -> None:
    """Against: "asked for 'gpt-x', and 'gpt-x-2025-01-01' answered" ending a run."""
    assert same_model(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("m", "tiny-llama"),
        ("gpt-x", "gpt-x-mini"),
        ("gpt-x-2024-05-13", "gpt-x-2025-01-01"),
        ("llava:7b", "llava:13b"),
        ("qwen2.5-vl-3b", "qwen2.5-vl-7b"),
        ("m-q4_k_m", "m-q8_0"),
        ("-2025-01-01", "x"),
    ],
)
def test_names_of_two_models(asked: str, answered: str) -> None:
    assert not same_model(asked, answered)


THIS = ("127.0.0.1", "127.0.1.1", "127.1", "localhost", "LOCALHOST.", "a.localhost", "::1", "0.0.0.0", "::", "::ffff:127.0.0.9")
OTHERS = ("example.org", "127.0.0.1.example.org", "10.0.0.1", "128.0.0.1", "localhost.example.org", "fe80::1%eth0")


@pytest.mark.parametrize("host", THIS)
def test_this_machine_is_known_by_all_its_names(host: str) -> None:
    assert on_loopback(host)


@pytest.mark.parametrize("host", OTHERS)
def test_another_machine_is_not_this_one(host: str) -> None:
    assert not on_loopback(host)
