"""Files that are there whole or not at all."""

import os
from pathlib import Path

from vlp.core.errors import MissingComponent


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file by way of a temporary one beside it; what was there before stays until the new one is complete.

    Raises:
        MissingComponent: it could not be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise MissingComponent(
            f"cannot write {str(path)!r}: {error.strerror}.", "Is there space on the disk?"
        ) from None
