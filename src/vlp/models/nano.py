"""Where the embedded model's weights are."""

from pathlib import Path

from vlp.core.errors import MissingComponent

FOLDER = Path(__file__).parent / "nano"


def nano_folder() -> Path:
    """Return the folder of the shipped weights; raises MissingComponent when this installation has none."""
    if not (FOLDER / "model.safetensors").is_file():
        raise MissingComponent(
            "this installation has no weights of vlp-nano.", "Train them with `vlp train nano`, or name another model."
        )
    return FOLDER
