"""Write the English words that are one typing error away from a word of `english.toml`, and no typing errors.

    python tools/real_words.py /usr/share/dict/words [/usr/share/wordnet]

The word lists are those of Debian's `wamerican` and `wordnet-base` (Princeton WordNet 3.0); only single words that happen to
lie near a known one are kept. Without this list "cat" would be read as "cast" and "bean" as "been".
"""

import re
import sys
from pathlib import Path

from vlp.models.nano_names import NANO_NAMES
from vlp.understanding.lexicon import LEAST_LETTERS, Lexicon, neighbours

OUT = Path(__file__).parent.parent / "src" / "vlp" / "understanding" / "real_words.txt"


def main(dictionary: str, wordnet: str = "") -> None:
    """Read the dictionaries and write the words near a known one."""
    words = {w for w in Path(dictionary).read_text("utf-8").split() if re.fullmatch("[a-z]+", w)}
    for part in ("noun", "verb", "adj", "adv") if wordnet else ():
        lines = Path(wordnet, f"index.{part}").read_text("utf-8").splitlines()
        # Words of few senses are mostly rare ones, which may well be typing errors of common words.
        words |= {w for line in lines if re.fullmatch("[a-z]+", w := line.split(" ", 1)[0]) and int(line.split()[2]) > 1}
    known = Lexicon(NANO_NAMES).known
    near = {word for target in known if len(target) >= LEAST_LETTERS for word in neighbours(target)}
    kept = sorted((words & near) - known)
    OUT.write_text("\n".join(kept) + "\n")
    print(f"{len(kept):,} words of {len(words):,} are near one of {len(known):,} known ones: {OUT.name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
