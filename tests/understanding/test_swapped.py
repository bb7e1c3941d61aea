"""A general model that errs: it takes another place or choice than was said, the opposite, or what was taken back."""

import pytest
from household import kept_from

from vlp.primitives.manifest import Argument, Primitive
from vlp.primitives.standard import make_manifest

POT = Argument("into", "choice", "Which.", choices=("pot", "bowl", "pan"))
CANTEEN = make_manifest(
    "canteen",
    (
        Primitive("go_to", "action", "Drive to the counter, the dock or the store.", (Argument("place", "place", "Where."),)),
        Primitive("pick_up", "action", "Take a thing into the hand.", (Argument("object", "text", "Which."),)),
        Primitive(
            "put_down", "action", "Put.", (Argument("object", "text", "Which."), Argument("where", "text", "Where."))
        ),
        Primitive(
            "dispense",
            "action",
            "Pour oil, milk or water into a vessel.",
            (
                Argument("what", "choice", "Which.", choices=("oil", "milk", "water")),
                POT,
                Argument("volume_l", "number", "How much.", required=False),
            ),
        ),
        Primitive("weigh_out", "action", "Weigh out flour.", (Argument("grams", "number", "How much."),)),
        Primitive("stir", "action", "Stir.", (Argument("duration_s", "number", "How long."),)),
        Primitive("open_pot", "action", "Lift the lid of the pot."),
        Primitive(
            "open_door", "action", "Open the door of the lab, the store or the office.",
            (Argument("room", "choice", "Which.", choices=("lab", "store", "office")),),
        ),
        Primitive("set_hood", "action", "Switch the hood.", (Argument("state", "choice", "Which.", choices=("on", "off")),)),
        Primitive("raise_lid", "action", "Raise the lid."),
        Primitive("lower_lid", "action", "Lower the lid."),
        Primitive("start_mixer", "action", "Start the mixer."),
        Primitive("stop_mixer", "action", "Stop the mixer."),
    ),
    places=("counter", "dock", "store"),
)  # fmt: skip


def _cases(lines: str) -> list[tuple[str, str]]:
    return [(said, steps) for said, _, steps in (line.strip().rpartition(" : ") for line in lines.strip().splitlines())]


SWAPPED = """
    go to the counter : go_to dock
    drive to the store : go_to dock
    open the store door : open_door lab
    open the door of the office : open_door lab
    pour oil into the pot : dispense oil/bowl
    pour oil into the pot : dispense milk/pot
    put the cup on the counter : put_down cup/dock
    take the cup to the counter : pick_up cup, go_to dock
    pour milk into the bowl and oil into the pot : dispense milk/bowl
"""
TAKEN = """
    go to the counter : go_to counter
    open the store door : open_door store
    pour oil into the pot : dispense oil/pot
    pick up the cup on the counter : pick_up cup
    bring the cup from the counter to the dock : pick_up cup, go_to dock, put_down cup/dock
    put the cup on the counter : put_down cup/counter
    pour milk into the bowl, not into the pot : dispense milk/bowl
    if there is oil in the pan, go to the dock : go_to dock
    pour milk into the bowl, not oil : dispense milk/bowl
    put the cup in the store : put_down cup/the store room
    don't forget to pour milk into the bowl : dispense milk/bowl
    would you mind opening the pot? : open_pot
    clear the counter : pick_up cup, put_down cup/sink
"""


@pytest.mark.parametrize(("said", "steps"), _cases(SWAPPED))
def test_another_place_or_choice_is_noticed(said: str, steps: str):
    """Against: all that a primitive could take explained the sentence, whatever its step said: all nine were carried out."""
    assert kept_from(said, steps, robot=CANTEEN).startswith("asked: Nothing in the policy")


@pytest.mark.parametrize(("said", "steps"), _cases(TAKEN))
def test_the_place_or_choice_that_was_said_is_taken(said: str, steps: str):
    assert kept_from(said, steps, robot=CANTEEN) == ""


def test_a_choice_that_is_forbidden_and_taken_is_noticed():
    assert kept_from("pour milk into the bowl, not oil", "dispense oil/bowl", robot=CANTEEN).startswith("asked:")


def test_another_room_of_a_house_is_noticed():
    assert kept_from("go to the kitchen", "go_to hall").startswith("asked: Nothing in the policy")


NO_ORDERS = """
    is the pot open? | why is the pot open? | can the pot be opened? | is there milk in the bowl? | where is the milk?
    the milk is in the bowl | milk? | is the pot open | what is in the pot | has the mixer stopped | where is the milk
    can you tell me if the pot is open?
    does the pot open? | open? | the pot was open | the pot is full | are you at the counter | hey robot, is the pot open?
    there is milk in the bowl | did you open the pot | how do you open the pot | my milk is on the counter
"""
ORDERS = """
    can you open the pot? : open_pot
    could you please open the pot? : open_pot
    hey robot, would you open the pot? : open_pot
    open the pot, please? : open_pot
    open the pot, will you? : open_pot
    the pot is to be opened : open_pot
    the pot should be open : open_pot
    I want the pot open : open_pot
    the pot is closed, open it : open_pot
    the milk is in the bowl, pour oil into the pot : dispense oil/pot
"""


@pytest.mark.parametrize("said", [one.strip() for line in NO_ORDERS.strip().splitlines() for one in line.split("|")])
def test_questions_and_reports_move_nothing(said: str):
    """Against: "is the pot open?" opened it, first and midway."""
    assert kept_from(said, "open_pot", robot=CANTEEN) in ("question", "nothing-asked")
    assert kept_from(said, "open_pot", "go to the dock", robot=CANTEEN) in ("question", "nothing-asked")


