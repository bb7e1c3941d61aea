"""Gates pass what is the same and as good, and fail what is not; their reports say what and by how much."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import kit
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from toy_model import write_toy_model

from vlp.cli.main import main
from vlp.core.errors import MissingComponent, UsageError
from vlp.core.images import encode_png
from vlp.core.messages import Message
from vlp.data.store import Store
from vlp.evaluation.gates import after_training, plans
from vlp.evaluation.gates.keeps import GateQuestion, keeps, read_questions, read_sets, same_answer, simulated_questions
from vlp.evaluation.gates.parity import compare, parity, sample_prompts
from vlp.evaluation.gates.report import GateReport
from vlp.evaluation.gates.tuned import find_tuned
from vlp.models.folder import check_folder
from vlp.models.loading import load_model
from vlp.models.protocol import GENERAL, Reply, Trace
from vlp.training import lora
from vlp.training.export import merge
from vlp.training.recipe import Recipe, make_record, write_record

pytestmark = pytest.mark.slow

# Parity.


def trace(*steps: tuple[int, dict[int, float]], ended: bool = True, prompt: int = 9) -> Trace:
    return Trace(prompt, tuple(token for token, _ in steps), tuple(tops for _, tops in steps), ended)


SURE = (4, {4: -0.1, 5: -3.0})
CLOSE, CLOSE_TOO = (4, {4: -0.7, 5: -0.7005}), (5, {5: -0.7, 4: -0.7004})
END = (1, {1: -0.01, 4: -6.0})


def test_equal_replies_are_equal_and_a_hidden_end_of_turn_does_not_count():
    assert compare(trace(SURE, END), trace(SURE, END), 0.001).equal
    assert compare(trace(SURE, END), trace(SURE), 0.001).equal
    found = compare(trace(SURE, END), trace((4, {4: -0.1004, 5: -3.0}), END), 0.001)
    assert found.equal and found.apart == pytest.approx(0.0004)


def test_only_a_tie_of_both_excuses_another_token():
    tie = compare(trace(SURE, CLOSE, END), trace(SURE, CLOSE_TOO, SURE), 0.001)
    assert not tie.equal and not tie.fault and tie.tie.startswith("token 1: 4 and 5")
    for other in ((5, {5: -0.1, 4: -3.0}), (5, {5: -0.1, 7: -3.0})):  # sure of another one, or the first not among its best
        assert compare(trace(CLOSE, END), trace(other, END), 0.001).fault.startswith("token 0: 4 and 5")


def test_what_no_tie_explains_is_a_fault():
    assert "log-probabilities" in compare(trace(SURE), trace((4, {4: -0.2, 5: -3.0})), 0.001).fault
    assert "prompt has 9 tokens and 8" in compare(trace(SURE), trace(SURE, prompt=8), 0.001).fault
    assert "goes on" in compare(trace(SURE, ended=True), trace(SURE, SURE, ended=False), 0.001).fault
    assert "goes on" in compare(trace(SURE, END), trace(SURE, ended=False), 0.001).fault


@pytest.mark.parametrize("other", [(4, {4: float("nan"), 5: -3.0}), (5, {4: -0.7, 5: float("nan")})])
def test_a_log_probability_that_is_no_number_is_a_fault(other: tuple[int, dict[int, float]]):
    """Against: a model whose numbers are all NaN was equal to itself, since max(0.0, nan) is 0.0."""
    assert compare(trace(CLOSE), trace(other), 0.001).fault.startswith("token 0: ")
    assert compare(trace(other), trace(other), 0.001).fault == "token 0: log-probabilities nan and nan"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("base") / "toy")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples") / "samples"
    kit.write(folder, 40)
    return folder


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of random weights on decoder and tower."""
    out = tmp_path_factory.mktemp("adapter") / "adapter"
    model = lora.attach(load_model(check_folder(base), None, torch.device("cpu"), torch.float32), "vision+decoder")
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.05)
    model.save_pretrained(out, save_embedding_layers=False)
    return out


