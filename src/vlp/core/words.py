"""Nouns in the plural, for what is said to people."""


def counted(number: int, noun: str) -> str:
    """Return a number and its noun: "1 policy", "2 policies", "3 new samples"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{number:,} {noun}s"


def plural(noun: str) -> str:
    """Return the plural of a noun, with the words before it: "storage box" -> "storage boxes"."""
    head, _, last = noun.rpartition(" ")
    irregular = {"dice": "dice", "knife": "knives", "shelf": "shelves"}
    regular = f"{last}es" if last.endswith(("s", "x", "z", "ch", "sh")) else f"{last}s"
    return f"{head} {irregular.get(last, regular)}".strip()
