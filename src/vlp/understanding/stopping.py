"""Words for stopping, and a bare yes or no: one rule for every way in, whatever the model, before anything else is asked."""

import re
import unicodedata
from functools import cache
from itertools import permutations

from vlp.understanding.lexicon import (
    LEAST_LETTERS,
    Lexicon,
    english,
    listed,
    neighbours,
    real_words,
    tokens,
    with_apostrophes,
)


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    """Return what begins a sentence that stops the robot, what is a clause that stops it, and what may stand before either."""
    tables = {name: phrases for name, phrases in english()["stopping"].items() if isinstance(phrases, list)}
    living = f"(?:{'|'.join(sorted(listed('harm', 'living')))})"
    words = {name: _unmarked("|".join(phrases)).replace("<living>", living) for name, phrases in tables.items()}
    after = rf"(?: (?!there$|there |go$)(?:{words['around']}|{words['tails']}))*$"
    return {
        "firm": re.compile(rf"(?:{words['halting']}|{words['firm']})(?![\w'])"),
        "alone": re.compile(rf"(?:{words['halting']})(?: (?:{words['halting']}))*{after}|(?:{words['bodies']}){after}"),
        "mild": re.compile(
            rf"(?:{words['mild']})(?: (?:{words['around']}|on|it|this|that|a|second|moment|minute|bit|for|me))*$"
        ),
        "steering": re.compile(rf"(?:{words['steering']})(?: (?:{words['around']}))*$"),
        "revoking": re.compile(rf"(?:{words['revoking']})(?: (?:{words['tails']}|please|now|robot|no+|not))*$"),
        "seen": re.compile(words["seen"]),
        "before": re.compile(rf"^(?:{words['leads']}|{words['around']})(?: |$)"),
    }


def _stops(core: str) -> bool:
    return any(_patterns()[name].match(core) for name in ("firm", "mild", "steering"))


def says_stop(text: str) -> bool:
    """Return whether a sentence tells the robot to stop or to wait.

    It does when it begins with a word for stopping ("stop", "wait", "enough"), after politeness and the like; when a clause of
    it is nothing but such a word or a cry ("go to the desk. stop", "it hurts"); when its end takes it back ("go to the desk,
    never mind", "go to the desk - not", "go to the desk stop"); when such a word stands in capitals among small letters; or
    when it is nothing but a milder word ("hold on", "not yet"): "hold on, the blue bowl" is a correction.

    Args:
        text: as a person typed it.
    """
    return _shouts(text) or any(_says_stop(way) for way in dict.fromkeys((_collapsed(text), _collapsed(text, latin=False))))


def _shouts(text: str) -> bool:
    """Return whether a word for stopping stands in capitals among others that do not: "go to the desk STOP now"."""
    words = {word.upper() for word in listed("stopping", "spelled")}
    loud = any(word in words for word in re.findall(r"(?<!not )(?<!never )\b[A-Z]{4,}\b", text))
    return loud and re.search("[a-z]", text) is not None


def after_stop(text: str) -> str:
    """Return what a person is told whose sentence stopped the robot: what of it was not taken, or what to say next."""
    if steers(text):
        return "Say next where it is to go."
    clauses = (clause.strip() for clause in re.split(r"[,;:.!?]+\s", text.strip()))
    rest = ", ".join(clause for clause in clauses if clause and not says_stop(clause))
    return f"Say again what was not taken: {rest[:60]!r}." if rest else ""


def steers(text: str) -> bool:
    """Return whether a sentence stops a moving robot to send it elsewhere: "come back", "you are going the wrong way"."""
    core = _core(" ".join(word for word in tokens(text) if re.search(r"\w", word)))
    return not any(_patterns()[name].match(core) for name in ("firm", "mild")) and _stops(core)


def speaks_of_stopping(text: str) -> bool:
    """Return whether a sentence has a word for stopping in what it asks for: "tell Anna to stop by", "wait in the kitchen"."""
    return any(re.search(pattern, " ".join(tokens(text))) for pattern in english()["stopping"]["spoken"])


def _says_stop(text: str) -> bool:
    squashed = re.sub(r"(.)\1+", r"\1", re.sub(r"[\W\d_]", "", text))
    if re.fullmatch("(?:stop|wait|halt|freze|abort)+|(?:no){2,}", squashed):  # "s t o p", "stopstopstop", "nonono"
        return True
    if _patterns()["seen"].search(text):  # "a child!"
        return True
    words = [_mended(token) for token in tokens(text)]
    parts = re.split(r"[,;:.!?¡¿*|/\-]+", " ".join(words))
    clauses = [clause for part in parts if (clause := " ".join(re.sub(r"[^\w\s']|_", " ", part).split()))]
    if not clauses:
        return False
    cores = [_core(clause) for clause in clauses]
    first = next((core for core in cores if core), "")
    if _patterns()["firm"].match(first) or (_stops(first) and all(not core or _stops(core) for core in cores)):
        return True
    return any(_stops_alone(clause) for clause in clauses) or _taken_back(clauses, text)


def _stops_alone(clause: str) -> bool:
    """Return whether a clause is nothing but a word for stopping, or a cry; "then stop" is the last step of a request."""
    if clause == "and stop" or re.search(r"\b(?:then|finally|afterwards)\b", clause):
        return False
    if any(_patterns()["alone"].match(part) for part in (clause, _core(clause))):
        return True
    words = [word for word in clause.split() if not _patterns()["before"].fullmatch(word)]
    cries = listed("stopping", "cries")
    asks = bool(words) and words[0] in ("is", "are", "am")
    return not asks and bool(cries & set(words)) and set(words) <= cries | listed("stopping", "of_cries")


