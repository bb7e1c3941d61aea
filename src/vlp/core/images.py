"""Images: read from files of any common kind, checked, and shown to a model at the size it wants."""

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import UsageError
from vlp.core.observation import Box

MAX_FILE_BYTES = 32 * 1024 * 1024
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")

Rgb = NDArray[np.uint8]


def read_image(path: str | Path) -> Rgb:
    """Return the image in a file as (height, width, 3) uint8, as `decode_image` does.

    Raises:
        UsageError: no such file, one that cannot be read, or not an image that `decode_image` takes.
    """
    file = Path(path)
    said = repr(str(file)[:300])
    try:
        if file.is_dir():
            raise UsageError(f"no image file at {said}: it is a folder.")
        if not file.is_file():
            raise UsageError(f"no image file at {said}.")
        size = file.stat().st_size
        data = file.read_bytes() if size <= MAX_FILE_BYTES else b""
    except OSError as error:
        raise UsageError(f"{said} cannot be read: {error.strerror}.") from None
    if size > MAX_FILE_BYTES:
        raise UsageError(f"{file.name!r} has {size:,} bytes; at most {MAX_FILE_BYTES:,} are read.", "Give a smaller image.")
    return decode_image(data, file.name)


def decode_image(data: bytes, name: str = "image") -> Rgb:
    """Return encoded image bytes as (height, width, 3) uint8, as a viewer shows them.

    The EXIF orientation and a colour profile are applied.

    Raises:
        UsageError: not an image in one of `FORMATS`, of a size that is not read, truncated, animated, partly transparent,
            or 16-bit grey.
    """
    return decode_noting(data, name)[0]


def decode_noting(data: bytes, name: str = "image") -> tuple[Rgb, str]:
    """Return what `decode_image` does, and why a plainer reader may take other pixels from these bytes, "" if none can.

    Raises:
        UsageError: as `decode_image`.
    """
    with _opened(data, name) as image:
        width, height = image.size
        check_size(width, height, name)
        _check_one_frame(image, name)
        turn = _turn(image)
        upright = image.transpose(turn) if turn is not None else image
        note = _note(image, turn)
        return np.asarray(_opaque(upright, name)), note


def _note(image: Any, turn: Any) -> str:
    if turn is not None:
        return "it is turned by an EXIF tag"
    if image.mode not in ("L", "RGB") or "transparency" in image.info:
        return f"it has the mode {image.mode}, not RGB or grey"
    return "it has a colour profile other than sRGB" if _profile(image) else ""


def check_size(width: int, height: int, name: str) -> None:
    """Raise a UsageError for a size of image that is not read."""
    least, most = min(width, height), max(width, height)
    if most > 8192 or width * height > 40_000_000 or least < 8:
        raise UsageError(
            f"{name!r} is {width} x {height} pixels; sides of 8 to 8,192 and at most 40,000,000 pixels are read.",
            "Resize it first.",
        )
    if most > 20 * least:
        raise UsageError(
            f"{name!r} is {width} x {height} pixels: one side is more than 20 times the other.", "Cut out what matters."
        )


