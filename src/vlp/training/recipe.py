"""What a fine-tuning is told: one small record, kept with the run so that it can only be taken up as it was."""

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from vlp.core.errors import UsageError, lookup
from vlp.core.files import write_whole
from vlp.models.folder import read_json
from vlp.models.loading import DTYPES
from vlp.models.transformers_model import SMALL_MODEL_PARAMETERS
from vlp.training.lora import ADAPTERS

# What a run keeps in its folder.
RUN, CURVE, PLOT = "run.json", "curve.jsonl", "curve.png"
CHECKPOINTS, ADAPTER, MODEL = "checkpoints", "adapter", "model"
FORMAT = 1


@dataclass(frozen=True)
class Recipe:
    """How a base is fine-tuned. LoRA and the 800 samples are the paper's; what else is said is our choice.

    Args:
        adapter: a name in `vlp.training.lora.ADAPTERS`.
        epochs: how often each sample is seen; None takes what `settled` says for the size of the model.
        batch: examples in a step (samples and rehearsed questions), over all processes; our choice.
        rate: highest learning rate, None as above. It rises over the first 3 % of the steps, then falls as a cosine to 0.
        seed: of the adapter's first weights and of the order.
        samples: how many of the training split, from its beginning; 0 for all.
        micro: samples that a process passes through the model at a time; 0 for its whole share of a step.
        precision: "float32" or "bfloat16"; "" takes bfloat16 where a GPU supports it, else float32.
        recompute: "yes" computes activations again in the backward pass, which saves memory; "auto" does for models of more
            than 50 million parameters.
        save_every: steps between checkpoints.
        rehearse: questions about each sample's image whose answers by the base are learned beside the policy
            (`vlp.training.rehearsal`), None as above.
        tower_share: the rate of what is trained of the vision tower, as a share of `rate`; None as above.
        words: of what is said before a policy, in the wordings that have this: "all" of the samples' words are taught, or
            those "agreed", which the base says itself; None as above.
    """

    adapter: str = "decoder"
    epochs: int | None = None
    batch: int = 8
    rate: float | None = None
    seed: int = 0
    samples: int = 0
    micro: int = 0
    precision: str = ""
    recompute: str = "auto"
    save_every: int = 20
    rehearse: int | None = None
    tower_share: float | None = None
    words: str | None = None

    def check(self) -> None:
        """Raise UsageError for the first value that makes no sense, naming its option."""
        lookup(self.adapter, ADAPTERS, "adapter")
        lookup(self.recompute, dict.fromkeys(("auto", "yes", "no")), "answer to --recompute")
        if self.precision:
            lookup(self.precision, dict.fromkeys(("float32", "bfloat16")), "precision")
        if self.words is not None:
            lookup(self.words, dict.fromkeys(("all", "agreed")), "answer to --words")
        least = {"epochs": 1, "batch": 1, "samples": 0, "micro": 0, "seed": 0, "save_every": 1, "rehearse": 0}
        for name, value in least.items():
            given = getattr(self, name)
            if given is not None and given < value:
                raise UsageError(f"--{name.replace('_', '-')} {given} is too small.", f"Give {value} or more.")
        most = 2**32 - 1  # what numpy takes, which transformers seeds with the others
        if self.seed > most:
            raise UsageError(f"--seed {self.seed} is too large.", f"Give at most {most}.")
        if self.rate is not None and not 0 < self.rate <= 1:
            raise UsageError(f"--rate {self.rate} is out of bounds.", "Give more than 0 and at most 1.")
        if self.tower_share is not None and not 0 < self.tower_share <= 1:
            raise UsageError(f"--tower-share {self.tower_share} is out of bounds.", "Give more than 0 and at most 1.")

    def settled(self, parameters: int) -> "Recipe":
        """Return the recipe for a model of so many parameters, with nothing left open.

        For small models after pilots of `decoder`; their rate of `full` is a guess. Where a tower is read off as text (the
        turns `sight`), no loss holds in place what it writes: it is trained at a small share of the rate. For others the
        epochs are the paper's; the rates, our choice, are the usual ones for LoRA and for all weights.
        """
        if parameters <= SMALL_MODEL_PARAMETERS:
            rate = {"decoder": 2e-3, "vision+decoder": 2e-3, "full": 3e-4}[self.adapter]
            usual: dict[str, Any] = {"epochs": 4, "rate": rate, "rehearse": 1, "tower_share": 0.05, "words": "agreed"}
        else:
            rate = {"decoder": 2e-4, "vision+decoder": 2e-4, "full": 1e-5}[self.adapter]
            usual = {"epochs": 2, "rate": rate, "rehearse": 0, "tower_share": 1.0, "words": "all"}
        return replace(self, **{name: value for name, value in usual.items() if getattr(self, name) is None})

    def recomputes(self, parameters: int) -> bool:
        """Return whether a model of so many parameters computes activations again in the backward pass."""
        return {"auto": parameters > SMALL_MODEL_PARAMETERS, "yes": True, "no": False}[self.recompute]

    def share(self, processes: int) -> tuple[int, int]:
        """Return how many samples a process takes at a time, and how many times a step.

        Raises:
            UsageError: a step's samples do not divide so.
        """
        each, rest = divmod(self.batch, processes)
        if rest or not each:
            raise UsageError(f"--batch {self.batch} cannot be shared by {processes} processes.", "Give a multiple of them.")
        micro = self.micro or each
        if each % micro:
            raise UsageError(f"--micro {self.micro} does not divide the {each} samples of a process.", "Give a divisor.")
        return micro, each // micro

    def compute_type(self, device: torch.device) -> torch.dtype:
        """Return the type that a device computes in; raises UsageError for bfloat16 on a GPU that has none."""
        able = device.type == "cuda" and torch.cuda.is_bf16_supported()
        if self.precision == "bfloat16" and device.type == "cuda" and not able:
            raise UsageError("this GPU has no bfloat16.", "Use --precision float32.")
        return DTYPES[self.precision or ("bfloat16" if able else "float32")]

    def weights_type(self, device: torch.device) -> torch.dtype:
        """Return the type of the weights: 32 bits where they are trained themselves or run on a CPU, as at run time."""
        whole = self.adapter == "full" or device.type == "cpu"
        return torch.float32 if whole else self.compute_type(device)