@pytest.mark.parametrize(("said", "steps"), _cases(ORDERS))
def test_requests_in_the_form_of_questions_and_reports_do(said: str, steps: str):
    assert kept_from(said, steps, robot=CANTEEN) == ""


TAKEN_BACK = """
    unlock the door, I mean lock it : unlock_door
    unlock the door I mean lock it : unlock_door
    go to the kitchen, no, the bedroom : go_to kitchen
    go to the kitchen no the bedroom : go_to kitchen
    go to the kitchen, sorry, the bedroom : go_to kitchen
    go to the kitchen, no, the bedroom : go_to kitchen, go_to bedroom
    turn on the oven, sorry, off : turn_on oven
    turn on the oven, I mean off : turn_on oven
    unlock the door, on second thought leave it : unlock_door
    unlock the door - actually lock it : unlock_door
    unlock the door, on second thought, water the fern : unlock_door, water_plant fern
    pick up the cup, no, the mug : pick_up cup
    put the cup in the sink, no, on the table : put_down cup/sink
    open the door, scratch that : open_door
    open the door, or rather close it : open_door
"""
CORRECTED = """
    unlock the door, I mean lock it : lock_door
    go to the kitchen, no, the bedroom : go_to bedroom
    turn on the oven, sorry, off : turn_off oven
    pick up the cup, no, the mug : pick_up mug
    put the cup in the sink, no, on the table : pick_up cup, put_down cup/table
    unlock the door, on second thought, water the fern : water_plant fern
    go to the kitchen, no rush : go_to kitchen
    no, go to the kitchen : go_to kitchen
    sorry, I mean the kitchen, go there : go_to kitchen
    go to the kitchen, no, to the bedroom : go_to bedroom
"""


@pytest.mark.parametrize(("said", "steps"), _cases(TAKEN_BACK))
def test_what_is_taken_back_in_the_same_sentence_is_not_done_at_once(said: str, steps: str):
    """Against: "unlock the door, I mean lock it" unlocked the door."""
    assert kept_from(said, steps)[:5] in ("asked", "stop")


@pytest.mark.parametrize(("said", "steps"), _cases(CORRECTED))
def test_what_it_is_corrected_to_is_done(said: str, steps: str):
    assert kept_from(said, steps) == ""


OPPOSITE = """
    lock the door : unlock_door
    please make sure the door is locked : unlock_door
    close the door : open_door
    shut the door : open_door
    open the door : close_door
    unlock the door : lock_door
    I want the oven off : turn_on oven
    lights out : turn_on lights
    put out the light : turn_on light
    make sure the oven is off : turn_on oven
    turn the lamp on the table off : turn_on lamp
    turn off the lamp on the table : turn_on lamp
    lock the door : lock_door, unlock_door
    put the cup down : pick_up cup
"""
OPPOSITE_THERE = """
    turn the hood off : set_hood on
    I want the hood on : set_hood off
    hood off, please : set_hood on
    lower the lid : raise_lid
    raise the lid : lower_lid
    start the mixer : stop_mixer
"""
NOT_OPPOSITE = """
    lock the door : lock_door
    lock the door : close_door, lock_door
    open the door : unlock_door, open_door
    put the cup on the table : pick_up cup, put_down cup/table
    put down the cup : pick_up cup, put_down cup/here
    if the door is locked, open it : unlock_door, open_door
    open the locked door : unlock_door, open_door
    turn off the lamp on the table : turn_off lamp
    go to the kitchen and turn on the lamp : go_to kitchen, turn_on lamp
    pick up the cup on the table : pick_up cup
    tidy up the kitchen : go_to kitchen, pick_up cup, put_down cup/sink
    I want the oven off : turn_off oven
    lights out : turn_off lights
"""


@pytest.mark.parametrize(("said", "steps"), _cases(OPPOSITE))
def test_the_opposite_is_noticed(said: str, steps: str):
    """Against: only "turn" and "switch" with "on" and "off" had opposites; "lock the door" let `unlock_door` pass."""
    assert kept_from(said, steps).startswith("asked:")


@pytest.mark.parametrize(("said", "steps"), _cases(OPPOSITE_THERE))
def test_the_opposite_choice_is_noticed(said: str, steps: str):
    assert kept_from(said, steps, robot=CANTEEN).startswith("asked:")


@pytest.mark.parametrize(("said", "steps"), _cases(NOT_OPPOSITE))
def test_what_was_said_is_no_opposite(said: str, steps: str):
    assert kept_from(said, steps) == ""


UNITS = """
    weigh out 50 g : weigh_out 50
    weigh out 50g of flour : weigh_out 50
    weigh out 1 kg : weigh_out 1000
    stir for 2 min : stir 120
    stir for 30 sec : stir 30
    pour 50 ml of oil into the pot : dispense oil/pot/0.05
"""


@pytest.mark.parametrize(("said", "steps"), _cases(UNITS))
def test_short_units_are_explained_by_the_argument_that_takes_them(said: str, steps: str):
    """Against: "Nothing in the policy explains 'g'"."""
    assert kept_from(said, steps, robot=CANTEEN) == ""


def test_other_units_and_amounts_are_not():
    assert "'kg'" in kept_from("stir 2 kg", "stir 2", robot=CANTEEN)
    assert "'50'" in kept_from("weigh out 50 g", "weigh_out 500", robot=CANTEEN)
