"""Whether somebody spoke of a deed that cannot be undone, and of all that it is done with."""

import pytest

from vlp.understanding.final import says_several, spoken_of, unmeasured, unnamed

DOCS = {
    "order_pizza": "Order a pizza.",
    "buy": "Buy something online.",
    "dispense": "Pour an ingredient into a place.",
    "send_mail": "Send a mail to somebody.",
    "unlock_door": "Unlock the front door.",
}
ROBOT = [*DOCS, "lock_door", "go_to", "turn_on", "turn_off", "say", "pick_up", "open_lid"]
ASKED = {
    ("order_pizza",): (
        "order a pizza", "I want a pizza", "one more pizza please", "could you please order a pizza", "can we have a pizza",
        "go to the kitchen and order us a pizza", "don't forget to order a pizza", "order it", "a pizza, please",
    ),
    ("buy", "milk"): ("buy milk", "get some milk"),
    ("dispense", "rice", "pot"): ("put 50 grams of rice into the pot", "pour rice into the pot"),
    ("unlock_door",): ("unlock the door",),
    ("send_mail", "Anna", "I am late"): ("send Anna a mail that I am late",),
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
    ),
}  # fmt: skip


@pytest.mark.parametrize(("deed", "said"), [(deed, text) for deed, texts in ASKED.items() for text in texts])
def test_a_deed_that_was_asked_for_needs_no_question(deed: tuple[str, ...], said: str) -> None:
    """Only the primitive's own verb counted: "put 50 grams of rice into the pot" was declined by a robot that pours."""
    assert spoken_of(deed[0], deed[1:], DOCS[deed[0]], [said], ROBOT)


@pytest.mark.parametrize(("deed", "said"), [(deed, text) for deed, texts in NOT_ASKED.items() for text in texts])
def test_who_only_names_the_thing_asks_for_no_deed(deed: tuple[str, ...], said: str) -> None:
    """The thing alone counted: "we have too much pizza" ordered one, and "where is the milk?" poured it out."""
    assert not spoken_of(deed[0], deed[1:], DOCS[deed[0]], [said], ROBOT)


def test_what_nobody_named_is_found() -> None:
    """Beside the mail that was asked for, another one was sent: to the boss, "I quit"; "pour milk" went into the bowl."""
    said = ["send Anna a mail that I am late"]
    assert unnamed(said, ["boss", "I quit"]) == ["boss", "I quit"]
    assert unnamed(said, ["Anna", "I will be late"]) == []
    assert unnamed(["pour milk"], ["milk", "bowl"]) == ["bowl"]


@pytest.mark.parametrize(
    ("said", "what", "given", "odd"),
    [
        ("pour milk into the bowl", "milk", {"grams": 300}, ["grams 300"]),
        ("pour 50 g of milk into the bowl", "milk", {"grams": 50}, []),
        ("pour 0.05 kg of milk into the bowl", "milk", {"amount_g": 50.0}, []),
        ("pour two litres of milk", "milk", {"volume_ml": 2000}, []),
        ("pour two litres of milk", "milk", {"volume_ml": 2}, ["volume ml 2"]),
        ("pour 50 g of rice and 20 g of salt into the pot", "rice", {"grams": 20}, ["grams 20"]),
        ("pour 50 g of rice and 20 g of salt into the pot", "salt", {"grams": 20}, []),
        ("pour some rice and 20 g of salt", "rice", {"grams": 20}, []),
        ("pour a few ml of milk", "milk", {"volume_ml": 5}, []),
        ("order a pizza", "pizza", {"count": 1}, []),
        ("order a pizza", "pizza", {"count": 3}, ["count 3"]),
        ("order three pizzas", "pizza", {"count": 3}, []),
        ("feed the cat", "cat", {"warm": True}, []),
    ],
)
def test_an_amount_that_nobody_said_of_the_thing_is_found(said: str, what: str, given: dict, odd: list[str]) -> None:
    """ "pour milk" poured 300 g, and "50 g of rice and 20 g of salt" poured 20 g of rice."""
    assert unmeasured([said], [what], given) == odd


def test_a_number_is_a_number_of_deeds() -> None:
    assert says_several("two pizzas") and says_several("feed the cat twice") and not says_several("order a pizza")
