"""Samples on disk, in a folder that people can read: `samples.jsonl`, `images/<sha256>.png` and `manifest.json`.

A sample exists once its line ends in a newline: images are written before the line, the line in one piece, and a piece
without its newline (a process was killed in the middle) is cut off by the next writer and passed over by readers.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from vlp.core.errors import UsageError, did_you_mean
from vlp.core.files import cannot_write, nearest, write_whole
from vlp.core.images import MAX_FILE_BYTES, Rgb, decode_image, decode_noting, encode_png
from vlp.data.sample import MAX_LINE_BYTES, SPLITS, Sample
from vlp.data.similar import Fingerprint, fingerprint
from vlp.primitives.manifest import Manifest

SAMPLES, MANIFEST = "samples.jsonl", "manifest.json"
FORMAT = {"format": "vlp-samples", "version": 1}
"""The first two entries of the manifest."""


class Store:
    """A folder of samples, open for reading.

    Args:
        folder: what a `StoreWriter` wrote.

    Attributes:
        folder: where it is.
        manifests: what each robot says of itself, by name.
        sealed: counts and hashes as the last writer left them.

    Raises:
        UsageError: no store there, or its `manifest.json` is not one of this version.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifests, self.sealed = _read_manifest(self.folder)
        self._fingerprints: dict[str, Fingerprint | None] = {}

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield (line number from 1, line) of `samples.jsonl`, one at a time; lines too long come cut off."""
        path = self.folder / SAMPLES
        if not path.is_file():
            return
        with path.open("rb") as file:
            for number in range(1, 10_000_001):
                line = file.readline(MAX_LINE_BYTES + 2)
                if not line:
                    return
                if not line.endswith(b"\n"):
                    if len(line) < MAX_LINE_BYTES + 2:
                        return  # never finished, so never there
                    while (rest := file.readline(1 << 20)) and not rest.endswith(b"\n"):
                        pass
                yield number, line.rstrip(b"\n")

    def samples(self, split: str = "") -> Iterator[Sample]:
        """Yield the samples in order, one at a time.

        Args:
            split: only those of one split; "" for all.

        Raises:
            UsageError: a line that is no sample, with its number.
        """
        if split and split not in SPLITS:
            raise UsageError(f"unknown split {split[:80]!r}.", did_you_mean(split, SPLITS))
        for number, line in self.lines():
            try:
                sample = Sample.from_json(line)
            except UsageError as error:
                raise UsageError(f"{SAMPLES}, line {number}: {error.message}", "`vlp data lint` lists every fault.") from None
            if not split or sample.split == split:
                yield sample

    def __iter__(self) -> Iterator[Sample]:
        return self.samples()

    def __len__(self) -> int:
        """Return the number of finished lines."""
        return sum(1 for _ in self.lines())

    def manifest(self, robot: str) -> Manifest:
        """Return the manifest of a robot; raises UsageError for one that the store does not know."""
        if robot not in self.manifests:
            raise UsageError(f"no manifest of robot {robot[:80]!r} in {MANIFEST}.", did_you_mean(robot, self.manifests))
        return self.manifests[robot]

    def image_path(self, sha256: str) -> Path:
        """Return the file of an image; raises UsageError for anything but 64 hexadecimal digits."""
        return _image_path(self.folder, sha256)

    def image_bytes(self, sha256: str) -> bytes:
        """Return the PNG of an image after its hash has been checked; raises UsageError when it is not what it was."""
        path = self.image_path(sha256)
        if not path.is_file():
            raise UsageError(f"image {path.name} is missing.", "`vlp data lint` lists every fault.")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"image {path.name} has more than {MAX_FILE_BYTES:,} bytes.")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise UsageError(f"image {path.name} does not fit its hash: truncated, altered or exchanged.")
        return data

    def image(self, sample: Sample, number: int = 0) -> Rgb:
        """Return an image of a sample as (height, width, 3) uint8, its hash checked."""
        return decode_image(self.image_bytes(sample.images[number]), f"image of {sample.id}")

    def fingerprint(self, sample: Sample) -> Fingerprint | None:
        """Return the perceptual hash of a sample's first image, None when it cannot be read; each is made once."""
        first = sample.images[0]
        if first not in self._fingerprints:
            try:
                self._fingerprints[first] = fingerprint(self.image(sample))
            except UsageError:
                self._fingerprints[first] = None
        return self._fingerprints[first]


