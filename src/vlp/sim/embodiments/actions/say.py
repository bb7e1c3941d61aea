"""say: tell people something, out loud."""

from typing import Any

from vlp.sim.embodiments.actions.scope import Scope


def say(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Say `text`, and behind it `value`, what an earlier step found out, to `target` (a located person) or who commands."""
    said = " ".join(_words(arguments[name]) for name in ("text", "value") if arguments.get(name))
    letters_per_s = 15
    scope.motion.wait(len(said) / letters_per_s)
    return {"said": said}


def _words(value: Any) -> str:
    """Return what people say for a result: the name of what was located, the number that was counted."""
    if isinstance(value, dict):
        return str(value.get("phrase", value.get("count", "")))
    return str(value)
