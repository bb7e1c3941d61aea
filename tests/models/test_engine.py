"""The engine's numbers are transformers' own, however the tokens are cut into calls, and whatever was kept."""

import copy
from typing import Any

import numpy as np
import pytest
import torch

from vlp.core.errors import UsageError
from vlp.core.messages import user
from vlp.models.batching import Cache, Segment
from vlp.models.engine import Engine
from vlp.models.sight import VisionEngine
from vlp.models.transformers_model import TransformersModel


@pytest.fixture(params=["float32", "bfloat16"])
def model(request: pytest.FixtureRequest, toy: TransformersModel) -> Any:
    """The toy's weights in both widths, with larger random numbers: those of a new model hardly depend on position."""
    torch.manual_seed(0)
    copy = type(toy.model)(toy.model.config).eval()
    for parameter in copy.parameters():
        parameter.data.normal_(std=0.3 if parameter.ndim > 1 else 0.5)
    return copy.to(getattr(torch, request.param))


def prompt(model: Any, n: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    """Return n embedded tokens and places for them that differ in time, height and width."""
    ids = torch.randint(7, model.config.text_config.vocab_size, (n,), generator=torch.Generator().manual_seed(1))
    places = torch.stack([torch.arange(n), torch.arange(n) // 3, torch.arange(n) % 5])
    return model.get_input_embeddings()(ids), places


def fed(engine: Engine, cache: Cache, embedded: torch.Tensor, places: torch.Tensor, at: int, n: int, keep: int) -> torch.Tensor:
    """Feed n of the tokens from the place `at` on, marked by their places."""
    return engine.feed([Segment(cache, embedded[at : at + n], places[:, at : at + n], list(range(at, at + n)), keep)])


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("cuts", [(30,), (1, 29), (11, 1, 1, 17)])
def test_logits_are_those_of_transformers_however_tokens_are_cut(model: Any, joined: bool, cuts: tuple[int, ...]) -> None:
    with torch.inference_mode():
        embedded, places = prompt(model)
        out = model.model.language_model(inputs_embeds=embedded[None], position_ids=places[:, None], use_cache=False)
        wanted = model.lm_head(out.last_hidden_state[0])
        engine, got, at = Engine(model, joined), [], 0
        cache = engine.cache()
        for n in cuts:
            got.append(fed(engine, cache, embedded, places, at, n, n))
            at += n
    close = 1e-4 if wanted.dtype == torch.float32 else 0.05
    assert wanted.float().std() > 0.1
    torch.testing.assert_close(torch.cat(got), wanted, atol=close * float(wanted.abs().max()), rtol=0)


def test_what_is_kept_is_what_prompts_have_in_common(model: Any) -> None:
    with torch.inference_mode():
        embedded, places = prompt(model)
        engine = Engine(model)
        cache = engine.cache()
        fed(engine, cache, embedded, places, 0, 30, 1)
        assert cache.keep([*range(20), 99, 98]) == 20 and cache.marks == list(range(20))
        assert cache.keep(list(range(20))) == 19, "the last token is read anew, for what follows from it"
        again = fed(engine, cache, embedded, places, 19, 11, 3)
        cache.forget(2)
        assert cache.marks == list(range(28))
        once_more = fed(engine, cache, embedded, places, 28, 2, 2)
    torch.testing.assert_close(once_more, again[1:], atol=0.05 * float(again.abs().max()), rtol=0)


def test_more_tokens_than_there_was_room_for_leave_those_before_as_they_were(model: Any) -> None:
    with torch.inference_mode():
        embedded, places = prompt(model, 700)
        engine, whole = Engine(model), Engine(model)
        cache = engine.cache()
        fed(engine, cache, embedded, places, 0, 500, 1)
        got = fed(engine, cache, embedded, places, 500, 200, 1)
        wanted = fed(whole, whole.cache(), embedded, places, 0, 700, 1)
    torch.testing.assert_close(got, wanted, atol=0.05 * float(wanted.abs().max()), rtol=0)


@pytest.mark.parametrize("padded", [False, True])
def test_segments_of_one_pass_see_nothing_of_each_other(model: Any, padded: bool) -> None:
    """Against: keys and values of one request in another's, or a place that is hidden being looked at."""
    lengths = ((30, 1, 1), (200, 5, 3), (7, 9, 9), (40, 150, 2))  # held before, new, asked about; the last is read on its own
    with torch.inference_mode():
        embedded, places = prompt(model, 400)
        engine, alone, segments, wanted = Engine(model, padded=padded), Engine(model), [], []
        for k, (before, n, keep) in enumerate(lengths):
            here, single = embedded[40 * k :], alone.cache()
            segments.append((engine.cache(), here, before, n, keep))
            fed(engine, segments[-1][0], here, places, 0, before, 1)
            fed(alone, single, here, places, 0, before, 1)
            wanted.append(fed(alone, single, here, places, before, n, keep))
        got = engine.feed(
            [
                Segment(cache, x[at : at + n], places[:, at : at + n], list(range(at, at + n)), keep)
                for cache, x, at, n, keep in segments
            ]
        )
    close = 1e-4 if got.dtype == torch.float32 else 0.05
    torch.testing.assert_close(got, torch.cat(wanted), atol=close * float(got.abs().max()), rtol=0)
    assert [len(cache.marks) for cache, *_ in segments] == [before + n for before, n, _ in lengths]


def test_a_sliding_window_is_refused(toy: TransformersModel) -> None:
    model = type(toy.model)(copy.deepcopy(toy.model.config))
    model.config.text_config.layer_types = ["sliding_attention", "full_attention"]
    with pytest.raises(UsageError, match="sliding window"):
        Engine(model)


@pytest.mark.parametrize("grid", [(1, 18, 24), (1, 14, 28), (1, 2, 2), (1, 10, 6)])
@pytest.mark.parametrize("joined", [False, True])
def test_image_tokens_are_those_of_transformers_whatever_windows_there_are(
    model: Any, grid: tuple[int, int, int], joined: bool
) -> None:
    vision = model.config.vision_config
    numbers = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    pixels = torch.randn((grid[1] * grid[2], numbers), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        found = model.model.get_image_features(pixels, torch.tensor([grid]), return_dict=True)
        wanted = torch.cat(tuple(found.pooler_output))
        got = VisionEngine(model.model.visual, joined).read(pixels, grid)
    close = 1e-4 if wanted.dtype == torch.float32 else 0.05
    torch.testing.assert_close(got, wanted, atol=close * float(wanted.abs().max()), rtol=0)


def test_one_pixel_makes_another_image(toy: TransformersModel) -> None:
    """Against: what was made of one image standing in for another."""
    first = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    second = first.copy()
    second[240, 320, 1] ^= 64
    here, there = toy.image_tokens([first, second])
    assert not np.array_equal(here, there)
    read = toy.chat.prompt([user(first, "what is this?")]).marks()
    cache = Cache()
    cache.marks = [*read]
    assert cache.keep(read) == len(read) - 1
    assert cache.keep(toy.chat.prompt([user(second, "what is this?")]).marks()) < 10
    assert np.array_equal(toy.image_tokens([first.copy()])[0], here)
