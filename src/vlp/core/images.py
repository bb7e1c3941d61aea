"""Images in and out, with limits checked before anything is decoded."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import UsageError

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_SIDE_PX = 8192
MAX_PIXELS = 40_000_000
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")

Rgb = NDArray[np.uint8]


def read_image(path: str | Path) -> Rgb:
    """Return the image in a file as (height, width, 3) uint8.

    Raises:
        UsageError: no such file, too large, or not an image in one of `FORMATS`.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"no image file at {str(file)[:300]!r}.")
    size = file.stat().st_size
    if size > MAX_FILE_BYTES:
        raise UsageError(f"{file.name!r} has {size:,} bytes; at most {MAX_FILE_BYTES:,} are read.", "Give a smaller image.")
    return decode_image(file.read_bytes(), file.name)


def decode_image(data: bytes, name: str = "image") -> Rgb:
    """Return encoded image bytes as (height, width, 3) uint8; the header's size is checked before decoding.

    Raises:
        UsageError: not an image in one of `FORMATS`, too large, or truncated.
    """
    from PIL import Image, UnidentifiedImageError

    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"{name!r} has {len(data):,} bytes; at most {MAX_FILE_BYTES:,} are read.")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS or min(width, height) < 8:
                raise UsageError(
                    f"{name!r} is {width} x {height} pixels; sides of 8 to {MAX_SIDE_PX:,} and at most {MAX_PIXELS:,} "
                    "pixels are read.",
                    "Resize it first.",
                )
            return np.asarray(image.convert("RGB"))
    except UnidentifiedImageError:
        raise UsageError(f"{name!r} is not an image this program reads.", f"Expected one of {', '.join(FORMATS)}.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"{name!r} cannot be decoded: {error}.", "Is the file truncated?") from None


def encode_png(rgb: Rgb) -> bytes:
    """Return an image as PNG bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="PNG")
    return buffer.getvalue()
