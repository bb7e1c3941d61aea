import json
from pathlib import Path

import pytest

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.messages import user
from vlp.models.catalogue import open_model
from vlp.models.protocol import Reply
from vlp.models.scripted import ScriptedModel

ASK = [user("do: it")]


def test_replies_come_in_order_and_then_run_out() -> None:
    model = ScriptedModel(["one", Reply("two", finish="length")])
    assert model.generate(ASK).text == "one"
    assert model.generate(ASK, draft="d").finish == "length"
    with pytest.raises(MissingComponent, match="run out after 2"):
        model.generate(ASK)
    assert [call["draft"] for call in model.calls] == [None, "d", None]


def test_a_function_sees_the_messages_and_the_last_reply_may_repeat() -> None:
    model = ScriptedModel(lambda messages: f"{len(messages)} turns")
    assert model.generate(ASK).text == "1 turns"
    repeating = ScriptedModel(["x"], repeat=True)
    assert [repeating.generate(ASK).text for _ in range(3)] == ["x"] * 3


def test_text_is_streamed() -> None:
    pieces: list[str] = []
    ScriptedModel(["hello"]).generate(ASK, on_text=pieces.append)
    assert "".join(pieces) == "hello"


def test_a_file_holds_texts_and_policies(tmp_path: Path) -> None:
    file = tmp_path / "replies.json"
    file.write_text(json.dumps(["no JSON", {"goal": "x", "subtasks": []}]))
    model = open_model(f"scripted:{file}", profile="brief")
    assert [model.generate(ASK).text for _ in range(2)] == ["no JSON", '{"goal":"x","subtasks":[]}']


@pytest.mark.parametrize("content", ["", "{}", "[]", "[1]", "[" * 100_000, "nonsense"])
def test_a_file_that_holds_no_replies_is_refused_in_one_line(content: str, tmp_path: Path) -> None:
    file = tmp_path / "replies.json"
    file.write_text(content)
    with pytest.raises(UsageError) as caught:
        ScriptedModel.from_file(file)
    assert "\n" not in str(caught.value)


def test_no_such_file() -> None:
    with pytest.raises(UsageError, match="no file of scripted replies"):
        open_model("scripted:/nowhere.json")
