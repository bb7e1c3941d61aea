"""Samples that ask something else than a policy of an image."""

import json
from pathlib import Path

import pytest
from kit import manifest, picture

from vlp.core.errors import UsageError
from vlp.core.observation import RobotState
from vlp.data.lerobot import export_samples
from vlp.data.lerobot_in import import_lerobot
from vlp.data.lint import lint
from vlp.data.sample import Sample, make_sample
from vlp.data.stats import stats
from vlp.data.store import Store, StoreWriter
from vlp.data.view import view
from vlp.prompt.render import Memory

MANIFEST, RGB = manifest(), picture(1)


def asked(image: str, stem: str = "one", question: str = "Which way?", reply: str = "move <left>") -> Sample:
    source = {"kind": "test"}
    told = Memory(("go on",))
    return make_sample(stem, [image], "go on", MANIFEST.robot, RobotState(), told, {}, source, "train", question, reply)


def stored(folder: Path) -> Sample:
    with StoreWriter(folder, {MANIFEST.robot: MANIFEST}) as writer:
        image = writer.add_image(RGB)
        writer.add_all([asked(image), asked(image, "two", reply="move right")])
        return asked(image)


def test_a_question_is_what_the_model_is_asked_and_its_reply_what_it_writes(tmp_path: Path) -> None:
    sample = stored(tmp_path / "store")
    assert sample.messages(RGB, MANIFEST)[0].text == "Which way?"
    assert sample.target == "move <left>"
    assert sample.outcome == sample.family == "reply"
    assert Sample.from_json(json.dumps(sample.to_json())) == sample
    assert sample.digest != asked(sample.images[0], question="Why?").digest


def test_a_store_with_questions_is_linted_counted_shown_and_exchanged(tmp_path: Path) -> None:
    """Against: every reader of samples that expects a policy."""
    sample = stored(tmp_path / "store")
    assert lint(tmp_path / "store").ok, lint(tmp_path / "store").faults
    found = stats(tmp_path / "store")
    assert found["counts"]["outcome"] == {"reply": 2}
    assert found["lengths"]["reply characters"]["most"] == len("move <left>")
    assert view(tmp_path / "store", tmp_path / "page.html") == 2
    assert "move &lt;left&gt;" in (tmp_path / "page.html").read_text()
    assert export_samples(tmp_path / "store", tmp_path / "lerobot") == 2
    assert import_lerobot(tmp_path / "again", tmp_path / "lerobot", MANIFEST) == 2
    assert next(Store(tmp_path / "again").samples()) == sample


@pytest.mark.parametrize(
    "change",
    [{"reply": ""}, {"question": ""}, {"policy": {"goal": "x"}}, {"question": "", "reply": ""}, {"question": "?" * 2001}],
)
def test_half_a_question_is_no_sample(tmp_path: Path, change: dict) -> None:
    """Against: a sample without any answer, which would teach a model to say nothing."""
    data = stored(tmp_path / "store").to_json() | change
    with pytest.raises(UsageError, match=r"policy|reply|question"):
        Sample.from_json(data)
