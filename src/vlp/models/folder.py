"""Model folders are checked before anything in them is loaded: what is not plain data of the right kind is refused."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError, lookup
from vlp.models.text_checks import check_tokenizer
from vlp.models.turns import TURNS
from vlp.models.weights import check_weights

MAX_JSON_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class ModelFolder:
    """A folder that passed the checks.

    Args:
        path: where it is.
        name: what it calls itself.
        profile: the wording of prompts it was made for.
        parameters: numbers in its weight files.
        turns: the word for what it says before its reply (a row of `vlp.models.turns.TURNS`); "" when it says nothing.
        made_for: "primitives" and "places" of the only robot that it writes policies for; {} for any robot.
        drafts: texts such as it often writes; they make it faster from its first reply on, and change none.
    """

    path: Path
    name: str
    profile: str
    parameters: int
    turns: str = ""
    made_for: Mapping[str, list[str]] = field(default_factory=dict)
    drafts: Sequence[str] = ()


def check_folder(path: Path) -> ModelFolder:
    """Return what a model folder holds, after checking all that can be checked without loading it.

    Raises:
        UsageError: no such folder; a link out of it; no weights, or weights as pickles; another architecture; code of
            its own; a weight file whose header lies; a hash in `vlp.json` that does not match.
    """
    if not path.is_dir():
        raise UsageError(f"no model folder at {str(path)[:300]!r}.", "Expected a folder with config.json and *.safetensors.")
    needed = ("config.json", "tokenizer.json", "preprocessor_config.json")
    missing = [name for name in needed if not (path / name).is_file()]
    if missing:  # before a look at what else lies there, which may be anything
        said = f"{folder_name(path)!r} is no model folder: it has no {missing[0]}."
        raise UsageError(said, "Expected a model folder in Hugging Face layout.")
    _plain_files(path, _walk(path))
    if (path / "adapter_config.json").exists():  # transformers would load the adapter beside it, whatever the hashes say
        raise UsageError(
            f"{folder_name(path)!r} holds an adapter beside its weights.", "Move it to a folder of its own: --adapter."
        )
    config = check_config(path / "config.json")
    _no_code(path)
    _image_sizes(path, config)
    check_tokenizer(read_json(path / "tokenizer.json"), folder_name(path))
    parameters = check_weights(path)
    profile, name, turns = _own_record(path)
    return ModelFolder(path, name, profile, parameters, turns, _made_for(path), _drafts(path))


def check_config(file: Path) -> dict[str, Any]:
    """Return a model's configuration; raises UsageError for another architecture or sizes that cannot be right."""
    config = read_json(file)
    _architecture(file.parent, config)
    return config


def check_beside(path: Path) -> None:
    """Check what lies in an adapter's folder: no links out of it, no pickled weights, nothing that wants to run code.

    What trainers leave there beside the adapter (pickles that hold no weights of it, folders of checkpoints) is never opened.
    """
    left_behind = r"training_args\.bin|(optimizer|scheduler|scaler)\.(pt|bin)|rng_state(_\d+)?\.pth"
    _plain_files(path, (entry for entry in sorted(path.iterdir()) if not re.fullmatch(left_behind, entry.name)))
    _no_code(path)


def folder_record(path: Path) -> dict[str, Any]:
    """Return what `vlp.json` of a folder says, {} where there is none; raises UsageError where a part is of another kind."""
    record = read_json(path / "vlp.json") if (path / "vlp.json").is_file() else {}
    for part in ("base", "data", "recipe", "scores"):
        if not isinstance(record.get(part, {}), dict):
            raise UsageError(f"{part} in vlp.json of {folder_name(path)!r} is not an object.")
    check_data(record.get("data", {}), f"vlp.json of {folder_name(path)!r}")
    return record


def check_data(data: dict[str, Any], where: str) -> None:
    """Raise UsageError when what a record says of the samples cannot be shown; `where` names the record."""
    families, robots = data.get("families", {}), data.get("robots", [])
    if not isinstance(families, dict):
        raise UsageError(f"families in the data of {where} is {str(families)[:40]!r}.", "Expected numbers by family.")
    if not isinstance(robots, list) or not all(isinstance(robot, str) for robot in robots):
        raise UsageError(f"robots in the data of {where} is {str(robots)[:40]!r}.", "Expected a list of names.")


