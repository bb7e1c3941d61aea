"""The forwards that stand in for transformers' layers: TRL's losses and gradients, with less work."""

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import Tensor

from vlp.data.store import Store
from vlp.models.shape import build_shape
from vlp.models.transformers_model import TransformersModel
from vlp.training import adapted, lora
from vlp.training.examples import Batcher, Examples
from vlp.training.known_images import image_input, patch_states
from vlp.training.lean import LeanLayers, attend_runs
from vlp.training.recipe import Recipe
from vlp.training.step_speed import StepShape, known, make_arm, one_step, random_batch

CPU = torch.device("cpu")


def trained(model: Any) -> dict[str, Tensor]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def gradients(model: Any) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in trained(model).items()}


def far(ones: dict[str, Tensor], others: dict[str, Tensor]) -> float:
    """Return the largest relative distance of gradients; those of A are 0 while B is."""
    return max(float((one - others[name]).norm() / others[name].norm().clamp(min=1e-6)) for name, one in ones.items())


def stir(model: Any) -> Any:
    """Draw the adapters' B, which begin at 0 and hide what is wrong with A."""
    torch.manual_seed(3)
    for name, p in trained(model).items():
        torch.nn.init.normal_(p, std=0.05 if "lora_B" in name else 0.2)
    return model


@pytest.fixture
def deep(base: Path, tmp_path: Path) -> Any:
    """The toy with a tower of 8 blocks, of which 6 are trained, and windows of several sizes in its images."""
    config = json.loads((base / "config.json").read_text())
    config["vision_config"] |= {"depth": 8, "fullatt_block_indexes": [3, 7]}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    torch.manual_seed(0)
    return lora.attach(build_shape(file, "cpu", torch.float32), "vision+decoder")


@pytest.mark.parametrize("adapter", ["decoder", "vision+decoder"])
def test_twenty_steps_have_trls_losses_and_gradients(base: Path, samples: Path, tmp_path: Path, adapter: str) -> None:
    loaded = TransformersModel(base, device="cpu")
    examples, recipe = Examples(samples, loaded), Recipe(adapter=adapter)
    rows = examples.all(Store(samples).samples("train"))
    models = {"ours": lora.attach(loaded.model, adapter)}
    models["stock"] = copy.deepcopy(models["ours"])
    arms = {arm: make_arm(arm, model, recipe, tmp_path, CPU, False) for arm, model in models.items()}
    images = {"ours": image_input(lora.trained_modules(models["ours"])), "stock": "pixel_values"}
    batchers = {arm: Batcher(examples, rows, images[arm]) for arm in arms}
    optimizers = {arm: torch.optim.AdamW(trained(model).values(), lr=2e-3) for arm, model in models.items()}
    curve = list[float]()
    for step in range(20):
        losses = dict[str, float]()
        for arm, model in models.items():
            model.zero_grad()
            batch = batchers[arm]([{"row": (3 * step + i) % len(rows)} for i in range(3)])
            assert not batch["attention_mask"].all() or step  # some rows are padded
            losses[arm] = one_step(arms[arm], batch)
        assert losses["ours"] == pytest.approx(losses["stock"], abs=1e-3)
        assert far(gradients(models["ours"]), gradients(models["stock"])) < 1e-3
        for optimizer in optimizers.values():
            optimizer.step()
        curve.append(losses["ours"])
    assert curve[-1] < curve[0] - 0.1  # something was learned, or equal is easy