def slow_half(recipe: Recipe, device: torch.device) -> str:
    """Return a note when a recipe computes in bfloat16 on a processor that is faster in float32; else "".

    A processor without units for it unpacks each number.
    """
    if device.type != "cpu" or recipe.compute_type(device) != torch.bfloat16:
        return ""
    times = product_s(torch.bfloat16) / product_s(torch.float32)
    if times < 1.1:  # below, two measurements differ by chance
        return ""
    return f"bfloat16 takes {times:.1f} times as long as float32 on this processor: --precision float32 is faster here."


def product_s(dtype: torch.dtype) -> float:
    """Return how long a linear layer of a small model takes on the CPU: the best of a few, in seconds."""
    rows, weights = torch.ones(512, 256, dtype=dtype), torch.ones(256, 256, dtype=dtype)

    def once() -> float:
        began_s = time.perf_counter()
        torch.nn.functional.linear(rows, weights)
        return time.perf_counter() - began_s

    return min(once() for _ in range(4))


def processes() -> int:
    """Return how many processes train together, as `accelerate launch` says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def write_record(out: Path, record: dict[str, Any]) -> None:
    """Keep what a run is told in its folder."""
    write_whole(out / RUN, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def read_record(out: Path) -> dict[str, Any]:
    """Return what a run was told; raises UsageError when the folder holds no run."""
    if not (out / RUN).is_file():
        raise UsageError(f"no run at {str(out)[:300]!r}: {RUN} is missing.", "Give a folder that `vlp train sft` wrote.")
    record = read_json(out / RUN)
    if record.get("format") != FORMAT or not all(isinstance(record.get(part), dict) for part in ("base", "data", "recipe")):
        raise UsageError(f"{RUN} of {str(out)[:300]!r} is not one of this version.")
    return record


def make_record(base: dict[str, Any], data: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Return what is kept of a run: its base with hashes, its data with a hash, its recipe."""
    return {"format": FORMAT, "base": base, "data": data, "recipe": asdict(recipe)}


def same_run(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise UsageError when a run cannot be taken up because something is not as it was, naming the first such thing.

    How a step is computed and when it is saved may change: a run that ran out of memory is taken up in smaller bites.
    """
    may_change = {("recipe", "micro"), ("recipe", "recompute"), ("recipe", "save_every")}
    for part in ("base", "data", "recipe"):
        old, new = before.get(part) or {}, now[part]
        for key in {**old, **new}:
            if old.get(key) != new.get(key) and (part, key) not in may_change:
                what = f"{key} was {str(old.get(key))[:80]}, now {str(new.get(key))[:80]}"
                raise UsageError(f"the run cannot be taken up: its {part} is another ({what}).", "Choose another --out.")
