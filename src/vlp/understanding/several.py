"""Whether a sentence speaks of things without naming each ("all the cubes", "clear the table"), and what it says of them."""

import re
from collections.abc import Collection, Iterable

from vlp.understanding.lexicon import listed, singulars
from vlp.understanding.prohibitions import plain_words


def said_of_all(sentence: str, handled: Collection[str], others: Iterable[str] = ()) -> set[str] | None:
    """Return the words that a sentence says of all the things that are moved for it, none where it tidies up whatever there is.

    Words for a category ("the fruit") are not looked up: there it says nothing of the things, and may mean anything.

    Args:
        sentence: as a person said it.
        handled: the names of what is taken for it.
        others: names of what it is only brought to; their words say nothing of the things.

    Returns:
        None where it names each of the things.
    """
    text, named = " ".join(plain_words(sentence)), set[str]()
    for name in (*others, *handled):  # "the red cube" is one; "every red cube" is not
        text, found = re.subn(rf"\b(?:the|a|an|in|on|into|onto) {re.escape(name)}\b", " ", text)
        named |= {name} if found else set()
    words = text.split()
    told = {one for word in words for one in singulars(word)}
    every = bool(listed("roles", "several") & {*words})
    said = {name: {word for word in name.split() if word in told} for name in handled if name not in named}
    if not every:  # "the cube" is one, "the cubes" are not
        said = {name: own for name, own in said.items() if name.split()[-1] not in words}
    kind = set[str].intersection(*said.values()) if said else set[str]()
    own = 0 if every else sum(some != kind for some in said.values())  # "the cola and the iced tea"
    return kind if len(said) - own > (0 if every else 1) else None
