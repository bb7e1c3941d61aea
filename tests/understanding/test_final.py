"""Whether somebody asked for a deed that cannot be undone, and for all that it is done with."""

import pytest

from vlp.understanding.final import Deed, swapped, unasked

DOCS = {
    "order_pizza": "Order a pizza.",
    "buy": "Buy something online.",
    "dispense": "Pour an ingredient into a place.",
    "send_mail": "Send a mail to somebody.",
    "unlock_door": "Unlock the front door.",
    "flush_line": "Flush the waste line.",
    "print_label": "Print labels.",
}
ROBOT = [*DOCS, "lock_door", "go_to", "turn_on", "turn_off", "say", "pick_up", "open_lid", "open_hood", "move_vial"]
VIALS = frozenset({"red vial", "blue vial", "green vial"})
CHEMICALS = frozenset({"acetone", "ethanol", "sulfuric acid", "water"})


def deed(do: str, *phrases: str, amounts: dict[str, float] | None = None) -> Deed:
    """Return a deed of a kitchen."""
    names = ("what", "into") if do == "dispense" else ("to", "message") if do == "send_mail" else ("what",)
    return Deed(do, DOCS[do], dict(zip(names, phrases, strict=False)), amounts or {}, texts=frozenset({"message"}))


def dose(chemical: str, volume_ml: float, vial: str) -> Deed:
    """Return a deed of a laboratory."""
    named = {"chemical": chemical, "vial": vial}
    rivals = {"chemical": CHEMICALS, "vial": VIALS}
    return Deed("dispense", "Let a chemical out of the dispenser into a vial.", named, {"volume_ml": volume_ml}, rivals)


FLUSH, LABEL = (
    deed("flush_line"),
    Deed("print_label", DOCS["print_label"], {"text": "fragile"}, {"count": 2}, texts=frozenset({"text"})),
)
ONE = "dispense 5 ml of acetone into the red vial"
TWO = f"{ONE} and 20 ml of water into the blue vial"
A5, W20 = dose("acetone", 5, "red vial"), dose("water", 20, "blue vial")

ASKED = {
    ("order_pizza",): (
        "order a pizza", "I want a pizza", "one more pizza please", "could you please order a pizza", "can we have a pizza",
        "go to the kitchen and order us a pizza", "don't forget to order a pizza", "order it", "a pizza, please",
    ),
    ("buy", "milk"): ("buy milk", "get some milk"),
    ("dispense", "rice", "pot"): (
        "put 50 grams of rice into the pot", "pour rice into the pot", "dispense rice and salt into the pot",
    ),
    ("unlock_door",): ("unlock the door",),
    ("send_mail", "Anna", "I am late"): ("send Anna a mail that I am late",),
    ("flush_line",): ("flush the line", "go home and flush the line", "flush", "you can flush the line now"),
}  # fmt: skip
NOT_ASKED = {
    ("order_pizza",): (
        "we have too much pizza", "I already ordered a pizza", "turn on the lamp, the pizza is here", "I love pizza",
        "enough pizza", "why pizza", "where is the pizza", "no one wants pizza", "too late for pizza", "keep order",
        "thanks, the pizza was great", "the pizza is on its way", "is it ok to order pizza", "put the cups in order",
        "cancel the pizza and turn on the lamp", "go to the kitchen, I already ordered a pizza", "pick up the pizza box",
    ),
    ("buy", "milk"): ("we have too much milk", "throw the milk away", "milk?", "is there milk"),
    ("dispense", "milk", "bowl"): (
        "the milk is in the bowl", "there is milk in the bowl", "where is the milk?", "is there milk in the bowl?", "milk?",
        "pour milk",
    ),
    ("send_mail", "boss", "I quit"): ("send Anna a mail that I am late",),
    ("flush_line",): (
        "water the basil", "flush the line? no way", "sorry, flush the line was wrong", "it is too soon to flush the line",
        "flush the line, or not", "say flush the line", "say that the line is flushed", "maybe flush the line",
        "the line could be flushed", "flush the other line", "flush the line was my first idea",
        "if the hood is open, flush the line",
        "flush the line unless it is full", "after flushing the line, open the hood", "undo flushing the line",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "said"), [(name, text) for name, texts in ASKED.items() for text in texts])
