"""Commands of a household: every kind is drawn, speaks of what is there, and is clear."""

from random import Random

import pytest

from vlp.sim.language.household.command import Command
from vlp.sim.language.household.household import Belonging, Household, Resident
from vlp.sim.language.household.parts import most
from vlp.sim.language.household.sample import kinds, sample_command
from vlp.sim.language.phrasings import phrasings

FLAT = Household(
    rooms={"kitchen": ["kitchen table", "cabinet", "bin"], "living room": ["sofa", "shelf", "side table"]},
    takes={"kitchen table": "on", "cabinet": "in", "bin": "in", "shelf": "on", "side table": "on"},
    things=[
        Belonging("cereal box", "food", "kitchen table", (0.2, 0.06, 0.3), 0.5),
        Belonging("striped mug", "dish", "kitchen table", (0.08, 0.08, 0.1), 0.3),
        Belonging("cola", "drink", "kitchen table", (0.06, 0.06, 0.12), 0.35),
        Belonging("milk", "drink", "kitchen table", (0.07, 0.07, 0.2), 1.0),
        Belonging("juice", "drink", "shelf", (0.06, 0.06, 0.2), 0.8),
        Belonging("apple", "fruit", "side table", (0.07, 0.07, 0.07), 0.15),
    ],
    residents=[
        Resident("Anna", "living room", "sofa", "sitting", "waving", "red shirt"),
        Resident("Ben", "living room", "shelf", "standing", "", "blue shirt"),
        Resident("Cleo", "kitchen", "cabinet", "standing", "pointing to the left", "red shirt"),
    ],
    absent={"banana": "fruit", "sponge": "cleaning supply"},
)


def drawn(kind: str, n: int = 60, split: str = "train", impossible: float = 0.0) -> list[Command]:
    rng = Random(f"{kind} {split}")
    found = [sample_command(FLAT, rng, "test" if split == "test" else "train", kind, impossible) for _ in range(n)]
    assert None not in found
    return [one for one in found if one]


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("split", ["train", "test"])
def test_every_kind_is_said_in_full(kind: str, split: str) -> None:
    for command in drawn(kind, split=split):
        assert [part.do for part in command.parts] == kinds()[kind]
        assert not command.cannot
        assert not set("{}[]|") & set(command.sentence)
        for part in command.parts:
            told = [about for slot, about in part.about.items() if slot in ("thing", "from", "place", "room", "to")]
            assert all(name in command.sentence for name in told), command


def test_persons_are_told_apart() -> None:
    for command in drawn("find a person and tell") + drawn("greet"):
        about = command.parts[0].about
        assert len(FLAT.persons(about["room"], about["person"])) == 1


def test_what_is_compared_has_one_answer() -> None:
    for command in drawn("compare things") + drawn("compare things of a category"):
        about = command.parts[0].about
        things = [t for t in FLAT.at(about["from"]) if about.get("category", t.category) == t.category]
        assert most(things, about["most"]) is not None
    same = [Belonging(name, "drink", "shelf", (0.06, 0.06, 0.12), 0.35) for name in ("cola", "fanta")]
    assert most(same, "heaviest") is None


def test_what_is_not_there_is_known_to_be_impossible() -> None:
    for command in drawn("take and put", impossible=1.0):
        assert command.parts[0].about["thing"] in FLAT.absent
        assert command.parts[0].about["thing"] in command.cannot


def test_a_thing_is_not_put_where_it_was() -> None:
    for command in drawn("take and put"):
        assert command.parts[0].about["from"] != command.parts[1].about["to"]


def test_phrasings_of_test_are_no_phrasings_of_training() -> None:
    for section in ("parts", "words", "topics", "poses", "gestures"):
        for name, said in phrasings("household", section).items():
            assert not set(said.train) & set(said.test), (section, name)


def test_a_seed_gives_the_same_commands() -> None:
    first, again = ([sample_command(FLAT, rng) for _ in range(20)] for rng in (Random(3), Random(3)))
    assert first == again
