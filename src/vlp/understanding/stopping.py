"""Words for stopping, and a bare yes or no: one rule for every way in, whatever the model, before anything else is asked."""

import re
from functools import cache
from itertools import permutations

from vlp.understanding.lexicon import LEAST_LETTERS, Lexicon, english, listed, neighbours, real_words, tokens


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    """Return what begins a sentence that stops the robot, what stops it alone, and what may stand before either."""
    words = {name: "|".join(phrases) for name, phrases in english()["stopping"].items() if isinstance(phrases, list)}
    return {
        "firm": re.compile(rf"(?:{words['firm']})(?![\w'])"),
        "mild": re.compile(
            rf"(?:{words['mild']})(?: (?:{words['around']}|on|it|this|that|a|second|moment|minute|bit|for|me))*$"
        ),
        "before": re.compile(rf"^(?:{words['leads']}|{words['around']})(?: |$)"),
    }


def _stops(core: str) -> bool:
    return bool(_patterns()["firm"].match(core) or _patterns()["mild"].match(core))


def says_stop(text: str) -> bool:
    """Return whether a sentence tells the robot to stop or to wait.

    It does when it begins with a word for stopping ("stop", "wait", "enough"), after politeness and the like, or when it is
    nothing but a milder one ("hold on", "not yet"): "hold on, the blue bowl" is a correction.

    Args:
        text: as a person typed it.
    """
    if re.fullmatch("(?:stop)+", re.sub(r"\W", "", _collapsed(text))):  # "s t o p", "stopstopstop"
        return True
    words = [_mended(token) for token in tokens(_collapsed(text))]
    clauses = [" ".join(c.split()) for c in re.split(r"[,;:.!?¡¿*\-]+", " ".join(words))]
    for clause in filter(None, clauses):
        core = _core(clause)
        if _stops(core):
            return bool(_patterns()["firm"].match(core)) or all(_mild(other) for other in clauses if other)
        if core:
            return False
    return False


def _mild(clause: str) -> bool:
    core = _core(clause)
    return not core or _stops(core)


def _core(clause: str) -> str:
    """Return a clause without the politeness that leads up to it."""
    while True:
        shorter = clause if _stops(clause) else _patterns()["before"].sub("", clause)
        if shorter == clause:
            return clause
        clause = shorter


def mentions_stop(text: str) -> bool:
    """Return whether a word for stopping stands anywhere in a sentence: it settles what is not understood otherwise."""
    settling = listed("stopping", "spelled") | listed("stopping", "alarms")
    return any(_mended(token) in settling for token in tokens(_collapsed(text)))


def says_yes(text: str) -> bool:
    """Return whether words are a yes to the question whether to go on."""
    return bare(text) in ("y", "yes", "ok", "go on", "sure")


def says_no(text: str) -> bool:
    """Return whether words are nothing but a no; unlike other words for stopping, a no latches no robot that stands still."""
    return bare(text) in ("n", "no", "nope")


def bare(text: str) -> str:
    """Return an answer in lower case, without the signs at its end."""
    return " ".join(text.lower().rstrip(" .!").split())


def _collapsed(text: str) -> str:
    """Return a text in lower case with "stooop" as "stop", and Latin letters for the Cyrillic ones that look like them.

    That is for words for stopping alone: other words that use such letters are not understood.
    """
    latin = str.maketrans("оаерсхутмнвк", "oaepcxytmhbk")
    return re.sub(r"(\w)\1{2,}", r"\1", text.lower().translate(latin))


def _mended(word: str) -> str:
    return _misspelt().get(word, word)


@cache
def _misspelt() -> dict[str, str]:
    """Return misspelling -> word for stopping; what is a word itself is no misspelling: "about", "shop"."""
    known, found = Lexicon().known | real_words(), dict[str, str]()
    for word in english()["stopping"]["spelled"].split():
        shuffled = ["".join((word[0], *rest)) for rest in permutations(word[1:])] if len(word) == 4 else []  # "sopt"
        for wrong in (*neighbours(word), *shuffled):
            if wrong not in known and len(wrong) >= LEAST_LETTERS - 1:
                found.setdefault(wrong, word)
    return found
