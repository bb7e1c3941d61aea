"""One plain picture in the kinds of file that people bring, each made here: what it shows, or why it is refused."""

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms

Pixels = np.ndarray
ORIENTATION = 0x0112
LOSSY_LEVELS = 6.0


def plain() -> Pixels:
    """Return a picture that no turn, mirror or exchange of channels leaves as it is."""
    rgb = np.full((72, 96, 3), (150, 140, 130), np.uint8)
    rgb[8:32, 8:40] = (200, 40, 30)
    rgb[40:64, 56:88] = (30, 60, 190)
    rgb[48:64, 8:24] = (40, 170, 60)
    rgb[:4] = (235, 230, 225)
    return rgb


def grey(rgb: Pixels) -> Pixels:
    return np.repeat(np.asarray(Image.fromarray(rgb).convert("L"))[..., None], 3, axis=2)


def saved(image: Any, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def lying(rgb: Pixels, orientation: int) -> Pixels:
    """Return the pixels that a camera stores together with an EXIF orientation, by what the standard says of each."""
    stored = {
        1: rgb,
        2: rgb[:, ::-1],
        3: rgb[::-1, ::-1],
        4: rgb[::-1],
        5: rgb.transpose(1, 0, 2),
        6: np.rot90(rgb, 1),
        7: rgb[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(rgb, -1),
    }[orientation]
    return np.ascontiguousarray(stored)


def exif(rgb: Pixels, orientation: int, kind: str = "JPEG", **options: Any) -> bytes:
    return saved(Image.fromarray(lying(rgb, orientation)), kind, exif=turned(orientation), **options)


def turned(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


def rgba(rgb: Pixels, alpha: int) -> Any:
    """Return the picture with a hidden colour under its upper part, which is covered by so much."""
    image = Image.fromarray(np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]), "RGBA")
    if alpha < 255:
        image.paste((255, 0, 255, alpha), (0, 0, rgb.shape[1], 20))
    return image


def palette(rgb: Pixels) -> Any:
    return Image.fromarray(rgb).quantize(16, dither=Image.Dither.NONE)


def swapped_profile() -> bytes:
    """Return a colour profile whose red is sRGB's green and the other way round, under another name."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = data.replace("sRGB".encode("utf-16-be"), "Demo".encode("utf-16-be"))
    head, tags = data[:128], data[128:]
    red, green = tags.index(b"rXYZ"), tags.index(b"gXYZ")
    swapped = bytearray(tags)
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    return head + bytes(swapped)


def frames(rgb: Pixels) -> list[Any]:
    return [Image.fromarray(rgb), Image.fromarray(rgb[::-1].copy())]


def deep(rgb: Pixels, factor: float, **options: Any) -> bytes:
    return saved(Image.fromarray((grey(rgb)[..., 0].astype(float) * factor).astype(np.uint16)), "PNG", **options)


def animation(rgb: Pixels, kind: str) -> bytes:
    first, second = frames(rgb)
    return saved(first, kind, save_all=True, append_images=[second])


@dataclass(frozen=True)
class Kind:
    """A file made from a picture.

    Args:
        make: picture -> bytes.
        refused: a word of the refusal; "" where the picture is read.
        suffix: of the file's name.
        is_grey: whether colour is lost, as it is for whoever looks at it.
        exact: whether every pixel must be the same, else within what JPEG changes.
    """

    make: Callable[[Pixels], bytes]
    refused: str = ""
    suffix: str = "png"
    is_grey: bool = False
    exact: bool = True

    def shows(self, rgb: Pixels, picture: Pixels) -> None:
        """Claim that pixels read are those of the picture."""
        expected = grey(picture) if self.is_grey else picture
        assert (rgb.shape, rgb.dtype) == (expected.shape, np.uint8)
        off = np.abs(rgb.astype(int) - expected)
        assert off.max() <= 1 if self.exact else off.mean() < LOSSY_LEVELS, off.mean()


def _exif_kinds() -> dict[str, Kind]:
    return {
        f"EXIF {n}": Kind(lambda rgb, n=n: exif(rgb, n, quality=95, subsampling=0), suffix="jpg", exact=False)
        for n in range(1, 9)
    }


KINDS: dict[str, Kind] = {
    **_exif_kinds(),
    "EXIF 6 in a PNG": Kind(lambda rgb: exif(rgb, 6, "PNG")),
    "EXIF 8 in a WEBP": Kind(lambda rgb: exif(rgb, 8, "WEBP", lossless=True), suffix="webp"),
    "damaged EXIF": Kind(lambda rgb: saved(Image.fromarray(rgb), "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")),
    "8-bit grey": Kind(lambda rgb: saved(Image.fromarray(rgb).convert("L"), "PNG"), is_grey=True),
    "alpha that covers all": Kind(lambda rgb: saved(rgba(rgb, 255), "PNG")),
    "grey with alpha that covers all": Kind(lambda rgb: saved(rgba(rgb, 255).convert("LA"), "PNG"), is_grey=True),
    "palette": Kind(lambda rgb: saved(palette(rgb), "PNG")),
    "palette, BMP": Kind(lambda rgb: saved(palette(rgb), "BMP"), suffix="bmp"),
    "CMYK": Kind(lambda rgb: saved(Image.fromarray(rgb).convert("CMYK"), "JPEG", quality=95), suffix="jpg", exact=False),
    "sRGB profile": Kind(
        lambda rgb: saved(
            Image.fromarray(rgb), "PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        )
    ),
    "another profile": Kind(
        lambda rgb: saved(Image.fromarray(rgb[..., [1, 0, 2]]), "PNG", icc_profile=swapped_profile()), exact=False
    ),
    "damaged profile": Kind(lambda rgb: saved(Image.fromarray(rgb), "PNG", icc_profile=b"no profile")),
    "PNG named .jpg": Kind(lambda rgb: saved(Image.fromarray(rgb), "PNG"), suffix="jpg"),
    "progressive JPEG named .png": Kind(
        lambda rgb: saved(Image.fromarray(rgb), "JPEG", progressive=True, quality=95), exact=False
    ),
    "two pictures in one JPEG": Kind(lambda rgb: animation(rgb, "MPO"), suffix="jpg", exact=False),
    "transparent": Kind(lambda rgb: saved(rgba(rgb, 0), "PNG"), "transparent in 27.8% of its pixels"),
    "half transparent WEBP": Kind(lambda rgb: saved(rgba(rgb, 128), "WEBP", lossless=True), "transparent", "webp"),
    "grey and transparent": Kind(lambda rgb: saved(rgba(rgb, 0).convert("LA"), "PNG"), "transparent"),
    "palette with a clear colour": Kind(lambda rgb: saved(palette(rgb), "PNG", transparency=0), "transparent"),
    "RGB with a clear colour": Kind(
        lambda rgb: saved(Image.fromarray(rgb), "PNG", transparency=(150, 140, 130)), "transparent"
    ),
    "16-bit grey": Kind(lambda rgb: deep(rgb, 257), "is 16-bit grey"),
    "16-bit depth": Kind(lambda rgb: deep(rgb, 12), "is 16-bit grey"),
    "8 bits in 16": Kind(lambda rgb: deep(rgb, 1), "is 16-bit grey"),
    "16-bit grey, turned": Kind(lambda rgb: deep(rgb, 257, exif=turned(6)), "is 16-bit grey"),
    "16-bit grey with a clear value": Kind(lambda rgb: deep(rgb, 257, transparency=7), "is 16-bit grey"),
    "APNG": Kind(lambda rgb: animation(rgb, "PNG"), "an animation of 2 frames"),
    "animated WEBP": Kind(lambda rgb: animation(rgb, "WEBP"), "an animation of 2 frames", "webp"),
    "GIF": Kind(lambda rgb: animation(rgb, "GIF"), "is a GIF file", "gif"),
    "TIFF": Kind(lambda rgb: saved(Image.fromarray(rgb), "TIFF"), "is a TIFF file", "tif"),
    "float TIFF": Kind(lambda rgb: saved(Image.fromarray(rgb[..., 0] / 255.0).convert("F"), "TIFF"), "is a TIFF file"),
    "HEIC": Kind(lambda rgb: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 64, "is a HEIC file", "heic"),
    "AVIF": Kind(lambda rgb: b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + b"\0" * 64, "is an AVIF file", "avif"),
    "cut off": Kind(lambda rgb: exif(rgb, 1)[:600], "cannot be decoded", "jpg"),
    "no bytes": Kind(lambda rgb: b"", "is empty"),
    "1 x 1": Kind(lambda rgb: saved(Image.fromarray(rgb[:1, :1]), "PNG"), "is 1 x 1 pixels"),
    "a long strip": Kind(lambda rgb: saved(Image.new("RGB", (8192, 8)), "PNG"), "is 8192 x 8 pixels"),
    "a bomb": Kind(lambda rgb: _bomb(20_000), "pixels"),
    "a mild bomb": Kind(lambda rgb: _bomb(10_000), "is 10000 x 10000 pixels"),
    "pointer": Kind(lambda rgb: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "a pointer of git-lfs"),
    "web page": Kind(lambda rgb: b"<!DOCTYPE html><title>Not found</title>", "is an HTML file"),
    "words": Kind(lambda rgb: b"no picture at all", "not an image"),
}


def _bomb(side: int) -> bytes:
    """Return a PNG that says it is a square of so many pixels a side, and has a few bytes."""
    data = bytearray(saved(Image.new("L", (8, 8)), "PNG"))
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)
