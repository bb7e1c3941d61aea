import hashlib
import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from vlp.core.errors import UsageError
from vlp.models.adapter import check_adapter
from vlp.models.catalogue import open_model
from vlp.models.folder import check_folder


def edit(folder: Path, name: str, /, **changes: Any) -> None:
    file = folder / name
    data = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**data, **changes}))


def edit_vision(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    edit(folder, "config.json", vision_config={**config["vision_config"], **changes})


def edit_text(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    edit(folder, "config.json", text_config={**config["text_config"], **changes})


def edit_header(folder: Path, change: Callable[[dict[str, Any]], object], length: int | None = None) -> None:
    """Rewrite the header of the weights, padded to its old length so that the data stay where they are."""
    file = folder / "model.safetensors"
    data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    change(header)
    text = json.dumps(header, separators=(",", ":")).encode()
    file.write_bytes(struct.pack("<Q", length or len(text)) + text + data[8 + size :])


def first_tensor(header: dict[str, Any]) -> dict[str, Any]:
    return header[next(name for name in header if name != "__metadata__")]


def shard(folder: Path, weight_map: dict[str, str]) -> None:
    (folder / "model.safetensors").rename(folder / "a.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def link_out(folder: Path, name: str) -> None:
    outside = folder.parent / ("outside_" + name)
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)


def truncate(folder: Path, name: str, size: int) -> None:
    with (folder / name).open("r+b") as file:
        file.truncate(size)


def last_off_by_4(header: dict[str, Any]) -> None:
    entry = max((e for n, e in header.items() if n != "__metadata__"), key=lambda e: e["data_offsets"][1])
    entry["data_offsets"][1] -= 4


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no weights"),
    "no config": (lambda f: (f / "config.json").unlink(), "no config.json"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer.json"),
    "no processor": (lambda f: (f / "preprocessor_config.json").unlink(), "no preprocessor_config.json"),
    "pickle beside": (lambda f: (f / "pytorch_model.bin").write_bytes(pickle.dumps(1)), "is a pickle"),
    "pickle below": (
        lambda f: ((f / "x" / "y").mkdir(parents=True), (f / "x" / "y" / "a.PT").write_bytes(b"")),
        "is a pickle",
    ),
    "another architecture": (
        lambda f: edit(f, "config.json", architectures=["LlamaForCausalLM"], model_type="llama"),
        "LlamaForCausalLM",
    ),
    "only the type differs": (lambda f: edit(f, "config.json", model_type="qwen2_vl"), "Expected Qwen2_5_VL"),
    "config is a list": (lambda f: (f / "config.json").write_text("[]"), "not a JSON object"),
    "config is deep": (lambda f: (f / "config.json").write_text("[" * 100_000), "not JSON"),
    "config is no text": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"), "not JSON"),
    "remote code in config": (
        lambda f: edit(f, "config.json", auto_map={"AutoModel": "evil.Model"}),
        "auto_map in config.json",
    ),
    "remote code in tokenizer": (
        lambda f: edit(f, "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]}),
        "auto_map in tokenizer_config.json",
    ),
    "remote code in processor": (
        lambda f: edit(f, "preprocessor_config.json", auto_map={"AutoProcessor": "evil.P"}),
        "auto_map in preprocessor_config.json",
    ),
    "a million layers": (lambda f: edit_text(f, num_hidden_layers=1_000_000), "num_hidden_layers"),
    "no width": (lambda f: edit_text(f, hidden_size=-1), "hidden_size"),
    "width is text": (lambda f: edit_vision(f, hidden_size="big"), "hidden_size"),
    "heads that do not divide": (lambda f: edit_vision(f, num_heads=7), "does not divide by 7 num_heads"),
    "part is a list": (lambda f: edit(f, "config.json", text_config=[1]), "malformed"),
    "patches differ": (lambda f: edit(f, "preprocessor_config.json", patch_size=14), "patch_size is 14"),
    "giant images": (
        lambda f: edit(f, "preprocessor_config.json", size={"shortest_edge": 1, "longest_edge": 10**12}),
        "1000000000000 pixels",
    ),
    "giant images in the processor that is read first": (
        lambda f: edit(f, "processor_config.json", image_processor={"max_pixels": 10**12}),
        "1000000000000 pixels in processor_config.json",
    ),
    "patches differ in the processor that is read first": (
        lambda f: edit(f, "processor_config.json", image_processor={"patch_size": 14}),
        "patch_size is 14 in processor_config.json",
    ),
    "a processor that is none": (lambda f: edit(f, "processor_config.json", image_processor=[]), "is not an object"),
    "remote code in a nested processor": (
        lambda f: edit(f, "processor_config.json", image_processor={"auto_map": {"AutoImageProcessor": "evil.P"}}),
        "auto_map in processor_config.json",
    ),
    "link out": (lambda f: link_out(f, "model.safetensors"), "link out"),
    "link to a folder": (lambda f: (f / "more").symlink_to("/etc"), "link out"),
    "header longer than file": (lambda f: edit_header(f, lambda h: h, length=10**9), "cannot be right"),
    "header of 0": (lambda f: (f / "model.safetensors").write_bytes(bytes(16)), "cannot be right"),
    "empty file": (lambda f: (f / "model.safetensors").write_bytes(b""), "cannot be right"),
    "truncated": (lambda f: truncate(f, "model.safetensors", 50_000), "cannot be right"),
    "bytes behind": (lambda f: (f / "model.safetensors").open("ab").write(b"1234"), "cannot be right"),
    "header no JSON": (
        lambda f: (f / "model.safetensors").write_bytes(struct.pack("<Q", 10) + b"[" * 10),
        "cannot be right",
    ),
    "tensor gone": (lambda f: edit_header(f, lambda h: h.pop(next(reversed(h)))), "cannot be right"),
    "wrong type": (lambda f: edit_header(f, lambda h: first_tensor(h).update(dtype="F16")), "cannot be right"),
    "unknown type": (lambda f: edit_header(f, lambda h: first_tensor(h).update(dtype="PICKLE")), "type 'PICKLE'"),
    "wrong shape": (lambda f: edit_header(f, lambda h: first_tensor(h).update(shape=[1, 1])), "cannot be right"),
    "negative shape": (lambda f: edit_header(f, lambda h: first_tensor(h).update(shape=[-1, -5])), "plain shape"),
    "offsets overlap": (lambda f: edit_header(f, lambda h: first_tensor(h).update(data_offsets=[4, 8])), "cannot be"),
    "a gap at the end": (lambda f: edit_header(f, last_off_by_4), "cannot be right"),
    "entry is a list": (lambda f: edit_header(f, lambda h: h.update(x=[])), "not an object"),
    "an adapter inside": (lambda f: edit(f, "adapter_config.json", peft_type="LORA"), "an adapter beside its weights"),
    "weights beside": (lambda f: shutil.copy(f / "model.safetensors", f / "old.safetensors"), "nothing names: 'old"),
    "an index beside": (lambda f: edit(f, "model.safetensors.index.json", weight_map={"w": "model.safetensors"}), "has both"),
    "index outside": (lambda f: shard(f, {"w": "../a.safetensors"}), "not there"),
    "index to nothing": (lambda f: shard(f, {"w": "b.safetensors"}), "not there"),
    "index of another tensor": (lambda f: shard(f, {"w": "a.safetensors"}), "no such tensor"),
    "index empty": (lambda f: shard(f, {}), "weight_map"),
    "hash differs": (
        lambda f: edit(f, "vlp.json", sha256={"model.safetensors": "0" * 64}),
        "not the file that vlp.json records",
    ),
    "hash of nothing": (lambda f: edit(f, "vlp.json", sha256={"more.safetensors": "0" * 64}), "not there"),
    "hash of a name that no file can have": (lambda f: edit(f, "vlp.json", sha256={"x" * 300: "0" * 64}), "not there"),
    "index to a name that no file can have": (lambda f: shard(f, {"w": "x" * 300}), "not there"),
    "link to itself": (lambda f: (f / "loop").symlink_to("loop"), "neither a file nor a folder"),
    "link to nothing": (lambda f: (f / "x_config.json").symlink_to("gone.json"), "neither a file nor a folder"),
    "a pipe that is never written to": (lambda f: os.mkfifo(f / "x_config.json"), "neither a file nor a folder"),
    "a folder by the name of a file": (lambda f: (f / "x_config.json").mkdir(), "cannot be read"),
    "hash outside": (lambda f: edit(f, "vlp.json", sha256={"../x": "0" * 64}), "not there"),
    "record of a list": (lambda f: edit(f, "vlp.json", base=["x"]), "base in vlp.json of 'model' is not an object"),
    "families of a list": (lambda f: edit(f, "vlp.json", data={"families": []}), "families in the data of vlp.json"),
    "robots of no list": (lambda f: edit(f, "vlp.json", data={"robots": None}), "robots in the data of vlp.json"),
    "record of later": (lambda f: edit(f, "vlp.json", format=2), "format '2'"),
    "profile is code": (lambda f: edit(f, "vlp.json", prompt="__import__('os')"), "prompt profile"),
    "name forges a line": (lambda f: edit(f, "vlp.json", name="a\nb"), "no readable name"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_folder_is_refused_in_one_line_before_anything_is_loaded(
    case: str, toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(toy_folder, folder)
    spoil, said = HOSTILE[case]
    spoil(folder)
    loaded: list[str] = []
    monkeypatch.setattr("vlp.models.transformers_model.load_model", lambda *a: loaded.append("weights"))
    with pytest.raises(UsageError) as caught:
        open_model(str(folder))
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600 and not loaded


UNFIT: dict[str, tuple[Callable[[Path], object], str]] = {
    "wider than its weights": (lambda f: edit_text(f, intermediate_size=4000), "describes a model of"),
    "layers of no type": (lambda f: edit_text(f, num_hidden_layers=40), "cannot be loaded"),
    "a tensor by another name": (
        lambda f: edit_header(f, lambda h: h.update({"x": h.pop("visual.merger.ln_q.weight")})),
        "lacks 1 weights",
    ),
    "tokenizer is garbage": (lambda f: (f / "tokenizer.json").write_text("{}"), "tokenizer or processor"),
    "no chat template": (lambda f: (f / "chat_template.jinja").unlink(), "no chat template"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_folder_that_does_not_fit_together_is_refused_in_one_line(case: str, toy_folder: Path, tmp_path: Path) -> None:
    """Against: random numbers in the place of weights that the file does not have."""
    folder = tmp_path / "model"
    shutil.copytree(toy_folder, folder)
    spoil, said = UNFIT[case]
    spoil(folder)
    with pytest.raises(UsageError) as caught:
        open_model(str(folder))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_good_folder_tells_name_profile_and_size(toy_folder: Path, tmp_path: Path) -> None:
    checked = check_folder(toy_folder)
    assert (checked.name, checked.profile) == ("toy", "brief") and 50_000 < checked.parameters < 500_000
    folder = tmp_path / "plain"
    shutil.copytree(toy_folder, folder)
    (folder / "vlp.json").unlink()
    assert check_folder(folder).profile == "full"


def test_a_recorded_hash_that_matches_is_accepted(toy_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(toy_folder, folder)
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    edit(folder, "vlp.json", sha256={"model.safetensors": digest})
    assert check_folder(folder).name == "toy"


def test_links_within_a_download_cache_are_followed(toy_folder: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--a--b" / "snapshots" / "1"
    blobs = tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    shutil.copytree(toy_folder, blobs)
    for file in blobs.iterdir():
        (snapshot / file.name).symlink_to(os.path.relpath(file, snapshot))
    assert check_folder(snapshot).name == "toy"


def test_a_download_is_called_after_its_model(toy_folder: Path, tmp_path: Path) -> None:
    """Against: a model that goes by the 40 digits of its snapshot in records, on servers and in what refuses it."""
    snapshot = tmp_path / "models--Qwen--Qwen2.5-VL-3B-Instruct" / "snapshots" / ("0a" * 20)
    shutil.copytree(toy_folder, snapshot)
    (snapshot / "vlp.json").unlink()
    assert check_folder(snapshot).name == "Qwen2.5-VL-3B-Instruct"
    (snapshot / "tokenizer.json").unlink()
    with pytest.raises(UsageError, match=r"^'Qwen2.5-VL-3B-Instruct' is no model folder: it has no tokenizer.json"):
        check_folder(snapshot)


def test_adapters_are_checked_alike(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no adapter folder"):
        check_adapter(tmp_path / "none")
    edit(tmp_path, "adapter_config.json", peft_type="LORA", target_modules=["q_proj"], r=4, lora_alpha=8)
    with pytest.raises(UsageError, match="no weights"):
        check_adapter(tmp_path)
    (tmp_path / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(UsageError, match="is a pickle"):
        check_adapter(tmp_path)
    (tmp_path / "adapter_model.bin").unlink()
    edit(tmp_path, "adapter_config.json", auto_mapping={"parent_library": "evil"})
    with pytest.raises(UsageError, match="code of its own"):
        check_adapter(tmp_path)
    edit(tmp_path, "adapter_config.json", auto_mapping=None)
    save_file({"w": np.zeros(1, np.float32)}, tmp_path / "adapter_model.safetensors")
    edit(tmp_path, "vlp.json", sha256={"adapter_model.safetensors": "0" * 64})
    with pytest.raises(UsageError, match="not the file that vlp"):
        check_adapter(tmp_path)


ENDLESS = r"(\w+\.?)+!"

EXPRESSIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no targets": ({"target_modules": None}, "target_modules"),
    "an expression among the targets": ({"target_modules": ["q_proj", ENDLESS]}, "target_modules .* Expected plain names"),
    "a target that is no text": ({"target_modules": [3]}, "target_modules"),
    "an expression for ranks": ({"rank_pattern": {ENDLESS: 4}}, "rank_pattern .* Expected plain names"),
    "an expression for scales": ({"alpha_pattern": {"^q_proj$": 4}}, "alpha_pattern .* Expected plain names"),
    "an expression for layers": ({"layers_pattern": ENDLESS}, "layers_pattern"),
    "an expression for whole modules": ({"modules_to_save": [ENDLESS]}, "modules_to_save"),
}


@pytest.mark.parametrize("case", EXPRESSIONS)
def test_ranks_and_parts_of_an_adapter_go_by_plain_names(case: str, tmp_path: Path) -> None:
    """Against: an expression in adapter_config.json over which loading hangs for ever."""
    changes, said = EXPRESSIONS[case]
    save_file({"w": np.zeros(1, np.float32)}, tmp_path / "adapter_model.safetensors")
    good: dict[str, Any] = {"target_modules": ["visual.blocks.0.attn.qkv", "q_proj"], "exclude_modules": None}
    good |= {"rank_pattern": {"visual.blocks.0.attn.qkv": 8}, "layers_pattern": None}
    edit(tmp_path, "adapter_config.json", peft_type="LORA", r=4, lora_alpha=8, **good)
    check_adapter(tmp_path)
    edit(tmp_path, "adapter_config.json", **changes)
    with pytest.raises(UsageError, match=said):
        check_adapter(tmp_path)