class StoreWriter:
    """Adds samples to a folder, one process at a time; use it in a `with` block.

    Args:
        folder: made when missing.
        manifests: what the robots say of themselves, by name; those that the folder holds already are kept.

    Attributes:
        ids: of every sample in the folder.

    Raises:
        UsageError: another process is writing it, a robot's manifest is another than the one there, or the folder holds
            something else.
        MissingComponent: it cannot be written.
    """

    def __init__(self, folder: str | Path, manifests: Mapping[str, Manifest] | None = None) -> None:
        self.folder = Path(folder)
        self._counts: Counter[str] = Counter()
        try:
            _check_ours(self.folder)
            (self.folder / "images").mkdir(parents=True, exist_ok=True)
            self._lock = _hold(self.folder)
        except OSError as error:
            raise cannot_write(self.folder, error) from None
        try:
            self.manifests = _merged(self.folder, manifests or {})
            self._file = (self.folder / SAMPLES).open("ab")
            self.ids = self._recover()
            self.seal()
        except OSError as error:
            os.close(self._lock)
            raise cannot_write(self.folder, error) from None
        except BaseException:
            os.close(self._lock)
            raise

    def add_image(self, image: Rgb | bytes) -> str:
        """Write an image unless it is there already, and return its hash.

        Args:
            image: pixels, or an encoded image that `vlp.core.images` reads; what is not a plain PNG is encoded anew.
        """
        if isinstance(image, bytes):
            pixels, note = decode_noting(image)
            data = image if image.startswith(b"\x89PNG\r\n") and not note else encode_png(pixels)
        else:
            data = encode_png(image)
        sha256 = hashlib.sha256(data).hexdigest()
        path = _image_path(self.folder, sha256)
        if not path.is_file() or path.stat().st_size != len(data):
            write_whole(path, data)
        return sha256

    def add(self, sample: Sample) -> bool:
        """Write a sample; False when one of that id is there already; raises as `add_all` does."""
        return bool(self.add_all([sample]))

    def add_all(self, samples: Sequence[Sample]) -> int:
        """Write samples, all or none, and return how many were not there already.

        Raises:
            UsageError: an image has not been added, or a robot has no manifest here.
            MissingComponent: they could not be written; the file is as before.
        """
        new = {sample.id: sample for sample in samples if sample.id not in self.ids}
        lines = b"".join(self._line(sample) for sample in new.values())
        end = os.fstat(self._file.fileno()).st_size
        try:
            self._file.write(lines)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), end)
            raise cannot_write(self.folder, error) from None
        for sample in new.values():
            self._note(sample)
        return len(new)

    def _line(self, sample: Sample) -> bytes:
        if sample.robot not in self.manifests:
            hint = did_you_mean(sample.robot, self.manifests)
            raise UsageError(f"no manifest of robot {sample.robot!r} in the store.", hint)
        for sha256 in sample.images:
            if not _image_path(self.folder, sha256).is_file():
                raise UsageError(f"image {sha256} of {sample.id} has not been added.")
        line = json.dumps(sample.to_json(), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        if len(line) > MAX_LINE_BYTES:
            raise UsageError(f"sample {sample.id} has {len(line):,} bytes; at most {MAX_LINE_BYTES:,} fit.")
        return line

    def seal(self) -> None:
        """Write counts and hashes to `manifest.json`."""
        whole = self.folder / SAMPLES
        data = {
            **FORMAT,
            "counts": {"samples": len(self.ids), **{k: self._counts[k] for k in sorted(self._counts)}},
            "files": {SAMPLES: {"sha256": _file_hash(whole), "bytes": whole.stat().st_size}},
            "images": "images/<SHA-256 of the file>.png",
            "robots": {name: manifest.to_json() for name, manifest in sorted(self.manifests.items())},
        }
        write_whole(self.folder / MANIFEST, json.dumps(data, indent=1, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Seal the folder and let go of it."""
        try:
            self.seal()
        finally:
            self._file.close()
            os.close(self._lock)

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _recover(self) -> set[str]:
        """Cut off a last line without its newline, and return the ids of all others."""
        self.ids: set[str] = set()
        end = 0
        with (self.folder / SAMPLES).open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    self._note(Sample.from_json(line))
                except UsageError as error:
                    raise UsageError(
                        f"{SAMPLES}, line {number}: {error.message}", "Mend or delete that line, then go on."
                    ) from None
                end += len(line)
        if os.fstat(self._file.fileno()).st_size > end:
            os.ftruncate(self._file.fileno(), end)
        return self.ids

    def _note(self, sample: Sample) -> None:
        self.ids.add(sample.id)
        self._counts[sample.split] += 1


def merge(out: str | Path, folders: Sequence[str | Path]) -> int:
    """Copy the samples of folders into another, and return how many were new.

    Raises:
        UsageError: a folder is no store, an image is damaged, or a sample is still set aside for correction.
    """
    stores = [Store(folder) for folder in folders]
    waiting = [sample.id for store in stores for sample in store if "set_aside" in sample.source]
    if waiting:
        raise UsageError(
            f"{len(waiting)} samples are still set aside, {waiting[0]} first.",
            'Correct their policies and delete "set_aside" from their sources.',
        )
    added = 0
    for store in stores:
        with StoreWriter(out, store.manifests) as writer:
            for sample in store:
                for sha256 in sample.images:
                    if writer.add_image(store.image_bytes(sha256)) != sha256:
                        raise UsageError(f"an image of {sample.id} is no plain PNG.", "`vlp data lint` tells why.")
                added += writer.add(sample)
    return added


def _image_path(folder: Path, sha256: str) -> Path:
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise UsageError(f"{sha256[:80]!r} is not the name of an image.", "Expected 64 hexadecimal digits.")
    return folder / "images" / f"{sha256}.png"


def _check_ours(folder: Path) -> None:
    """Refuse a folder that holds something else."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{str(folder)[:300]!r} is a file.", "Give a folder.")
    ours = (SAMPLES, MANIFEST, "images", ".lock")
    if folder.is_dir() and any(folder.iterdir()) and not any((folder / name).exists() for name in ours):
        raise UsageError(f"{str(folder)[:300]!r} holds something else than samples.", "Give a new folder.")


def _hold(folder: Path) -> int:
    """Take the lock that makes one process the writer; the system drops it when that process dies."""
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise UsageError(f"another process is writing {str(folder)[:300]!r}.", "Wait for it to end, or stop it.") from None
    return lock


def _merged(folder: Path, manifests: Mapping[str, Manifest]) -> dict[str, Manifest]:
    there = _read_manifest(folder)[0] if (folder / MANIFEST).is_file() else {}
    for name, manifest in manifests.items():
        if name in there and there[name].version != manifest.version:
            raise UsageError(
                f"the samples there are for version {there[name].version} of robot {name!r}, not {manifest.version}.",
                "Write to a new folder.",
            )
    return {**manifests, **there}


def _read_manifest(folder: Path) -> tuple[dict[str, Manifest], dict[str, Any]]:
    path = folder / MANIFEST
    if not os.path.isfile(path):  # of a name that no file system takes, too
        hint = nearest(folder) or "Make some: `vlp data collect`."
        raise UsageError(f"no samples at {str(folder)[:300]!r}: {MANIFEST} is missing.", hint)
    if path.stat().st_size > 4 << 20:
        raise UsageError(f"{str(path)[:300]!r} is larger than {4 << 20:,} bytes.")
    try:
        data = json.loads(path.read_bytes())
        for key, expected in FORMAT.items():
            if data[key] != expected:
                raise ValueError(f"{key} {repr(data[key])[:40]}, expected {expected!r}")
        return {name: Manifest.from_json(m) for name, m in data["robots"].items()}, data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{str(path)[:300]!r} is no manifest of samples: {str(error)[:200]}.") from None


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
