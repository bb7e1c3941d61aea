"""ANYmal's motions: its legs step as its base is driven, and a force sensor in the wrist feels what the hand bears."""

from typing import Any

from vlp.sim.embodiments.anymal.body import leg_joints
from vlp.sim.embodiments.anymal.gait import Gait
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Motion


class AnymalMotion(Motion):
    """ANYmal's motions."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        x, y, yaw = (self.target[name] for name in Mechanics.base_joints)
        self.gait = Gait.standing((x, y, yaw))
        self._weight_n = 9.81 * float(self.model.body_subtreemass[self.model.body("j2s6s200_link_6").id])

    def moved(self, moves: dict[str, float]) -> None:
        """Let the legs follow the base to where it is told to be."""
        x, y, yaw = (self.target[name] for name in Mechanics.base_joints)
        self.gait.advance((x, y, yaw), self.tick_s)
        for leg, angles in self.gait.angles(self.target["base_height"]).items():
            for name, angle in zip(leg_joints(leg), angles, strict=True):
                self.lead(name, angle, angle - self.target[name])

    def settle(self) -> None:
        """Wait until all four feet stand where they belong and the joints have come to rest."""
        stepped, ramp_s = not self.gait.rests, 0.06
        while not self.gait.rests:
            self.tick(self.target.copy())
        if stepped:
            self.wait(ramp_s)  # the set points of a foot that has just come down are still on their way
        super().settle()

    def lift_force(self) -> float:
        """Return the upward force in newtons in the wrist, without the weight of the hand itself."""
        return self.wrist_force()[2] - self._weight_n

    def own_state(self) -> dict[str, Any]:
        """Return the gait."""
        return self.gait.to_json()

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Put back the gait."""
        self.gait = Gait.from_json(state)
