"""What a model says before its reply is held by one protocol, whatever model it is."""

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vlp.core.errors import UsageError
from vlp.core.messages import Message, Names, assistant, user
from vlp.models import turns
from vlp.models.catalogue import open_model
from vlp.models.folder import check_folder
from vlp.models.protocol import Model, Reply
from vlp.models.scripted import ScriptedModel
from vlp.models.server import ServedModel, marked_name
from vlp.models.turns import ModelWithTurns, own_turns


class CountingTurns:
    """Says how long the question is before it answers."""

    names = Names(kinds={"cube": "cube"})
    words_tokens = 8

    def __init__(self, tower: object) -> None:
        self.tower = tower

    def shown(
        self, messages: Sequence[Message], model: Model, timeout_s: float = 60.0, words: Callable[[], str] | None = None
    ) -> tuple[list[Message], list[Reply]]:
        said = model.generate(messages, max_tokens=4, timeout_s=timeout_s) if words is None else Reply(words())
        return [*messages, assistant(said.text), user("and?")], [said]

    def speaks_first(self, messages: Sequence[Message]) -> bool:
        return len(messages) == 1

    def held(self, schema: dict[str, Any], words: str) -> dict[str, Any]:
        return {**schema, "title": words}

    def words(self, policy: Mapping[str, Any]) -> str:
        return str(len(policy))

    def named(self, policy: Mapping[str, Any]) -> dict[str, Any]:
        return dict(policy)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row `counting` in the table of turns."""
    module = ModuleType("counting_turns")
    module.CountingTurns = CountingTurns  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "counting_turns", module)
    monkeypatch.setitem(turns.TURNS, "counting", "counting_turns:CountingTurns")


def folder_with(toy_folder: Path, where: Path, **record: Any) -> Path:
    folder = Path(shutil.copytree(toy_folder, where))
    (folder / "vlp.json").write_text(json.dumps({"format": 1, "name": "toy", **record}))
    return folder


def test_what_is_said_first_stands_before_the_reply_and_holds_its_grammar() -> None:
    inner = ScriptedModel(["4 words", "{}", "3 words", "{}"])
    model = ModelWithTurns(inner, CountingTurns(None))
    reply = model.generate([user("what do you see?")], grammar={"type": "object"})
    assert (reply.text, reply.said) == ("{}", "4 words") and reply.timings_s["said"] >= 0
    assert [call["grammar"] for call in inner.calls] == [None, {"type": "object", "title": "4 words"}]
    assert "".join(m.role[0] for m in inner.calls[1]["messages"]) == "uau"
    model.generate([user("a"), user("b")], grammar={"type": "object"})
    assert inner.calls[3]["grammar"] == {"type": "object"}
    assert model.can.names is CountingTurns.names


def test_a_row_of_the_table_is_enough_for_a_folder_that_names_it(counting: None, toy_folder: Path, tmp_path: Path) -> None:
    model: Any = open_model(str(folder_with(toy_folder, tmp_path / "toy", turns="counting")), device="cpu")
    assert isinstance(model, ModelWithTurns) and isinstance(model.turns, CountingTurns)
    assert model.turns.tower is model.model
    assert open_model(str(toy_folder), device="cpu").turns is None  # type: ignore[attr-defined]


def test_folders_of_older_versions_open_and_unknown_turns_are_named(toy_folder: Path, tmp_path: Path) -> None:
    """Guards against `"sighted": true`, as older versions wrote it, being passed over: the model would be asked otherwise."""
    old = check_folder(folder_with(toy_folder, tmp_path / "old", sighted=True))
    blind = check_folder(folder_with(toy_folder, tmp_path / "blind", sighted=False))
    assert (old.turns, blind.turns) == ("sight", "")
    for number, (record, said) in enumerate(
        (({"turns": "sigth"}, "Did you mean 'sight'"), ({"turns": 3}, "Expected a word"), ({"sighted": 1}, "not true or false"))
    ):
        with pytest.raises(UsageError, match=said):
            check_folder(folder_with(toy_folder, tmp_path / str(number), **record))


def test_a_served_name_tells_turns_and_tower() -> None:
    name = marked_name("toy", "brief", "counting", "0123456789ab")
    served = ServedModel(name)
    assert name == "toy@brief+counting:0123456789ab"
    assert (served.profile, served.turns, served.tower) == ("brief", "counting", "0123456789ab")


def test_all_that_decides_a_reply_is_compared() -> None:
    """Guards against a parity gate that compares the policy alone, when another quote would have led to another one."""
    shown = [user("do: x"), assistant("red_cube 1"), user("so"), assistant("pick it up"), user("as a policy")]
    assert [len(each) for each in own_turns(shown)] == [1, 3, 5]
