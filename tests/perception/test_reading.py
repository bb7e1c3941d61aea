"""What stands on things is read from images: text, digits, and where a needle points."""

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from vlp.core.images import Rgb
from vlp.perception.dial import dial_value
from vlp.perception.grounder import ANYTHING, Detection
from vlp.perception.perceiving import PerceivingRobot
from vlp.perception.reading import Ocr, TextLine, read
from vlp.robot.protocol import Step
from vlp.sim.fake.robot import FakeRobot


@pytest.fixture(scope="module")
def ocr() -> Ocr:
    pytest.importorskip("rapidocr")
    return Ocr()


def plate(text: str, size_px: int = 40) -> Rgb:
    image = Image.new("RGB", (640, 480), (90, 100, 110))
    draw = ImageDraw.Draw(image)
    draw.rectangle((200, 150, 440, 270), fill=(30, 30, 30))
    draw.multiline_text((320, 210), text, (230, 230, 90), ImageFont.load_default(size_px), "mm", align="center")
    return np.asarray(image)


def dial(value: float, highest: float = 10.0, numbers: int = 6, side_px: int = 120) -> Rgb:
    """A gauge from 0 to `highest` over 270 degrees, drawn large and shrunk."""
    full = 4 * side_px
    face = Image.new("RGB", (full, full), (120, 130, 140))
    draw, middle = ImageDraw.Draw(face), full / 2

    def at(fraction: float, part: float) -> tuple[float, float]:
        turned = np.radians(-135 + 270 * part)
        return middle + full * fraction * np.sin(turned), middle - full * fraction * np.cos(turned)

    draw.ellipse([full * 0.04] * 2 + [full * 0.96] * 2, fill=(240, 240, 235), outline=(40, 40, 40), width=full // 40)
    for i in range(numbers):
        part = i / (numbers - 1)
        draw.line([at(0.44, part), at(0.39, part)], fill=(20, 20, 20), width=full // 80)
        draw.text(at(0.32, part), f"{highest * part:g}", (20, 20, 20), ImageFont.load_default(full // 13), "mm")
    draw.line([at(-0.08, value / highest), at(0.3, value / highest)], fill=(180, 20, 20), width=full // 50)
    image = Image.new("RGB", (640, 480), (90, 100, 110))
    image.paste(face.resize((side_px, side_px), Image.Resampling.LANCZOS), (200, 150))
    return np.asarray(image)


@pytest.mark.parametrize("text", ["37.4", "WET FLOOR", "12:45"])
def test_text_is_read(ocr: Ocr, text: str) -> None:
    assert read(plate(text), (200, 150, 440, 270), ocr) == text


def test_lines_stand_from_top_to_bottom(ocr: Ocr) -> None:
    assert read(plate("KITCHEN\nKEEP OUT", 32), (200, 150, 440, 270), ocr) == "KITCHEN / KEEP OUT"


def test_what_stands_elsewhere_is_not_read(ocr: Ocr) -> None:
    assert read(plate("37.4"), (0, 300, 150, 450), ocr) == ""


@pytest.mark.parametrize(("value", "highest", "numbers"), [(2.7, 10, 6), (0.1, 10, 6), (9.8, 10, 6), (3.4, 4, 5), (62, 100, 6)])
def test_a_needle_is_read_within_two_percent(ocr: Ocr, value: float, highest: float, numbers: int) -> None:
    """The needle at 0.1 hid the 0, and the least number that was read, 2, was told."""
    told = float(read(dial(value, highest, numbers), (200, 150, 320, 270), ocr))
    assert abs(told - value) <= 0.02 * highest


def test_numbers_in_a_row_are_no_dial() -> None:
    image = np.zeros((100, 300, 3), np.uint8)
    assert dial_value(image, [(1.0, (50, 50)), (2.0, (150, 50)), (3.0, (250, 50))]) is None


def test_numbers_around_no_needle_are_no_value() -> None:
    image = np.full((200, 200, 3), 240, np.uint8)
    assert dial_value(image, [(0.0, (40, 160)), (5.0, (100, 15)), (10.0, (160, 160))]) is None


def test_what_is_hardly_legible_is_not_told() -> None:
    """A blurred dial of 80 pixels was read as one Chinese character."""

    class FakeBlur:
        def lines(self, rgb: Rgb) -> list[TextLine]:
            return [TextLine("R", (0.0, 0.0, 9.0, 9.0), 0.55)]

    assert read(plate(""), (200, 150, 440, 270), FakeBlur()) == ""


class FakeGrounder:
    """Finds one thing, at one place."""

    names, looks = None, 1

    def ground(self, rgb: Rgb, phrase: str, also: Sequence[str] = ()) -> list[Detection]:
        return [Detection("display", (200.0, 150.0, 440.0, 270.0), 1.0)] if phrase in ("display", ANYTHING) else []


class FakeFinder:
    """Reads the same line wherever it looks."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def lines(self, rgb: Rgb) -> list[TextLine]:
        return [TextLine(text, (0.0, 0.0, 9.0, 9.0), 0.99) for text in self.texts]


@pytest.mark.parametrize(
    ("thing", "texts", "told"),
    [("display", ["37.4"], "37.4"), ("display", [], "not-legible"), ("gauge", ["37.4"], "not-found")],
)
def test_the_primitive_tells_what_stands_there_or_why_not(thing: str, texts: list[str], told: str) -> None:
    robot = PerceivingRobot(FakeRobot(), FakeGrounder(), reader=FakeFinder(*texts))
    assert "read" in robot.describe().primitives
    result = robot.execute(Step("read", {"object": thing}, "1"))
    assert (result.value if result.status == "succeeded" else result.code) == told


def test_a_robot_without_a_reader_has_no_such_primitive() -> None:
    assert "read" not in PerceivingRobot(FakeRobot(), FakeGrounder()).describe().primitives