def test_a_deed_that_was_asked_for_needs_no_question(name: tuple[str, ...], said: str) -> None:
    """Only the primitive's own verb counted: "put 50 grams of rice into the pot" was declined by a robot that pours."""
    assert unasked([said], [deed(*name)], ROBOT) == ""


@pytest.mark.parametrize(("name", "said"), [(name, text) for name, texts in NOT_ASKED.items() for text in texts])
def test_who_only_names_the_thing_asks_for_no_deed(name: tuple[str, ...], said: str) -> None:
    """The thing alone counted: "we have too much pizza" ordered one, and "where is the milk?" poured it out."""
    assert unasked([said], [deed(*name)], ROBOT)


@pytest.mark.parametrize(
    ("said", "deeds"),
    [
        (ONE, [A5]),
        (TWO, [A5, W20]),
        (TWO, [W20, A5]),
        ("dispense 5 ml of acetone into the red vial, then dispense 20 ml of water into the blue vial", [A5, W20]),
        (f"{ONE} twice", [A5, A5]),
        ("put 5 ml of the acid into the red vial", [dose("sulfuric acid", 5, "red vial")]),
        ("dispense 1,5 ml of acetone into the red vial", [dose("acetone", 1.5, "red vial")]),
        ("dispense .5 ml of acetone into the red vial", [dose("acetone", 0.5, "red vial")]),
        ("dispense fifty ml of acetone into the red vial", [dose("acetone", 50, "red vial")]),
        ("dispense 0.05 l of acetone into the red vial", [dose("acetone", 50, "red vial")]),
        ("print two labels saying fragile", [LABEL]),
        ("please print 2 labels that say fragile", [LABEL]),
    ],
)
def test_each_deed_has_an_order_of_its_own(said: str, deeds: list[Deed]) -> None:
    assert unasked([said], deeds, ROBOT) == ""


@pytest.mark.parametrize(
    ("said", "deeds"),
    [
        (ONE, [A5, A5]),
        (ONE, [A5] * 10),
        (ONE, [A5, dose("acetone", 5, "blue vial")]),
        (ONE, [dose("ethanol", 5, "red vial")]),
        (TWO, [dose("acetone", 20, "red vial"), dose("water", 5, "blue vial")]),
        (TWO, [dose("acetone", 5, "blue vial"), dose("water", 20, "red vial")]),
        (TWO, [dose("water", 5, "red vial"), dose("acetone", 20, "blue vial")]),
        (TWO, [A5, W20, dose("water", 20, "red vial")]),
        (f"{ONE} and move the blue vial to the hood", [dose("acetone", 5, "blue vial")]),
        ("dispense -5 ml of acetone into the red vial", [A5]),
        ("dispense 5 drops of acetone into the red vial", [A5]),
        ("dispense 5 liters of acetone into the red vial", [A5]),
        ("dispense a few ml of acetone into the red vial", [dose("acetone", 90, "red vial")]),
        ("dispense another ml of acetone into the red vial", [dose("acetone", 90, "red vial")]),
        ("dispense less than 5 ml of acetone into the red vial", [A5]),
        ("dispense acetone into a red vial", [dose("acetone", 1, "red vial")]),
        ("dispense acetone into the red vial 3 times", [dose("acetone", 3, "red vial")]),
        ("heat the plate to 80 and flush the line", [FLUSH, FLUSH]),
        ("flush the line and go to the dock", [FLUSH, FLUSH]),
        ("flush is off", [FLUSH]),
        ("print two labels that say fragile", [LABEL, LABEL]),
        ("print a label that says fragile", [LABEL]),
    ],
)
def test_amounts_things_and_places_belong_to_their_own_order(said: str, deeds: list[Deed]) -> None:
    """Any number counted as "several": ten doses for one; and what was swapped between two orders passed."""
    assert unasked([said], deeds, ROBOT)


