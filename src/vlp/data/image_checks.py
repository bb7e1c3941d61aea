"""Checks of image files, by their hashes."""

import hashlib
from collections.abc import Iterator

from vlp.core.errors import UsageError
from vlp.core.images import MAX_FILE_BYTES, decode_image
from vlp.data.fault import Fault
from vlp.data.sample import Sample
from vlp.data.store import Store


class Images:
    """Every image is there, is what its name says, and can be decoded."""

    def __init__(self) -> None:
        self._looked: dict[str, tuple[str, str]] = {}
        self._asked: dict[str, list[str]] = {}
        self._content: dict[str, str] = {}

    def look(self, sample: Sample, store: Store) -> Iterator[Fault]:
        """Remember whose images they are, and look at each file once; its faults are told at the end."""
        for sha256 in sample.images:
            self._asked.setdefault(sha256, []).append(sample.id)
            if sha256 not in self._looked:
                self._looked[sha256] = self._fault(sha256, store)
        return iter(())

    def end(self) -> Iterator[Fault]:
        """Yield `missing-image`, `large-image`, `swapped-image`, `truncated-image`, `altered-image`, `broken-image`."""
        for sha256, (code, message) in self._looked.items():
            other = self._asked.get(self._content.get(sha256, ""))
            if code in ("altered-image", "truncated-image") and other:
                code, message = "swapped-image", f"its image {sha256[:12]} holds the image of {other[0]}."
            for sample in self._asked[sha256] if code else ():
                yield Fault(sample, code, message, "Restore the file from where the samples came from.")

    def _fault(self, sha256: str, store: Store) -> tuple[str, str]:
        path = store.image_path(sha256)
        if not path.is_file():
            return "missing-image", f"its image {path.name} is missing."
        if path.stat().st_size > MAX_FILE_BYTES:
            return "large-image", f"its image has {path.stat().st_size:,} bytes; at most {MAX_FILE_BYTES:,}."
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        broken = _broken(data)
        if found != sha256:
            self._content[sha256] = found
            if broken:
                return "truncated-image", f"its image {path.name} is cut off or damaged: {broken}"
            return "altered-image", f"its image {path.name} is another than was written: hash {found[:12]}."
        return ("broken-image", f"its image cannot be decoded: {broken}") if broken else ("", "")


def _broken(data: bytes) -> str:
    """Return why PNG bytes cannot be decoded whole, "" when they can."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "it is not a PNG file."
    if b"IEND" not in data[-16:]:
        return "its end is missing."
    try:
        decode_image(data)
    except UsageError as error:
        return error.message
    return ""
