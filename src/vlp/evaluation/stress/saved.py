"""What is saved, as the stress of saving takes it: the state before, one more save, and how the state is read."""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlp.core.files import write_whole
from vlp.core.messages import Instruction
from vlp.evaluation.runner import run_suite
from vlp.evaluation.stress.journal import POLICY
from vlp.evaluation.suites import SUITES, Suite
from vlp.journal import read_events
from vlp.models.scripted import ScriptedModel
from vlp.runtime.run import Run, Spec, read_run
from vlp.runtime.subscribers.report import ReportFiles, replay
from vlp.sim.fake.robot import FakeRobot


def _one_of(old: Any, new: Any, state: Any) -> bool:
    return state in (old, new)


@dataclass(frozen=True)
class Saved:
    """One kind of thing that is saved into a folder.

    Args:
        before: writes the first state.
        save: saves the next one; does it once however often it is called.
        read: folder -> state, as those read it who go on from there.
        whole: (old, new, state) -> whether a save that was cut short may leave this state.
    """

    before: Callable[[Path], None]
    save: Callable[[Path], None]
    read: Callable[[Path], Any]
    whole: Callable[[Any, Any, Any], bool] = _one_of


def _file() -> Saved:
    def write(text: str) -> Callable[[Path], None]:
        return lambda folder: write_whole(folder / "result.json", text)

    return Saved(write("old" * 3000), write("new" * 5000), lambda folder: (folder / "result.json").read_text())


def _checkpoint() -> Saved:
    import torch

    from vlp.training.checkpoint import last_checkpoint, load_moments, load_weights, save_checkpoint

    def trained(step: int) -> tuple[dict[str, torch.Tensor], torch.optim.Optimizer]:
        weights = {"w": torch.nn.Parameter(torch.full((64, 64), float(step)))}
        optimizer = torch.optim.AdamW(weights.values(), lr=0.1)
        for number in range(1, step + 1):
            weights["w"].grad = torch.full((64, 64), float(number))
            optimizer.step()
        return {name: value for name, value in weights.items()}, optimizer

    def write(step: int) -> Callable[[Path], None]:
        def save(folder: Path) -> None:
            weights, optimizer = trained(step)
            save_checkpoint(folder / "c", step, weights, optimizer, lambda path: write_whole(Path(path), str(step)))

        return save

    def read(folder: Path) -> Any:
        last = last_checkpoint(folder / "c")
        assert last is not None
        weights, optimizer = trained(1)
        load_weights(last, weights)
        load_moments(last, weights, optimizer)
        moments = next(iter(optimizer.state_dict()["state"].values()))
        return (last / "trainer_state.json").read_text(), float(weights["w"].sum()), float(moments["exp_avg"].sum())

    return Saved(write(3), write(7), read)


def _curve() -> Saved:
    from vlp.training.curve import add_row, cut_curve, read_curve

    def rows(count: int, known: int) -> Callable[[Path], None]:
        def save(folder: Path) -> None:
            cut_curve(folder / "curve.jsonl", known)  # as whoever takes a run up does
            for step in range(known + 1, count + 1):
                add_row(folder / "curve.jsonl", {"step": step, "loss": 1 / step, "text": "x" * 5000})

        return save

    def read(folder: Path) -> Any:
        return [row["step"] for row in read_curve(folder / "curve.jsonl")]

    return Saved(rows(3, 0), rows(8, 3), read, _longer)


def _longer(old: Any, new: Any, state: Any) -> bool:
    return len(state) >= len(old) and state == new[: len(state)]


def _samples() -> Saved:
    import numpy as np

    from vlp.core.observation import RobotState
    from vlp.data.lint import lint
    from vlp.data.sample import make_sample
    from vlp.data.store import Store, StoreWriter
    from vlp.prompt.render import Memory

    def write(numbers: range) -> Callable[[Path], None]:
        def save(folder: Path) -> None:
            manifest = FakeRobot().describe()
            with StoreWriter(folder / "set", {manifest.robot: manifest}) as writer:
                for number in numbers:
                    picture = np.random.default_rng(number).integers(0, 255, (48, 64, 3)).astype(np.uint8)
                    image, text = writer.add_image(picture), POLICY["goal"]
                    source = {"kind": "import"}
                    writer.add(
                        make_sample(
                            f"s{number}", [image], text, manifest.robot, RobotState(), Memory((text,)), POLICY, source, "train"
                        )
                    )

        return save

    def read(folder: Path) -> Any:
        store = Store(folder / "set")
        for sample in store:
            store.image(sample)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bad = [fault.code for fault in lint(folder / "set").faults if fault.code not in ("not-sealed", "unbalanced")]
        return [sample.id for sample in store] + bad

    return Saved(write(range(2)), write(range(4)), read, _longer)


