"""Words that no model has met, put into the instructions nano-base learns from, so that it goes by the rest of a sentence.

    put the red cube in the bowl        borf the red cube in the bowl
    pick up the can                     shen wup, pick up the can
    take the red mug                    take the red dulst mug

People say "seize" and "by the way"; nano-base knows a few hundred words. A word is exchanged only where what is left still
says what is wanted.
"""

import re
from difflib import get_close_matches
from functools import cache, lru_cache
from random import Random

from vlp.core.messages import plural
from vlp.nano.wording import heard
from vlp.sim.language.families import PLAIN
from vlp.sim.language.task import Task
from vlp.sim.language.wording import words
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS


def disguised(task: Task, rng: Random) -> str:
    """Return the instruction of a task, in 45 % of the cases with unknown words in the place of its own or around them."""
    if rng.random() > 0.45:
        return task.instruction
    if rng.random() < 0.3:
        return _described(task.instruction, rng)
    may_exchange = task.family in told_by_the_rest() and not task.before and not task.cannot
    if may_exchange and rng.random() < 0.6:
        return _exchanged(task.instruction, rng)
    return _framed(task.instruction, rng)


def told_by_the_rest() -> frozenset[str]:
    """Return the families that are told by the things, the relation and "and"; a throw without its verb would be a pick."""
    return frozenset(("put", "pick", "swap", "spatial", "relative", "size", "group"))


def _exchanged(text: str, rng: Random) -> str:
    """Return a sentence with some of the words that it can do without replaced by unknown ones."""
    words = text.split(" ")
    free = [i for i, word in enumerate(words) if not _tells(re.sub(r"\W", "", word).lower())]
    for i in rng.sample(free, min(len(free), rng.randint(1, 2))):
        words[i] = re.sub(r"[\w']+", unknown_word(rng), words[i], count=1)
    return " ".join(words)


def _described(text: str, rng: Random) -> str:
    """Return a sentence with an unknown word before one of its things, as people say "coffee mug" or "little cube"."""
    words = text.split(" ")
    bare = [re.sub(r"\W", "", word).lower() for word in words]
    nouns = [i for i, word in enumerate(bare) if i and word in _nouns() and bare[i - 1] not in ("trash", "waste")]
    if nouns:
        words.insert(rng.choice(nouns), unknown_word(rng))
    return " ".join(words)


def _framed(text: str, rng: Random) -> str:
    """Return a sentence with one to three unknown words before or behind it."""
    words = " ".join(unknown_word(rng) for _ in range(rng.randint(1, 3)))
    gap = rng.choice((" ", ", "))
    if rng.random() < 0.7:
        return words + gap + text[:1].lower() + text[1:]
    return text.rstrip(".!") + gap + words


def unknown_word(rng: Random) -> str:
    """Return a word of one or two syllables that says nothing, not even as another word with a typing error."""
    onsets = (*"bdfghjklmnprstvwyz", "br", "bl", "ch", "dr", "fl", "gr", "kr", "pl", "sk", "tr", "")
    vowels = (*"aeiou", "ea", "ai", "oo", "ie", "ou")
    ends = (*"bdfglmnprst", "nd", "rt", "st", "sh", "ze", "se", "ge", "", "")
    while True:
        count = rng.choice((1, 1, 2, 2))
        word = "".join(rng.choice(onsets) + rng.choice(vowels) + rng.choice(ends) for _ in range(count))
        if len(word) > 2 and word not in _verbs() and not _tells(word) and heard(word) == word:
            return word


@cache
def _nouns() -> frozenset[str]:
    """Return the last words of all names for things that are trained on, one or several."""
    last = {name.split()[-1] for kind in KINDS for name in words("kinds")[kind].train}
    return frozenset((*last, *map(plural, last)))


@cache
def _verbs() -> frozenset[str]:
    """Return all words of the templates that are trained on."""
    texts = (text for family in PLAIN.values() for text in family.sentences.train)
    return frozenset(word for text in texts for word in re.findall(r"[a-z]+", text))


@lru_cache(4096)
def _tells(word: str) -> bool:
    """Return whether a word, or what it is a misspelling of, says which things or what relation is meant."""
    return bool(get_close_matches(word, _telling(), 1, 0.79))  # "wihte", "inisde"


@cache
def _telling() -> frozenset[str]:
    """Return the words that say which things and what relation is meant, of all phrasings that are trained on."""
    sections = ("colours", "kinds", "relations", "superlatives", "groups")
    texts = [text for section in sections for said in words(section).values() for text in said.train]
    found = {word for text in texts for word in re.findall(r"[a-z]+", re.sub(r"\{\w+\}s?", "", text))}
    needed = "and with for it them there back where vice versa place places positions spots no not to hand"
    return frozenset((*found, *map(plural, found), *COLOURS, *needed.split()))