def encode_png(rgb: Rgb) -> bytes:
    """Return an image as PNG bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="PNG")
    return buffer.getvalue()


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Any]:
    """Open encoded bytes; whatever goes wrong until the block ends is told as a UsageError."""
    from PIL import Image, UnidentifiedImageError

    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"{name!r} has {len(data):,} bytes; at most {MAX_FILE_BYTES:,} are read.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters of them is refused below, in a sentence
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                yield image
    except UsageError:
        raise
    except UnidentifiedImageError:
        raise _no_image(data, name) from None
    except Image.DecompressionBombError:
        raise UsageError(f"{name!r} has far more than 40,000,000 pixels.", "Resize it first.") from None
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        raise UsageError(
            f"{name!r} cannot be decoded: {str(error)[:200] or type(error).__name__}.", "Is the file truncated?"
        ) from None


def _no_image(data: bytes, name: str) -> UsageError:
    if not data:
        return UsageError(f"{name!r} is not an image: it is empty.", "Copy or download it again.")
    if is_pointer(data):
        return UsageError(f"{name!r} is a pointer of git-lfs, not the file itself.", "Fetch it with: git lfs pull")
    signatures = (
        (0, b"GIF8", "a GIF"),
        (0, b"II*\0", "a TIFF"),
        (0, b"MM\0*", "a TIFF"),
        (0, b"II+\0", "a TIFF"),
        (0, b"MM\0+", "a TIFF"),
        (4, b"ftypavif", "an AVIF"),
        (4, b"ftypavis", "an AVIF"),
        (4, b"ftyphei", "a HEIC"),
        (4, b"ftyphev", "a HEIC"),
        (4, b"ftypmif1", "a HEIC"),
        (4, b"ftypmsf1", "a HEIC"),
        (4, b"ftyp", "a video"),
        (8, b"AVI ", "a video"),
        (0, b"\x1a\x45\xdf\xa3", "a video"),
        (0, b"\0\0\0\x0cjP  ", "a JPEG 2000"),
        (0, b"\xff\x4f\xff\x51", "a JPEG 2000"),
        (0, b"\xff\x0a", "a JPEG XL"),
        (0, b"\0\0\0\x0cJXL ", "a JPEG XL"),
        (0, b"\x76\x2f\x31\x01", "an OpenEXR"),
        (0, b"\x93NUMPY", "a NumPy"),
        (0, b"%PDF", "a PDF"),
        (0, b"8BPS", "a Photoshop"),
        (0, b"\0\0\x01\0", "an icon"),
        (0, b"PK\x03\x04", "a zip"),
        (0, b"P5", "a PGM"),
        (0, b"P6", "a PPM"),
        (0, b"<svg", "an SVG"),
        (0, b"<?xml", "an XML"),
        (0, b"<!DOCTYPE", "an HTML"),
        (0, b"<html", "an HTML"),
    )
    found = next((kind for at, mark, kind in signatures if data[at:].startswith(mark)), "")
    if found:
        return UsageError(f"{name!r} is {found} file; {', '.join(FORMATS)} are read.", "Convert it to PNG first.")
    return UsageError(f"{name!r} is not an image this program reads.", f"Expected one of {', '.join(FORMATS)}.")


def is_pointer(data: bytes) -> bool:
    """Return whether bytes are what git-lfs leaves in place of a file that was not fetched."""
    return data.startswith(b"version https://git-lfs.github.com/spec/")


def _check_one_frame(image: Any, name: str) -> None:
    # A JPEG with several pictures (MPO) holds one picture and its preview or depth: viewers show the first.
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format in ("PNG", "WEBP"):
        raise UsageError(f"{name!r} is an animation of {frames} frames.", "Save the frame that is meant as a PNG.")


def _turn(image: Any) -> Any:
    """Return the `Transpose` that makes an image upright, or None."""
    from PIL import Image

    try:
        orientation = image.getexif().get(0x0112)  # the EXIF tag of that name
    except Exception:  # viewers show a picture whose EXIF part is damaged as it lies
        return None
    turns = ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")
    turned = isinstance(orientation, int) and 2 <= orientation <= 8  # 1 is upright
    return Image.Transpose[turns[orientation - 2]] if turned else None


def _opaque(image: Any, name: str) -> Any:
    """Return an image in RGB; one with pixels that let something through is refused, whatever colour lies under them."""
    if image.mode in ("I", "I;16", "I;16B", "I;16L"):
        hint = "Scale it to 8 bits first."
        raise UsageError(f"{name!r} is 16-bit grey: depth, or a picture whose range is not known.", hint)
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        clear = float((np.asarray(image.getchannel("A")) < 255).mean())
        if clear:
            said = f"{name!r} is transparent in {clear:.1%} of its pixels; what a person sees there depends on the background."
            raise UsageError(said, "Lay it on a background and save it without an alpha channel.")
    elif image.mode not in ("1", "L", "P", "RGB", "CMYK", "YCbCr"):
        raise UsageError(f"{name!r} has the mode {image.mode[:20]!r}.", "Save it as 8-bit RGB.")
    return _in_srgb(image).convert("RGB")


def _in_srgb(image: Any) -> Any:
    """Return an image with the colours that its profile gives it; one without a profile is taken for sRGB."""
    profile = _profile(image)
    if profile is None:
        return image
    from PIL import ImageCms

    image = image.convert("RGB") if image.mode in ("P", "RGBA") else image
    try:
        return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    except ImageCms.PyCMSError:
        return image  # viewers pass over a profile that is made for another kind of picture


def _profile(image: Any) -> Any:
    """Return the colour profile in an image, or None where there is none, a damaged one, or sRGB's own."""
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        return None if "sRGB" in ImageCms.getProfileDescription(profile) else profile
    except (KeyError, TypeError, ValueError, OSError, ImageCms.PyCMSError):
        return None


@dataclass(frozen=True)
class ImageView:
    """The size at which a model sees an image, and the numbers in which it writes places; by default as Qwen2.5-VL.

    Args:
        side_px: width and height of what it sees are multiples of this; 1 for any size.
        least_px, most_px: bounds on the pixels of what it sees; a smaller image is enlarged, a larger one made smaller.
        unit: "pixel" of the image as it sees it, or "thousandth" of the image's width and height.
        marks: what it is asked for: the "box" around a thing, or a "point" on it.
    """

    side_px: int = 28
    least_px: int = 56 * 56
    most_px: int = 28 * 28 * 16384
    unit: Literal["pixel", "thousandth"] = "pixel"
    marks: Literal["box", "point"] = "box"

    def seen_size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height, in pixels, of an image of this width and height as the model sees it.

        This is the rule of Qwen's image processor (`smart_resize` in transformers).
        """
        side, pixels = self.side_px, width * height
        columns, rows = round(width / side), round(height / side)
        if rows * columns * side * side > self.most_px:
            shrink = math.sqrt(pixels / self.most_px)
            columns, rows = (max(1, math.floor(n / shrink / side)) for n in (width, height))
        elif rows * columns * side * side < self.least_px:
            grow = math.sqrt(self.least_px / pixels)
            columns, rows = (math.ceil(n * grow / side) for n in (width, height))
        return columns * side, rows * side

    def to_image(self, box: Box, width: int, height: int) -> Box:
        """Return a box that the model wrote in pixels of an image of this width and height, cut off at its borders."""
        across, down = (1000, 1000) if self.unit == "thousandth" else self.seen_size(width, height)
        sx, sy = width / across, height / down
        x1, y1, x2, y2 = box

        def within(value: float, most: int) -> float:
            return min(max(value, 0.0), float(most))

        return within(x1 * sx, width), within(y1 * sy, height), within(x2 * sx, width), within(y2 * sy, height)
