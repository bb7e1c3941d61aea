"""Questions: true answers about what is in view, and no answer that prevails."""

import json
from collections import Counter, defaultdict
from random import Random

from vlp.sim.language.questions import Asked, kinds_of_question, sample_question
from vlp.sim.language.random_truth import sample_truth
from vlp.sim.language.relations import visible
from vlp.sim.truth import Truth


def draw(n: int) -> list[tuple[Truth, Asked]]:
    rng = Random(9)
    truths = [sample_truth(rng) for _ in range(n)]
    return [(truth, sample_question(truth, rng)) for truth in truths]


def test_answers_are_balanced() -> None:
    # Questions whose answer is mostly the empty list teach the empty list.
    answers: dict[str, Counter] = defaultdict(Counter)
    for _, asked in draw(6000):
        answers[asked.kind][asked.answer] += 1
    assert set(answers) == set(kinds_of_question())
    for kind in ("exists", "inside", "side", "near", "empty", "holding"):
        yes = answers[kind]["yes"] / sum(answers[kind].values())
        assert 0.38 <= yes <= 0.66, (kind, yes)
    for kind in ("list_colour", "list_kind", "list_in"):
        assert answers[kind]["[]"] / sum(answers[kind].values()) < 0.3, kind
    assert max(answers["count"].values()) / sum(answers["count"].values()) < 0.5


def test_answers_are_true_and_only_about_what_is_in_view() -> None:
    for truth, (kind, question, answer, about, _) in draw(3000):
        seen = visible(truth)
        assert set(about) <= set(truth.objects), question
        if kind.startswith("list"):
            names = json.loads(answer)
            assert names == [n for n in seen if n in names], question
        if kind == "list_all":
            assert json.loads(answer) == seen
        if kind == "count_all":
            assert int(answer) == len(seen)
        if kind == "extreme":
            assert answer in seen
        if kind in ("count", "list_kind", "list_colour"):
            assert len(about) == (int(answer) if kind == "count" else len(json.loads(answer))), question
        if kind in ("inside", "side", "near"):
            assert len(about) == 2, question


def test_what_is_referred_to_is_one_of_the_things_to_look_at() -> None:
    rng, kinds = Random(4), {**kinds_of_question(), "refer": 20.0}
    asked = [sample_question(sample_truth(rng), rng, kinds=kinds) for _ in range(600)]
    referring = [question for question in asked if question.kind == "refer"]
    assert len(referring) > 100
    assert all(question.answer in question.about for question in referring)


def test_captions_and_records_say_where_things_are() -> None:
    rng, kinds = Random(5), {"where": 1.0, "caption": 1.0, "record": 1.0, "records": 1.0}
    for _ in range(400):
        truth = sample_truth(rng)
        kind, question, answer, about, _ = sample_question(truth, rng, kinds=kinds)
        if kind == "caption":
            assert answer.count(" is ") == len(visible(truth)), question
            continue
        records = json.loads(answer) if kind == "records" else [json.loads(answer)] if kind == "record" else []
        assert [record["thing"] for record in records] == list(about) or kind == "where", question
        where = {record["thing"]: record["where"] for record in records}
        where |= {about[0]: answer.partition(" is ")[2]} if kind == "where" else {}
        for name, place in where.items():
            item = truth.objects[name]
            assert place.startswith(item.relation) and place.endswith(item.support), question


def test_the_same_chance_gives_the_same_question() -> None:
    assert [asked for _, asked in draw(50)] == [asked for _, asked in draw(50)]
