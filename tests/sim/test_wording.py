"""Sentences are made of phrasings; those kept for test are never trained on."""

import re
from itertools import product
from random import Random

import pytest

from vlp.core.messages import plural
from vlp.sim.language import questions, wording
from vlp.sim.language.phrasings import phrasings

FILES = {
    "instructions": ("families", "around"),
    "corrections": ("kinds", "around"),
    "questions": ("kinds",),
    "words": ("superlatives", "groups", "beside"),
}
PAIRS = {
    f"{file} {name}": tuple(tuple(filter(None, row)) for row in rows)
    for file, sections in FILES.items()
    for section in sections
    for name, rows in phrasings(file, section).items()
}


def spelled_out(templates: tuple[str, ...]) -> set[str]:
    """Return every sentence that the choices in brackets allow, without case and punctuation."""
    sentences = set()
    for template in templates:
        parts = [choices or ["{" + slot + "}"] for slot, choices in wording.pieces(template.removeprefix("!"))]
        for chosen in product(*parts):
            sentences.add(" ".join(re.sub(r"[^a-z{}' ]", " ", "".join(chosen).lower()).split()))
    return sentences


@pytest.mark.parametrize("name", PAIRS)
def test_phrasings_kept_for_test_are_not_trained_on(name: str):
    """Guards against choices in brackets: two different templates can allow one and the same sentence."""
    train, test = map(spelled_out, PAIRS[name])
    assert train and test and not train & test


def test_plurals_keep_the_words_before_them():
    assert [plural(n) for n in ("cube", "storage box", "dice", "dish")] == ["cubes", "storage boxes", "dice", "dishes"]


def test_questions_of_the_test_begin_as_they_are_written():
    """Guards against openings of the training in the test set."""
    from vlp.sim.language.random_truth import sample_truth

    rng = Random(3)
    asked = [questions.sample_question(sample_truth(rng), rng, "test")[1].lower() for _ in range(200)]
    assert not any(text.startswith(phrasings("questions", "around")["opening"].train) for text in asked)


@pytest.mark.parametrize("name", PAIRS)
def test_no_sentence_keeps_a_slot(name: str):
    """Guards against a slot inside a choice, which nothing fills: "would you mind throwing the mug into {b}"."""
    for template in (template for row in PAIRS[name] for template in row):
        choices = [choice for _, parts in wording.pieces(template) for choice in parts]
        assert not any("{" in choice or "[" in choice for choice in choices), template
