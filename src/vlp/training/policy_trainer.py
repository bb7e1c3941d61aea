"""TRL's trainer for policies: logits where tokens count only, features of a frozen tower handed in, whole checkpoints."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from transformers import PrinterCallback, TrainerCallback
from transformers.training_args import ParallelMode
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from vlp.core.errors import TaskFailed, UsageError
from vlp.models.loading import quiet
from vlp.prompt.target import IGNORED
from vlp.training import checkpoint as files
from vlp.training.adapted import TokenLoss
from vlp.training.curve import add_row
from vlp.training.known_images import known_images
from vlp.training.lean import LeanLayers, standing_in
from vlp.training.recipe import CHECKPOINTS, Recipe, processes


def trainer_settings(recipe: Recipe, out: Path, device: torch.device, recompute: bool) -> SFTConfig:
    """Return TRL's settings for a recipe.

    The dataset is the whole training in its order, so one "epoch" of the trainer is all of ours, taken as it stands: what
    comes after step N does not hang on any state but N.
    """
    micro, times = recipe.share(processes())
    with quiet():
        settings = SFTConfig(**_options(recipe, out, device, recompute, micro, times))
    if device.type == "cuda":
        _pin(settings, device)
    return settings


def _pin(settings: SFTConfig, device: torch.device) -> None:
    """Hold one process to the GPU that it was told: transformers takes the first, and as many batches as there are GPUs.

    Raises:
        UsageError: one GPU for several processes.
    """
    if settings.parallel_mode == ParallelMode.DISTRIBUTED:
        if device.index is not None:
            raise UsageError(
                f"--device {device} is one GPU, but each process takes its own.", "Leave --device out with `accelerate launch`."
            )
        return
    mine = torch.device("cuda", device.index or 0)
    torch.cuda.set_device(mine)
    pinned: Any = settings
    pinned._n_gpu, pinned.__dict__["_setup_devices"] = 1, mine  # else TRL refuses several, and `device` stays cuda:0
    pinned.distributed_state.device = mine  # what Accelerate moves models and batches to


def _options(recipe: Recipe, out: Path, device: torch.device, recompute: bool, micro: int, times: int) -> dict[str, Any]:
    return dict(
        output_dir=str(out),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=times,
        num_train_epochs=1,
        train_sampling_strategy="sequential",
        learning_rate=recipe.rate or 0.0,
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=recipe.compute_type(device) == torch.bfloat16,
        gradient_checkpointing=recompute,
        use_cpu=device.type == "cpu",
        ddp_backend="gloo" if device.type == "cpu" and processes() > 1 else None,
        ddp_find_unused_parameters=False,
        seed=recipe.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=recipe.save_every,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
    )


def rate_schedule(optimizer: Any, steps: int) -> LambdaLR:
    """Return the rate of each step: a rise over the first 3 % of them, in which the first learns already, then a cosine to 0.

    Transformers' own begins at 0, so that a run of one step trains nothing.
    """
    warm_up = math.ceil(0.03 * steps)

    def share(done: int) -> float:
        if done < warm_up:
            return (done + 1) / warm_up
        return (1 + math.cos(math.pi * (done - warm_up) / max(1, steps - warm_up))) / 2

    return LambdaLR(optimizer, share)


class PolicyTrainer(SFTTrainer):
    """Trains on batches of `vlp.training.examples.Batcher`; nothing in a step is random.

    Args:
        tower_share: the rate of what is trained of the vision tower, as a share of the others'.
        options: TRL's.
    """

    def __init__(self, tower_share: float = 1.0, **options: Any) -> None:
        self.tower_share = tower_share
        with quiet():
            super().__init__(**options)
        self.remove_callback(PrinterCallback)
        module: Any = self.model
        self._bare: Any = module.get_base_model() if hasattr(module, "get_base_model") else module
        self._lean = None if self.args.bf16 else LeanLayers(self._bare)
        self.model_accepts_loss_kwargs = True  # the loss is a mean over all tokens of a step that count, whoever computes them

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the loss per token that counts; all replies end at the right edge, so only the last columns are scored."""
        labels: Tensor = inputs.pop("labels")
        scored = labels.shape[1] - int((labels != IGNORED).any(0).int().argmax())
        standing = known_images(inputs, self._bare)
        if self._lean:
            standing |= self._lean.forwards(scored + 1) | {self._bare.lm_head: lambda hidden: hidden}
        with standing_in(standing):
            outputs = model(**inputs, logits_to_keep=scored + 1, use_cache=False)
        rows, targets = outputs.logits[:, :-1].flatten(0, 1), labels[:, -scored:].flatten()
        if self._lean:
            counted = targets != IGNORED
            total: Any = TokenLoss.apply(rows[counted], self._bare.lm_head.weight, targets[counted])
        else:
            total = F.cross_entropy(rows.float(), targets, ignore_index=IGNORED, reduction="sum")
        if num_items_in_batch is None:
            loss = total / (targets != IGNORED).sum()
        else:  # processes average their gradients
            loss = total * self.accelerator.num_processes / num_items_in_batch
        return (loss, outputs) if return_outputs else loss

    def create_optimizer(self, model: Any = None) -> Any:
        """Return TRL's optimizer, with what is trained of the vision tower in groups of their own."""
        if self.optimizer is None:
            super().create_optimizer(model)
            tower = {id(p) for name, p in self.trained.items() if ".visual." in name}
            made: Any = self.optimizer
            for group in list(made.param_groups) if tower and self.tower_share < 1 else ():
                slow = [p for p in group["params"] if id(p) in tower]
                group["params"] = [p for p in group["params"] if id(p) not in tower]
                made.add_param_group({**group, "params": slow, "lr": group["lr"] * self.tower_share})
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Return `rate_schedule` of the optimizer."""
        if self.lr_scheduler is None:
            self.lr_scheduler = rate_schedule(optimizer or self.optimizer, num_training_steps)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    @property
    def trained(self) -> dict[str, Tensor]:
        """What is trained, by name."""
        model: Any = self.model
        return {name: p for name, p in model.named_parameters() if p.requires_grad}

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self.is_world_process_zero():
            folder = Path(str(self.args.output_dir)) / CHECKPOINTS
            files.save_checkpoint(folder, self.state.global_step, self.trained, self.optimizer, self.state.save_to_json)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        files.load_weights(Path(resume_from_checkpoint), self.trained)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        files.load_moments(Path(checkpoint), self.trained, self.optimizer)
        schedule: Any = self.lr_scheduler
        schedule.last_epoch = self.state.global_step  # a rate follows from its step
        for group, rate, shape in zip(schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
            group["lr"] = rate * shape(self.state.global_step)
        schedule._last_lr = [group["lr"] for group in schedule.optimizer.param_groups]  # what the curve's next row says
        self.state.save_steps = int(self.args.save_steps)  # the checkpoint brought its own

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Nothing in a step is random."""

    def mean_loss(self, batches: Any) -> float:
        """Return the loss per token that counts, over batches that are not trained on."""
        model: Any = self.model
        model.eval()
        total = count = 0.0
        for batch in batches:
            tokens = int((batch["labels"] != IGNORED).sum())
            with torch.no_grad(), self.compute_loss_context_manager():
                total += float(self.compute_loss(model, self._prepare_inputs(batch))) * tokens
            count += tokens
        return total / max(count, 1)


class CurveWriter(TrainerCallback):
    """Adds a row per step to the loss curve, and stops a run whose loss or gradient is no number.

    Args:
        file: the curve.
        steps_per_epoch: of the recipe.
        progress: told (steps done, all steps).
    """

    def __init__(self, file: Path, steps_per_epoch: int, progress: Callable[[int, int], None]) -> None:
        self.file, self.steps_per_epoch, self.progress = file, steps_per_epoch, progress
        self._began_s = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Write the row of a step."""
        if not logs or "loss" not in logs:
            return
        for name, value in (("loss", logs["loss"]), ("gradient norm", logs["grad_norm"])):
            if not math.isfinite(value):  # before a checkpoint keeps it
                raise TaskFailed(f"the {name} at step {state.global_step} is {value}.", "Try a smaller --rate.")
        if not state.is_world_process_zero:
            return
        row = {
            "step": state.global_step,
            "epoch": round(state.global_step / self.steps_per_epoch, 4),
            "loss": logs["loss"],
            "rate": logs["learning_rate"],
            "gradient_norm": logs["grad_norm"],
            "elapsed_s": round(time.monotonic() - self._began_s, 2),
        }
        add_row(self.file, row)
        self.progress(state.global_step, state.max_steps)