def without_the_tower(config: Path, weights: dict[str, torch.Tensor]) -> None:
    """Let a configuration name the decoder's modules alone."""
    named = {key.removeprefix("base_model.model.").partition(".lora_")[0] for key in weights if "visual" not in key}
    config.write_text(json.dumps({**json.loads(config.read_text()), "target_modules": sorted(named)}))


def asked(samples: Path) -> Callable[[str], list[list[Message]]]:
    return sample_prompts(Store(samples), 3)


def test_a_model_merged_is_the_model_that_was_trained(base: Path, adapter: Path, samples: Path, tmp_path: Path):
    report = parity(find_tuned(str(adapter), str(base)), asked(samples), device="cpu", max_tokens=24)
    assert report.passed and report.facts["merged"]["equal"] == 3 and report.facts["merged"]["apart"] < 1e-3
    report.write(tmp_path)
    assert json.loads((tmp_path / "parity.json").read_text())["passed"] is True
    assert "| merged | 3 | 3 | 0 | 0 |" in (tmp_path / "parity.md").read_text()


def test_a_merged_folder_without_the_tower_s_part_is_found_out(base: Path, adapter: Path, samples: Path, tmp_path: Path):
    """Against: a server that drops the vision part of an adapter with a warning, and goes on."""
    shutil.copytree(adapter, tmp_path / "blind")
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({k: v for k, v in weights.items() if "visual" not in k}, tmp_path / "blind" / "adapter_model.safetensors")
    without_the_tower(tmp_path / "blind" / "adapter_config.json", weights)
    merge(tmp_path / "blind", str(base), tmp_path / "merged")
    report = parity(
        find_tuned(str(adapter), str(base)), asked(samples), merged=str(tmp_path / "merged"), device="cpu", max_tokens=24
    )
    assert not report.passed and len(report.failures) == 3 and "is not the model" in report.said


def test_a_key_that_would_be_dropped_is_refused_by_name(base: Path, adapter: Path, samples: Path, tmp_path: Path, capsys: Any):
    shutil.copytree(adapter, tmp_path / "odd")
    weights = load_file(adapter / "adapter_model.safetensors")
    key = "base_model.model.model.visual.blocks.9.attn.qkv.lora_A.weight"
    save_file({**weights, key: torch.zeros(8, 32)}, tmp_path / "odd" / "adapter_model.safetensors")
    words = ["gate", "parity", str(tmp_path / "odd"), "--base", str(base), "--data", str(samples)]
    assert main(words) == 2
    assert key in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:Found missing adapter keys")
@pytest.mark.parametrize("lacks", ["configuration", "weights"])
def test_an_adapter_whose_halves_do_not_agree_is_refused_by_name(base: Path, adapter: Path, tmp_path: Path, lacks: str):
    """Against: peft drops weights that its configuration does not name, without a word, and goes on without those it lacks."""
    odd = Path(shutil.copytree(adapter, tmp_path / "odd"))
    weights = load_file(odd / "adapter_model.safetensors")
    if lacks == "configuration":
        without_the_tower(odd / "adapter_config.json", weights)
    else:
        save_file({k: v for k, v in weights.items() if "visual" not in k}, odd / "adapter_model.safetensors")
    with pytest.raises(UsageError, match=r"do not agree about 'model\.visual"):
        merge(odd, str(base), tmp_path / "merged")


def test_what_cannot_be_compared_is_said_before_anything_is_loaded(base: Path, adapter: Path, samples: Path):
    with pytest.raises(UsageError, match="nothing to compare it to"):
        parity(find_tuned(str(base)), asked(samples))
    with pytest.raises(UsageError, match="--base"):
        parity(find_tuned(str(adapter)), asked(samples))
    with pytest.raises(UsageError, match="no prompts"):
        parity(find_tuned(str(adapter), str(base)), lambda profile: [], device="cpu")


