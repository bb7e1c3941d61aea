"""say: tell people something, out loud."""

from typing import Any

from vlp.sim.embodiments.actions.scope import Scope


def say(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Say `text`, and behind it `value`, what an earlier step read or was answered."""
    said = " ".join(str(arguments[name]) for name in ("text", "value") if arguments.get(name))
    letters_per_s = 15
    scope.motion.wait(len(said) / letters_per_s)
    return {"said": said}
