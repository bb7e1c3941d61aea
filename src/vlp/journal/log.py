"""SQLite's log of a journal (https://sqlite.org/fileformat2.html#walformat): whether anything written to it was damaged since.

SQLite reads the log up to the first frame that does not fit, and says nothing of what stands behind it.
"""

import struct
from pathlib import Path

FRAME_HEAD = 24


def log_fault(log: Path) -> str:
    """Return what is wrong with a log, "" where nothing is.

    What a killed process leaves is in order: frames without the end of their transaction, or a part of a frame. A log that was
    cut off between two frames cannot be told from one that was never longer.
    """
    try:
        data = log.read_bytes()
    except OSError:
        return ""
    if len(data) <= 32 + FRAME_HEAD:
        return ""
    magic, _, page = struct.unpack(">III", data[:12])
    order = ">" if magic & 1 else "<"
    sums = _sums(order, data[:24], (0, 0))
    if magic & ~1 != 0x377F0682 or sums != struct.unpack(">II", data[24:32]):
        return f"the beginning of {log.name} is damaged"
    salts, size = data[16:24], FRAME_HEAD + page
    frames = [data[at : at + size] for at in range(32, len(data) - size + 1, size)]
    for number, frame in enumerate(frames):
        sums = _sums(order, frame[:8] + frame[FRAME_HEAD:], sums)
        fits, same = sums == struct.unpack(">II", frame[16:24]), frame[8:16] == salts
        if fits and same:
            continue
        # Frames with other salts are left from before the log was begun anew, those without an end of their transaction from
        # one that failed, as on a full disk.
        ended = fits or any(later[8:16] == salts and later[4:8] != bytes(4) for later in frames[number:])
        return f"{log.name} is damaged, from its frame {number + 1} of {len(frames)} on" if ended else ""
    return ""


def _sums(order: str, data: bytes, before: tuple[int, int]) -> tuple[int, int]:
    """Return the running checksum of a log after more data."""
    a, b = before
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        a = (a + first + b) & 0xFFFFFFFF
        b = (b + second + a) & 0xFFFFFFFF
    return a, b