@pytest.mark.parametrize(
    "later",
    [
        "cancel that and open the hood", "open the hood instead", "no, open the hood", "forget the acetone, open the hood",
        "never mind, open the hood", "change of plan: open the hood", "open the hood",
        "dispense 3 ml of water into the blue vial",
    ],
)  # fmt: skip
def test_what_a_later_sentence_replaces_was_not_asked_for(later: str) -> None:
    """ "cancel that and open the hood" let the dose out all the same."""
    assert unasked([ONE, later], [A5], ROBOT)


PEOPLE = frozenset({"Mrs Brown", "Mr Green", "Mrs Hill"})
KINDS = frozenset({"aspirin", "paracetamol", "sleeping tablet"})
NURSING = [*ROBOT, "give_tablet", "call_nurse"]


def tablet(who: str = "Mrs Brown", kind: str = "aspirin", count: int = 1) -> Deed:
    named, rivals = {"to": who, "kind": kind}, {"to": PEOPLE, "kind": KINDS}
    return Deed("give_tablet", "Give out a tablet.", named, {"count": count}, rivals)


@pytest.mark.parametrize(
    ("said", "given"),
    [
        ("give Mrs Brown an aspirin in room 1", tablet()),
        ("please give Mr Green two aspirins", tablet("Mr Green", count=2)),
        ("could you give Mrs Hill a sleeping tablet", tablet("Mrs Hill", "sleeping tablet")),
    ],
)
def test_a_tablet_goes_to_whom_it_was_to_go(said: str, given: Deed) -> None:
    assert unasked([said], [given], NURSING) == ""


@pytest.mark.parametrize(
    ("said", "given"),
    [
        ("give Mrs Brown an aspirin in room 3", tablet(count=3)),
        ("give Mrs Brown in room 2 an aspirin", tablet(count=2)),
        ("give Mrs Brown one aspirin in room 2", tablet(count=2)),
        ("give Mrs Brown an aspirin at 3 o'clock", tablet(count=3)),
        ("give Mrs Brown an aspirin from dispenser 2", tablet(count=2)),
        ("give everyone but Mrs Brown an aspirin", tablet()),
        ("give Mr Brown an aspirin", tablet()),
        ("give Mrs Greenfield an aspirin", tablet("Mr Green")),
        ("give Mrs Brown, who is sleeping, a tablet", tablet(kind="sleeping tablet")),
        ("take the aspirin away from Mrs Brown", tablet()),
        ("throw away Mrs Brown's aspirin", tablet()),
        ("put Mrs Brown's aspirin back", tablet()),
        ("return the aspirin to Mrs Brown", tablet()),
        ("order the aspirin for Mrs Brown", tablet()),
        ("give Mrs Brown an aspirin or call a nurse", tablet()),
        ("the nurse said: give Mrs Brown an aspirin", tablet()),
    ],
)
def test_a_tablet_that_goes_elsewhere_was_not_asked_for(said: str, given: Deed) -> None:
    """A room's number was a dose, another name of the same family the person, and any verb with the tablet gave it."""
    assert unasked([said], [given], NURSING)


@pytest.mark.parametrize(
    "later",
    [
        "she's unconscious", "that's the wrong person", "wrong tablet", "the other tablet", "she is allergic",
        "she is asleep",
        "the nurse will do that", "too soon", "the tablets are expired", "she has taken it", "sorry, I meant Mr Green",
        "light on please",
    ],
)  # fmt: skip
def test_whatever_else_is_said_later_leaves_no_order_standing(later: str) -> None:
    """ "She is allergic" was an instruction, and the tablet of the one before it was given."""
    assert unasked(["give Mrs Brown an aspirin", later], [tablet()], NURSING)


@pytest.mark.parametrize("later", ["one", "just one", "make it one", "one will do", "I meant one", "no, one"])
def test_a_later_amount_is_the_amount(later: str) -> None:
    """After "just one" two were given."""
    said = ["give Mrs Brown two aspirins", later]
    assert unasked(said, [tablet(count=2)], NURSING) and unasked(said, [tablet(count=1)], NURSING) == ""


