"""What a deed hangs on that no robot sees: a person's word, deed or return, a later time, a need that others judge."""

import re
from functools import cache

from vlp.understanding.lexicon import english, listed, tokens


def hanging(text: str) -> list[str]:
    """Return the words of a sentence on which its deed hangs and that neither looking nor a step settles.

    "if the door is open", "when you are in the kitchen" and "after that" are none of them.

    Args:
        text: a cleaned instruction.
    """
    spared, patterns = _patterns()
    words = spared.sub(" ", " ".join(tokens(text)))
    return [match[0].strip(" ,") for match in patterns.finditer(words)]


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    table = english()["conditions"]
    words = {**table, "living": "|".join(sorted(listed("harm", "living")))}

    def made(patterns: list[str]) -> re.Pattern[str]:
        spelled = "|".join(patterns)
        for _ in range(3):
            spelled = re.sub(r"<(\w+)>", lambda match: f"(?:{words[match[1]]})", spelled)
        return re.compile(spelled)

    return made(table["spared"]), made(table["hang"])
