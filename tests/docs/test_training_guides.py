"""Every command of the guides to training and serving runs as it stands, the long ones in small."""

import sys
from dataclasses import replace

import pytest
from neighbours import have_nano_as, know_extras, serve_models
from walk import InPlace, Walk

from vlp.nano.training import train as nano
from vlp.nano.training.pretrain import RECIPE

PAGES = ("fine_tuning", "serving", "nano")
LONG = "it takes minutes; less stands for it"
SMALL = "--samples 8 --epochs 1 --batch 4 --rate 1e-7 --skip-gates"  # at that rate the gates below have something to pass
TUNE = "vlp train sft --data samples --base nano --out run"
LAUNCH = "accelerate launch --multi_gpu --num_processes 2 -m vlp.cli.main"
STEP = "--base nano --random-weights --steps 1 --text-tokens 20 --policy-tokens 20 --examples 1 --recompute yes"
WIDE = "--random-weights --width-px 644 --height-px 476 --text-tokens 1200 --policy-tokens 250"
BIG = f"--base Qwen/Qwen2.5-VL-3B-Instruct {WIDE}"
ASK, PICK_UP = 'vlp ask examples/table.png "how many cubes are there?"', 'vlp run "pick up the red cube" --seed 20009802'
AT_11434 = "--model http://127.0.0.1:11434/v1 --model-name"
AT_8000 = "--url http://127.0.0.1:8000/v1"
PARITY = InPlace("it needs vLLM, with which `make test-serving` checks it", "vlp gate parity run --n 2")
INSTALLS = InPlace("it installs", "", know_extras)
IN_PLACE = {
    "pip install -e '.[train,data,sim]'": INSTALLS,
    "vlp data collect --out samples --n 800": InPlace(LONG, "vlp data collect --out samples --n 10"),
    TUNE: InPlace(LONG, f"{TUNE} {SMALL}"),
    f"{TUNE} --resume": InPlace(LONG, f"{TUNE} {SMALL} --resume"),
    f"{LAUNCH} train sft --data samples --base nano --out run2": InPlace(
        "tests/training/test_sft.py trains so", "vlp train sft --base nano --dry-run"
    ),
    "vlp bench speed P8": InPlace("it takes minutes; tests/evaluation/test_training_step_row.py measures that row in small"),
    "vlp bench step": InPlace(LONG, "vlp bench step --steps 1 --text-tokens 20 --policy-tokens 20 --examples 1"),
    f"vlp bench step {BIG} --examples 1 --recompute yes": InPlace("it needs a GPU", f"vlp bench step {STEP}"),
    f"vlp bench model {BIG} --examples 8 --recompute yes --trace writing.json": InPlace(
        "it needs a GPU", f"vlp bench model {STEP} --trace writing.json"
    ),
    "pip install -e '.[serve]'": INSTALLS,
    "vlp serve --model my-planner": InPlace(
        "it needs vLLM; tests/cli/test_cli_serve.py starts it with a stand-in", "vlp serve --model my-planner --dry-run"
    ),
    "vlp serve --model my-planner --tune": InPlace("it needs vLLM; tests/models/test_tuning.py tunes a stand-in"),
    'vlp run "put the red cube in the green bowl" --model http://127.0.0.1:8000/v1 --seed 20009802': InPlace(
        "it needs vLLM; a stand-in serves", None, serve_models(8000, "stand-in")
    ),
    f"vlp gate parity run {AT_8000}": PARITY,
    f"{ASK} {AT_11434} qwen2.5vl:7b": InPlace("a stand-in serves", None, serve_models(11434, "qwen2.5vl:7b", "gpt-x")),
    f"VLP_MODEL_KEY=sk-... {PICK_UP} --model https://models.example.org/v1 --model-name gpt-x": InPlace(
        "nobody is there; a stand-in serves", f"VLP_MODEL_KEY=sk-... {PICK_UP} {AT_11434} gpt-x"
    ),
    "vlp gate keeps run": InPlace(LONG, "vlp gate keeps run --n 6"),
    "vlp gate plans run": InPlace(LONG, "vlp gate plans run --n 2"),
    "sh tools/install_vllm.sh .venv-vllm": InPlace("6 GB; `make test-serving` installs it", ""),
    "vlp serve --model nano --python .venv-vllm/bin/python": InPlace(
        "it needs vLLM, as above", f"vlp serve --model nano --python {sys.executable} --dry-run"
    ),
    "vlp train nano --out work-nano": InPlace("three hours", "vlp train nano --out work-nano --frames 4 --steps 1 --workers 1"),
    f"{PICK_UP} --model work-nano/model": InPlace(
        "one step of training makes no model; the one that ships stands for it", None, have_nano_as("work-nano/model")
    ),
}


@pytest.mark.long
def test_every_command_of_the_guides_to_training_and_serving_runs(walk: Walk) -> None:
    walk.patch.setattr(nano, "VALIDATION_FRAMES", 2)
    walk.patch.setattr(nano.load_tokenizer, "__defaults__", (1000,))  # texts that the tokenizer is made from
    for name, stage in RECIPE.items():
        walk.patch.setitem(RECIPE, name, replace(stage, batch=2))
    walk.patch.setattr("torch._dynamo.config.disable", True)  # compiling pays after some hundred steps
    walk.along([f"docs/{page}.md" for page in PAGES], IN_PLACE)
