"""Images are read as a viewer shows them, or refused in a sentence."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_kinds import KINDS, exif, lying, plain, saved
from PIL import Image

from vlp.core.errors import UsageError
from vlp.core.images import decode_image, decode_noting, encode_png, read_image


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_read_as_it_is_shown_or_refused_by_name(kind: str) -> None:
    """Against: EXIF passed over, 16-bit grey taken for white or black, colours under alpha shown, a traceback over 8192 x 8."""
    made, picture = KINDS[kind], plain()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if not made.refused:
            made.shows(decode_image(made.make(picture), "x"), picture)
            return
        with pytest.raises(UsageError, match=r"^'x' ") as error:
            decode_image(made.make(picture), "x")
    assert made.refused in error.value.message and "\n" not in str(error.value)


def test_what_the_program_writes_is_what_it_reads_and_every_reader_does() -> None:
    rgb, note = decode_noting(encode_png(plain()))
    assert np.array_equal(rgb, plain()) and note == ""


NOTED = {
    "EXIF 6 in a PNG": "turned",
    "alpha that covers all": "mode RGBA",
    "palette": "mode P",
    "another profile": "colour profile",
    "sRGB profile": "",
    "8-bit grey": "",
}


@pytest.mark.parametrize("kind", NOTED)
def test_what_a_plainer_reader_would_take_otherwise_is_noted(kind: str) -> None:
    note = decode_noting(KINDS[kind].make(plain()))[1]
    assert NOTED[kind] in note and bool(note) == bool(NOTED[kind])


def test_the_picture_lies_as_each_orientation_says() -> None:
    """The pictures of these tests themselves: row 0 and column 0 of what is stored are the sides that EXIF names."""
    rgb = plain()
    top, left, bottom, right = rgb[0], rgb[:, 0], rgb[-1], rgb[:, -1]
    sides = {1: (top, left), 2: (top, right), 3: (bottom, right), 4: (bottom, left)}
    sides |= {5: (left, top), 6: (right, top), 7: (right, bottom), 8: (left, bottom)}
    for number, (row, column) in sides.items():
        stored = lying(rgb, number)
        for found, side in ((stored[0], row), (stored[:, 0], column)):
            assert any(np.array_equal(found, side[::step]) for step in (1, -1)), number


def test_places_that_are_no_files_are_named(tmp_path: Path) -> None:
    """Against: a traceback over a name that is too long, or a loop of links."""
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("gone.png", "loop.png", "pipe.png", "", "a" * 5000, "nul\0.png", "plain.png/inner.png"):
        (tmp_path / "plain.png").write_bytes(encode_png(plain()))
        with pytest.raises(UsageError, match=r"no image file|cannot be read"):
            read_image(tmp_path / name)
    with pytest.raises(UsageError, match=r"no image file .* it is a folder"):
        read_image(tmp_path)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.png").write_bytes(encode_png(plain()))

    def denied(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)  # file modes bind no superuser
    with pytest.raises(UsageError, match=r"p\.png' cannot be read: Permission denied"):
        read_image(tmp_path / "p.png")


SEEDS = [
    encode_png(plain()),
    KINDS["EXIF 6 in a PNG"].make(plain()),
    KINDS["palette"].make(plain()),
    KINDS["another profile"].make(plain()),
    KINDS["APNG"].make(plain()),
    exif(plain(), 6),
    saved(Image.fromarray(plain()), "WEBP"),
    saved(Image.fromarray(plain()), "BMP"),
]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    data=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 8)), min_size=1, max_size=4),
)
def test_damaged_bytes_are_an_image_or_a_usage_error(data: bytes, changes: list[tuple[float, bytes, int]]) -> None:
    for place, put, left_out in changes:
        at = int(place**3 * len(data))  # heads are where readers stumble
        data = data[:at] + put + data[at + left_out :]
    try:
        rgb = decode_image(data)
    except UsageError as error:
        assert error.message
    else:
        assert rgb.ndim == 3 and rgb.shape[2] == 3 and rgb.dtype == np.uint8
