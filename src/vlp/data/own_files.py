"""The files that a table names: those of its folder, however an operating system spells them, and none outside it."""

import os
import unicodedata
from pathlib import Path

from vlp.core.errors import UsageError, closest


class OwnFiles:
    """The files of a folder.

    Args:
        base: the folder; nothing outside it, by whatever way, is opened.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._listed: dict[Path, dict[str, str]] = {}

    def find(self, name: str, what: str) -> Path:
        """Return the file of a name.

        A name is the same in either form of Unicode (macOS takes letters and accents apart), and so is a path with
        backslashes, as Windows writes it.

        Args:
            name: as a table gives it, relative to the folder.
            what: the column it stands in.

        Raises:
            UsageError: no such file, or one outside the folder.
        """
        for spelled in dict.fromkeys((name, name.replace("\\", "/"))):
            for path in (self._inside(spelled, name, what), self._respelled(spelled, name, what)):
                if path is not None and os.path.isfile(path):
                    return path
        folder = f"{what}: {name[:120]!r} is a folder, not a file."
        if os.path.isdir(self._base / name):
            raise UsageError(folder)
        known = {there.lower(): there for there in self._names(self._base).values()}
        near = closest(name.replace("\\", "/").rpartition("/")[2].lower(), known)
        hint = f"Did you mean {known[near][:120]!r}?" if near else "Give the name of a file beside the table."
        raise UsageError(f"{what}: no file {name[:120]!r} in the folder.", hint)

    def _inside(self, spelled: str, name: str, what: str) -> Path:
        try:
            if len(name) > 1000:
                raise ValueError
            path = (self._base / spelled).resolve()
            inside = path.is_relative_to(self._base.resolve())
        except (OSError, ValueError, RuntimeError):
            raise UsageError(f"{what}: {name[:120]!r} is no file name.") from None
        if not inside:
            raise UsageError(f"{what}: {name[:120]!r} lies outside the folder.", "Give a file beside the table.")
        return path

    def _respelled(self, spelled: str, name: str, what: str) -> Path | None:
        """Return a path whose parts are the same text in another form of Unicode, or None."""
        parts = [part for part in spelled.split("/") if part not in ("", ".")]
        at = self._base
        for part in parts:
            found = self._names(at).get(unicodedata.normalize("NFC", part)) if part != ".." else None
            if found is None:
                return None
            at /= found
        return self._inside(str(at.relative_to(self._base)), name, what)

    def _names(self, folder: Path) -> dict[str, str]:
        """Return the names in a folder by their composed form; each folder is listed once."""
        if folder not in self._listed:
            self._listed[folder] = {}
            try:
                with os.scandir(folder) as entries:
                    names = [entry.name for entry, _ in zip(entries, range(200_000), strict=False)]
            except OSError:
                names = []
            self._listed[folder] = {unicodedata.normalize("NFC", name): name for name in names}
        return self._listed[folder]
