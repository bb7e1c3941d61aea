"""Checks of image files, by their hashes."""

import hashlib
from collections.abc import Iterator

import numpy as np

from vlp.core.errors import UsageError
from vlp.core.images import MAX_FILE_BYTES, Rgb, decode_noting
from vlp.data.fault import DataFault
from vlp.data.sample import Sample
from vlp.data.store import Store


class Images:
    """Every image is there, is what its name says, can be decoded, and shows something, the same to every reader."""

    def __init__(self) -> None:
        self._looked: dict[str, tuple[str, str]] = {}
        self._asked: dict[str, list[str]] = {}
        self._content: dict[str, str] = {}

    def look(self, sample: Sample, store: Store) -> Iterator[DataFault]:
        """Remember whose images they are, and look at each file once; its faults are told at the end."""
        for sha256 in sample.images:
            self._asked.setdefault(sha256, []).append(sample.id)
            if sha256 not in self._looked:
                self._looked[sha256] = self._fault(sha256, store)
        return iter(())

    def end(self) -> Iterator[DataFault]:
        """Yield `missing-image`, `large-image`, `swapped-image`, `truncated-image`, `altered-image`, `broken-image`,
        `unlike-shown-image`, `blank-image`.
        """
        for sha256, (code, message) in self._looked.items():
            other = self._asked.get(self._content.get(sha256, ""))
            if code in ("altered-image", "truncated-image") and other:
                code, message = "swapped-image", f"its image {sha256[:12]} holds the image of {other[0]}."
            hint = "Restore the file from where the samples came from."
            if code in ("unlike-shown-image", "blank-image"):
                hint = "Import the picture again from its own file."
            for sample in self._asked[sha256] if code else ():
                yield DataFault(sample, code, message, hint)

    def _fault(self, sha256: str, store: Store) -> tuple[str, str]:
        path = store.image_path(sha256)
        if not path.is_file():
            return "missing-image", f"its image {path.name} is missing."
        if path.stat().st_size > MAX_FILE_BYTES:
            return "large-image", f"its image has {path.stat().st_size:,} bytes; at most {MAX_FILE_BYTES:,}."
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        broken, rgb, note = _looked_into(data)
        if found != sha256:
            self._content[sha256] = found
            if broken:
                return "truncated-image", f"its image {path.name} is cut off or damaged: {broken}"
            return "altered-image", f"its image {path.name} is another than was written: hash {found[:12]}."
        if rgb is None:
            return "broken-image", f"its image cannot be read: {broken}"
        if note:
            return "unlike-shown-image", f"readers may not agree on its image: {note}."
        blank = _blank(rgb)
        return ("blank-image", f"its image shows nothing: {blank}.") if blank else ("", "")


def _looked_into(data: bytes) -> tuple[str, Rgb | None, str]:
    """Return why PNG bytes cannot be read, their pixels, and why another reader may take other ones from them."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "it is not a PNG file.", None, ""
    if b"IEND" not in data[-16:]:
        return "its end is missing.", None, ""
    try:
        return "", *decode_noting(data)
    except UsageError as error:
        return error.message, None, ""


def _blank(rgb: Rgb) -> str:
    """Return why a picture is blank, as 16-bit values cut off at 255 are, "" when it is not."""
    few = rgb[::8, ::8].reshape(-1, 3)
    usual = np.median(few, axis=0)
    share = float((few == usual).all(axis=1).mean())
    return f"{share:.1%} of its pixels have one colour" if share >= 0.99 else ""
