"""From an adapter and its base, or from a run, to one plain model folder: safetensors, hashes, card."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from vlp.core.errors import MissingComponent, UsageError, lookup
from vlp.models.adapter import RECORD, check_adapter, check_base, weight_hashes
from vlp.models.catalogue import find_folder
from vlp.models.folder import ModelFolder, check_data, check_folder, derived_name, folder_record, sha256
from vlp.models.loading import DTYPES, check_finite, load_model
from vlp.training.checkpoint import save_model, write_folder
from vlp.training.model_card import model_card
from vlp.training.recipe import ADAPTER, MODEL, PLOT, RUN, read_record


def merge(adapter: str | Path, base: str, out: str | Path, dtype: str = "", plot: Path | None = None) -> ModelFolder:
    """Write a base with an adapter added into its weights, and return the folder.

    Args:
        adapter: folder of a LoRA adapter in safetensors.
        base: as `vlp.models.catalogue.find_folder` takes it; "" takes what the adapter's record, or else its
            `base_model_name_or_path`, names.
        out: the new folder; must not exist.
        dtype: "float32", "bfloat16" or "float16"; "" the type it was trained in: float32 for models of a CPU, else bfloat16.
        plot: the curve of the training, to lie beside the card.

    Raises:
        UsageError: pickles, a key that the base has no place for, another base than the adapter's, numbers that are not
            finite (in adapter, base or sum), or a folder that exists.
        MissingComponent: it could not be written, or the base cannot be fetched.
    """
    adapter, out = Path(adapter), Path(out)
    _must_be_new(out)
    config = check_adapter(adapter)
    record = folder_record(adapter)
    folder = check_folder(_base_folder(adapter.name, base, record.get("base", {}), config.base))
    check_base(adapter, folder)
    kind = _type(dtype, folder)
    record = {"base": {"name": folder.name}, **record}
    model = load_model(folder, adapter, torch.device("cpu"), torch.float32)  # the sum is rounded once, when it is written
    return write_model(model, folder, out, record, kind, plot)


def _base_folder(adapter: str, base: str, told: dict[str, Any], configured: str) -> Path:
    """Return the folder of the base that was named, else of the one that the adapter's record or configuration names."""
    if base:
        return find_folder(base)
    where = "Say where that is with --base."
    if told.get("name") and not told.get("spec"):
        raise UsageError(f"the adapter {adapter!r} was trained on {told['name']!r}, a folder.", where)
    spec = str(told.get("spec") or configured)
    if not spec:
        raise UsageError(f"the adapter {adapter!r} does not say what it was trained on.", where)
    try:
        return find_folder(spec)
    except UsageError:
        raise UsageError(
            f"the adapter {adapter!r} was trained on {spec[:200]!r}, which is no folder here.", "Say where it is with --base."
        ) from None
    except MissingComponent as error:
        raise MissingComponent(f"the adapter {adapter!r} was trained on {spec[:200]!r}: {error.message}", where) from None


def export(run: str | Path, out: str | Path, base: str = "", dtype: str = "") -> ModelFolder:
    """Write what a run of `vlp train sft` made as one model folder with its card and curve, and return it.

    Args:
        run: the run's folder.
        out: the new folder; must not exist.
        base: where the base is now; "" takes what the run was told.
        dtype: see `merge`.

    Raises:
        UsageError: no finished run there, or as `merge` does.
    """
    run, out = Path(run), Path(out)
    _must_be_new(out)
    record = read_record(run)
    check_data(record["data"], f"{RUN} of {run.name!r}")
    plot = run / PLOT if (run / PLOT).is_file() else None
    if (run / ADAPTER).is_dir():
        return merge(run / ADAPTER, base, out, dtype, plot)
    if (run / MODEL).is_dir():
        trained = check_folder(run / MODEL)
        model = load_model(trained, None, torch.device("cpu"), torch.float32)
        named = replace(trained, name=record["base"]["name"])
        return write_model(model, named, out, record, _type(dtype, trained), plot)
    raise UsageError(f"the run at {str(run)[:300]!r} has not ended.", "Go on with it: `vlp train sft ... --resume`.")


def write_model(
    model: Any,
    base: ModelFolder,
    out: Path,
    record: dict[str, Any],
    dtype: torch.dtype | None = None,
    plot: Path | None = None,
) -> ModelFolder:
    """Write a model as a folder that `check_folder` takes, whole or not at all, and return it checked.

    Args:
        model: what was trained or merged.
        base: whose tokenizer, processor, wording and sight it keeps.
        out: where.
        record: of the run; goes into `vlp.json` and the card.
        dtype: of the weights; None leaves them as they are.
        plot: the curve of the training, to lie beside the card.
    """
    as_the_base_has_them = (
        "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "*.jinja",
        "chat_template.json", "processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json",
        "generation_config.json",
    )  # fmt: skip
    name = derived_name(base.name, (record.get("recipe") or {}).get("adapter", "merged"))
    checked: list[ModelFolder] = []

    model = model if dtype is None else model.to(dtype)
    check_finite(model.named_parameters(), f"the weights of {name!r} as {model.dtype}")

    def write(part: Path) -> None:
        save_model(model, part)
        for pattern in as_the_base_has_them:
            for file in base.path.glob(pattern):
                shutil.copyfile(file, part / file.name)
        own = {"format": 1, "name": name, "prompt": base.profile, "turns": base.turns}
        hashes = {**weight_hashes(part), "config.json": sha256(part / "config.json")}
        hashes["tokenizer.json"] = sha256(part / "tokenizer.json")
        kept = {"trained": {key: record[key] for key in ("base", "data", "recipe", "scores") if key in record}}
        (part / RECORD).write_text(json.dumps({**own, "sha256": hashes, **kept}, indent=1, ensure_ascii=False) + "\n")
        (part / "README.md").write_text(model_card(name, record))
        if plot is not None:
            shutil.copyfile(plot, part / PLOT)
        checked.append(check_folder(part))  # before it takes its place: what is refused is not left there

    done = write_folder(out, write)
    return replace(checked[0], path=done)


def _must_be_new(out: Path) -> None:
    if out.exists():
        raise UsageError(f"{str(out)[:300]!r} is there already.", "Choose another --out.")


def _type(name: str, folder: ModelFolder) -> torch.dtype:
    from vlp.models.transformers_model import SMALL_MODEL_PARAMETERS

    usual = "float32" if folder.parameters <= SMALL_MODEL_PARAMETERS else "bfloat16"
    return lookup(name or usual, DTYPES, "dtype")
