"""Plant one fault in a good model folder, adapter or set of samples: it is named in one line before anything is loaded.

python -m vlp.evaluation.stress.planted --n 2000 --out runs/planted
"""

import json
import os
import pickle
import random
import resource
import shutil
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from safetensors.numpy import save_file

from vlp.core.errors import UsageError, VlpError
from vlp.data.lint import lint
from vlp.evaluation.stress.command import stress_command
from vlp.evaluation.stress.saved import SAVED
from vlp.models.adapter import check_adapter, check_base, weight_hashes
from vlp.models.catalogue import DEFAULT_MODEL, find_folder, open_model
from vlp.models.folder import check_folder

Fault = Callable[[Path, random.Random], object]


def _weights(folder: Path) -> Path:
    return next(folder.glob("*.safetensors"))


def _cut(pattern: str) -> Fault:
    def cut(folder: Path, rng: random.Random) -> None:
        file = rng.choice(sorted(folder.glob(pattern)))
        os.truncate(file, rng.randrange(file.stat().st_size))

    return cut


def _header(change: Callable[[dict[str, Any], str, random.Random], object]) -> Fault:
    """Return a fault in the entry of one tensor."""

    def spoil(folder: Path, rng: random.Random) -> None:
        file = _weights(folder)
        data = file.read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + size])
        change(header, rng.choice([name for name in header if name != "__metadata__"]), rng)
        text = json.dumps(header).encode()
        file.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
        (folder / "vlp.json").unlink(missing_ok=True)  # whose hash would name any change

    return spoil


def _length(folder: Path, rng: random.Random) -> None:
    with _weights(folder).open("r+b") as file:
        file.write(struct.pack("<Q", rng.choice([0, 1, rng.randrange(2**16, 2**63), 2**64 - 1])))


def _twice(folder: Path, rng: random.Random) -> None:
    """Let a name stand twice in the header."""
    file = _weights(folder)
    data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    name = rng.choice([name for name in header if name != "__metadata__"])
    text = data[8 : 8 + size].rstrip()[:-1] + b"," + json.dumps({name: header[name]}).encode()[1:]
    file.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
    (folder / "vlp.json").unlink(missing_ok=True)


def _flip(folder: Path, rng: random.Random) -> None:
    with _weights(folder).open("r+b") as file:
        at = rng.randrange(_weights(folder).stat().st_size)
        file.seek(at)
        byte = file.read(1)[0] ^ (1 << rng.randrange(8))
        file.seek(at)
        file.write(bytes([byte]))


def _pickle_below(folder: Path, rng: random.Random) -> None:
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    _pickle(below, rng)


def _pickle(folder: Path, rng: random.Random) -> None:
    suffix = rng.choice([".bin", ".pt", ".pth", ".pkl", ".CKPT", ".npy", ".joblib"])
    (folder / f"weights{suffix}").write_bytes(pickle.dumps({}))


def _link(folder: Path, rng: random.Random) -> None:
    name = rng.choice(["more.json", "x.safetensors", "config2.json"])
    (folder / name).symlink_to(rng.choice(["/etc/passwd", "/etc", "../../..", name, "/nowhere"]))


def _json(pattern: str) -> Fault:
    def spoil(folder: Path, rng: random.Random) -> None:
        file = rng.choice(sorted(folder.glob(pattern)))
        bad = ["[" * rng.randrange(10_000, 1_000_000), "[]", "null", "1" * 100_000, '{"a":' * 50_000, "", "{'a': 1}"]
        file.write_bytes(rng.choice([*(text.encode() for text in bad), b"\xff\xfe\0", b"\0" * 100]))

    return spoil


def _said(name: str, *changes: dict[str, Any]) -> Fault:
    """Return a fault in what a JSON file says; a part that is an object there is changed within."""

    def spoil(folder: Path, rng: random.Random) -> None:
        file, said = folder / name, json.loads((folder / name).read_text())
        for key, value in rng.choice(changes).items():
            said[key] = {**said[key], **value} if isinstance(value, dict) and isinstance(said.get(key), dict) else value
        file.write_text(json.dumps(said))

    return spoil


def _template(folder: Path, rng: random.Random) -> None:
    depth = rng.randrange(3, 9)
    bombs = [
        "{% for a in messages %}" * depth + "x" + "{% endfor %}" * depth,
        "{{ 'x' * " + "9" * depth + " }}",
        "{% for i in range(" + "9" * depth + ") %}x{% endfor %}",
        "{{ messages.__class__.__mro__ }}",
        "{% for",
        "x" * rng.randrange(20_001, 10**6),
    ]
    (folder / "chat_template.jinja").write_text(rng.choice(bombs))


