"""Write which English words may mean what a robot's own word says: `src/vlp/understanding/synonyms.txt`.

    python tools/synonyms.py /usr/share/wordnet

The senses are those of Debian's `wordnet-base` (Princeton WordNet 3.0), which lists them by how often they are met. A line
holds a word, a colon, and the words that say the same, or something narrower: "go: drive walk ...". Both sides are taken in
their common senses alone; without that "take" means "shoot", and every verb some other. A verb with a particle has a line
of its own: "turn_on: switch".
"""

import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

LICENCE = """This software and database is being provided to you, the LICENSEE, by
Princeton University under the following license.  By obtaining, using
and/or copying this software and database, you agree that you have
read, understood, and will comply with these terms and conditions.:

Permission to use, copy, modify and distribute this software and
database and its documentation for any purpose and without fee or
royalty is hereby granted, provided that you agree to comply with
the following copyright notice and statements, including the disclaimer,
and that the same appear on ALL copies of the software, database and
documentation, including modifications that you make for internal
use or for distribution.

WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved.

THIS SOFTWARE AND DATABASE IS PROVIDED "AS IS" AND PRINCETON
UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES, EXPRESS OR
IMPLIED.  BY WAY OF EXAMPLE, BUT NOT LIMITATION, PRINCETON
UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES OF MERCHANT-
ABILITY OR FITNESS FOR ANY PARTICULAR PURPOSE OR THAT THE USE
OF THE LICENSED SOFTWARE, DATABASE OR DOCUMENTATION WILL NOT
INFRINGE ANY THIRD PARTY PATENTS, COPYRIGHTS, TRADEMARKS OR
OTHER RIGHTS.

The name of Princeton University or Princeton may not be used in
advertising or publicity pertaining to distribution of the software
and/or database.  Title to copyright in this software, database and
any associated documentation shall at all times remain with
Princeton University and LICENSEE agrees to preserve same."""
OUT = Path(__file__).parent.parent / "src" / "vlp" / "understanding" / "synonyms.txt"
PARTS = (("noun", "n"), ("verb", "v"), ("adj", "a"))
HEAD_SENSES, OTHER_SENSES = {"n": 2, "v": 2, "a": 1}, {"n": 3, "v": 3, "a": 2}
NARROW = 12  # a sense with more narrower ones says too little for one of them to mean it; motion is motion
MOTION = 38
PARTICLE = "(_(up|down|on|off|out))?"
# Files of WordNet: animals, artifacts, communication, food, plants, substances; verbs of the body, of change, of using up, of
# contact, making, motion, perception and having.
ABOUT = {"n": {5, 6, 10, 13, 20, 27}, "v": {29, 30, 34, 35, 36, MOTION, 39, 40}, "a": {0}}
At = tuple[str, str]


@dataclass(frozen=True)
class Synset:
    """One sense: its words, the senses above it, the attributes that it is a value of, and its file."""

    words: list[str]
    above: list[At]
    values: list[At]
    file: int


def synsets(folder: Path) -> dict[At, Synset]:
    """Return every synset by part of speech and offset."""
    found = dict[At, Synset]()
    for part, kind in PARTS:
        for line in (folder / f"data.{part}").read_text("latin-1").splitlines():
            if line.startswith(" "):
                continue
            fields = line.split(" | ")[0].split()
            count = int(fields[3], 16)
            words = [re.sub(r"\(\w+\)$", "", fields[4 + 2 * i]).lower() for i in range(count)]
            at = 5 + 2 * count
            pointers = [fields[at + 4 * i : at + 4 * i + 3] for i in range(int(fields[at - 1]))]
            above = [(to, offset) for sign, offset, to in pointers if sign == "@" and to == kind]
            values = [(to, offset) for sign, offset, to in pointers if sign == "="]
            found[kind, fields[0]] = Synset(words, above, values, int(fields[1]))
    return found


def ranks(folder: Path) -> tuple[dict[tuple[str, str, str], int], set[At]]:
    """Return how common each sense of a word is, the first one 1, and the words that the counted texts have."""
    rank, met = dict[tuple[str, str, str], int](), set[At]()
    for part, kind in PARTS:
        for line in (folder / f"index.{part}").read_text("latin-1").splitlines():
            fields = line.split()
            if not line.startswith(" "):
                senses, tagged = fields[-int(fields[2]) :], int(fields[-int(fields[2]) - 1])
                rank |= {(kind, fields[0], offset): i + 1 for i, offset in enumerate(senses)}
                met |= {(kind, fields[0])} if int(tagged) else set()
    return rank, met


def main(folder: str) -> None:
    """Read WordNet and write the words."""
    known, (rank, met) = synsets(Path(folder)), ranks(Path(folder))
    below = defaultdict[At, list[At]](list)
    for at, sense in known.items():
        for other in sense.above:
            below[other].append(at)
    said = defaultdict[str, set[str]](set)

    def common(at: At, senses: dict[str, int]) -> set[str]:
        words = {word for word in known[at].words if re.fullmatch(f"[a-z]{{2,}}{PARTICLE}", word)}
        return {word for word in words if rank.get((at[0], word, at[1]), 99) <= senses[at[0]]}

    for at, sense in known.items():
        for attribute in sense.values:  # "how warm is it" asks for the temperature
            for head in common(attribute, HEAD_SENSES):
                said[head] |= common(at, OTHER_SENSES)
        if at[0] == "a" or sense.file not in ABOUT[at[0]]:
            continue
        wide = sense.file != MOTION and len(below[at]) > NARROW
        near = [] if wide else below[at]
        near = near + [one for one in sense.above if at[0] == "n" and len(below[one]) <= 2 * NARROW]
        others = {word for one in near for word in common(one, OTHER_SENSES) if (at[0], word) in met}
        for head in common(at, HEAD_SENSES):
            if (at[0], head) not in met:
                continue
            # Of the words for a word's first sense it matters little which is their own first: a "picture" is a photo.
            first = rank.get((at[0], head, at[1])) == 1
            said[head] |= (others | common(at, dict.fromkeys("nva", 99)) if first else common(at, OTHER_SENSES)) - {head}
    verbs = {head: {re.sub("_.*", "", word) for word in words} - {re.sub("_.*", "", head)} for head, words in said.items()}
    lines = [f"{head}: {' '.join(sorted(words))}" for head, words in sorted(verbs.items()) if words]
    head = [f"# {line}".rstrip() for line in f"Made from WordNet 3.0 by tools/synonyms.py.\n\n{LICENCE}".splitlines()]
    OUT.write_text("\n".join([*head, *lines]) + "\n")
    print(f"{len(lines):,} words, {OUT.stat().st_size:,} bytes: {OUT.name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
