"""From names to sentences about the home, and the data files that both directions read."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from random import Random
from typing import Any

from vlp.sim.language.phrasings import Phrasings
from vlp.sim.language.wording import pieces
from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.people import first_names
from vlp.sim.worlds.home.tasks.goals import relation_of, takes, told_place, vessels


def sentence(family: str, about: Mapping[str, str], rng: Random, split: str, section: str = "families") -> str:
    """Return a sentence of a family of tasks, or of a kind of change.

    Args:
        family: a row of the section.
        about: what each slot is about.
        rng: the source of chance.
        split: "train", or "test" for phrasings that are never trained on.
        section: "families" of tasks.toml, or "changes" of changes.toml.
    """
    template = rng.choice(templates(section)[family].of(split))
    said = []
    for slot, choices in pieces(template.removeprefix("!")):
        relation = relation_of(about.get("place", ""))
        options = choices or ([relation, f"{relation}to"] if slot == "onto" else [names(slot)[about[slot]]])
        said.append(rng.choice(options))
    text = "".join(said)
    if not template.startswith("!") and rng.random() < 0.4:
        text = rng.choice(rows("around")["polite"]).replace("{t}", text)
    return text if rng.random() < 0.5 else text[0].upper() + text[1:] + "."


@cache
def names(slot: str) -> Mapping[str, str]:
    """Return what a slot of a sentence may be about, with the words for it."""
    known = {
        "thing": {name: f"the {name}" for name in products()},
        "place": {name: f"the {told_place(name)}" for name in takes()},
        "person": {name: name for name in first_names()},
        "source": {name: f"the {name}" for name in vessels() if products()[name].shape == "cup"},
        "vessel": {name: f"the {name}" for name in vessels()},
    }
    return known[slot] if slot in known else rows(slot)


@cache
def templates(section: str = "families") -> Mapping[str, Phrasings]:
    """Return the templates of sentences by family of tasks, or by kind of change for "changes"."""
    return {name: Phrasings(tuple(row["train"]), tuple(row["test"])) for name, row in rows(section).items()}


@cache
def rows(section: str) -> dict[str, Any]:
    """Return a section of tasks.toml or changes.toml as it is written; "inside" and "number" are rows of words."""
    folder, data = resources.files("vlp.sim.worlds.home.tasks"), dict[str, Any]()
    for file in ("tasks.toml", "changes.toml"):
        data |= tomllib.loads(folder.joinpath(file).read_text("utf-8"))
    return data[section] if section in data else data["words"][section]