def _expression(folder: Path, rng: random.Random) -> None:
    said = json.loads((folder / "tokenizer.json").read_text())
    pattern = rng.choice(["(a+)+$", "([a-z]*)*b", "(a|a)+b", "[a-z]{1000000}", "(" * 5000])
    said["pre_tokenizer"] = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    (folder / "tokenizer.json").write_text(json.dumps(said))


def _offset(header: dict[str, Any], name: str, rng: random.Random) -> None:
    header[name]["data_offsets"][rng.randrange(2)] += rng.choice([-4, 4, 2**40, -(2**40)])


HEADERS: dict[str, Fault] = {
    "cut off": _cut("*.safetensors"),
    "a header of another length": _length,
    "another type": _header(lambda h, n, r: h[n].update(dtype=r.choice(["F64", "I8", "PICKLE", 3, None, "f32"]))),
    "another shape": _header(lambda h, n, r: h[n].update(shape=r.choice([[-1], [2**40, 2**40], [1], "x", [1.5], [[]]]))),
    "other offsets": _header(_offset),
    "a tensor gone": _header(lambda h, n, r: h.pop(n)),
    "a name twice": _twice,
    "a flipped bit": _flip,
    "a pickle": _pickle,
    "a link out": _link,
}


def _line(change: Callable[[dict[str, Any], random.Random], object]) -> Fault:
    """Return a fault in one sample, whose file is sealed again: nothing but the sample itself shows it."""

    def spoil(folder: Path, rng: random.Random) -> None:
        file = folder / "samples.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        change(rng.choice(lines), rng)
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))

    return spoil


def _bytes(folder: Path, rng: random.Random) -> None:
    file = folder / "samples.jsonl"
    data = bytearray(file.read_bytes())
    data[rng.randrange(len(data) - 1)] ^= 1 << rng.randrange(8)
    file.write_bytes(data)


def _picture(folder: Path, rng: random.Random) -> None:
    file = rng.choice(sorted((folder / "images").iterdir()))
    data = bytearray(file.read_bytes())
    what = rng.choice(["cut", "flip", "gone", "link", "bomb"])
    if what == "gone":
        file.unlink()
    elif what == "link":
        file.unlink()
        file.symlink_to("/etc/passwd")
    elif what == "cut":
        file.write_bytes(data[: rng.randrange(len(data))])
    else:
        data[16:24] = (60_000).to_bytes(4, "big") * 2 if what == "bomb" else bytes(reversed(data[16:24]))
        file.write_bytes(data)


FAULTS: dict[str, dict[str, Fault]] = {
    "model": HEADERS
    | {
        "a file cut off": _cut("[ctp]*.json"),
        "a pickle below": _pickle_below,  # beside an adapter trainers leave folders with some, which nobody opens
        "no JSON": _json("[ctpv]*.json"),
        "sizes and code": _said(
            "config.json",
            {"text_config": {"num_hidden_layers": 10**9}},
            {"text_config": {"hidden_size": -1}},
            {"vision_config": {"depth": "8"}},
            {"vision_config": {"patch_size": 10**6}},
            {"architectures": ["LlamaForCausalLM"]},
            {"auto_map": {"AutoModel": "x.Y"}},
            {"text_config": [1]},
            {"text_config": {"vocab_size": 10**12}},
            {"model_type": "qwen2_vl"},
        ),
        "a record that lies": _said("vlp.json", {"sha256": {"../x": "0"}}, {"format": 9}, {"name": "a\nb"}, {"prompt": "../x"}),
        "a bomb for a template": _template,
        "a bomb for a tokenizer": _expression,
    },
    "adapter": HEADERS
    | {
        "no JSON": _json("*.json"),
        "of another base": _said("vlp.json", {"base": {"sha256": {"model.safetensors": "0" * 64}}}),
        "a configuration that lies": _said(
            "adapter_config.json",
            {"r": 0},
            {"r": 10**9},
            {"lora_alpha": float("nan")},
            {"peft_type": "IA3"},
            {"bias": 3},
            {"target_modules": "(" * 5000},
            {"target_modules": 3},
            {"auto_mapping": {"parent_library": "x"}},
            {"rank_pattern": {"(a+)+$": 4}},
        ),
    },
    "samples": {
        "a flipped bit": _bytes,
        "a picture": _picture,
        "a line that is long": _line(lambda s, r: s.update(instruction="x" * r.randrange(3 * 10**5, 3 * 10**6))),
        "a line that is deep": lambda folder, rng: (folder / "samples.jsonl").write_text(
            "[" * rng.randrange(10**4, 10**6) + "\n"
        ),
        "a manifest": _json("manifest.json"),
        "a policy": _line(
            lambda s, r: s["policy"].update(subtasks=r.choice([3, [{}], [{"name": "x", "steps": [{"do": "fly"}]}]]))
        ),
        "a number that is none": _line(
            lambda s, r: s["state"].update(gripper_m=r.choice([float("nan"), float("inf"), 10**400]))
        ),
        "a name that leads out": _line(lambda s, r: s.update(images=[r.choice(["../../etc/passwd", "/etc/passwd", ""])])),
        "a kind of value": _line(lambda s, r: s.update({r.choice(sorted(s)): r.choice([None, 3, [], {}, [[]] * 100])})),
        "an id twice": lambda folder, rng: (
            (folder / "samples.jsonl").open("a").write((folder / "samples.jsonl").read_text().splitlines()[0] + "\n")
        ),
    },
}
"""What is planted, by what it is planted in."""


