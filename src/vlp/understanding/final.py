"""Whether somebody spoke of a deed that cannot be undone: half of its name is not enough ("the pizza box" orders no pizza)."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from vlp.understanding.lexicon import BREAKS, Lexicon, act_of, english, listed, role, singulars, tokens, verbs
from vlp.understanding.meaning import is_number, means, measures, number
from vlp.understanding.prohibitions import same_word, untold, words_of


def thrown_away(sentences: Sequence[str], place: str) -> bool:
    """Return whether sentences ask for something to go where it cannot be taken back from, also by throwing or clearing away.

    Args:
        sentences: every instruction so far.
        place: where something is left for good.
    """
    said = " . ".join(" ".join(tokens(text)) for text in sentences)
    deeds, mended = re.sub(english()["prohibitions"]["not_waste"], " ", said).split(), Lexicon().mended
    away = any(act_of().get(mended(word) or word, frozenset()) & {"throw", "clear"} for word in deeds)
    away = away or re.search(english()["prohibitions"]["emptied"], said) is not None
    return away or bool({*said.split()} & {*place.lower().split("_"), *listed("prohibitions", "waste")})


def spoken_of(what: str, phrases: Sequence[str], doc: str, sentences: Sequence[str], others: Collection[str]) -> bool:
    """Return whether sentences speak of what a primitive does: of its verb with its thing, of all that its description says, or
    of the thing in a wish.

    Args:
        what: the primitive.
        phrases: the things and places that its step names.
        doc: what is said of it.
        sentences: what was asked for.
        others: names of all that the robot can do.
    """
    verb, *parts = words_of(what)
    heads = {word for phrase in phrases for word in tokens(phrase)[-1:]} - small()
    told = [word for word in tokens(doc) if word not in small()]
    wanted = {*parts[-1:]} or heads or {*told[-1:]}
    elsewhere = {words_of(name)[0] for name in others} - {verb}
    for clause in _clauses(" , ".join(untold(text) for text in sentences)):
        words = clause.split()
        if not words or re.search(english()["final"]["not_asked"], clause.strip()):
            continue
        nouns = {i + 1 for i, word in enumerate(words) if word in role("articles")}
        named = [word for i, word in enumerate(words) if _head(words, i) and any(_same(one, word) for one in wanted)]
        at = next((i for i, word in enumerate(words) if i not in nouns and _same(verb, word)), None)
        if at is not None:
            before, behind = ([word for word in part if word not in small()] for part in (words[:at], words[at + 1 :]))
            if named or (not behind and not before) or not (parts or heads):  # "flush the loo", "order it"
                return True
        if told and all(any(same_word(one, word) for word in words) for one in told):  # "let a pill out", as it is described
            return True
        moves = any(word in _busy() or any(same_word(one, word) for one in elsewhere) for word in words)
        wished = re.search(english()["final"]["wished"], clause.strip()) is not None
        verbal = len(words) > 2 and words[1] in role("articles") and words[0] not in small()
        if named and not moves and (wished or verbal):  # "one more pill", "I want a pizza", "rinse the toilet"
            return True
        asks = words[0] in act_of() or any(same_word(one, words[0]) for one in told)
        other = any(same_word(one, words[0]) for one in elsewhere)
        if asks and not other and len(phrases) > 1 and not unnamed([clause], phrases):  # "put 50 grams of rice into the pot"
            return True
    return False


def unnamed(sentences: Sequence[str], phrases: Sequence[str]) -> list[str]:
    """Return the phrases of which sentences have no word."""
    said = [word for text in sentences for word in tokens(text)]
    return [
        phrase
        for phrase in phrases
        if (own := [word for word in tokens(phrase) if word not in small()])
        and not any(_same(one, word) for one in own for word in said)
    ]


def unmeasured(sentences: Sequence[str], phrases: Sequence[str], given: Mapping[str, Any]) -> list[str]:
    """Return the amounts of a step that sentences do not say of its things: "grams 300" of "pour milk".

    Args:
        sentences: what was asked for.
        phrases: the things and places that the step names.
        given: its arguments, without those that have their usual value.
    """
    clauses = [clause for text in sentences for clause in _clauses(text)]
    own = [word for phrase in phrases for word in tokens(phrase) if word not in small()]
    about = [clause for clause in clauses if _says_amount(clause) and any(_same(one, w) for one in own for w in clause.split())]
    return [
        f"{name.replace('_', ' ')} {value:g}"
        for name, value in given.items()
        if is_number(value) and not any(_is_amount(clause, name, value) for clause in about or clauses)
    ]


def _is_amount(clause: str, name: str, value: float) -> bool:
    words = clause.split()
    bare = [number(word) for i, word in enumerate(words) if [*words[i + 1 :], ""][0] not in _units()]
    one = value == 1 and bool({"a", "an", "another"} & {*words})
    return one or any(_float(word) == value for word in bare) or any(True for _ in measures(clause, name, value))


def _says_amount(clause: str) -> bool:
    words = clause.split()
    return any(_float(number(word)) is not None for word in words) or bool(_units() & {*words})


def _units() -> frozenset[str]:
    return frozenset(word for family in english()["units"].values() for names in family.values() for word in names.split())


def _float(word: str) -> float | None:
    return float(word) if re.fullmatch(r"\d+(?:\.\d+)?", word) else None


def _clauses(text: str) -> list[str]:
    return re.split(rf"(?<!\S)[{re.escape(BREAKS)}](?!\S)|\b(?:and|then|so)\b", " ".join(tokens(text)))


def says_several(text: str) -> bool:
    """Return whether a sentence has a number, or a word for more than one."""
    several = listed("final", "several") | listed("numbers", "words") - {"one", "zero"}
    return any(word.isdigit() or word in several for word in tokens(text))


def small() -> frozenset[str]:
    """Return the words that name nothing."""
    return listed("words", "fillers") | listed("prohibitions", "no_things") | {*BREAKS}


def plain(phrase: str) -> str:
    """Return a phrase without articles, capitals and plurals: "a pizza" and "Pizzas" are one thing."""
    words = [word for word in tokens(phrase) if word not in role("articles") | {"one", *BREAKS}]
    return " ".join(min(singulars(word), key=lambda one: (len(one), one)) for word in words) or phrase


def _head(words: Sequence[str], i: int) -> bool:
    """Return whether a word is the thing itself: "a pizza", and not "the pizza box"."""
    return i + 1 == len(words) or words[i + 1] in small()


def _same(one: str, word: str) -> bool:
    return same_word(one, word) or means(one, word)


def _busy() -> Iterable[str]:
    """Return the verbs that ask for another deed with the thing."""
    return (act_of().keys() | verbs("look") | verbs("tell") | verbs("other")) - listed("requests", "wishing")
