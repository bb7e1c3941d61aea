"""A store as a Hugging Face `datasets` dataset."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlp.core.errors import not_installed
from vlp.data.store import Store

if TYPE_CHECKING:
    from datasets import Dataset


def to_hf(folder: str | Path, split: str = "") -> "Dataset":
    """Return the samples of a folder as a `datasets.Dataset`.

    Columns: id, images (decoded when asked for), instruction, question ("" where a policy is asked for), robot, state and
    memory (JSON text), policy (the compact text that a model writes, or its reply), source (JSON text), split, version.

    Args:
        folder: a store.
        split: only those of one split; "" for all.

    Raises:
        MissingComponent: `datasets` is not installed.
        UsageError: no store, or a line that is no sample.
    """
    try:
        from datasets import Dataset, Features, Image, Sequence, Value
    except ImportError as error:
        raise not_installed("this needs", error, "data") from None
    text = Value("string")
    features = Features(
        {
            "id": text,
            "images": Sequence(Image()),
            "instruction": text,
            "question": text,
            "robot": text,
            "state": text,
            "memory": text,
            "policy": text,
            "source": text,
            "split": text,
            "version": Value("int64"),
        }
    )
    columns: dict[str, list[Any]] = {name: [] for name in features}
    for row in _rows(Store(folder), split):
        for name, value in row.items():
            columns[name].append(value)
    return Dataset.from_dict(columns, features=features)


def _rows(store: Store, split: str) -> Iterator[dict[str, Any]]:
    for sample in store.samples(split):
        row = sample.to_json()
        row["images"] = [str(store.image_path(sha256)) for sha256 in sample.images]
        row |= {"policy": sample.target, "question": sample.question}
        row.pop("reply", None)
        yield {k: json.dumps(v, ensure_ascii=False) if isinstance(v, dict) else v for k, v in row.items()}
