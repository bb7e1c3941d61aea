"""A rover without a hand: it drives through a building, looks, measures, opens doors and reports.

vlp run "tell me the temperature in the lab" --robot examples.rover:Rover --model URL"""

from time import monotonic

import numpy as np

from vlp.core.observation import Observation, RobotState
from vlp.primitives.manifest import Argument, Limits, Place, Primitive
from vlp.primitives.standard import make_manifest
from vlp.robot.conformance import check_robot
from vlp.robot.skills import SkillFailed, SkillRobot

BEHIND = {"lab": "lab door", "store": "store door"}
AIR = {"dock": (20, 50), "hall": (19, 52), "kitchen": (24, 61), "lab": (21, 38), "store": (6, 70)}  # degrees Celsius, percent
DOOR = Argument("door", "choice", "Which one.", choices=tuple(BEHIND.values()))
SPEED = Argument("speed_m_s", "number", "How fast.", minimum=0.1, default=0.5, limit="base_speed_m_s")
QUANTITY = Argument("quantity", "choice", "What to measure.", choices=("temperature", "humidity"))
PRIMITIVES = (
    Primitive("go_to", "action", "Drive to a place; a closed door on the way stops the rover.",
              (Argument("place", "place", "Where to."), SPEED), makes=("at place",), example={"place": "dock"}),
    Primitive("open_door", "action", "Open a door, from the hall or from the room behind it.", (DOOR,), makes=("open door",)),
    Primitive("close_door", "action", "From the hall.", (DOOR,), needs=("open door", "at hall"), makes=("not open door",)),
    Primitive("look", "perception", "Say what is to be seen here.", result="answer"),
    Primitive("measure", "perception", "Measure the air here.", (QUANTITY,), result="reading"),
    Primitive("report", "action", "Tell the person something.", (Argument("message", "text", "What."),
              Argument("reading", "reference", "What was measured.", required=False, result="reading"))),
    Primitive("charge", "action", "Fill the battery; below 20 percent go_to takes only the dock.", needs=("at dock",)),
)  # fmt: skip
PLACES = ("dock", "hall", "kitchen", *(Place(room, doc=f"behind the {door}") for room, door in BEHIND.items()))
MANIFEST = make_manifest("rover", PRIMITIVES, PLACES, Limits(base_speed_m_s=1.0), results={"reading": {"value": "number"}})


class Rover(SkillRobot):
    simulated = ("at", "battery", "doors", "reports")  # for a rover with wheels, leave this out

    def __init__(self, pause_s: float = 0.1) -> None:
        super().__init__(MANIFEST)
        self.at, self.battery, self.doors = "dock", 100, dict.fromkeys(DOOR.choices, "closed")
        self.pause_s, self.reports = pause_s, []

    def observe(self) -> Observation:
        doors = {f"open {door}": how == "open" for door, how in self.doors.items()}
        state = RobotState(self.at, own={"battery_percent": self.battery}, facts=doors)
        return Observation(np.zeros((96, 96, 3), np.uint8), None, None, None, state, monotonic())

    def go_to(self, place: str, speed_m_s: float) -> None:
        closed = [d for d in (BEHIND.get(self.at), BEHIND.get(place)) if d and self.doors[d] == "closed"]
        if closed and place != self.at:
            raise SkillFailed("door-closed", f"the {closed[0]} is closed.")
        if self.battery < 20 and place != "dock":
            raise SkillFailed("battery-low", f"the battery has {self.battery} percent.")
        self.pause(self.pause_s / speed_m_s)
        self.at, self.battery = place, self.battery - 5

    def open_door(self, door: str, to: str = "open") -> None:
        if self.at != "hall" and BEHIND.get(self.at) != door:
            raise SkillFailed("out-of-reach", f"the {door} is out of reach from the {self.at}.")
        self.pause(self.pause_s)
        self.doors[door] = to

    def close_door(self, door: str) -> None:
        self.open_door(door, "closed")

    def look(self) -> str:
        return f"the {self.at}"

    def measure(self, quantity: str) -> dict:
        return {"value": AIR[self.at][quantity == "humidity"]}

    def report(self, message: str, reading: dict | None = None) -> None:
        self.reports.append([message, reading and reading["value"]])

    def charge(self) -> None:
        self.battery = 100


if __name__ == "__main__":
    print("conformance:", check_robot(Rover(pause_s=0)))
