"""Row P5: both arms do the same, one of them begins early; and what is counted."""

import os
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")

import pytest

from vlp.core.messages import user
from vlp.evaluation.speed.early import first_step, known_at
from vlp.evaluation.speed.imposed import ImposedModel
from vlp.evaluation.speed.replanning import opened
from vlp.evaluation.speed.rows import Effort
from vlp.models.scripted import ScriptedModel


def test_where_the_first_step_is_known() -> None:
    head = '{"goal":"x","subtasks":[{"name":"y","steps":[{"do":"locate","object":"cube"'
    assert known_at(head + ',"as":"cube"},{"do":"home"}]}]}') == len(head + ',"as":')
    assert known_at(head + "}]}]}") == len(head + "}")
    assert known_at('{"goal":"x","cannot":"y"}') == 25


def test_a_model_writes_what_another_one_writes_and_computes_all_the_same() -> None:
    _, inner = opened("nano-base")
    model = ImposedModel(inner)
    model.writes, heard = ScriptedModel(["the red cube"]), list[str]()
    reply = model.generate([user("What is there?")], on_text=heard.append)
    assert reply.text == "".join(heard) == "the red cube" and reply.tokens["forwards"] > 1
    usual = inner.generate([user("What is there?")], max_tokens=8)
    assert usual.text != "the red cube", "its own choice is its own again"


@pytest.mark.long
def test_the_row_of_the_first_step(tmp_path: Path) -> None:
    request, token, counted = first_step(Effort(1, "nano", tmp_path))
    assert {row.row for row in (request, token, counted)} == {"P5"} and request.at_most == 0.3
    assert 0.0 < token.value.median < 1.0 and 0.0 < counted.value.median < 0.5
    (early,), (usual,) = request.more["seconds"]["early"], request.more["seconds"]["usual"]
    assert early[1] < early[2] and usual[1] > usual[2], "sent before, and after, the policy had been written"