def _taken_back(clauses: list[str], text: str) -> bool:
    """Return whether the end of a sentence takes back what stands before it: "go to the desk? no", "go to the desk NOT"."""
    last = clauses[-1]
    if re.search(r"(?<!\bor) (?:not|never)$", last) and not re.search(r"\b(?:why|if|whether)\b", last):
        return True
    if re.search(r"(?<!bus) (?:wait|stop|halt|please|actually|(?<!with )no) (?:stop|wait|halt)$", last):
        return True
    said = last.split()
    if len(said) > 1 and said[-1] in ("stop", "halt", "abort") and said[-2] not in listed("stopping", "of_nouns"):  # speech
        return True
    return len(clauses) > 1 and bool(_patterns()["revoking"].match(_unled(last)))


def _unled(clause: str) -> str:
    """Return a clause without what may stand before a word for stopping; a bare "no" stays."""
    return clause if _patterns()["revoking"].match(clause) else _core(clause)


def _core(clause: str) -> str:
    """Return a clause without the politeness that leads up to it."""
    while True:
        shorter = clause if _stops(clause) else _patterns()["before"].sub("", clause)
        if shorter == clause:
            return clause
        clause = shorter


def calls_off(text: str) -> bool:
    """Return whether a sentence only calls something off: "forget the labels", "no, cancel the printing".

    One that goes on ("forget the labels, go home") is a correction.
    """
    said = re.sub(r"^(?:(?:[^\w\s]|no|wait|sorry|please|ok) ?)+", "", " ".join(tokens(_collapsed(text))))
    alone = not re.search(r"[,;.!?] \w|\b(?:and|then|but)\b", said)
    return alone and re.match(english()["stopping"]["calling_off"], said) is not None


def mentions_stop(text: str) -> bool:
    """Return whether a word for stopping stands anywhere in a sentence: it settles what is not understood otherwise."""
    settling = listed("stopping", "spelled") | listed("stopping", "alarms")
    words = " ".join(_mended(token) for token in tokens(_collapsed(text)))
    return bool(settling & set(re.sub(r"\b(?:not|never|without) (?:stop|halt|paus|wait)\w*", "", words).split()))


def says_yes(text: str) -> bool:
    """Return whether words are a yes to the question whether to go on."""
    return bool(re.fullmatch(english()["answers"]["assent"], bare(text).replace(",", "")))


def says_no(text: str) -> bool:
    """Return whether words are nothing but a no; unlike other words for stopping, a no latches no robot that stands still."""
    return bare(text) in ("n", "no", "nope")


def bare(text: str) -> str:
    """Return an answer in lower case, without the signs at its end."""
    return " ".join(text.lower().rstrip(" .!").split())


LATIN = str.maketrans("оаерсхутмнвкѕіјԁοατ", "oaepcxytmhbksijdoat")
"""Latin letters for the Cyrillic and Greek ones that look like them."""


def _collapsed(text: str, latin: bool = True) -> str:
    """Return a text in lower case with "stooop" and "st0p" as "stop", without invisible marks.

    That is for words for stopping alone: other words that use such letters are not understood.

    Args:
        text: as it was typed.
        latin: whether to read letters of other scripts as the Latin ones that they look like.
    """
    plain = unicodedata.normalize("NFKC", with_apostrophes(text)).lower()
    plain = _unmarked("".join(c for c in plain if unicodedata.category(c) != "Cf"))
    plain = re.sub(f"[{english()['stopping']['signs']}]", " , stop , ", plain.translate(LATIN) if latin else plain)
    plain = re.sub(r"(?<=[a-z])0(?=[a-z])", "o", re.sub(r"(?<!\w)[5$](?=t[o0]p)", "s", plain))
    return re.sub(r"(\w)\1{2,}", r"\1", plain)


def _unmarked(text: str) -> str:
    """Return a text without marks that stand over or under letters, by which no word is told from another here."""
    return "".join(c for c in text if unicodedata.category(c)[0] != "M")


def _mended(word: str) -> str:
    """Return a word for stopping without a typing error, and words that were run together parted: "stopit", "holdon"."""
    return _misspelt().get(word) or _parted(word) or word


def _parted(word: str) -> str:
    """Return the words that were run together to one, where a clause of nothing else stops the robot; "" else: "stopwatch"."""
    if len(word) <= LEAST_LETTERS + 1 or word in _known():
        return ""
    ways = {len(word): ""}  # where a part begins -> the rest from there on, of the longest parts that there are
    for start in range(len(word) - 1, -1, -1):
        ends = (end for end in sorted(ways, reverse=True) if word[start:end] in _parts())
        if (end := next(ends, None)) is not None:
            ways[start] = f"{word[start:end]} {ways[end]}".rstrip()
    clause = " ".join(tokens(ways.get(0, "")))
    return clause if " " in clause and (_stops_alone(clause) or _patterns()["mild"].match(_core(clause))) else ""


@cache
def _parts() -> frozenset[str]:
    """Return the words that such a clause may have."""
    lists = ("halting", "mild", "tails", "around")
    listed_words = (word for name in lists for word in re.findall("[a-z]+", " ".join(english()["stopping"][name])))
    return frozenset({"dont", *listed_words})


@cache
def _known() -> frozenset[str]:
    return Lexicon().known | real_words()


@cache
def _misspelt() -> dict[str, str]:
    """Return misspelling -> word for stopping; what is a word itself is no misspelling: "about", "shop"."""
    known, found = _known(), dict[str, str]()
    for word in english()["stopping"]["spelled"].split():
        shuffled = ["".join((word[0], *rest)) for rest in permutations(word[1:])] if len(word) == 4 else []  # "sopt"
        for wrong in (*neighbours(word), *shuffled):
            if wrong not in known and len(wrong) >= LEAST_LETTERS - 1:
                found.setdefault(wrong, word)
    return found