def read_json(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file of a model folder; raises UsageError when it is none or too large."""
    try:
        if file.stat().st_size > MAX_JSON_BYTES:
            raise UsageError(f"{file.name!r} is larger than {MAX_JSON_BYTES:,} bytes.")
        data = json.loads(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file.name!r} of the model folder cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file.name!r} of the model folder is not JSON: {str(error)[:100]}.") from None
    if not isinstance(data, dict):
        raise UsageError(f"{file.name!r} of the model folder is not a JSON object.")
    return data


def _plain_files(path: Path, files: Iterable[Path]) -> None:
    # The download cache of Hugging Face keeps its files beside the folder, and links to them.
    root = (path.parent.parent if _cached(path) else path).resolve()
    pickles = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz")
    for count, file in enumerate(files):
        if count > 1000:
            raise UsageError(f"{folder_name(path)!r} holds more than 1000 files.", "Expected a model folder.")
        if not file.is_file() and not file.is_dir():
            raise UsageError(
                f"{file.name!r} in {folder_name(path)!r} is neither a file nor a folder.",
                "Remove it, or put the file itself there.",
            )
        if not file.resolve().is_relative_to(root):
            raise UsageError(
                f"{file.name!r} in {folder_name(path)!r} is a link out of the folder.", "Copy the file itself there."
            )
        if file.suffix.lower() in pickles:
            raise UsageError(
                f"{file.name!r} in {folder_name(path)!r} is a pickle, which can run code when it is loaded.",
                "Save the weights as safetensors and remove it.",
            )


def _cached(path: Path) -> bool:
    """Whether a folder is a download of the Hugging Face hub: models--OWNER--NAME/snapshots/HASH."""
    return path.parent.name == "snapshots" and path.parent.parent.name.startswith("models--")


def _walk(path: Path) -> Iterator[Path]:
    for entry in sorted(path.iterdir()):
        yield entry
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)


def _architecture(path: Path, config: dict[str, Any]) -> None:
    names, kind = config.get("architectures"), config.get("model_type")
    wanted = "Qwen2_5_VLForConditionalGeneration"
    if names != [wanted] or kind != "qwen2_5_vl":
        found = names[0] if isinstance(names, list) and names else kind
        raise UsageError(f"{folder_name(path)!r} is of architecture {str(found)[:80]!r}.", f"Expected {wanted}.")
    for part in (config, config.get("text_config") or {}, config.get("vision_config") or {}):
        if not isinstance(part, dict):
            raise UsageError(f"the configuration of {folder_name(path)!r} is malformed.")
        _sizes(folder_name(path), part)


def _sizes(name: str, part: dict[str, Any]) -> None:
    """Check the sizes in a part of a configuration before anything is built from them."""
    largest = {
        "vocab_size": 1_000_000,
        "hidden_size": 32_768,
        "out_hidden_size": 32_768,
        "intermediate_size": 200_000,
        "num_hidden_layers": 256,
        "depth": 256,
        "num_attention_heads": 1024,
        "num_key_value_heads": 1024,
        "num_heads": 1024,
        "max_position_embeddings": 2_000_000,
        "patch_size": 64,
        "temporal_patch_size": 8,
        "spatial_merge_size": 8,
        "window_size": 4096,
        "in_channels": 4,
    }
    for key, most in largest.items():
        value = part.get(key, 1)
        if type(value) is not int or not 0 < value <= most:
            raise UsageError(f"{key} of {name!r} is {str(value)[:40]}.", f"Expected 1 to {most:,}.")
    divided = (
        ("hidden_size", "num_heads"),
        ("hidden_size", "num_attention_heads"),
        ("num_attention_heads", "num_key_value_heads"),
    )
    for whole, count in divided:
        if part.get(whole, 0) % part.get(count, 1):
            sizes = f"{part[whole]} {whole} does not divide by {part[count]} {count}"
            raise UsageError(f"the configuration of {name!r} cannot be right: {sizes}.")


def _no_code(path: Path) -> None:
    for file in sorted(path.glob("*.json")):
        if file.stat().st_size > MAX_JSON_BYTES or "config" not in file.name:
            continue
        config = read_json(file)
        if any("auto_map" in part for part in (config, *config.values()) if isinstance(part, dict)):
            raise UsageError(
                f"{folder_name(path)!r} wants to run code of its own (auto_map in {file.name}).", "No code is run."
            )


def _image_sizes(path: Path, config: dict[str, Any]) -> None:
    vision, most_pixels = config.get("vision_config") or {}, 20_000_000
    for file, processor in _image_processors(path):
        for mine, theirs in (("patch_size", "patch_size"), ("merge_size", "spatial_merge_size")):
            if mine in processor and theirs in vision and processor[mine] != vision[theirs]:
                raise UsageError(
                    f"{mine} is {str(processor[mine])[:20]} in {file} of {folder_name(path)!r}, "
                    f"but {vision[theirs]} in config.json."
                )
        size = processor.get("size")
        edges = [processor.get("min_pixels"), processor.get("max_pixels")]
        edges += [size.get(k) for k in ("shortest_edge", "longest_edge")] if isinstance(size, dict) else []
        for pixels in edges:
            if pixels is not None and (type(pixels) is not int or not 0 < pixels <= most_pixels):
                raise UsageError(
                    f"{folder_name(path)!r} asks for images of {str(pixels)[:40]} pixels in {file}.",
                    f"Expected 1 to {most_pixels:,}.",
                )


def _image_processors(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each description of the image processor by its file; transformers prefers the nested one where there is one."""
    yield "preprocessor_config.json", read_json(path / "preprocessor_config.json")
    whole = path / "processor_config.json"
    nested = read_json(whole).get("image_processor") if whole.is_file() else None
    if nested is not None and not isinstance(nested, dict):
        raise UsageError(f"image_processor in {whole.name} of {folder_name(path)!r} is not an object.")
    yield whole.name, nested or {}


def derived_name(base: str, kind: str) -> str:
    """Return what a model made from a base is called: a name that `vlp.json` may hold, whatever the base is called."""
    return re.sub("[^ -~]", "-", f"{base}-{kind}".replace("+", "-"))[:80]


def folder_name(path: Path) -> str:
    """Return what a folder is called; a download of the hub goes by the model's name, not by the hash of its snapshot."""
    return path.parent.parent.name.rpartition("--")[2] if _cached(path) else path.name or path.absolute().name


def _own_record(path: Path) -> tuple[str, str, str]:
    """Return profile, name and turns from `vlp.json`, whose hashes must match; a folder without one is a general model."""
    if not (path / "vlp.json").is_file():
        return "full", folder_name(path), ""
    record = folder_record(path)
    profile, hashes = record.get("prompt", "full"), record.get("sha256", {})
    name = record.get("name", folder_name(path))
    if record.get("format") != 1:
        raise UsageError(f"vlp.json of {folder_name(path)!r} has format {str(record.get('format'))[:20]!r}.", "Expected 1.")
    if not isinstance(profile, str) or not re.fullmatch("[a-z_]{1,32}", profile):
        raise UsageError(f"vlp.json of {folder_name(path)!r} names the prompt profile {str(profile)[:40]!r}.")
    if not isinstance(name, str) or not re.fullmatch("[ -~]{1,80}", name):
        raise UsageError(f"vlp.json of {folder_name(path)!r} has no readable name.")
    check_hashes(path, hashes)
    return profile, name, recorded_turns(record, f"vlp.json of {folder_name(path)!r}")


def recorded_turns(record: Mapping[str, Any], where: str) -> str:
    """Return the word for a model's turns in a record, "" for none; raises UsageError for a word that is unknown.

    Records of older versions say `"sighted": true` for the only turns that there were.
    """
    old = record.get("sighted", False)
    if not isinstance(old, bool):
        raise UsageError(f"sighted in {where} is not true or false.")
    word = record.get("turns", "sight" if old else "")
    if not isinstance(word, str):
        raise UsageError(f"turns in {where} is {str(word)[:40]!r}.", "Expected a word.")
    if word:
        lookup(word, TURNS, f"kind of turns in {where}")
    return word


def _made_for(path: Path) -> dict[str, list[str]]:
    """Return the robot that a model was made for, from `vlp.json`; raises UsageError where it is not lists of names."""
    robot = folder_record(path).get("robot", {})
    good = isinstance(robot, dict) and (not robot or set(robot) == {"primitives", "places"})
    if not good or not all(isinstance(names, list) and all(isinstance(n, str) for n in names) for names in robot.values()):
        raise UsageError(f"robot in vlp.json of {folder_name(path)!r} does not list primitives and places by name.")
    return robot


def _drafts(path: Path) -> list[str]:
    """Return the texts that a model often writes, from `vlp.json`; raises UsageError where it is no list of short texts."""
    drafts, most, most_chars = folder_record(path).get("drafts", []), 64, 8192
    good = isinstance(drafts, list) and len(drafts) <= most
    if not good or not all(isinstance(text, str) and 0 < len(text) <= most_chars for text in drafts):
        said = f"drafts in vlp.json of {folder_name(path)!r} are no list of texts."
        raise UsageError(said, f"Expected at most {most} texts of at most {most_chars:,} characters.")
    return drafts


def check_hashes(path: Path, hashes: Any) -> None:
    """Raise UsageError when a file of a folder is not the one whose hash its record has."""
    if not isinstance(hashes, dict):
        raise UsageError(f"sha256 in vlp.json of {folder_name(path)!r} is not an object of file names.")
    there = {file.name for file in path.iterdir() if file.is_file()}  # asked so, no name is too long for the system
    for file, expected in hashes.items():
        if file not in there:
            raise UsageError(f"vlp.json of {folder_name(path)!r} has the hash of a file that is not there: {file[:80]!r}.")
        if sha256(path / file) != expected:
            raise UsageError(f"{file!r} in {folder_name(path)!r} is not the file that vlp.json records.", "Fetch it again.")


def sha256(file: Path) -> str:
    """Return the hash of a file as hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
