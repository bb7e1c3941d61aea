"""Questions: true answers about what is in view, and no answer that prevails."""

import json
from collections import Counter, defaultdict
from random import Random

from vlp.sim.questions import KINDS_OF_QUESTION, sample_question
from vlp.sim.tasks.random_truth import sample_truth
from vlp.sim.tasks.relations import visible


def draw(n: int, split: str = "train") -> list[tuple]:
    rng = Random(9)
    truths = [sample_truth(rng) for _ in range(n)]
    return [(truth, *sample_question(truth, rng, split)) for truth in truths]  # type: ignore[arg-type]


def test_answers_are_balanced() -> None:
    # Questions whose answer is mostly the empty list teach the empty list.
    answers: dict[str, Counter] = defaultdict(Counter)
    for _, kind, _, answer in draw(6000):
        answers[kind][answer] += 1
    assert set(answers) == set(KINDS_OF_QUESTION)
    for kind in ("exists", "inside", "side", "near", "empty", "holding"):
        yes = answers[kind]["yes"] / sum(answers[kind].values())
        assert 0.38 <= yes <= 0.66, (kind, yes)
    for kind in ("list_colour", "list_kind", "list_in"):
        assert answers[kind]["[]"] / sum(answers[kind].values()) < 0.3, kind
    assert max(answers["count"].values()) / sum(answers["count"].values()) < 0.5


def test_answers_are_true_and_only_about_what_is_in_view() -> None:
    for truth, kind, question, answer in draw(3000):
        seen = visible(truth)
        if kind.startswith("list"):
            names = json.loads(answer)
            assert names == [n for n in seen if n in names], question
        if kind == "list_all":
            assert json.loads(answer) == seen
        if kind == "count_all":
            assert int(answer) == len(seen)
        if kind == "extreme":
            assert answer in seen


def test_the_same_chance_gives_the_same_question() -> None:
    assert [d[1:] for d in draw(50)] == [d[1:] for d in draw(50)]
