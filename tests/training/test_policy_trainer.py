"""The trainer's settings, its rate and what its curve refuses, without a whole run."""

from pathlib import Path

import pytest
import torch
from transformers.trainer_callback import TrainerState
from transformers.training_args import ParallelMode

from vlp.core.errors import TaskFailed, UsageError
from vlp.training.policy_trainer import CurveWriter, rate_schedule, trainer_settings
from vlp.training.recipe import Recipe, slow_half


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """A machine with two GPUs, as far as torch tells; returns the ones that were made the current one."""
    taken: list[torch.device] = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", lambda device: taken.append(torch.device(device)))
    return taken


@pytest.mark.parametrize(("asked", "index"), [("cuda", 0), ("cuda:1", 1)])
def test_one_process_takes_the_gpu_and_the_batch_it_was_told(
    tmp_path: Path, two_gpus: list[torch.device], asked: str, index: int
) -> None:
    # With two GPUs a batch of 8 held 16, and --device cuda:1 trained on cuda:0.
    settings = trainer_settings(Recipe(batch=8), tmp_path, torch.device(asked), False)
    assert (settings.n_gpu, settings.train_batch_size) == (1, 8)
    assert settings.device == torch.device("cuda", index) == two_gpus[-1]
    assert settings.distributed_state is not None and settings.distributed_state.device == settings.device


def test_several_processes_do_not_share_one_gpu(
    tmp_path: Path, two_gpus: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    # --device cuda:1 was passed over where several processes train.
    monkeypatch.setattr("transformers.TrainingArguments.parallel_mode", ParallelMode.DISTRIBUTED)
    with pytest.raises(UsageError, match=r"cuda:1 is one GPU.*Leave --device out with `accelerate launch`"):
        trainer_settings(Recipe(), tmp_path, torch.device("cuda:1"), False)


@pytest.mark.parametrize("steps", [1, 2, 6, 100])
def test_the_first_step_learns_and_the_rate_falls_to_0(steps: int) -> None:
    # The first step had rate 0: a run of one step trained nothing.
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule, rates = rate_schedule(optimizer, steps), list[float]()
    for _ in range(steps + 1):
        rates.append(float(schedule.get_last_lr()[0]))
        optimizer.step()
        schedule.step()
    assert rates[0] > 0 and max(rates) == 2.0
    warm_up = 3 if steps == 100 else 1
    assert rates[:warm_up] == pytest.approx([2 * k / warm_up for k in range(1, warm_up + 1)])
    assert rates[warm_up:] == sorted(rates[warm_up:], reverse=True)
    assert steps == 1 or rates[-1] == pytest.approx(0)


def test_a_gradient_that_is_no_number_ends_the_run_and_is_not_in_the_curve(tmp_path: Path) -> None:
    # A step with a gradient of nan went on into the weights and the next checkpoint.
    writer = CurveWriter(tmp_path / "curve.jsonl", 1, lambda done, total: None)
    logs = {"loss": 1.0, "learning_rate": 0.1, "grad_norm": float("nan")}
    with pytest.raises(TaskFailed, match="gradient norm at step 3 is nan"):
        writer.on_log(None, TrainerState(global_step=3), None, logs)
    assert not (tmp_path / "curve.jsonl").exists()


def test_half_precision_that_is_slower_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # A step in bfloat16 took 16 s instead of 1.6 on a processor without units for it, and nothing said so.
    times = {torch.bfloat16: 0.0546, torch.float32: 0.007}
    monkeypatch.setattr("vlp.training.recipe.product_s", times.__getitem__)
    cpu, half = torch.device("cpu"), Recipe(precision="bfloat16")
    said = "bfloat16 takes 7.8 times as long as float32 on this processor: --precision float32 is faster here."
    assert slow_half(half, cpu) == said
    assert slow_half(Recipe(), cpu) == ""
    times[torch.bfloat16] = 0.004
    assert slow_half(half, cpu) == ""