def test_what_is_not_there_is_said_to_be_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Against: 'nope' "is one folder, with nothing to compare it to"; 'runs/nope' missed only when its base had answered."""

    def fetch(repo: str, allow_patterns: list[str]) -> str:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    for nothing in ("nope", str(tmp_path / "nowhere")):
        with pytest.raises(UsageError, match=r"no model '.*(nope|nowhere)': neither a word, a folder"):
            find_tuned(nothing)
    with pytest.raises(MissingComponent, match="'runs/nope' is no folder here"):
        find_tuned("runs/nope", "nano-base")
    assert find_tuned("http://127.0.0.1:8000/v1").model == "http://127.0.0.1:8000/v1", "a server is asked later"


@pytest.mark.parametrize(
    ("record", "found"), [({"trained": {"base": {"spec": "nano-base"}}}, "nano-base"), ({"trained": {"base": 3}}, ""), ({}, "")]
)
def test_a_merged_folder_says_where_its_base_is(record: dict[str, Any], found: str, tmp_path: Path):
    """Against: a planner "does not say where its base is", though its vlp.json does."""
    (tmp_path / "vlp.json").write_text(json.dumps(record))
    assert find_tuned(str(tmp_path)).base == found
    assert find_tuned(str(tmp_path), "other").base == "other"


def test_a_run_that_cannot_be_written_to_is_merged_elsewhere(
    base: Path, adapter: Path, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Against: PermissionError for a scratch folder inside a read-only run."""
    tuned = replace(find_tuned(str(adapter), str(base)), run=tmp_path / "read-only")
    monkeypatch.setattr("os.access", lambda path, mode: path != tuned.run)
    assert parity(tuned, sample_prompts(Store(samples), 1), device="cpu", max_tokens=2).passed


# Keeps.


class Answers:
    """A model that says what a function makes of the question."""

    name, profile, can = "answers", "brief", GENERAL

    def __init__(self, say: Callable[[str], str]) -> None:
        self.say = say

    def generate(self, messages: Sequence[Message], **options: Any) -> Reply:
        text = messages[-1].text
        return Reply(self.say(text.removeprefix("ask: ")))


PNG = encode_png(np.zeros((16, 16, 3), np.uint8))
QUESTIONS = [GateQuestion("simulated", "count", f"how many {i}?", (str(i),), PNG) for i in range(20)]


def knows(count: int) -> Callable[[], Any]:
    """A model that knows the answers to the first questions."""
    return lambda: Answers(lambda text: asked_number(text) if int(asked_number(text)) < count else "who knows")


def asked_number(text: str) -> str:
    return text.split()[-1].rstrip("?")


def test_a_model_that_kept_85_percent_passes_and_one_below_fails():
    assert keeps(knows(20), knows(17), QUESTIONS).passed
    report = keeps(knows(20), knows(16), QUESTIONS)
    assert not report.passed and report.facts["sets"]["simulated"]["kept"] == 0.8
    assert len(report.failures) == 4 and "how many 16?" in report.failures[0] and "'16'" in report.failures[0]
    assert report.facts["sets"]["simulated"]["kinds"] == {"count": {"n": 20, "base": 20, "tuned": 16}}


def test_a_base_that_answers_nothing_proves_nothing():
    report = keeps(knows(0), knows(20), QUESTIONS)
    assert not report.passed and report.rows[0]["kept"] == "the base answers none"


def test_every_set_must_pass():
    other = [replace(question, set="other", answers=("yes",)) for question in QUESTIONS]
    tuned = Answers(asked_number)
    assert not keeps(lambda: Answers(lambda text: "yes"), lambda: tuned, other + QUESTIONS[:1]).passed


@pytest.mark.parametrize(
    ("said", "accepted", "same"),
    [
        ("Yes.", ("yes",), True),
        ("3", ("4", "3"), True),
        ("red cube, green can", ('["red cube","green can"]',), True),
        ("none", ("[]",), True),
        ('["red cube"]', ("red cube",), True),
        ("green can, red cube", ('["red cube","green can"]',), False),
        ("yes and no", ("yes",), False),
        ("nothing.", ("none",), True),
        ("", ("0",), False),
        ("", ("none",), False),
        (" .\n", ("[]",), False),
    ],
)
def test_what_counts_as_the_same_answer(said: str, accepted: tuple[str, ...], same: bool):
    """Against, at the end of the list: a model that says nothing was right wherever "none" was."""
    assert same_answer(said, accepted) == same


