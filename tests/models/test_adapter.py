"""Adapters as other trainers write them compute what they computed there; what cannot be read is refused by its name."""

import copy
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoHaConfig, LoKrConfig, LoraConfig, OFTConfig, VeraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from vlp.core.errors import Note, UsageError
from vlp.models.adapter import WEIGHTS, check_adapter
from vlp.models.adapter_config import FILE, Targets
from vlp.models.folder import check_folder
from vlp.models.loading import load_model
from vlp.nano.folders import shipped_base

CPU = torch.device("cpu")
DECODER = "model.language_model.layers"


@pytest.fixture(scope="module")
def base() -> Any:
    """The model of nano-base, not to be changed."""
    return load_model(check_folder(shipped_base()), None, CPU, torch.float32)


def logits(model: Any) -> torch.Tensor:
    ids = torch.arange(300, 330)[None]
    with torch.no_grad():
        return model(input_ids=ids, mm_token_type_ids=torch.zeros_like(ids)).logits


def trained(base: Any, out: Path, **settings: Any) -> torch.Tensor:
    """Write an adapter with random numbers as PEFT does, and return what the adapted model says."""
    torch.manual_seed(1)
    config = LoraConfig(**{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], **settings})
    adapted = get_peft_model(copy.deepcopy(base), config)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    adapted.eval().save_pretrained(str(out), save_embedding_layers=False)
    return logits(adapted)


def edit(adapter: Path, **values: Any) -> None:
    config = json.loads((adapter / FILE).read_text()) | values
    (adapter / FILE).write_text(json.dumps(config))


def rename(adapter: Path, new_name: Callable[[str], str]) -> None:
    tensors = load_file(adapter / WEIGHTS)
    save_file({new_name(key): value for key, value in tensors.items()}, adapter / WEIGHTS)


def loaded(adapter: Path, merged: bool = True) -> Any:
    return load_model(check_folder(shipped_base()), adapter, CPU, torch.float32, merged)


