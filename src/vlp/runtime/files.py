"""Files that are there whole or not at all; see `vlp.core.files`."""

from vlp.core.files import write_whole

__all__ = ["write_whole"]