@pytest.mark.parametrize("adapter", ["decoder", "vision+decoder"])
def test_no_layer_of_peft_runs_and_the_last_layer_computes_scored_columns_only(
    base: Path, tmp_path: Path, adapter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = lora.attach(TransformersModel(base, device="cpu").model, adapter)
    batch = random_batch(model, StepShape(2, 6, 5, 96, 96), 0)
    calls, columns, forward = Counter[str](), list[int](), LoraLinear.forward
    monkeypatch.setattr(LoraLinear, "forward", lambda self, x, *a, **k: calls.update(["lora"]) or forward(self, x, *a, **k))
    norm = model.get_base_model().model.language_model.norm
    norm.register_forward_hook(lambda module, given, made: columns.append(made.shape[1]))
    arms = {arm: make_arm(arm, model, Recipe(adapter=adapter), tmp_path, CPU, False) for arm in ("ours", "stock")}
    one_step(arms["ours"], known(batch, model, CPU))
    assert not calls and columns == [5 + 1]  # the column before the first token that counts tells it
    one_step(arms["stock"], batch)  # whose layers are as they were
    assert calls["lora"] and columns[1] == batch["input_ids"].shape[1]


def test_blocks_before_the_first_trained_one_do_not_run_in_a_step(deep: Any, tmp_path: Path) -> None:
    blocks, tower, ran = deep.get_base_model().model.visual.blocks, deep.get_base_model().model.visual, Counter[int]()
    for number, block in enumerate(blocks):
        for module in (block.attn.qkv, getattr(block.attn.qkv, "base_layer", block.attn.qkv)):
            module.register_forward_hook(lambda *_, number=number: ran.update([number]))
    stir(deep)
    batch = random_batch(deep, StepShape(2, 6, 5, 120, 168), 0)
    assert image_input(lora.trained_modules(deep)) == "patch_states"
    mine = known(batch, deep, CPU)
    assert set(ran) == {0, 1}
    ran.clear()
    arms = {arm: make_arm(arm, deep, Recipe(adapter="vision+decoder"), tmp_path, CPU, False) for arm in ("ours", "stock")}
    found = {}
    for arm, given in (("ours", mine), ("stock", batch)):
        deep.zero_grad()
        found[arm] = (one_step(arms[arm], given), gradients(deep), set(ran))
    assert found["ours"][2] == set() and found["stock"][2] == set(range(8))
    assert found["ours"][0] == pytest.approx(found["stock"][0], abs=1e-5)
    assert far(found["ours"][1], found["stock"][1]) < 1e-4
    assert len(tower.blocks) == 8


def test_states_of_several_images_are_those_of_each(deep: Any) -> None:
    tower, patches = deep.get_base_model().model.visual, 3 * 2 * 12**2
    grids = torch.tensor([[1, 6, 10], [1, 14, 4]])  # no whole windows, and of other shapes
    pixels = torch.randn(int(grids.prod(-1).sum()), patches, generator=torch.Generator().manual_seed(0))
    together = patch_states(tower, pixels, grids)
    alone = [patch_states(tower, part, grids[i : i + 1]) for i, part in enumerate(pixels.split(grids.prod(-1).tolist()))]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_recomputing_gives_the_same_step(deep: Any, tmp_path: Path) -> None:
    stir(deep)
    batch = random_batch(deep, StepShape(2, 9, 5, 96, 96), 0)
    found, rows = list[tuple[float, dict[str, Tensor]]](), Counter[str]()
    scales = adapted._scales
    adapted._scales = lambda given, eps: rows.update(["norms"]) or scales(given, eps)
    try:
        for recompute in (False, True):
            copied = copy.deepcopy(deep)
            arm = make_arm("ours", copied, Recipe(adapter="vision+decoder"), tmp_path, CPU, recompute)
            found.append((one_step(arm, known(batch, copied, CPU)), gradients(copied)))
            rows["" if recompute else "once"] = rows["norms"]
    finally:
        adapted._scales = scales
    assert rows["norms"] - rows["once"] > rows["once"]  # they ran twice
    assert found[0][0] == found[1][0] and far(found[1][1], found[0][1]) < 1e-6


def test_runs_of_any_lengths_are_attended_by_themselves() -> None:
    lengths = [4, 6, 4, 2, 6, 4]
    parts = [torch.randn(sum(lengths), 3, 8, generator=torch.Generator().manual_seed(i), requires_grad=True) for i in range(3)]
    runs = zip(*(part.transpose(0, 1).split(lengths, 1) for part in parts), strict=True)
    expected = torch.cat([F.scaled_dot_product_attention(*run) for run in runs], 1).transpose(0, 1)
    found = attend_runs(parts[0], parts[1], parts[2], lengths)
    assert torch.allclose(found, expected, atol=1e-6)
    given = torch.randn(found.shape, generator=torch.Generator().manual_seed(9))
    for mine, theirs in zip(torch.autograd.grad(found, parts, given), torch.autograd.grad(expected, parts, given), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


def test_loss_in_parts_is_that_of_all_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapted.TokenLoss, "at_a_time", 4)
    draws = torch.Generator().manual_seed(0)
    rows, head = torch.randn(10, 6, generator=draws, requires_grad=True), torch.randn(20, 6, generator=draws)
    targets = torch.randint(0, 20, (10,), generator=draws)
    whole = F.cross_entropy(rows @ head.T, targets, reduction="sum")
    (expected,) = torch.autograd.grad(whole * 3, rows)
    seen, plain = list[int](), F.cross_entropy
    monkeypatch.setattr(F, "cross_entropy", lambda logits, *a, **k: seen.append(len(logits)) or plain(logits, *a, **k))
    found: Any = adapted.TokenLoss.apply(rows, head, targets)
    (mine,) = torch.autograd.grad(found * 3, rows)
    assert torch.allclose(found, whole) and torch.allclose(mine, expected, atol=1e-5)
    assert seen == [4, 4, 2]


def test_what_is_not_plain_lora_in_float32_keeps_its_own_forward(base: Path) -> None:
    model = build_shape(base / "config.json", "cpu", torch.float32)
    assert not LeanLayers(model)
    half = lora.attach(build_shape(base / "config.json", "cpu", torch.bfloat16), "decoder")
    assert not LeanLayers(half.get_base_model())
    plain = lora.attach(model, "decoder").get_base_model()
    assert LeanLayers(plain) and not LeanLayers(plain).tower
    plain.model.language_model.layers[-1].mlp.up_proj.merge()
    assert not LeanLayers(plain)