SETTINGS: dict[str, dict[str, Any]] = {
    "an expression": {"target_modules": r".*language_model.*\.(q_proj|v_proj)"},
    "an expression that looks ahead, as LLaMA-Factory writes": {"target_modules": r"^(?!.*visual).*(?:q_proj|up_proj).*"},
    "an expression that ms-swift writes": {"target_modules": r"^(model\.language_model(?=\.).*\.(o_proj|k_proj))$"},
    "an expression for both parts": {"target_modules": r"model\.(visual\.blocks\.[01]\.attn\.qkv|.*\.down_proj)"},
    "all linear layers": {"target_modules": "all-linear"},
    "some layers": {"layers_to_transform": [0, 2], "layers_pattern": "layers"},
    "excluded modules": {"target_modules": ["q_proj", "down_proj"], "exclude_modules": r".*visual.*"},
    "rsLoRA": {"use_rslora": True},
    "DoRA": {"use_dora": True},
    "biases of the adapted layers": {"bias": "lora_only"},
    "all biases": {"bias": "all"},
    "a bias of its own": {"lora_bias": True},
    "ranks by layer": {"rank_pattern": {"0.self_attn.q_proj": 2}},
    "scales by layer": {"alpha_pattern": {f"^{DECODER}.1.self_attn.v_proj": 3, "1.self_attn.q_proj": 1.5}},
    "a part trained whole": {"modules_to_save": ["merger", "norm"]},
    "EVA's first weights": {"init_lora_weights": "gaussian"},
    "fan_in_fan_out, which linear layers have not": {"fan_in_fan_out": True},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", SETTINGS)
def test_it_computes_what_its_trainer_did(case: str, base: Any, tmp_path: Path) -> None:
    """Against: expressions refused, biases of PEFT passed over, scales of another kind."""
    expected = trained(base, tmp_path / "a", **SETTINGS[case])
    assert not torch.allclose(expected, logits(base), atol=1e-3)
    assert torch.allclose(logits(loaded(tmp_path / "a")), expected, atol=1e-4)
    assert torch.allclose(logits(loaded(tmp_path / "a", merged=False)), expected, atol=1e-4)


def old_form(key: str) -> str:
    return key.replace("model.model.language_model.", "model.model.").replace("model.model.visual.", "model.visual.")


FORMS: dict[str, tuple[Callable[[str], str], dict[str, Any]]] = {
    "transformers before 4.52": (old_form, {}),
    "transformers before 4.52, as an expression": (old_form, {"target_modules": r"model\.layers\.\d\.self_attn\.(q|v)_proj"}),
    "the inner model": (lambda k: k.replace("base_model.model.model.language_model.", "base_model.model."), {}),
    "without PEFT's prefix": (lambda k: k.removeprefix("base_model.model."), {}),
    "with the adapter's name": (lambda k: k.replace(".weight", ".default.weight"), {}),
    "wrapped by torch": (lambda k: f"module._orig_mod.{k}", {}),
    "old, bare and named": (lambda k: old_form(k).removeprefix("base_model.model.").replace(".weight", ".default.weight"), {}),
}


@pytest.mark.parametrize("case", FORMS)
def test_keys_of_every_age_are_read(case: str, base: Any, tmp_path: Path) -> None:
    """Against: "a weight that the base has no place for" for every adapter trained before transformers 4.52."""
    form, changes = FORMS[case]
    expected = trained(base, tmp_path / "a", **{"target_modules": r".*language_model.*\.(q_proj|v_proj)"})
    rename(tmp_path / "a", form)
    edit(tmp_path / "a", **changes or {"target_modules": ["q_proj", "v_proj"]})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert torch.allclose(logits(loaded(tmp_path / "a")), expected, atol=1e-4)
    notes = [str(w.message) for w in said if issubclass(w.category, Note)]
    old = case in ("the inner model", "old, bare and named") or case.startswith("transformers")
    assert ["as transformers before 4.52 did" in note for note in notes if "trained on" not in note] == [True] * old


def poison(key: str, at: float) -> Callable[[Path], None]:
    def change(adapter: Path) -> None:
        tensors = load_file(adapter / WEIGHTS)
        name = next(name for name in tensors if key in name)
        tensors[name].view(-1)[3] = at
        save_file(tensors, adapter / WEIGHTS)

    return change


def put(**tensors: torch.Tensor | None) -> Callable[[Path], None]:
    def change(adapter: Path) -> None:
        whole = load_file(adapter / WEIGHTS) | {name.replace("__", "."): value for name, value in tensors.items()}
        save_file({name: value for name, value in whole.items() if value is not None}, adapter / WEIGHTS)

    return change


def say(**values: Any) -> Callable[[Path], None]:
    return lambda adapter: edit(adapter, **values)


LAYER = "base_model__model__model__language_model__layers__0__self_attn__q_proj"
EMBEDDING = "base_model__model__model__language_model__embed_tokens__weight"

REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "NaN": (poison("0.self_attn.q_proj.lora_A", float("nan")), r"layers.0.self_attn.q_proj.lora_A.weight' has 1 of 768 values"),
    "infinity": (poison("1.self_attn.v_proj.lora_B", float("-inf")), r"layers.1.self_attn.v_proj.lora_B.weight' has 1 of"),
    "rank 0": (
        put(**{f"{LAYER}__lora_A__weight": torch.ones(0, 192), f"{LAYER}__lora_B__weight": torch.ones(192, 0)}),
        r"q_proj.lora_. ?.weight' is \[(0, 192|192, 0)\], but a rank of 1 or more was expected",
    ),
    "another rank than it says": (say(r=8, lora_alpha=8), r"lora_A.weight' is \[4, 192\], but its configuration says rank 8"),
    "another size": (put(**{f"{LAYER}__lora_A__weight": torch.ones(4, 200)}), r"is \[4, 200\], but 192 was expected"),
    "three dimensions": (put(**{f"{LAYER}__lora_A__weight": torch.ones(4, 192, 1)}), r"but \[4, 192\] was expected"),
    "half a pair": (put(**{f"{LAYER}__lora_B__weight": None}), r"q_proj.lora_A.weight' without its other half, lora_B.weight"),
    "a layer too many": (
        put(base_model__model__model__language_model__layers__77__self_attn__q_proj__lora_A__weight=torch.ones(4, 192)),
        r"no place for: 'base_model.model.model.language_model.layers.77.self_attn.q_proj.lora_A.weight'",
    ),
    "a layer too few": (
        put(**{f"{LAYER}__lora_A__weight": None, f"{LAYER}__lora_B__weight": None}),
        r"do not agree about 'model.language_model.layers.0.self_attn.q_proj': its file has no weights of it",
    ),
    "a layer that is not meant": (say(target_modules=["v_proj"]), "q_proj': it is not among the target_modules"),
    "an adapted embedding": (put(model__embed_tokens__lora_embedding_A=torch.ones(4, 9)), "only linear layers can be adapted"),
    "single tokens": (put(model__embed_tokens__trainable_tokens_delta=torch.ones(2, 192)), "trained single tokens"),
    "single tokens, announced": (say(trainable_token_indices=[3, 4]), r"has trainable_token_indices \(\[3, 4\]\)"),
    "embeddings of another vocabulary": (put(**{EMBEDDING: torch.ones(1300, 192)}), r"is \[1300, 192\], but \[1293, 192\] was"),
    "embeddings that are tied": (put(**{EMBEDDING: torch.ones(1293, 192)}), "which this base ties to it"),
    "a weight of which nothing is said": (
        put(base_model__model__model__language_model__norm__weight=torch.ones(192)), "of which its configuration says nothing"),
    "biases that are not there": (say(bias="lora_only"), "self_attn.q_proj.bias' was trained too"),
    "a saved part that is not there": (say(modules_to_save=["lm_head"]), "'lm_head.weight' was trained too"),
    "DoRA without magnitudes": (say(use_dora=True), "without its other half, lora_magnitude_vector"),
    "magnitudes without DoRA": (put(**{f"{LAYER}__lora_magnitude_vector": torch.ones(192)}), "has no use_dora"),
    "two names for one place": (
        put(model__layers__0__self_attn__q_proj__lora_A__weight=torch.ones(4, 192)), "two weights for one place"),
    "PiSSA": (say(init_lora_weights="pissa_niter_4"), "init_lora_weights 'pissa_niter_4', which changes the weights"),
    "LoftQ": (say(init_lora_weights="loftq"), "init_lora_weights 'loftq'"),
    "parameters as targets": (say(target_parameters=["mlp.experts"]), "has target_parameters"),
    "layers twice": (say(layer_replication=[[0, 2], [1, 3]]), "has layer_replication"),
    "IA3": (say(peft_type="IA3"), "is an adapter of kind 'IA3'"),
    "no kind": (say(peft_type=None), "has no peft_type"),
    "a rank of 0": (say(r=0), "r in adapter_config.json of 'a' is 0"),
    "a rank in words": (say(r="four"), "r in adapter_config.json of 'a' is 'four'"),
    "a scale that is no number": (say(lora_alpha=float("nan")), "lora_alpha in adapter_config.json of 'a' is nan"),
    "a rank of 0 for a layer": (say(rank_pattern={"q_proj": 0}), r"rank_pattern\['q_proj'\]"),
    "an unknown bias": (say(bias="some"), "bias in adapter_config.json of 'a' is 'some'"),
    "no expression": (say(target_modules="(q_proj"), "target_modules .* is no regular expression"),
    "an expression that never ends": (say(target_modules=r"(a|\w|.)*(.*)*(\w+\.?)+(?=!)\1*"), "target_modules|expression"),
    "recursion": (say(target_modules="(?R)?a|(?0)"), "is no regular expression"),
    "a long expression": (say(target_modules="q_proj|" * 5000), "an expression of 35,000 characters"),
    "a deep expression": (say(target_modules="(" * 4000 + "a" + ")" * 4000), "is no regular expression"),
    "nothing adapted": (say(target_modules=[]), r"target_modules in adapter_config.json of 'a' is \[\]"),
    "another precision": (put(**{f"{LAYER}__lora_A__weight": torch.ones(4, 192).double()}), "of type 'F64'"),
}  # fmt: skip


