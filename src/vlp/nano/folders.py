"""Where the weights of the embedded models are: nano, and nano-base, which sees and answers but never saw a policy."""

from pathlib import Path

from vlp.core.errors import MissingComponent

FOLDER = Path(__file__).parent / "weights" / "nano"
BASE_FOLDER = Path(__file__).parent / "weights" / "nano_base"


def nano_folder() -> Path:
    """Return the folder of nano's shipped weights; raises MissingComponent when this installation has none."""
    return _shipped(FOLDER, "vlp-nano", "vlp train nano")


def nano_base_folder() -> Path:
    """Return the folder of nano-base's shipped weights; raises MissingComponent when this installation has none."""
    return _shipped(BASE_FOLDER, "vlp-nano-base", "vlp train nano --no-policies")


def _shipped(folder: Path, name: str, command: str) -> Path:
    if not (folder / "model.safetensors").is_file():
        raise MissingComponent(
            f"this installation has no weights of {name}.", f"Train them with `{command}`, or name another model."
        )
    return folder
