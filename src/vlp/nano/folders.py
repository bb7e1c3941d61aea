"""Where the shipped weights are: those of nano, and of nano-base, which sees and answers but never saw a policy."""

from pathlib import Path

from vlp.core.errors import MissingComponent

WEIGHTS = Path(__file__).parent / "weights"


def shipped() -> Path:
    """Return the folder of nano's weights; raises MissingComponent when this installation has none."""
    return _checked("nano", "vlp train nano")


def shipped_base() -> Path:
    """Return the folder of nano-base's weights; raises MissingComponent when this installation has none."""
    return _checked("nano_base", "vlp train nano --no-policies")


def _checked(name: str, command: str) -> Path:
    folder = WEIGHTS / name
    if not (folder / "model.safetensors").is_file():
        raise MissingComponent(
            f"this installation has no weights of vlp-{name.replace('_', '-')}.",
            f"Train them with `{command}`, or name another model.",
        )
    return folder
