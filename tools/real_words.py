"""Write the English words that are one typing error away from a word of `english.toml`, and no typing errors.

    python tools/real_words.py /usr/share/dict/words [/usr/share/wordnet]

The word lists are those of Debian's `wamerican` and `wordnet-base` (Princeton WordNet 3.0); only single words that happen to
lie near a known one are kept. Without this list "cat" would be read as "cast" and "bean" as "been".
"""

import re
import sys
from pathlib import Path

from vlp.nano.names import NAMES
from vlp.understanding.lexicon import LEAST_LETTERS, Lexicon, denial_spellings, neighbours

OUT = Path(__file__).parent.parent / "src" / "vlp" / "understanding" / "real_words.txt"


def lemmas(word: str) -> set[str]:
    """Return what a word may be a regular form of."""
    found = {word}
    for ending in ("s", "es", "d", "ed", "ing", "er", "est", "ly", "ies", "ied"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word.removesuffix(ending)
            found |= {stem, stem + "e", stem + "y", stem[:-1]}
    return found


def main(dictionary: str, wordnet: str = "") -> None:
    """Read the dictionaries and write the words near a known one."""
    seen: dict[str, int] = {}
    words = {w for w in Path(dictionary).read_text("utf-8").split() if re.fullmatch("[a-z]+", w)}
    for part in ("noun", "verb", "adj", "adv") if wordnet else ():
        for fields in (line.split() for line in Path(wordnet, f"index.{part}").read_text("utf-8").splitlines()):
            if re.fullmatch("[a-z]+", fields[0]):
                seen[fields[0]] = seen.get(fields[0], 0) + int(fields[5 + int(fields[3])])
    # "suer" and "hod" are words, too, and sooner typing errors: kept is what occurs in the texts whose senses WordNet counts.
    met = {w for w in words if not seen or any(seen.get(lemma, 0) for lemma in lemmas(w))}
    met |= {w for w, count in seen.items() if count}
    lexicon = Lexicon(NAMES)
    names = {w for target in (*lexicon.kinds, *lexicon.colours, *lexicon.places) for w in neighbours(target)}
    near = {w for target in lexicon.known if len(target) >= LEAST_LETTERS for w in neighbours(target)} | denial_spellings()
    # What would be taken for a name must be no word at all: "coke" is no "come", but it is no "cube" either.
    kept = sorted(((met & near) | (words & names)) - lexicon.known)
    OUT.write_text("\n".join(kept) + "\n")
    print(f"{len(kept):,} words of {len(words):,} are near one of {len(lexicon.known):,} known ones: {OUT.name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
