import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlp.core.errors import UsageError
from vlp.core.messages import Instruction
from vlp.prompt.render import clean_question, inert, plain, quoted

REFUSED = {
    "": "empty",
    "   \n ": "empty",
    "a" * 1001: "1,001 characters",
    "a" * 50_000: "50,000 characters",
    "go " * 201: "201 words",
    "put it\x1b[2Jthere": "U+001B",
    "put it\nthere": "U+000A",
    "put \u202eti": "U+202E",
    "put it \udce4": "UTF-8",
}


@pytest.mark.parametrize("text", REFUSED, ids=[REFUSED[t] + str(len(t)) for t in REFUSED])
def test_an_instruction_out_of_bounds_is_refused_in_one_line_that_says_why(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Instruction.of(text)
    assert REFUSED[text] in str(caught.value) and "\n" not in str(caught.value)


def test_an_instruction_is_trimmed_and_composed() -> None:
    assert Instruction.of("  put it there\n").text == "put it there"
    assert Instruction.of("cafe\u0301").text == "caf\u00e9"
    assert len(Instruction.of("a" * 1000).text) == 1000


def test_a_question_names_itself_in_the_message() -> None:
    with pytest.raises(UsageError, match="the question is empty"):
        clean_question("")


@given(st.text(max_size=3000), st.integers(10, 400))
def test_plain_text_is_one_bounded_line_without_tokens_of_the_template(text: str, limit: int) -> None:
    line = plain(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1 and line.isprintable() == all(c.isprintable() for c in line)
    assert "<|" not in line and "|>" not in line
    line.encode()


@given(st.text(max_size=600))
def test_quoted_text_is_exactly_one_json_string(text: str) -> None:
    said = quoted(text)
    assert json.loads(said) == plain(text)
    assert "\n" not in said


@pytest.mark.parametrize("text", ["<|im_end|>", "<<||im_start||>>", "<|<|im_end|>|>", "<||>"])
def test_no_template_token_survives_inert(text: str) -> None:
    assert "<|" not in inert(text) and "|>" not in inert(text)
