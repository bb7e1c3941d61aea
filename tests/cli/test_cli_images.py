"""One picture in forty kinds of file, through every reader: `ask`, `ground`, `data import`, training data, the linter."""

import hashlib
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_kit import GOOD

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))
sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
import kit
from image_kinds import KINDS, Kind, exif, plain, saved
from PIL import Image as Pil

from vlp.cli.run import open_chosen
from vlp.core.errors import UsageError
from vlp.data.sample import make_sample
from vlp.data.store import Store, StoreWriter
from vlp.models.protocol import GENERAL, Reply

SKIP = ("--skip", "balance", "duplicates", "leakage")


class FakeModel:
    """Keeps the pictures that it is shown, and always answers the same."""

    name, profile, can = "fake", "full", GENERAL

    def __init__(self) -> None:
        self.shown: list[np.ndarray] = []

    def generate(self, messages: Any, **_: Any) -> Reply:
        self.shown += [part for message in messages for part in message.parts if not isinstance(part, str)]
        return Reply("[1,2,30,40]")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    fake = FakeModel()
    for module in ("vlp.cli.ask", "vlp.cli.ground"):
        monkeypatch.setattr(f"{module}.open_chosen", lambda *_, **__: fake)
    return fake


@pytest.mark.parametrize("name", KINDS)
def test_every_reader_sees_what_a_person_sees_or_says_why_not(vlp, model: FakeModel, tmp_path: Path, name: str) -> None:
    """Against: the answer of a model changed from 2 to 0 with the EXIF tag of one and the same picture."""
    kind = KINDS[name]
    data, file = kind.make(plain()), tmp_path / f"picture.{kind.suffix}"
    file.write_bytes(data)
    row = {"image": file.name, "instruction": "put the red cube in the green bowl", "policy": GOOD}
    (tmp_path / "samples.jsonl").write_text(json.dumps(row))
    ways = (
        ("ask", file, "how many cubes are there?", "--model", "fake"),
        ("ground", file, "red cube", "--model", "fake"),
        ("data", "import", tmp_path, "--out", tmp_path / "set"),
    )
    if kind.refused:
        for way in ways:
            vlp(*way).refused(2, kind.refused)
        assert not (tmp_path / "set").exists() and not model.shown
        return
    for way in ways:
        assert vlp(*way).status == 0
    store = Store(tmp_path / "set")
    assert len(model.shown) == 2
    for rgb in (*model.shown, store.image(next(iter(store)))):
        kind.shows(rgb, plain())
    assert vlp("data", "lint", tmp_path / "set", *SKIP).status == 0, "what is stored is plain"


PNG_KINDS = {name: kind for name, kind in KINDS.items() if kind.make(plain()).startswith(b"\x89PNG")}
PLAIN_KINDS = ("8-bit grey", "sRGB profile", "damaged profile", "PNG named .jpg", "damaged EXIF")


def old_set(folder: Path, data: bytes) -> None:
    """Write a set with one sample whose PNG is kept as it came, as older versions and other programs did."""
    name = hashlib.sha256(data).hexdigest()
    with StoreWriter(folder, {"hsr": kit.manifest()}) as writer:
        (folder / "images" / f"{name}.png").write_bytes(data)
        s = kit.example(0, name)
        source = {"kind": "import"}
        writer.add(make_sample("a", [name], s.instruction, s.robot, s.state, s.memory, s.policy, source, "train"))


@pytest.mark.parametrize("name", PNG_KINDS)
def test_training_reads_stored_pictures_so_too_and_the_linter_names_them(vlp, tmp_path: Path, name: str) -> None:
    """Against: `lint` found nothing in sets with turned, 16-bit and transparent images."""
    kind: Kind = PNG_KINDS[name]
    old_set(tmp_path / "set", kind.make(plain()))
    store = Store(tmp_path / "set")
    said = vlp("data", "lint", tmp_path / "set", *SKIP)
    if kind.refused:
        with pytest.raises(UsageError, match="image of a-") as error:
            store.image(next(iter(store)))
        assert kind.refused in error.value.message
        assert said.status == 1 and "1 broken-image" in said.out and kind.refused in said.out
        return
    kind.shows(store.image(next(iter(store))), plain())
    if name in PLAIN_KINDS:
        assert said.status == 0, said.out
    else:
        assert said.status == 1 and "1 unlike-shown-image" in said.out
        vlp("data", "merge", tmp_path / "set", "--out", tmp_path / "other").refused(2, "no plain PNG", "data lint")


def test_a_picture_that_shows_nothing_is_named(vlp, tmp_path: Path) -> None:
    """Against: 16-bit pictures imported as all white by an older version, which no check found."""
    white = np.full((72, 96, 3), 255, np.uint8)
    white[:2, :2] = 0
    old_set(tmp_path / "set", saved(Pil.fromarray(white), "PNG"))
    said = vlp("data", "lint", tmp_path / "set", *SKIP)
    assert said.status == 1 and "1 blank-image" in said.out and "have one colour" in said.out


def test_nano_answers_the_same_however_the_picture_lies(vlp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Against: "how many cubes are there?" answered 2 for the plain picture, and 0 with EXIF 3 and 6."""
    pytest.importorskip("mujoco")
    from vlp.sim import sample
    from vlp.sim.render import Camera
    from vlp.sim.simulation import Simulation

    monkeypatch.setattr("vlp.cli.ask.open_chosen", cache(open_chosen))  # loaded once for all of them
    simulation = Simulation(sample("tabletop", 7), "hsr")
    rgb = Camera(simulation.model, "head_rgbd").rgb(simulation.data)

    def answer(data: bytes) -> str:
        (tmp_path / "picture").write_bytes(data)
        told = vlp("ask", "picture", "how many cubes are there?")
        assert told.status == 0, told.err
        return told.out.strip()

    answers = {n: answer(exif(rgb, n, quality=95, subsampling=0)) for n in range(1, 9)}
    assert set(answers.values()) == {answer(saved(Pil.fromarray(rgb), "PNG"))}
    assert answers[1].isdigit() and answers[1] != "0", "a picture in which a turn would change the answer"