@pytest.fixture(scope="module")
def good(base: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that can be read; not to be changed."""
    out = tmp_path_factory.mktemp("good") / "a"
    trained(base, out)
    return out


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_by_name(case: str, good: Path, tmp_path: Path) -> None:
    """Against: NaN merged and exported with status 0, and tools that drop what has no place with a warning."""
    change, said = REFUSED[case]
    adapter = Path(shutil.copytree(good, tmp_path / "a"))
    change(adapter)
    with pytest.raises(UsageError, match=said) as refused:
        loaded(adapter)
    assert len(str(refused.value)) < 900 and "\n" not in str(refused.value)


OTHERS = [
    IA3Config(target_modules=["k_proj"], feedforward_modules=[]),
    LoHaConfig(target_modules=["k_proj"]),
    LoKrConfig(target_modules=["k_proj"]),
    OFTConfig(target_modules=["k_proj"], oft_block_size=16),
    VeraConfig(target_modules=["q_proj"]),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("config", OTHERS, ids=lambda config: config.peft_type.value)
def test_other_kinds_are_refused_by_kind(config: Any, base: Any, tmp_path: Path) -> None:
    get_peft_model(copy.deepcopy(base), config).save_pretrained(tmp_path / "a", save_embedding_layers=False)
    with pytest.raises(UsageError, match=f"is an adapter of kind '{config.peft_type.value}'"):
        loaded(tmp_path / "a")


def test_an_expression_without_end_ends() -> None:
    """Against: an expression in adapter_config.json over which loading hangs for ever."""
    names = [f"{DECODER}.{i}.self_attn.q_proj" for i in range(300)]
    with pytest.raises(UsageError, match="was not matched within 2 s"):
        Targets(r"((((.|\w)*)*)*[^.]*)*\d(.*)*\1(.|\w)*q(?:\w|.|_)*x").of(names, "adapter_config.json of 'a'")


def test_what_trainers_leave_beside_it_does_not_matter(good: Path, tmp_path: Path) -> None:
    """Against: every folder that TRL, ms-swift or LLaMA-Factory wrote refused for its training_args.bin, which nobody opens."""
    adapter = Path(shutil.copytree(good, tmp_path / "a"))
    for name in ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state_0.pth"):
        (adapter / name).write_bytes(b"\x80")
    (adapter / "checkpoint-3").mkdir()
    (adapter / "checkpoint-3" / "optimizer.pt").write_bytes(b"\x80")
    assert check_adapter(adapter).rank == 4
    (adapter / FILE).rename(adapter / "checkpoint-3" / FILE)
    with pytest.raises(UsageError, match=r"has no adapter_config.json. 'checkpoint-3' in it has one"):
        check_adapter(adapter)


def test_saved_embeddings_that_are_the_base_s_are_passed_through(good: Path, base: Any, tmp_path: Path) -> None:
    adapter = Path(shutil.copytree(good, tmp_path / "a"))
    put(**{EMBEDDING: base.get_input_embeddings().weight.detach().clone()})(adapter)
    assert torch.allclose(logits(loaded(adapter)), logits(loaded(good)), atol=1e-6)


def test_a_model_with_a_number_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    """Against: a folder with NaN in it that plans nonsense."""
    folder = Path(shutil.copytree(shipped_base(), tmp_path / "m"))
    (folder / "vlp.json").unlink()
    tensors = load_file(folder / "model.safetensors")
    name = sorted(tensors)[0]
    tensors[name].view(-1)[0] = float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=r"the weights of 'm': '.*' has 1 of [\d,]+ values that are NaN or infinite"):
        load_model(check_folder(folder), None, CPU, torch.float32)


def test_a_setting_that_peft_does_not_know_is_told(base: Any, tmp_path: Path) -> None:
    trained(base, tmp_path / "a")
    edit(tmp_path / "a", use_warp_drive=True, other_new_thing=None)
    with pytest.warns(Note, match="adapter_config.json of 'a' has use_warp_drive, which is not known here"):
        loaded(tmp_path / "a")


def test_another_base_than_it_says_is_told(base: Any, tmp_path: Path) -> None:
    trained(base, tmp_path / "a")
    edit(tmp_path / "a", base_model_name_or_path="Qwen/Qwen2.5-VL-3B-Instruct")
    with pytest.warns(Note, match="was trained on 'Qwen/Qwen2.5-VL-3B-Instruct'; it is added to 'vlp-nano-base'"):
        loaded(tmp_path / "a")