def test_the_simulated_questions_are_the_same_ones_each_time():
    first, again = simulated_questions(3), simulated_questions(3)
    assert first == again and len({question.text for question in first}) > 1
    assert all(question.answers[0] and question.rgb().size > 100_000 for question in first)


def write_questions(folder: Path, *lines: str) -> Path:
    folder.mkdir()
    (folder / "a.png").write_bytes(PNG)
    (folder / "questions.jsonl").write_text("\n".join(lines))
    return folder


def test_sets_are_read_from_a_folder(tmp_path: Path):
    folder = write_questions(
        tmp_path / "pope",
        '{"image": "a.png", "question": "is there a dog?", "answer": "no"}',
        "",
        '{"image": "a.png", "question": "what is it?", "answer": ["a cat", "cat"], "kind": "names"}',
    )
    found = read_questions(folder)
    assert [(q.set, q.kind, q.answers) for q in found] == [("pope", "", ("no",)), ("pope", "names", ("a cat", "cat"))]
    assert found[0].rgb().shape == (16, 16, 3)


def test_two_sets_of_one_name_are_refused_with_both_folders(tmp_path: Path):
    """Against: a/vqa and b/vqa were judged as one set, which passed where b alone failed."""
    folders = [tmp_path / "a" / "vqa", tmp_path / "b" / "vqa", tmp_path / "simulated"]
    for folder in folders:
        folder.parent.mkdir(exist_ok=True)
        write_questions(folder, '{"image": "a.png", "question": "what is it?", "answer": "a cat"}')
    with pytest.raises(UsageError, match=r"'.*/a/vqa' and '.*/b/vqa' are both called 'vqa'"):
        read_sets(folders[:2])
    with pytest.raises(UsageError, match=r"the simulated questions and '.*/simulated' are both called"):
        read_sets(folders[2:])
    assert [question.set for question in read_sets(folders[:1])] == ["vqa"]


LINES: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "line 1 .* not JSON"),
    "a list": ("[1]", "line 1 .* no object"),
    "no answer": ('{"image": "a.png", "question": "x"}', "line 1 .* no question"),
    "answers that are numbers": ('{"image": "a.png", "question": "x", "answer": [3]}', "no question"),
    "an empty answer": ('{"image": "a.png", "question": "x", "answer": ["y", " "]}', "no question"),
    "no answers": ('{"image": "a.png", "question": "x", "answer": []}', "no question"),
    "no image": ('{"image": "b.png", "question": "x", "answer": "y"}', "no image 'b.png'"),
    "no file name": ('{"image": "a\\u0000.png", "question": "x", "answer": "y"}', "no image"),
    "an image elsewhere": ('{"image": "../secret.png", "question": "x", "answer": "y"}', "no image"),
    "nothing": ("", "holds no questions"),
}


@pytest.mark.parametrize("case", LINES)
def test_a_line_that_is_no_question_is_named(case: str, tmp_path: Path):
    line, word = LINES[case]
    (tmp_path / "secret.png").write_bytes(PNG)
    with pytest.raises(UsageError, match=word):
        read_questions(write_questions(tmp_path / "set", line))


# Plans.


@pytest.mark.parametrize(
    ("base_right", "tuned_right", "at_least", "passed"),
    [(2, 9, 0.0, True), (9, 2, 0.0, False), (0, 0, 0.0, False), (5, 5, 0.0, True), (2, 9, 0.95, False)],
)
def test_plans_pass_when_they_are_no_worse_and_good_enough(
    monkeypatch: pytest.MonkeyPatch, base_right: int, tuned_right: int, at_least: float, passed: bool
):
    def rows(model: Any, index: int, seeds: str) -> list[dict[str, Any]]:
        row = {"success": index < model, "instruction": f"do {index}", "cause": "wrong: by design"}
        return [{**row, "phrasing": "train"}, {**row, "phrasing": "test"}]

    monkeypatch.setattr(plans, "planning_rows", rows)
    report = plans.plans(lambda: base_right, lambda: tuned_right, 10, at_least=at_least)  # type: ignore[arg-type,return-value]
    assert report.passed == passed and report.facts["tuned"]["all"]["n"] == 20
    assert report.facts["base"]["train"]["successes"] == base_right and "95 %" in report.said
    assert len(report.failures) == 2 * (10 - tuned_right)


