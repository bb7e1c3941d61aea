"""Whether a person asked, in so many words, for what cannot be undone; where not, a person is asked.

    dispense 5 ml of acetone into the red vial and 50 ml of water into the blue one     two orders, one for each deed
    the pizza box; flush the line? no way; after dispensing it, open the hood           no order at all

An order is a clause that begins with the verb, or wishes for the thing. What it names, it names for its own deed alone: the
amount, the thing and the place of another order are not its own.
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vlp.understanding.lexicon import BREAKS, Lexicon, act_of, english, listed, role, singulars, tokens, verbs
from vlp.understanding.meaning import means, measures, number
from vlp.understanding.prohibitions import is_verb, same_word, untold, words_of
from vlp.understanding.reading import reports, requested


@dataclass(frozen=True)
class Deed:
    """A step in words, mostly one that cannot be undone.

    Args:
        do: the primitive.
        doc: what is said of it.
        named: the things and places of its arguments, by argument; those that have their usual value are left out.
        amounts: its numbers, likewise.
        rivals: what else an argument could have been: its choices, the robot's places.
        texts: arguments that are messages, of which one word is enough.
        place: where it leaves something for good; "" where the primitive itself is what cannot be undone.
    """

    do: str
    doc: str = ""
    named: Mapping[str, str] = field(default_factory=dict)
    amounts: Mapping[str, float] = field(default_factory=dict)
    rivals: Mapping[str, frozenset[str]] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    place: str = ""

    @property
    def phrases(self) -> list[str]:
        """The things and places that it names."""
        return list(self.named.values())


@dataclass
class _Order:
    """A clause that asks for a deed, and how often it may still be done for it."""

    words: list[str]
    sentence: int
    left: float


def unasked(sentences: Sequence[str], deeds: Sequence[Deed], others: Collection[str]) -> str:
    """Return which of some deeds nobody asked for, in one sentence; "" when each has an order of its own.

    Args:
        sentences: every instruction that may ask for them, the last one in force.
        deeds: in the order in which they would be done.
        others: names of all that the robot can do.
    """
    told = standing(sentences, others)
    known: dict[tuple[str, ...], _Order] = {}
    for deed in deeds:
        orders = [
            known.setdefault((deed.do, deed.place, str(i), *words), _Order(words, i, _times(words, deed)))
            for i, words in _orders(told, deed, others)
        ]
        what = f"{deed.do} leaves something at the {deed.place} for good" if deed.place else f"{deed.do} cannot be undone"
        if not orders:
            return f"{what}, and nobody spoke of that."
        odd = [(_odd(order, deed, told, orders), order) for order in orders]
        fits = [order for found, order in odd if not found]
        if not fits:
            return f"{what}, and nobody spoke of {min((found for found, _ in odd), key=len)!r}."
        order = next((one for one in fits if one.left), None)
        if order is None:
            return f"{what}, and would be done more often than was asked for."
        order.left -= 1
    return ""


def swapped(sentences: Sequence[str], deed: Deed, others: Collection[str]) -> str:
    """Return the words by which an order names something else than a step takes: "the red vial to the hood" of the blue one.

    Args:
        sentences: what may ask for it.
        deed: any step.
        others: names of all that the robot can do.
    """
    told = standing(sentences, others)
    orders = [_Order(words, i, 1) for i, words in _orders(told, deed, others)]
    odd = [_odd(order, replace(deed, amounts={}), told, orders) for order in orders]
    found = next(filter(None, odd), "") if odd and all(odd) else ""
    return found if any(_says(replace(deed, named={found: found}), found, tokens(text)) for text in told) else ""


def asks_more(since: Sequence[str], before: Sequence[str], deed: Deed, others: Collection[str]) -> bool:
    """Return whether sentences have an order for a deed that earlier ones do not have in the same words.

    Who corrects the rest of a sentence says it again: "print two labels and go to the kitchen", "... and go to the workshop".
    """
    known = [words for _, words in _orders(before, deed, others)]
    more = {"again", "another", "more"}
    return any(words not in known or more & {*words} for _, words in _orders(since, deed, others))


def standing(sentences: Sequence[str], others: Collection[str]) -> list[str]:
    """Return the sentences that stand together with the last one.

    A request stands with those before it where it says so ("too", "then", "it"), a correction does ("no, the blue one", "only
    3 ml"). Whatever else is said later ("she is asleep", "the other tablet") leaves nothing standing before it.
    """
    verbs_ = {words_of(name)[0] for name in others}
    found: list[str] = []
    for text in reversed(sentences):
        found.insert(0, text)
        plain_text = " ".join(tokens(text))
        if any(re.search(english()["final"][name], plain_text) for name in ("replaces", "doubtful")):
            break
        begins = [_led(clause).split()[:1] for clause in _clauses(text)]
        asks = any(is_verb(w) or any(same_word(verb, w) for verb in verbs_) for words in begins for w in words)
        if not re.search(english()["final"]["adds" if asks else "corrects"], plain_text):
            break
    return found


def _orders(sentences: Sequence[str], deed: Deed, others: Collection[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the clauses that ask for a deed; one without a verb of its own goes on with the one before it."""
    for i, text in enumerate(sentences):
        plain_text = " ".join(tokens(text))
        asks = "?" in plain_text and not requested(text)
        if asks or re.search(english()["final"]["doubtful"], plain_text) or re.search(r"(?<![\w.])[-\u2212] ?\d", text):
            continue
        before = False
        for clause in _clauses(untold(_decimal(text))):
            words = _led(clause).split()
            if not words:
                continue
            asked = _throws(clause, deed.place) if deed.place else _asks(clause, words, deed, others)
            own = is_verb(words[0]) or any(same_word(words_of(name)[0], words[0]) for name in others)
            before = asked or (before and not own and not reports(clause))
            if before:
                yield i, words


def _throws(clause: str, place: str) -> bool:
    """Return whether a clause sends something to a final place: "from the bin" and "beside the bin" send nothing there."""
    clause = re.sub(
        rf"\b(?:{english()['final']['not_there']})(?: (?:the|a|my|our|your))? {re.escape(place.lower())}\b", "", clause
    )
    return not reports(clause) and not re.search(english()["final"]["not_asked"], clause) and _away(clause, place)


def _away(clause: str, place: str) -> bool:
    """Return whether a clause speaks of throwing or clearing away, or of a final place."""
    said = " ".join(tokens(clause))
    deeds, mended = re.sub(english()["prohibitions"]["not_waste"], " ", said).split(), Lexicon().mended
    away = any(act_of().get(mended(word) or word, frozenset()) & {"throw", "clear"} for word in deeds)
    away = away or re.search(english()["prohibitions"]["emptied"], said) is not None
    return away or bool({*said.split()} & {*place.lower().split("_"), *place.lower().split(), *listed("prohibitions", "waste")})


def _asks(clause: str, words: Sequence[str], deed: Deed, others: Collection[str]) -> bool:
    """Return whether a clause asks for what a primitive does: it begins with its verb and speaks of its thing, has all that its
    description says, or wishes for the thing.

    Args:
        clause: as it was said.
        words: of it, without what leads up to a request.
        deed: the step.
        others: names of all that the robot can do.
    """
    if re.search(english()["final"]["not_asked"], clause.strip()):
        return False
    verb, *parts = words_of(deed.do)
    heads = {word for phrase in deed.phrases for word in tokens(phrase)[-1:]} - small()
    told = [word for word in tokens(deed.doc) if word not in small()]
    wanted = {*parts[-1:]} or heads or {*told[-1:]}
    elsewhere = {words_of(name)[0] for name in others} - {verb}
    named = [word for i, word in enumerate(words) if _head(words, i) and any(_same(one, word) for one in wanted)]
    begins = words[0] if not words[0].endswith(("ing", "ed")) else ""
    if _same(verb, begins):
        rest = [word for word in words[1:] if word not in small()]
        own = any(_same(one, word) for phrase in deed.phrases for one in tokens(phrase) for word in words[1:])
        if named or own or not rest or not (parts or heads):  # "flush the loo", "order it"
            return True
    asks = begins in act_of() or any(same_word(one, begins) for one in [*told, *tokens(deed.doc)[:1]])
    other = any(same_word(one, begins) for one in elsewhere)
    if asks and not other and told and all(any(same_word(one, word) for word in words) for one in told):
        return True  # "let a pill out", as it is described
    moves = any(word in _busy() or any(same_word(one, word) for one in elsewhere) for word in words)
    wished = re.search(english()["final"]["wished"], clause.strip()) is not None
    if named and not moves and wished:  # "one more pill", "I want a pizza"
        return True
    # "put 50 grams of rice into the pot"
    puts = len(deed.named) > 1 and re.match(english()["final"]["puts"], " ".join(words)) is not None
    return puts and not other and any(_says(deed, name, words) for name in deed.named)


def _odd(order: _Order, deed: Deed, sentences: Sequence[str], orders: Sequence[_Order]) -> str:
    """Return what of a deed is another order's, or nobody's; "" when all of it is this one's."""
    if deed.place:
        return _odd_thing(order, deed, sentences)
    later = [_decimal(text) for text in sentences[order.sentence + 1 :]]
    for name, phrase in deed.named.items():
        if not _names(name, deed, order, sentences, orders):
            return phrase[:40]
    for name, value in deed.amounts.items():
        clauses = [clause.split() for text in later for clause in _clauses(text)]
        said = next((words for words in reversed(clauses) if _says_amount(words)), order.words)
        if not _is_amount(said, name, value, deed):
            return f"{name.replace('_', ' ')} {value:g}"
    return ""


def _names(name: str, deed: Deed, order: _Order, sentences: Sequence[str], orders: Sequence[_Order]) -> bool:
    """Return whether an order names what an argument is, or nothing in its place where another one names it."""
    for text in reversed(sentences[order.sentence + 1 :]):  # "no, the red one"
        words = tokens(text)
        if _says(deed, name, words):
            return True
        if _says_rival(deed, name, words):
            return False
    if _says(deed, name, order.words):
        return True
    if _says_rival(deed, name, order.words):
        return False
    if {*order.words} & {"it", "them", "that", "this"}:
        return any(_says(deed, name, tokens(text)) for text in sentences[: order.sentence + 1])
    return len(deed.named) > 1 and any(_says(deed, name, one.words) for one in orders if one.sentence == order.sentence)


def _says(deed: Deed, name: str, words: Sequence[str]) -> bool:
    """Return whether words name what an argument is, by what tells it from whatever else it could have been."""
    own = [word for word in tokens(deed.named[name]) if word not in small()]
    if not own:
        return True
    rivals = deed.rivals.get(name, frozenset()) - {deed.named[name]}
    shared = {word for rival in rivals for word in tokens(rival)}
    telling = [word for word in own if word not in shared]
    if name in deed.texts:
        return any(_same(one, word) for one in own for word in words)
    if not _titled(own, words):  # "Mr Brown" is not Mrs Brown
        return False
    if telling and len(telling) < len(own):
        own = telling
    elif telling and name in deed.rivals:
        return any(_named(one, word) for one in own for word in words)
    return all(any(_named(one, word) for word in words) for one in own)


def _says_rival(deed: Deed, name: str, words: Sequence[str]) -> bool:
    """Return whether words name something else that an argument could have been."""
    own = {*tokens(deed.named[name])}
    for rival in deed.rivals.get(name, frozenset()) - {deed.named[name]}:
        telling = [word for word in tokens(rival) if word not in small() | own]
        if telling and all(word in words for word in telling):
            return True
    return False


def _odd_thing(order: _Order, deed: Deed, sentences: Sequence[str]) -> str:
    """Return the thing of a deed that a sentence does not send to its final place; "" when it does."""
    words, table = {*order.words}, english()["final"]
    if words & {*table["sweeping"].split()} or any(act_of().get(word, frozenset()) & {"clear"} for word in words):
        return ""
    # "pick up the red cup and throw it away": of the other clauses those that send nothing elsewhere
    elsewhere = [tokens(place) for place in deed.rivals.get("place", frozenset()) if place != deed.place]
    clauses = [clause.split() for clause in _clauses(sentences[order.sentence])]
    beside = [clause for clause in clauses if not any(all(word in clause for word in place) for place in elsewhere)]
    said = [word for clause in (order.words, *beside) for word in clause]
    return next((phrase[:40] for name, phrase in deed.named.items() if not _says(deed, name, said)), "")


def _times(words: Sequence[str], deed: Deed) -> float:
    """Return how often an order asks for a deed: "two pizzas", "twice", "every line"."""
    table = english()["final"]
    if deed.place or {*words} & {*table["several"].split()}:  # of a place it matters which things are left there
        return math.inf
    amounts = [number(word) for word in words if any(_float(number(word)) == value for value in deed.amounts.values())]
    for i, word in enumerate(words):
        if word == "both" or (word == "twice" and "2" not in amounts):
            return 2
        count = _float(number(word))
        behind = [*words[i + 1 :], ""][0]
        if count and count == int(count) and number(word) not in amounts and behind not in _units() and behind not in small():
            return int(count)
    return 1


def _is_amount(words: Sequence[str], name: str, value: float, deed: Deed) -> bool:
    """Return whether an order says an amount: with its unit, or of a number without one as "two labels", "twice", "floor two".

    "Room 3", "at 3" and "for two" say no amount.
    """
    if {*words} & {*english()["final"]["vague"].split()}:
        return False
    parts = re.findall(r"[a-z]+", name.lower())
    if any(part in _units() for part in parts):
        return any(said for said, _ in measures(" ".join(number(word) for word in words), name, value))
    counted = {word for phrase in (deed.do.replace("_", " "), *deed.named.values()) for word in tokens(phrase)} - small()
    for i, word in enumerate(words):
        behind, before = [*words[i + 1 :], ""][0], words[i - 1] if i else ""
        fits = word == "twice" or any(_named(one, behind) for one in counted) or before in parts or len(words) <= 3
        if _float(number(word)) == value and fits and behind not in _units():
            return True
    return value == 1 and bool({"a", "an", "another"} & {*words})


def _says_amount(words: Sequence[str]) -> bool:
    thing = {i + 1 for i, word in enumerate(words) if word not in small() | {"just", "only", "meant", "do"}}  # "the blue one"
    numbers = [word for i, word in enumerate(words) if _float(number(word)) is not None and (word != "one" or i not in thing)]
    return bool(numbers or _units() & {*words})


def _units() -> frozenset[str]:
    return frozenset(word for family in english()["units"].values() for names in family.values() for word in names.split())


def _float(word: str) -> float | None:
    return float(word) if re.fullmatch(r"\d+(?:\.\d+)?", word) else None


def _decimal(text: str) -> str:
    """Return a text with decimal points: "1,5" and ".5"."""
    return re.sub(r"(?<![\w.])\.(?=\d)", "0.", re.sub(r"(?<![\d,.])(\d+),(\d{1,2})(?![\d,])", r"\1.\2", text))


def _clauses(text: str) -> list[str]:
    return re.split(rf"(?<!\S)[{re.escape(BREAKS)}](?!\S)|\b(?:and|then|so|but)\b", " ".join(tokens(text)))


def _led(clause: str) -> str:
    """Return a clause without what leads up to a request: "could you please", "do not forget to"."""
    return re.sub(rf"^(?:{english()['final']['leads']})+", "", clause.strip() + " ").strip()


def small() -> frozenset[str]:
    """Return the words that name nothing."""
    return listed("words", "fillers") | listed("prohibitions", "no_things") | {*BREAKS}


def plain(phrase: str) -> str:
    """Return a phrase without articles, capitals and plurals: "a pizza" and "Pizzas" are one thing."""
    words = [word for word in tokens(phrase) if word not in role("articles") | {"one", *BREAKS}]
    return " ".join(min(singulars(word), key=lambda one: (len(one), one)) for word in words) or phrase


def _named(one: str, word: str) -> bool:
    """Return whether a word is another one in whatever number, or may mean it; "Greenfield" is no "Green"."""
    return bool(singulars(one) & singulars(word)) or means(one, word)


def _titled(own: Sequence[str], words: Sequence[str]) -> bool:
    """Return whether nobody of the same name and another title is meant."""
    titles = {*english()["final"]["titles"].split()}
    mine = titles & {*own}
    return not mine or not any(w in titles - mine and [*words[i + 1 :], ""][0] in own for i, w in enumerate(words))


def _head(words: Sequence[str], i: int) -> bool:
    """Return whether a word is the thing itself: "a pizza", and not "the pizza box"."""
    return i + 1 == len(words) or words[i + 1] in small()


def _same(one: str, word: str) -> bool:
    return same_word(one, word) or means(one, word)


def _busy() -> Iterable[str]:
    """Return the verbs that ask for another deed with the thing."""
    return (act_of().keys() | verbs("look") | verbs("tell") | verbs("other")) - listed("requests", "wishing")
