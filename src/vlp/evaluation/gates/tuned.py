"""What a gate is pointed at: a run of `vlp train sft`, an adapter, a model folder or a server, and the base it came from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError
from vlp.models.catalogue import FOLDERS, MODELS, find_folder, open_model
from vlp.models.folder import folder_record
from vlp.models.protocol import Model
from vlp.models.transformers_model import TransformersModel
from vlp.training.export import export, merge
from vlp.training.recipe import ADAPTER, MODEL, RUN, read_record


@dataclass(frozen=True)
class Tuned:
    """A tuned model, and how to come by it.

    Args:
        name: for people.
        base: what it was tuned from, as `--model` takes it; "" when nobody said.
        adapter: the LoRA adapter; None when all weights are its own.
        model: all its weights, as `--model` takes it; "" for an adapter.
        run: the run's folder; None when it is not known.
    """

    name: str
    base: str
    adapter: Path | None = None
    model: str = ""
    run: Path | None = None

    def open(self, **options: Any) -> Model:
        """Return the model as a run would use it."""
        if self.adapter is None:
            return open_model(self.model, **options)
        return open_model(self.needed_base(), adapter=str(self.adapter), **options)

    def open_base(self, **options: Any) -> Model:
        """Return the base as a run would use it."""
        return open_model(self.needed_base(), **options)

    def as_trained(self, **options: Any) -> TransformersModel:
        """Return the model as the trainer computes it: the adapter beside the weights."""
        if self.adapter is None:
            return TransformersModel(find_folder(self.model), **options)
        return TransformersModel(find_folder(self.needed_base()), self.adapter, merged=False, **options)

    def export(self, out: Path) -> Path:
        """Write it as one model folder, as `vlp train merge` and `vlp train export` do, and return that."""
        if self.adapter is not None:
            return merge(self.adapter, self.base, out).path
        if self.run is not None:
            return export(self.run, out, self.base).path
        raise UsageError(f"{self.name!r} is one folder already, with nothing to merge.", "Give a run or an adapter.")

    def needed_base(self) -> str:
        """Return the base; raises UsageError when nobody said which it is."""
        if not self.base:
            raise UsageError(f"{self.name!r} does not say where its base is.", "Name it with --base.")
        return self.base


def find_tuned(target: str, base: str = "") -> Tuned:
    """Return what a word on the command line points at.

    Args:
        target: the folder of a run or of an adapter; or a model as `--model` takes it.
        base: what it was tuned from; "" takes what its record says.

    Raises:
        UsageError: a run that has not ended, or nothing by that name.
        MissingComponent: a model of the hub that cannot be fetched.
    """
    path = Path(target)
    if (path / RUN).is_file():
        record = read_record(path)
        told = base or str((record.get("base") or {}).get("spec", ""))
        name = path.resolve().name
        if (path / ADAPTER).is_dir():
            return Tuned(name, told, path / ADAPTER, run=path)
        if (path / MODEL).is_dir():
            return Tuned(name, told, model=str(path / MODEL), run=path)
        raise UsageError(f"the run at {target[:300]!r} has not ended.", "Go on with it: `vlp train sft ... --resume`.")
    if (path / "adapter_config.json").is_file():
        told = folder_record(path).get("base", {})
        return Tuned(path.resolve().name, base or str(told.get("spec", "")), path)
    told = _recorded_base(target)  # read whatever `base` is: a folder that is not there is said before an hour of asking
    return Tuned(target[:120], base or told, model=target)


def _recorded_base(target: str) -> str:
    """Return what a model folder says that it was trained from, "" where it does not; of a server nothing is known."""
    if target not in FOLDERS and target.partition(":")[0] in MODELS:
        return ""
    record: Any = folder_record(find_folder(target))
    for key in ("trained", "base", "spec"):
        record = record.get(key) if isinstance(record, dict) else None
    return record if isinstance(record, str) else ""