def test_plans_are_not_measured_on_scenes_of_training():
    """Against: --split train passed a gate that speaks of scenes nobody trained on."""
    with pytest.raises(UsageError, match="--split 'train' is none that is kept from training"):
        plans.plans(lambda: pytest.fail("opened"), lambda: pytest.fail("opened"), 1, split="train")


# Reports, and the end of a training.


def test_a_page_cannot_be_forged_by_what_a_model_said():
    page = GateReport("keeps", False, "x", [{"a": "b|c\n# passed"}], ["<script>\n# passed"]).page()
    assert "# passed" not in page.splitlines() and "<script>" not in page


def test_the_gates_run_at_the_end_of_a_training(
    base: Path, adapter: Path, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Against, at its end: a gate that did not run, without a word."""
    run = tmp_path / "run"
    shutil.copytree(adapter, run / "adapter")
    write_record(run, make_record({"name": "toy", "spec": ""}, {"robots": ["another"]}, Recipe()))
    monkeypatch.setattr(after_training, "simulated_questions", lambda n: QUESTIONS[:2])
    reports = list(after_training.run_gates(run, str(base), samples, "cpu", prompts=2))
    assert [report.gate for report in reports] == ["parity", "keeps"], "there are no prompts for another robot"
    assert reports[0].passed and not reports[1].passed, "random weights answer nothing"
    assert {path.name for path in (run / "gates").iterdir()} == {"parity.json", "parity.md", "keeps.json", "keeps.md"}
    assert after_training.left_out(run) == "plans: left out, its scenes are of hsr, and the samples are of another."
    write_record(run, make_record({"name": "toy", "spec": ""}, {"robots": ["hsr"], "samples": 5, "replies": 5}, Recipe()))
    assert after_training.left_out(run) == "plans: left out, the samples ask for no policies."


@pytest.mark.parametrize(("words", "status"), [([], 1), (["--skip-gates"], 0)])
def test_a_failed_gate_is_the_status_of_a_training_and_takes_nothing_away(
    words: list[str], status: int, base: Path, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    failed = GateReport("parity", False, "by design", [{"what": "x"}], ["it differs"])
    monkeypatch.setattr(after_training, "run_gates", lambda *given, **more: iter([failed]))
    monkeypatch.setattr(after_training, "left_out", lambda run: "plans: left out.")
    short = ["--samples", "8", "--epochs", "1", "--device", "cpu", "--out", str(tmp_path / "run")]
    assert main(["train", "sft", "--base", str(base), "--data", str(samples), *short, *words]) == status
    assert ("plans: left out." in capsys.readouterr().err) == (not words)
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").is_file()


def test_the_command_line_says_what_passed_by_its_status(base: Path, adapter: Path, samples: Path, tmp_path: Path, capsys: Any):
    words = ["gate", "parity", str(adapter), "--base", str(base), "--data", str(samples), "--n", "2", "--max-tokens", "8"]
    assert main([*words, "--device", "cpu", "--out", str(tmp_path / "gates")]) == 0
    assert "parity: passed" in capsys.readouterr().out and (tmp_path / "gates" / "parity.md").is_file()
    questions = write_questions(tmp_path / "set", '{"image": "a.png", "question": "what?", "answer": "a b c d"}')
    words = ["gate", "keeps", str(adapter), "--base", str(base), "--n", "0", "--questions", str(questions), "--json"]
    assert main([*words, "--device", "cpu", "--out", str(tmp_path / "gates")]) == 1
    assert json.loads(capsys.readouterr().out)["gate"] == "keeps"
    assert main(["gate", "keeps", str(adapter), "--n", "1"]) == 2
    assert main(["gate", "plans", str(adapter), "--base", str(base), "--n", "0"]) == 2
    assert main(["gate", "keeps", str(tmp_path / "nowhere"), "--base", str(base), "--n", "1"]) == 2
