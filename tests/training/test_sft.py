"""Fine-tuning a tiny model: the stock loss, the same curve after a kill and in two processes, and what is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sft_process import run, start

from vlp.cli.bars import Bars
from vlp.cli.main import main
from vlp.core.errors import MissingComponent, TaskFailed, UsageError
from vlp.data.store import Store
from vlp.models.loading import quiet
from vlp.models.transformers_model import TransformersModel
from vlp.training import checkpoint as files
from vlp.training import memory
from vlp.training.curve import read_curve
from vlp.training.examples import Batcher, Examples, as_dataset, training_order
from vlp.training.lora import lora_config, ranks_of
from vlp.training.policy_trainer import PolicyTrainer, rate_schedule, trainer_settings
from vlp.training.recipe import Recipe
from vlp.training.sft import train_sft

SHORT = {"epochs": 1, "batch": 4, "rate": 5e-3, "save_every": 2, "rehearse": 0}


def losses(out: Path) -> list[tuple[int, float, float]]:
    return [(row["step"], row["loss"], row["gradient_norm"]) for row in read_curve(out / "curve.jsonl")]


def rates(out: Path) -> list[float]:
    return [row["rate"] for row in read_curve(out / "curve.jsonl")]


@pytest.fixture(scope="module")
def whole(base: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody stopped: 6 steps."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert run(base, samples, out, **SHORT) == 0
    return out


def test_a_run_leaves_adapter_curve_picture_and_card(whole: Path) -> None:
    assert [step for step, _, _ in losses(whole)] == [1, 2, 3, 4, 5, 6]
    assert losses(whole)[-1][1] < losses(whole)[0][1]
    assert (whole / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in (whole / "checkpoints").iterdir()] == ["step-6"]
    card = (whole / "adapter" / "README.md").read_text()
    assert "24 samples" in card and "validation loss, 8 samples" in card and "## Limits" in card
    record = json.loads((whole / "adapter" / "vlp.json").read_text())
    assert record["base"]["name"] == "toy" and record["recipe"]["adapter"] == "decoder"
    suffixes = {path.suffix for path in whole.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".jsonl", ".png", ".safetensors", ".md"}  # no pickle
    assert str(whole.parent) not in "".join(p.read_text() for p in (whole / "adapter").glob("*.json"))


def test_the_curve_is_that_of_stock_trl(base: Path, samples: Path, whole: Path, tmp_path: Path) -> None:
    from trl.trainer.sft_trainer import SFTTrainer

    recipe = Recipe(**SHORT)
    model = TransformersModel(base, device="cpu")
    examples = Examples(samples, model)
    rows = examples.all(Store(samples).samples("train"))
    order = training_order([len(row.ids) for row in rows], 1, recipe.batch, recipe.seed)
    settings = trainer_settings(recipe, tmp_path, torch.device("cpu"), False)
    settings.save_strategy = "no"
    stock = SFTTrainer(
        model=model.model,
        args=settings,
        train_dataset=as_dataset(order),
        data_collator=Batcher(examples, rows),
        processing_class=model.chat.tokenizer,
        peft_config=lora_config(ranks_of(model.model, "decoder")),
    )
    stock.create_optimizer()
    stock.lr_scheduler = rate_schedule(stock.optimizer, len(order) // recipe.batch)
    with quiet():
        stock.train()
    found = [row["loss"] for row in stock.state.log_history if "loss" in row]
    assert found == pytest.approx([loss for _, loss, _ in losses(whole)], abs=1e-3)


@pytest.mark.parametrize("kill", [{"kill_at": 5}, {"kill_in_write": 2}], ids=str)
def test_killed_and_taken_up_the_curve_is_the_same(
    base: Path, samples: Path, whole: Path, tmp_path: Path, kill: dict[str, int]
) -> None:
    out = tmp_path / "run"
    assert run(base, samples, out, **SHORT, **kill) == -signal.SIGKILL
    assert not (out / "adapter").exists()
    with (out / "curve.jsonl").open("ab") as file:
        file.write(b'{"step": 7, "lo')  # what a kill in the middle of a line leaves
    assert run(base, samples, out, resume=True, **SHORT) == 0
    assert losses(out) == losses(whole)
    assert rates(out) == rates(whole)  # the first row after the checkpoint said the rate of the first step of all
    tensors = (run_dir / "adapter" / "adapter_model.safetensors" for run_dir in (out, whole))
    assert len({file.read_bytes() for file in tensors}) == 1


def test_a_run_taken_up_is_saved_as_often_as_it_is_told_now(
    base: Path, samples: Path, whole: Path, tmp_path: Path, monkeypatch
) -> None:
    # --resume --save-every 1 went on saving every other step, as the checkpoint had it.
    class Stopped(Exception):
        pass

    def stop(what: str, done: int, total: int) -> None:
        if what == "training" and done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        train_sft(str(base), samples, tmp_path / "run", Recipe(**SHORT), device="cpu", progress=stop)
    saved, save = [], files.save_checkpoint
    monkeypatch.setattr(files, "save_checkpoint", lambda folder, step, *rest: saved.append(step) or save(folder, step, *rest))
    train_sft(str(base), samples, tmp_path / "run", Recipe(**{**SHORT, "save_every": 1}), device="cpu", resume=True)
    assert saved == [3, 4, 5, 6]
    assert rates(tmp_path / "run") == rates(whole)


@pytest.mark.slow
def test_killed_at_random_moments_the_curve_is_the_same(base: Path, samples: Path, whole: Path, tmp_path: Path) -> None:
    """As often as VLP_KILLS says, wherever it happens to be after so many steps: reading, in a step, writing."""
    out, rng = tmp_path / "killed", Random(0)
    for _ in range(int(os.environ.get("VLP_KILLS", "1"))):
        process, steps = start(base, samples, out, resume=(out / "run.json").exists(), **SHORT), rng.randrange(6)
        while process.is_alive() and (not (out / "curve.jsonl").exists() or len(losses(out)) < steps):
            time.sleep(0.01)
        process.join(rng.uniform(0.0, 0.2))
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
    process = start(base, samples, out, resume=(out / "run.json").exists(), **SHORT)
    process.join()
    assert process.exitcode == 0
    assert losses(out) == losses(whole)


def test_a_run_that_has_ended_ends_the_same_again(base: Path, samples: Path, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "adapter")  # as if killed before it was written
    train_sft(str(base), samples, tmp_path / "run", Recipe(**SHORT), device="cpu", resume=True)
    assert losses(tmp_path / "run") == losses(whole)
    file = Path("adapter") / "adapter_model.safetensors"
    assert (tmp_path / "run" / file).read_bytes() == (whole / file).read_bytes()


def test_two_processes_that_take_up_a_run_and_small_bites_take_the_same_steps(
    base: Path, samples: Path, whole: Path, tmp_path: Path
) -> None:
    assert run(base, samples, tmp_path / "two", kill_at=3, **SHORT) == -signal.SIGKILL
    assert run(base, samples, tmp_path / "two", world=2, resume=True, **SHORT) == 0
    assert run(base, samples, tmp_path / "bites", micro=1, **SHORT) == 0
    for out in (tmp_path / "two", tmp_path / "bites"):
        for found, expected in zip(losses(out), losses(whole), strict=True):
            assert found == pytest.approx(expected, rel=1e-3)
        assert (out / "adapter" / "adapter_model.safetensors").is_file()


@pytest.mark.long
def test_accelerate_launch_with_two_cpu_processes(base: Path, samples: Path, whole: Path, tmp_path: Path) -> None:
    words = ["--batch", "4", "--epochs", "1", "--rate", "5e-3", "--rehearse", "0", "--save-every", "2", "--base", str(base)]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--main_process_port", "0", "-m", "vlp.cli.main", "train", "sft", "--data", str(samples)]
    launch += ["--out", str(tmp_path / "r"), "--skip-gates"]
    done = subprocess.run([*launch, *words, "--device", "cpu"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [loss for _, loss, _ in losses(tmp_path / "r")] == pytest.approx([x for _, x, _ in losses(whole)], rel=1e-3)


@pytest.mark.parametrize("adapter", ["vision+decoder", "full"])
def test_the_other_adapters_learn_too(base: Path, samples: Path, tmp_path: Path, adapter: str) -> None:
    made = train_sft(str(base), samples, tmp_path / "run", Recipe(adapter=adapter, **SHORT), device="cpu")
    assert losses(tmp_path / "run")[-1][1] < losses(tmp_path / "run")[0][1]
    assert (made / "README.md").is_file()


def test_the_tower_learns_at_its_share_of_the_rate(base: Path, samples: Path, tmp_path: Path) -> None:
    # At the full rate nano's tower, which is read off as text, read 28 of 143 scenes without error after tuning, of 122 before.
    moved: dict[float, tuple[float, float]] = {}
    for share in (1.0, 0.05):
        recipe = Recipe(adapter="vision+decoder", samples=8, epochs=1, batch=8, rate=1e-3, rehearse=0, tower_share=share)
        made = train_sft(str(base), samples, tmp_path / str(share), recipe, device="cpu")
        weights = load_file(made / "adapter_model.safetensors")
        begun_at_0 = {name: float(w.abs().max()) for name, w in weights.items() if "lora_B" in name}
        tower, decoder = (max(v for n, v in begun_at_0.items() if (".visual." in n) is part) for part in (True, False))
        moved[share] = (tower, decoder)
    assert min(moved[1.0]) > 0  # the one step was at rate 0, and 0 is any share of 0
    assert moved[0.05][1] == pytest.approx(moved[1.0][1], rel=1e-3)
    assert moved[0.05][0] == pytest.approx(0.05 * moved[1.0][0], rel=0.02)


@pytest.mark.long
def test_recomputing_and_half_precision_learn_the_same(base: Path, samples: Path, whole: Path, tmp_path: Path) -> None:
    for adapter in ("decoder", "vision+decoder"):
        recipe = Recipe(adapter=adapter, samples=8, recompute="yes", precision="bfloat16", epochs=4, rate=5e-3, rehearse=0)
        made = train_sft(str(base), samples, tmp_path / adapter, recipe, device="cpu")
        assert losses(tmp_path / adapter)[0][1] == pytest.approx(losses(whole)[0][1], rel=0.05)
        assert losses(tmp_path / adapter)[-1][1] < losses(tmp_path / adapter)[0][1]
        weights = load_file(made / "adapter_model.safetensors")
        assert all(w.any() for name, w in weights.items() if "lora_B" in name)  # they begin at 0


def test_a_full_disk_leaves_the_last_checkpoint(base: Path, samples: Path, tmp_path: Path, monkeypatch) -> None:
    from safetensors import torch as library

    whole, writes = library.save_file, [0]

    def full(tensors: Any, path: Any, **rest: Any) -> None:
        writes[0] += 1
        if writes[0] == 2:
            Path(path).write_bytes(b"half")
            raise OSError(28, "No space left on device")
        whole(tensors, path, **rest)

    monkeypatch.setattr(library, "save_file", full)
    with pytest.raises(MissingComponent, match="No space left"):
        train_sft(str(base), samples, tmp_path / "run", Recipe(**SHORT), device="cpu")
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-2"]
    train_sft(str(base), samples, tmp_path / "run", Recipe(**SHORT), device="cpu", resume=True)
    assert len(losses(tmp_path / "run")) == 6


def test_only_the_same_run_is_taken_up(base: Path, samples: Path, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not empty"):
        train_sft(str(base), samples, whole, Recipe(**SHORT), device="cpu")
    with pytest.raises(UsageError, match=r"its recipe is another \(rate was 0.005, now 0.001\)"):
        train_sft(str(base), samples, whole, Recipe(**{**SHORT, "rate": 1e-3}), device="cpu", resume=True)
    with pytest.raises(UsageError, match="no run at"):
        train_sft(str(base), samples, tmp_path / "none", Recipe(**SHORT), device="cpu", resume=True)


def test_faulty_samples_are_refused_before_anything_is_loaded(base: Path, samples: Path, tmp_path: Path) -> None:
    shutil.copytree(samples, tmp_path / "bad")
    image = next((tmp_path / "bad" / "images").iterdir())
    image.write_bytes(image.read_bytes()[:200])
    with pytest.raises(UsageError, match=r"faults? in the samples, the first: e-000"):
        train_sft(str(base), tmp_path / "bad", tmp_path / "run", Recipe(**SHORT), device="cpu")
    assert not (tmp_path / "run").exists()


def test_what_cannot_fit_is_refused_before_it_starts(base: Path, samples: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("vlp.training.sft.free_bytes", lambda device: 400_000)
    with pytest.raises(MissingComponent, match=r"needs about 0.0 GiB on cpu.* for weights"):
        train_sft(str(base), samples, tmp_path / "run", Recipe(**SHORT), device="cpu")
    assert not (tmp_path / "run").exists()
    need = memory.MemoryNeed(weights=7 * 2**30, optimizer=2**29, activations=20 * 2**30, logits=2**30)
    with pytest.raises(MissingComponent, match=r"34.2 GiB on cpu, 20.0 of it for activations; 24.0 GiB are free. .*--micro 1"):
        memory.refuse_what_cannot_fit(need, 24 * 2**30, torch.device("cpu"))
    memory.refuse_what_cannot_fit(need, 48 * 2**30, torch.device("cpu"))


def test_a_run_that_used_up_the_memory_is_taken_up_in_smaller_bites(
    base: Path, samples: Path, whole: Path, tmp_path: Path, monkeypatch
) -> None:
    def used_up(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch, pytest.raises(MissingComponent, match=r"used up at step 0.*--resume --micro 1"):
        patch.setattr("vlp.training.policy_trainer.PolicyTrainer.compute_loss", used_up)
        train_sft(str(base), samples, tmp_path / "run", Recipe(**SHORT), device="cpu")
    train_sft(str(base), samples, tmp_path / "run", Recipe(**SHORT, micro=2), device="cpu", resume=True)
    for mine, theirs in zip(losses(tmp_path / "run"), losses(whole), strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4)


def test_a_loss_that_is_no_number_ends_the_run(base: Path, samples: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("torch.nn.functional.cross_entropy", lambda logits, *_, **__: logits.sum() * float("nan"))
    with pytest.raises(TaskFailed, match="loss at step 1 is nan"):
        train_sft(str(base), samples, tmp_path / "run", Recipe(**SHORT), device="cpu")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--adapter", "vision"], "unknown adapter 'vision'"),
        (["--epochs", "0"], "--epochs 0 is too small"),
        (["--tower-share", "0"], "--tower-share 0.0 is out of bounds"),
        (["--words", "agred"], "Did you mean 'agreed'"),
        (["--batch", "4", "--micro", "3"], "--micro 3 does not divide"),
        # Numpy's traceback came after the samples were read, and left a run.json.
        (["--seed", "5000000000"], "--seed 5000000000 is too large. Give at most 4294967295."),
        (["--rate", "-1"], "--rate -1"),
        # It named no other split, where all that was collected may lie in one.
        (["--samples", "1000"], "at least 1000 are wanted. The folder holds 8 of test, 24 of train, 8 of validation."),
        (["--precision", "int4"], "unknown precision 'int4'"),
        (["--base", "nanoo"], "no model 'nanoo'"),
        (["--data", "nowhere"], "no samples at 'nowhere'"),
    ],
)
def test_bad_words_are_one_line(base: Path, samples: Path, tmp_path: Path, capsys, words: list[str], said: str) -> None:
    before = ["--data", str(samples), "--base", str(base), "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert main(["train", "sft", *before, *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_the_last_step_is_told_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    # A log ended at a step of 15 s before the last, as if the run had stopped there.
    with Bars() as bars:
        bars.moved("training", 799, 800)
        bars.moved("training", 800, 800)
        bars.say("4 of 8 samples: other words.")
    assert capsys.readouterr().err == "training: 800 of 800\n4 of 8 samples: other words.\n"


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    weights: dict[str, torch.Tensor] = {"a": torch.nn.Parameter(torch.ones(2))}
    optimizer = torch.optim.AdamW(weights.values())
    weights["a"].grad = torch.ones(2)
    optimizer.step()
    made = files.save_checkpoint(tmp_path, 3, weights, optimizer, lambda path: None)
    assert files.last_checkpoint(tmp_path) == made
    with pytest.raises(UsageError, match="'b' is in one of them only"):
        files.load_weights(made, {**weights, "b": weights["a"]})
    (made / "state.safetensors").write_bytes(b"not a tensor at all")
    with pytest.raises(UsageError, match=r"'.*step-3' cannot be read"):
        files.load_weights(made, weights)


def test_nano_reads_rehearses_and_learns(samples: Path, tmp_path: Path, monkeypatch) -> None:
    # The samples held out were read by the tuned model, and its words were kept as the base's.
    trained: list[str] = []
    write, train = TransformersModel.generate, PolicyTrainer.train

    def generate(self: TransformersModel, *args: Any, **options: Any) -> Any:
        assert not trained, "the tuned model was asked for what the base says"
        return write(self, *args, **options)

    monkeypatch.setattr(TransformersModel, "generate", generate)
    monkeypatch.setattr(PolicyTrainer, "train", lambda self, **options: trained.append("") or train(self, **options))
    mine = Path(shutil.copytree(samples, tmp_path / "samples"))
    recipe, said = Recipe(epochs=1, batch=4, samples=4, save_every=2), list[str]()
    train_sft("nano", mine, tmp_path / "run", recipe, device="cpu", skip_lint=True, say=said.append)
    assert trained and len(losses(tmp_path / "run")) == 2  # a question goes with each sample
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["recipe"]["rehearse"], record["recipe"]["rate"]) == (1, 2e-3)
    assert "validation loss, 8 samples" in record["scores"]
    # How many samples' words are not taught was a bar, and lost in a log.
    assert bool(record["words_differing"]) == any(line.startswith(f"{record['words_differing']} of 4 samples") for line in said)
    kept = next((mine / ".replies").iterdir()).read_text().split("\n")
    assert len(kept) > 8
