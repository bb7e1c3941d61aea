import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vlp.core.messages import assistant, user
from vlp.models.batching import Segment
from vlp.models.catalogue import FOLDERS, find_folder, open_model
from vlp.models.numpy_model import NumpyModel, positions, tower_of
from vlp.models.numpy_parts import Array, Decoder, Turned, VisionTower
from vlp.models.transformers_model import TransformersModel

ANY = np.random.default_rng(7).integers(0, 255, (480, 640, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=list(FOLDERS))
def both(request: pytest.FixtureRequest) -> tuple[NumpyModel, TransformersModel]:
    folder = find_folder(request.param)
    return NumpyModel(folder), TransformersModel(folder, device="cpu")


@pytest.mark.parametrize("size", [(480, 640), (324, 432), (200, 700)])
def test_the_tower_sees_what_transformers_sees(
    both: tuple[NumpyModel, TransformersModel], size: tuple[int, int]
) -> None:  # windows cut off at the edge among them
    plain, usual = both
    rgb = np.ascontiguousarray(ANY[: size[0], : size[1]]) if size[1] <= 640 else np.tile(ANY, (1, 2, 1))[: size[0], : size[1]]
    frames = usual.chat.pixels(rgb).values.reshape(-1, 3, 2, 18 * 18)
    assert np.array_equal(plain.chat.pixels(rgb).values, frames[:, :, 0].reshape(len(frames), -1))
    assert np.array_equal(frames[:, :, 0], frames[:, :, 1])
    assert np.abs(plain.image_tokens([rgb])[0] - usual.image_tokens([rgb])[0]).max() < 2e-5


def test_it_is_asked_and_answers_as_with_transformers(both: tuple[NumpyModel, TransformersModel]) -> None:
    plain, usual = both
    asked = [user(ANY, "sees: red_cube 2 3 <|end|>\nask: is it red?"), assistant("red_cube 2 3"), user("so")]
    prompt, other = plain.chat.prompt(asked), usual.chat.prompt(asked)
    assert (prompt.ids, prompt.marks()) == (other.ids, other.marks())
    assert positions(prompt, 2).tolist() == usual.positions(other).tolist()
    assert (plain.ends, plain.most_tokens, plain.can, plain.name) == (usual.ends, usual.most_tokens, usual.can, usual.name)
    mine, theirs = plain.trace(asked, max_tokens=24), usual.trace(asked, max_tokens=24)
    assert mine.tokens == theirs.tokens
    for one, another in zip(mine.tops, theirs.tops, strict=True):
        assert one == pytest.approx(another, abs=1e-3)


def test_words_and_policies_are_the_same(both: tuple[NumpyModel, TransformersModel]) -> None:
    grammar = {
        "type": "object", "properties": {"a": {"enum": ["cube", "bowl"]}, "b": {"type": "string", "maxLength": 9}},
        "required": ["a", "b"], "additionalProperties": False,
    }  # fmt: skip
    replies = []
    for model in both:
        asked = [user(ANY, "ask: what is there?")]
        replies += [model.generate(asked, max_tokens=40), model.generate(asked, grammar=grammar, draft='{"a":"cube"')]
    assert [r.text for r in replies[:2]] == [r.text for r in replies[2:]]
    assert [r.tokens for r in replies[:2]] == [r.tokens for r in replies[2:]]


def test_what_is_not_asked_about_and_what_is_read_meanwhile_changes_no_number(
    both: tuple[NumpyModel, TransformersModel],
) -> None:
    plain, _ = both
    ids = np.random.default_rng(3).integers(20, 1000, 300)
    embedded, places = plain.engine.embedding[ids], np.tile(np.arange(300), (3, 1))
    rows = []
    for keep in (300, 150, 5):  # all on one thread, the first half and the first half on another
        cache = plain.engine.cache()
        rows.append(plain.engine.feed([Segment(cache, embedded, places, ids.tolist(), keep)])[-5:])
    cache.forget(295)
    rows.append(plain.engine.feed([Segment(cache, embedded[5:], places[:, 5:], ids[5:].tolist(), 5)]))
    for other in rows[1:]:
        np.testing.assert_allclose(rows[0], other, atol=1e-4)


def test_what_fails_on_the_other_thread_is_told(
    both: tuple[NumpyModel, TransformersModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against: tokens that wait for ever for those before them."""
    engine = both[0].engine
    read = Decoder._read

    def short_of_memory(self: Decoder, x: Array, turned: Turned, spans: Any, held: Any) -> Array:
        if not spans[0].keep:
            raise MemoryError
        return read(self, x, turned, spans, held)

    monkeypatch.setattr(Decoder, "_read", short_of_memory)
    cache = engine.cache()
    with pytest.raises(MemoryError):
        engine.feed([Segment(cache, engine.embedding[:200], np.tile(np.arange(200), (3, 1)), list(range(200)), 1)])
    assert cache.marks == []


def test_an_image_is_read_once_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    from vlp.nano.vision import Detector

    passes, read = [], VisionTower.__call__
    monkeypatch.setattr(VisionTower, "__call__", lambda self, *given: passes.append(1) or read(self, *given))
    folder, rgb = find_folder("nano"), np.roll(ANY, 40, axis=1)
    detector, model = Detector(folder), NumpyModel(folder)
    assert detector.visual is model.tower is tower_of(folder)
    detector.code([rgb])
    seen = model.image_tokens([rgb])[0]
    assert len(passes) == 1
    model.image_tokens([np.flipud(rgb)])
    assert len(passes) == 2 and np.array_equal(model.image_tokens([rgb])[0], seen)


def test_the_shipped_model_imports_no_torch(tmp_path: Path) -> None:
    ask = (
        "import sys; from vlp.models.catalogue import open_model; from vlp.core.messages import user\n"
        "open_model('nano').generate([user('ask: is it red?')], max_tokens=3)\n"
        "import vlp.nano.vision\n"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert told.stdout.strip() == "[]"


def test_numbers_are_the_same_however_many_threads_there_are(tmp_path: Path) -> None:
    """Against: the last digits of the tower's numbers with two threads, and so other scores on another machine."""
    ask = (
        "import hashlib, numpy as np; from vlp.models.catalogue import open_model\n"
        "rgb = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)\n"
        "print(hashlib.sha256(open_model('nano').model.image_tokens([rgb])[0].tobytes()).hexdigest())"
    )
    told = []
    for threads in ("1", "2"):
        env = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, cwd=tmp_path, env=env)
        told.append(done.stdout)
    assert told[0] == told[1]


def test_what_needs_torch_is_opened_with_it() -> None:
    opened = open_model("nano", device="cpu")
    assert isinstance(opened.model, TransformersModel)  # type: ignore[attr-defined]
    assert isinstance(open_model("nano").model, NumpyModel)  # type: ignore[attr-defined]