MOVE_BOTH = "move the red vial to the hood and the blue vial to the rack"
PLACES = frozenset({"rack", "hood", "sharps bin"})


@pytest.mark.parametrize(
    ("said", "vial", "place", "odd"),
    [
        (MOVE_BOTH, "red vial", "hood", ""),
        (MOVE_BOTH, "blue vial", "rack", ""),
        (MOVE_BOTH, "blue vial", "hood", "blue vial"),
        ("move the red vial to the hood", "red vial", "hood", ""),
        ("tidy up the vials", "red vial", "rack", ""),
        ("bring the red vial from the rack to the hood", "red vial", "rack", ""),
        ("move both vials to the hood", "blue vial", "hood", ""),
    ],
)
def test_what_another_order_names_is_no_step_of_this_one(said: str, vial: str, place: str, odd: str) -> None:
    """ "The red vial to the hood and the blue one to the rack" was carried out the other way round."""
    rivals = {"vial": VIALS, "place": PLACES}
    step = Deed("move_vial", "Move a vial to a place.", {"vial": vial, "place": place}, rivals=rivals)
    assert swapped([said], step, ROBOT) == odd
    assert swapped(["go to the dock", said], step, ROBOT) == odd, "after another instruction it was not compared"


def test_what_a_later_sentence_adds_to_stands() -> None:
    assert unasked([ONE, "and open the hood too"], [A5], ROBOT) == ""
    assert unasked([ONE, "do it slowly"], [A5], ROBOT) == ""
    assert unasked([ONE, "no, the blue one"], [dose("acetone", 5, "blue vial")], ROBOT) == ""
    assert unasked([ONE, "no, the blue one"], [A5], ROBOT)
    assert (
        unasked([ONE, "only 3 ml"], [A5], ROBOT) and unasked([ONE, "only 3 ml"], [dose("acetone", 3, "red vial")], ROBOT) == ""
    )


@pytest.mark.parametrize(
    "later",
    [
        "undo dispensing acetone into the red vial", "the acetone is dispensed, open the hood",
        "after dispensing the acetone into the red vial, open the hood",
        "say that you dispensed 5 ml of acetone into the red vial",
        "move the red vial you dispensed acetone into to the hood", "dispense 5 ml of ethanol into the blue vial",
    ],
)  # fmt: skip
def test_who_speaks_of_what_was_done_does_not_ask_for_it_again(later: str) -> None:
    """A dose that was out was let out once more: "after dispensing the acetone, open the hood"."""
    assert unasked([later], [A5], ROBOT)


def bin_it(thing: str) -> Deed:
    rivals = {"vial": VIALS, "place": frozenset({"rack", "hood", "sharps bin"})}
    return Deed("move_vial", "Move a vial to a place.", {"vial": thing}, rivals=rivals, place="sharps bin")


@pytest.mark.parametrize(
    ("said", "thing", "asked"),
    [
        ("move the red vial to the sharps bin", "red vial", True),
        ("move the red vial to the sharps bin", "blue vial", False),
        ("move the blue vial to the rack and the red vial to the sharps bin", "blue vial", False),
        ("move the blue vial to the rack and the red vial to the sharps bin", "red vial", True),
        ("move the red vial to the rack, the sharps bin is full", "red vial", False),
        ("move the red vial from the sharps bin to the rack", "red vial", False),
        ("throw all vials away", "blue vial", True),
        ("throw the red and the blue vial away", "red vial", True),
        ("throw the red and the blue vial away", "green vial", False),
        ("pick up the red vial and throw it away", "red vial", True),
        ("clear the rack", "green vial", True),
        ("move the red vial to the hood", "red vial", False),
    ],
)
def test_only_what_was_sent_there_goes_to_a_final_place(said: str, thing: str, asked: bool) -> None:
    """Another vial than the one that was named went into the bin, too."""
    assert (unasked([said], [bin_it(thing)], ROBOT) == "") is asked
