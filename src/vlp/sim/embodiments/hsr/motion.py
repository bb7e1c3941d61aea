"""How the HSR's hand feels: by the motor of the lift that carries its arm."""

from typing import Any

from vlp.sim.embodiments.motion import Motion


class HsrMotion(Motion):
    """The HSR's motions."""

    def __init__(self, *args: Any) -> None:
        self._lift_speed = self._lift_acceleration = 0.0
        super().__init__(*args)

    def moved(self, moves: dict[str, float]) -> None:
        """Take note of how the lift is accelerated."""
        if "arm_lift_joint" in moves:
            speed = moves["arm_lift_joint"] / self.tick_s
            self._lift_acceleration = (speed - self._lift_speed) / self.tick_s
            self._lift_speed = speed

    def lift_force(self) -> float:
        """Return the force in newtons that the lift's motor exerts beyond what balances and accelerates the arm."""
        force = float(self.data.actuator_force[self._servo["arm_lift_joint"]])
        # Set points advance once per tick: at its end the servo is ahead by half a tick's way.
        ahead = self.mechanics.servos["arm_lift_joint"].stiffness * self._lift_speed * self.tick_s / 2
        lifted_kg = 6.2  # the arm, and a quarter of torso and head, which follow it at half its speed
        return force + ahead - lifted_kg * self._lift_acceleration