class Loaded(Exception):
    """Something was loaded before its fault was named."""


def plant(n: int, seed: int) -> dict[str, Any]:
    """Plant n faults, one at a time, and return counts and those that were not named."""
    rng, counts, faults = random.Random(seed), Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as temporary, mock.patch("vlp.models.transformers_model.load_model", side_effect=Loaded):
        root = Path(temporary)
        good = {"model": shutil.copytree(find_folder(DEFAULT_MODEL), root / "model")}
        good["adapter"], good["samples"] = _adapter(root / "adapter", good["model"]), _set(root / "samples")
        looks = {"model": _model, "adapter": lambda f: _of_base(f, good["model"]), "samples": _lint}
        for what, look in looks.items():
            if (told := _told(look, good[what])) != ("samples" if what == "samples" else "loaded", ""):
                faults.append(f"a good {what} is refused: {told}")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for index in range(n):
            what = rng.choice(sorted(FAULTS))
            name = rng.choice(sorted(FAULTS[what]))
            case = shutil.copytree(good[what], root / "case")
            FAULTS[what][name](case, rng)
            word, text = _told(looks[what], case)
            counts[f"{what}: {name}"] += 1
            if word != "named" or "\n" in text or not 10 < len(text) < 900:
                faults.append(f"{index}: {what}: {name}: {word} {text}"[:400])
            shutil.rmtree(case)
        grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    if grown_mb > 300:
        faults.append(f"{grown_mb} MB more memory")
    return {"n": n, "seed": seed, "grown_mb": grown_mb, "counts": dict(sorted(counts.items())), "faults": faults}


def _told(look: Callable[[Path], str], folder: Path) -> tuple[str, str]:
    """Return "named" and the line that names a fault, or what happened instead."""
    try:
        return look(folder), ""
    except VlpError as error:
        return "named", str(error)
    except Loaded:
        return "loaded", ""
    except BaseException as error:  # a traceback is what is looked for, whatever it is
        return "wrong", f"{type(error).__name__}: {error}"


def _model(folder: Path) -> str:
    open_model(str(folder))
    return "opened"


def _of_base(folder: Path, base: Path) -> str:
    check_adapter(folder)
    check_base(folder, check_folder(base))
    return "loaded"


def _lint(folder: Path) -> str:
    if fault := next((fault for fault in lint(folder).faults if fault.code != "unbalanced"), None):
        raise UsageError(str(fault))
    return "samples"


def _adapter(folder: Path, base: Path) -> Path:
    folder.mkdir()
    name = "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_"
    tensors = {f"{name}A.weight": np.ones((4, 192), np.float32), f"{name}B.weight": np.ones((192, 4), np.float32)}
    save_file(tensors, folder / "adapter_model.safetensors")
    said = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(said))
    record = {"base": {"name": "base", "sha256": weight_hashes(base)}, "sha256": weight_hashes(folder)}
    (folder / "vlp.json").write_text(json.dumps(record))
    return folder


def _set(folder: Path) -> Path:
    made = SAVED["samples"]()
    made.before(folder)
    made.save(folder)
    return folder / "set"


if __name__ == "__main__":
    sys.exit(stress_command("planted", __doc__, plant))