def _rows() -> Saved:
    def write(n: int) -> Callable[[Path], None]:
        def save(folder: Path) -> None:
            SUITES["saved"] = Suite("A suite of this stress.", n, f"{__name__}:case")
            try:
                run_suite("saved", n, 0, 1, folder / "bench")
            finally:
                del SUITES["saved"]

        return save

    def read(folder: Path) -> Any:
        text = (folder / "bench" / "rows.jsonl").read_text()
        return [json.loads(line)["case"] for line in text[: text.rfind("\n") + 1].splitlines()]

    return Saved(write(2), write(4), read, _longer)


def case(index: int, *_: Any) -> list[dict[str, Any]]:
    """Return the rows of a case of the suite that is saved here."""
    return [{"success": True, "cause": "", "text": str(index) * 5000}]


def _model() -> Saved:
    import torch

    from vlp.models.catalogue import DEFAULT_MODEL, find_folder
    from vlp.models.folder import check_folder, sha256
    from vlp.models.loading import load_model
    from vlp.training.export import write_model

    base = check_folder(find_folder(DEFAULT_MODEL))
    model = load_model(base, None, torch.device("cpu"), torch.float32)

    def save(folder: Path) -> None:
        if not (folder / "model").exists():
            record = {"base": {"name": base.name}, "recipe": {"adapter": "full"}, "data": {}, "scores": {}}
            write_model(model, base, folder / "model", record)

    def read(folder: Path) -> Any:
        if not (folder / "model").exists():
            return None
        return sha256(check_folder(folder / "model").path / "model.safetensors")

    return Saved(lambda folder: None, save, read)


def _recording() -> Saved:
    import numpy as np
    import pyarrow.parquet as pq

    from vlp.data.lerobot import write_lerobot
    from vlp.data.lerobot_schema import Layout, RecordedEpisode, RecordedFrame

    def save(folder: Path) -> None:
        if not (folder / "set").exists():
            rng = np.random.default_rng(0)
            frames = tuple(
                RecordedFrame(rng.integers(0, 255, (48, 64, 3)).astype(np.uint8), (0.0,), (), "", "{}") for _ in range(4)
            )
            write_lerobot(folder / "set", [RecordedEpisode("go", frames)], Layout(10, "fake", ("x",)))

    def read(folder: Path) -> Any:
        files = sorted((folder / "set").rglob("*"))
        return [(file.name, pq.read_metadata(file).num_rows if file.suffix == ".parquet" else 0) for file in files]

    return Saved(lambda folder: None, save, read)


def _run() -> Saved:
    spec = Spec(Instruction.of(POLICY["goal"]))

    def save(folder: Path) -> None:
        past = []
        if (folder / "run" / "journal.db").is_file() and read(folder) == "under way" and read_events(folder / "run"):
            past = read_run(folder / "run")[1]
        if past or read(folder) == "under way":
            model = ScriptedModel([json.dumps(POLICY)])
            outcome = Run(folder / "run", spec, FakeRobot(), model, subscribers=[ReportFiles(folder / "run")], past=past).go()
            if outcome.error is not None:
                raise outcome.error
        else:  # what `vlp replay` does
            replay(folder / "run")

    def read(folder: Path) -> Any:
        events = read_events(folder / "run") if (folder / "run" / "journal.db").is_file() else []
        return next((event.data["outcome"] for event in events if event.kind == "run-finished"), "under way")

    return Saved(lambda folder: None, save, read)


SAVED: dict[str, Callable[[], Saved]] = {
    "file": _file,
    "checkpoint": _checkpoint,
    "curve": _curve,
    "samples": _samples,
    "rows": _rows,
    "model": _model,
    "recording": _recording,
    "run": _run,
}
