"""A tokenizer or a chat template that could run long is refused by reading it, not by waiting for it."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from toy_model import TEMPLATE

from vlp.core.errors import UsageError
from vlp.models.text_checks import KNOWN_PATTERNS, check_template, check_tokenizer

ROOT = Path(__file__).parents[2]
QWEN_TEXT = """{% set image_count = namespace(value=0) %}{% for message in messages %}
{% if loop.first and message['role'] != 'system' %}<|im_start|>system\\nYou help.<|im_end|>{% endif %}
<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}<|im_end|>{% else %}{% for content in message['content'] %}
{% if content['type'] == 'image' or 'image' in content %}{% set image_count.value = image_count.value + 1 %}
{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>
{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>{% endif %}{% endfor %}
{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"""

HOSTILE_TEMPLATES = {
    "nested loops": ("{% for a in x %}{% for b in x %}{% for c in x %}.{% endfor %}{% endfor %}{% endfor %}", "nests loops"),
    "a long range": ("{% for a in range(10000000000) %}.{% endfor %}", "loops over something else"),
    "a string of 10 GB": ("{{ 'x' * 10000000000 }}", "uses Mul"),
    "a power": ("{{ 9 ** 9 ** 9 }}", "uses Pow"),
    "text that doubles": (
        "{% set n = namespace(t='x') %}{% for m in messages %}{% set n.t = n.t + n.t %}{% endfor %}",
        "could grow",
    ),
    "text that is joined": ("{% for m in messages %}{% set t = t ~ t %}{% endfor %}", "uses Concat"),
    "a wide filter": ("{{ 'x' | center(10000000000) }}", "the filter 'center'"),
    "a format": ("{{ '%1000000000d' | format(1) }}", "the filter 'format'"),
    "a macro that calls itself": ("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "uses Macro"),
    "a recursive loop": ("{% for m in messages recursive %}{{ loop(m) }}{% endfor %}", "loops over something else"),
    "another file": ("{% include '/etc/passwd' %}", "uses Include"),
    "a way out": ("{{ messages.__class__.__mro__[1].__subclasses__() }}", "calls '__subclasses__'"),
    "a look inside": ("{{ messages.__class__.__mro__ }}", "reads '__mro__'"),
    "a look inside by name": ("{{ messages['__class__'] }}", "reads '__class__'"),
    "no Jinja": ("{% for", "not valid Jinja"),
    "a very long one": ("x" * 30_000, "30,000 characters"),
    "two templates": ({"default": "x"}, "not one template"),
    "depth": ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "not valid Jinja"),
}


def nano_template() -> str:
    return (ROOT / "src/vlp/nano/weights/nano/chat_template.jinja").read_text()


@pytest.mark.parametrize("template", [TEMPLATE, QWEN_TEXT, nano_template()], ids=["toy", "published", "nano"])
def test_templates_of_this_family_are_taken(template: str) -> None:
    check_template(template, "model")


@pytest.mark.parametrize("case", HOSTILE_TEMPLATES)
def test_a_template_that_could_run_long_is_refused_in_one_line(case: str) -> None:
    """A template with nested loops and a string of 10^10 characters hung the program, or ended it with a traceback."""
    template, said = HOSTILE_TEMPLATES[case]
    with pytest.raises(UsageError) as caught:
        check_template(template, "model")
    assert said in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400


def tokenizer(**changes: Any) -> dict[str, Any]:
    split = {"type": "Split", "pattern": {"Regex": KNOWN_PATTERNS[0]}, "behavior": "Isolated"}
    plain = {
        "added_tokens": [{"content": "<|im_end|>"}],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, {"type": "ByteLevel"}]},
        "post_processor": {"type": "ByteLevel"},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []},
    }
    return plain | changes


def splitting(pattern: str) -> dict[str, Any]:
    return tokenizer(pre_tokenizer={"type": "Split", "pattern": {"Regex": pattern}})


def nested(depth: int) -> dict[str, Any]:
    value: Any = {"type": "NFC"}
    for _ in range(depth):
        value = {"type": "Sequence", "normalizers": [value]}
    return value


HOSTILE_TOKENIZERS = {
    "a bomb": (splitting("(a+)+$"), "may take for ever"),
    "nested stars": (splitting("([a-z]*)*b"), "may take for ever"),
    "alternatives that overlap": (splitting("(a|a)+b"), "may take for ever"),
    "backwards": (splitting(r"(?<=a)b"), "may take for ever"),
    "repeated to the full": (splitting("[a-z]{1000000}"), "may take for ever"),
    "in a normalizer": (
        tokenizer(normalizer={"type": "Replace", "pattern": {"Regex": "a"}, "content": "b" * 10**6}),
        "a normalizer of type 'Replace'",
    ),
    "another model": (tokenizer(model={"type": "Unigram", "vocab": []}), "a model of type 'Unigram'"),
    "1.5 million entries": (
        tokenizer(model={"type": "BPE", "vocab": {str(i): i for i in range(1_500_000)}, "merges": []}),
        "1,500,000 entries in vocab",
    ),
    "half a million special tokens": (tokenizer(added_tokens=[{"content": "x"}] * 500_000), "500,000 entries in added_tokens"),
    "too deep": (tokenizer(normalizer=nested(900)), "nested too deep"),
}


@pytest.mark.parametrize("case", HOSTILE_TOKENIZERS)
def test_a_tokenizer_that_could_run_long_is_refused_in_one_line(case: str) -> None:
    """1.5 million entries or a regular expression that goes back took over 40 s, or a panic of the library."""
    data, said = HOSTILE_TOKENIZERS[case]
    with pytest.raises(UsageError) as caught:
        check_tokenizer(data, "model")
    assert said in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("pattern", [r"[a-z]+|[0-9]|\s|[^a-z0-9\s]", "[ \n\"\\[\\],.?!_$:;'()]", r"\p{L}+|\p{N}"])
def test_patterns_that_never_go_back_are_taken(pattern: str) -> None:
    check_tokenizer(splitting(pattern), "model")


def test_the_shipped_and_the_published_tokenizers_are_taken() -> None:
    for name in ("nano", "nano_base"):
        check_tokenizer(json.loads((ROOT / f"src/vlp/nano/weights/{name}/tokenizer.json").read_text()), name)
    spec = importlib.util.spec_from_file_location("qwen_tokens", ROOT / "tools" / "qwen_tokens.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.SPLIT in KNOWN_PATTERNS
    check_template(tool.CHAT_TEMPLATE, "published")
