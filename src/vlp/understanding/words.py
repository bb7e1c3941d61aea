"""A sentence as words: case, apostrophes and contractions evened out, punctuation kept where it parts clauses."""

import re
import unicodedata

CONTRACTIONS = {
    "won't": "will not", "can't": "can not", "cannot": "can not", "shan't": "shall not", "ain't": "is not",
    "let's": "let us", "y'all": "you", "o'clock": "o'clock", "c'mon": "come on", "gonna": "going to", "wanna": "want to",
    "gotta": "have to", "gimme": "give me", "lemme": "let me", "dunno": "do not know", "dont": "do not",
    "doesnt": "does not", "didnt": "did not", "isnt": "is not", "arent": "are not", "wasnt": "was not",
    "shouldnt": "should not", "wouldnt": "would not", "couldnt": "could not", "mustnt": "must not", "neednt": "need not",
    "havent": "have not", "hasnt": "has not", "cant": "can not", "wont": "will not", "im": "i am", "id": "i would", 
    "teh": "the", "hte": "the",
    "donot": "do not", "dnt": "do not", "dnot": "do not", "cannt": "can not",
    "ive": "i have", "thats": "that is", "whats": "what is", "wheres": "where is", "hows": "how is", "lets": "let us",
    "pls": "please", "plz": "please", "plese": "please", "thx": "thanks", "u": "you", "ur": "your", "r": "are", "cud": "could",
}  # fmt: skip
"""Short forms, also as they are typed in a hurry, and what they stand for."""

ENDINGS = {"n't": " not", "'re": " are", "'ll": " will", "'ve": " have", "'d": " would", "'m": " am"}
IS = ("it", "that", "what", "where", "how", "who", "there", "here", "he", "she", "everything", "this", "something", "why")
"""Words behind which 's is "is"; behind others it is a possessive and drops off."""

WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*", re.UNICODE)
BREAKS = ",;:.!?"
"""Punctuation between clauses; dashes set off by spaces and brackets count as commas."""


def tokens(text: str) -> list[str]:
    """Return the words of a sentence in lower case, each mark of `BREAKS` as a token of its own, and all else one by one.

    Args:
        text: a cleaned instruction.
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    plain = re.sub("[’‘`´ʼ]", "'", plain)
    plain = re.sub(r"[\u2013\u2014]|\s--?\s|[()\n]|\.{2,}|…", " , ", plain)
    found: list[str] = []
    for piece in re.findall(rf"{WORD.pattern}|\d+(?:[.,]\d+)*|[^\s]", plain):
        found += _spelled_out(piece) if WORD.fullmatch(piece) else [] if piece == "'" else [piece]
    return found


def is_word(token: str) -> bool:
    """Return whether a token is a word of letters."""
    return WORD.fullmatch(token) is not None


def _spelled_out(word: str) -> list[str]:
    """Return a word without contractions: "don't" as "do not", "mug's" as "mug"."""
    if word in CONTRACTIONS:
        return CONTRACTIONS[word].split()
    for ending, spelled in ENDINGS.items():
        if word.endswith(ending) and len(word) > len(ending):
            return [*_spelled_out(word.removesuffix(ending)), *spelled.split()]
    if word.endswith("'s"):
        stem = word.removesuffix("'s")
        return [stem, "is"] if stem in IS else [stem]
    return [part for part in word.split("-") if part] if "-" in word else [word]
