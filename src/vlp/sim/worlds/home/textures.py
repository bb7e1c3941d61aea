"""Pictures that lie on things, drawn with PIL: wood, labels, signs, dials; each at one size, whatever the scene."""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vlp.sim.opengl import mujoco
from vlp.sim.worlds.home.catalogue import Rgb, products

Picture = NDArray[np.uint8]
Rgb8 = tuple[int, int, int]


def add_texture(spec: mujoco.MjSpec, name: str, picture: Picture, *, cube: bool = False) -> str:
    """Add a picture as a texture and a white material of the same name, and return it.

    Args:
        spec: the specification that takes it.
        name: of both.
        picture: (height, width, 3); six square faces one below the other for a cube: those of +x, -x, +y, -y, +z, -z.
        cube: whether it goes around a box.
    """
    height, width, _ = picture.shape
    kind = mujoco.mjtTexture.mjTEXTURE_CUBE if cube else mujoco.mjtTexture.mjTEXTURE_2D
    texture = spec.add_texture(name=name, type=kind, width=width, height=height, nchannel=3)
    texture.data = np.ascontiguousarray(picture).tobytes()
    material = spec.add_material(name=name, specular=0.15, shininess=0.3)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    return name


def _text(pen: ImageDraw.ImageDraw, at: tuple[float, float], words: str, size: float, fill: Rgb8) -> None:
    pen.text(at, words, font=ImageFont.load_default(size), fill=fill, anchor="mm")


def _wide_text(picture: Image.Image, words: str, width: float, middle: tuple[float, float], fill: Rgb8) -> None:
    """Write words as large as a width allows."""
    pen = ImageDraw.Draw(picture)
    size = 10.0
    length = pen.textlength(words, font=ImageFont.load_default(size))
    _text(pen, middle, words, size * width / max(length, 1.0), fill)


def _bytes(rgb: Rgb) -> Rgb8:
    r, g, b = (round(255 * min(1.0, max(0.0, c))) for c in rgb)
    return r, g, b


@cache
def wood(seed: int = 0, planks: int = 0) -> Picture:
    """Return pale grain, to be tinted by the material; with planks, boards with seams of their own shades."""
    rng, size = np.random.default_rng(seed), 256
    y, x = np.mgrid[0:size, 0:size] / size
    grain = np.zeros((size, size))
    for frequency, weight in ((9, 0.35), (23, 0.25), (57, 0.2)):
        wobble = 0.06 * np.sin(2 * math.pi * (x + rng.random())) + 0.03 * np.sin(4 * math.pi * (x + rng.random()))
        grain += weight * np.sin(2 * math.pi * (frequency * (y + wobble) + rng.random()))
    shade = 0.93 + 0.05 * grain
    if planks:
        row = np.floor(y * planks).astype(int)
        shift = rng.random(planks)[row]
        board = np.floor(2 * (x + shift)).astype(int) % 2
        shade *= (0.88 + 0.12 * rng.random((planks, 2)))[row, board]
        seam = (y * planks % 1.0 < 0.035) | ((2 * (x + shift)) % 1.0 < 0.008)
        shade = np.where(seam, 0.72 * shade, shade)
    return _grey(shade)


@cache
def weave(seed: int = 1, cells: int = 24) -> Picture:
    """Return a pale woven pattern, to be tinted by the material."""
    size = 128
    y, x = np.mgrid[0:size, 0:size] / size * cells
    over = (np.floor(x) + np.floor(y)) % 2
    shade = 0.82 + 0.16 * np.where(over > 0, np.sin(math.pi * (x % 1)), np.sin(math.pi * (y % 1)))
    return _grey(shade + 0.01 * np.random.default_rng(seed).standard_normal((size, size)))


@cache
def rug_picture() -> Picture:
    """Return a pale rug with a border, to be tinted by the material."""
    size = 256
    y, x = np.mgrid[0:size, 0:size] / size
    edge = np.minimum.reduce([x, y, 1 - x, 1 - y])
    shade = 0.90 + 0.03 * np.random.default_rng(6).standard_normal((size, size))
    shade[(edge > 0.05) & (edge < 0.08)] *= 0.72
    shade[(edge > 0.10) & (edge < 0.115)] *= 0.82
    return _grey(shade)


@cache
def tiles(cells: int = 8) -> Picture:
    """Return pale square tiles with joints, to be tinted by the material."""
    size = 256
    y, x = np.mgrid[0:size, 0:size] / size * cells
    joint = (x % 1 < 0.04) | (y % 1 < 0.04)
    tone = 0.93 + 0.06 * np.random.default_rng(5).random((cells, cells))[np.floor(y).astype(int), np.floor(x).astype(int)]
    return _grey(np.where(joint, 0.70, tone))


def _grey(shade: NDArray[np.float64]) -> Picture:
    value = (255 * np.clip(shade, 0, 1)).astype(np.uint8)
    return np.repeat(value[..., None], 3, axis=2)


@cache
def label_around(name: str) -> Picture:
    """Return what goes once around a round thing: its colours, its pattern, its words on two sides."""
    product = products()[name]
    height = 128
    picture = Image.new("RGB", (256, height), _bytes(product.rgb))
    pen, second = ImageDraw.Draw(picture), _bytes(product.rgb2)
    if product.pattern == "stripes":
        for i in range(8):
            pen.rectangle((32 * i, 0, 32 * i + 15, height), fill=second)
    if product.pattern == "dots":
        for i in range(8):
            for j in range(3):
                x, y = 32 * i + 16 * (j % 2) + 8, 24 + 40 * j
                pen.ellipse((x - 9, y - 12, x + 9, y + 12), fill=second)
    if product.label:
        pen.rectangle((0, 0.20 * height, 256, 0.80 * height), fill=second)
        pen.rectangle((0, 0.23 * height, 256, 0.25 * height), fill=_bytes(product.rgb))
        pen.rectangle((0, 0.75 * height, 256, 0.77 * height), fill=_bytes(product.rgb))
        for x in (64, 192):
            _wide_text(picture, product.label, 108, (x, 0.5 * height), _bytes(_ink(product.rgb, product.rgb2)))
    return np.asarray(picture)


@cache
def carton_faces(name: str) -> Picture:
    """Return the six faces of a carton, pressed into squares: its words stand upright on all sides."""
    product, size = products()[name], 128
    length, width, height = product.size_m

    def side(across_m: float) -> Image.Image:
        scale = 192 / max(across_m, height)
        w, h = max(32, round(across_m * scale)), max(32, round(height * scale))
        face = Image.new("RGB", (w, h), _bytes(product.rgb))
        pen = ImageDraw.Draw(face)
        pen.rectangle((0, 0.62 * h, w, h), fill=_bytes(product.rgb2))
        pen.ellipse((0.25 * w, 0.50 * h, 0.75 * w, 0.50 * h + 0.5 * w), fill=_bytes(product.rgb))
        pen.ellipse((0.31 * w, 0.50 * h + 0.06 * w, 0.69 * w, 0.50 * h + 0.44 * w), fill=_bytes(_pale(product.rgb2)))
        _wide_text(face, product.label, 0.86 * w, (w / 2, 0.27 * h), _bytes(_ink(product.rgb2, product.rgb)))
        return face.resize((size, size), Image.Resampling.LANCZOS)

    plain = Image.new("RGB", (size, size), _bytes(product.rgb))
    wide, narrow = side(length), side(width)
    # Turned so that each stands upright where MuJoCo puts it.
    faces = [narrow.rotate(90), narrow.rotate(-90), wide.rotate(180), wide, plain, plain]
    return np.concatenate([np.asarray(face) for face in faces])


@cache
def puzzle_faces() -> Picture:
    """Return the six faces of a puzzle cube."""
    colours = [(205, 30, 35), (245, 130, 20), (250, 250, 248), (245, 215, 30), (25, 75, 190), (20, 140, 60)]
    faces = []
    for k in range(6):
        face = Image.new("RGB", (96, 96), (18, 18, 20))
        pen = ImageDraw.Draw(face)
        for i in range(3):
            for j in range(3):
                fill = colours[(k + (i * j + k) % 3 * 2) % 6] if (i + j + k) % 2 else colours[k]
                pen.rounded_rectangle((32 * i + 3, 32 * j + 3, 32 * i + 28, 32 * j + 28), 4, fill=fill)
        faces.append(np.asarray(face))
    return np.concatenate(faces)


def sign_picture(words: str) -> Picture:
    """Return a sign with a red border."""
    picture = Image.new("RGB", (256, 128), (250, 249, 244))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((5, 5, 250, 122), outline=(190, 30, 35), width=7)
    rows = words.split()
    middle = (len(rows) + 1) // 2
    lines = [" ".join(rows[:middle]), " ".join(rows[middle:])] if len(words) > 8 else [words]
    for i, line in enumerate(filter(None, lines)):
        length = pen.textlength(line, font=ImageFont.load_default(10))
        size = min(44.0, 10 * 215 / length)
        _text(pen, (128, 64 + 46 * (i - (len(lines) - 1) / 2)), line, size, (30, 30, 34))
    return np.asarray(picture)


def tag_picture(name: str) -> Picture:
    """Return a name tag."""
    picture = Image.new("RGB", (128, 48), (252, 252, 250))
    ImageDraw.Draw(picture).rectangle((0, 0, 127, 8), fill=(40, 90, 170))
    _text(ImageDraw.Draw(picture), (64, 29), name.upper(), 27, (20, 20, 24))
    return np.asarray(picture)


@cache
def dial_picture() -> Picture:
    """Return the face of a gauge from 0, lower left, over the top to 10, lower right."""
    size = 256
    picture = Image.new("RGB", (size, size), (248, 248, 244))
    pen = ImageDraw.Draw(picture)
    pen.arc((22, 22, size - 22, size - 22), 225 - 270 * 0.2 + 180, 45, fill=(200, 40, 40), width=9)
    for i in range(51):
        angle = needle_rad(i / 5)
        c, s = math.cos(angle), -math.sin(angle)
        inner = 92 if i % 5 == 0 else 100
        ends = [(128 + r * c, 128 + r * s) for r in (inner, 108)]
        pen.line(ends, fill=(20, 20, 22), width=4 if i % 5 == 0 else 2)
        if i % 10 == 0:
            _text(pen, (128 + 74 * c, 128 + 74 * s), str(i // 5), 26, (20, 20, 22))
    return np.asarray(picture)


def needle_rad(value: float) -> float:
    """Return the angle of the needle at a value from 0 to 10, counter-clockwise from the right as one looks at the dial."""
    return math.radians(225 - 27 * value)


def digits_picture(value: float) -> Picture:
    """Return a display with a number of three digits and one decimal in seven segments."""
    picture = Image.new("RGB", (256, 96), (16, 22, 18))
    pen = ImageDraw.Draw(picture)
    text, x = f"{value:.1f}", 34
    lit, dark = (120, 255, 150), (24, 40, 30)
    for sign in text:
        if sign == ".":
            pen.ellipse((x - 6, 74, x + 6, 86), fill=lit)
            x += 22
            continue
        for segment, ends in _segments(x).items():
            pen.rounded_rectangle(ends, 4, fill=lit if segment in _lit(int(sign)) else dark)
        x += 66
    return np.asarray(picture)


def _segments(x: int) -> dict[str, tuple[int, int, int, int]]:
    return {
        "a": (x + 4, 10, x + 42, 19), "b": (x + 38, 14, x + 47, 46), "c": (x + 38, 50, x + 47, 84),
        "d": (x + 4, 78, x + 42, 87), "e": (x, 50, x + 9, 84), "f": (x, 14, x + 9, 46), "g": (x + 4, 44, x + 42, 53),
    }  # fmt: skip


def _lit(digit: int) -> str:
    return ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")[digit]


@cache
def window_picture() -> Picture:
    """Return a view through a window: sky, hills, a frame."""
    size = 192
    y, x = np.mgrid[0:size, 0:size] / size
    sky = np.stack([0.62 + 0.30 * y, 0.80 + 0.14 * y, 0.97 + 0.0 * y], axis=-1)
    hill = y > 0.66 + 0.07 * np.sin(5 * x + 0.6) + 0.03 * np.sin(13 * x)
    near = y > 0.80 + 0.05 * np.sin(4 * x + 2.4)
    sky[hill] = (0.55, 0.70, 0.52)
    sky[near] = (0.38, 0.58, 0.34)
    frame = (np.minimum.reduce([x, y, 1 - x, 1 - y]) < 0.04) | (abs(x - 0.5) < 0.02) | (abs(y - 0.45) < 0.02)
    sky[frame] = (0.96, 0.96, 0.95)
    return (255 * sky).astype(np.uint8)


@cache
def painting_picture() -> Picture:
    """Return a painting in a dark frame."""
    picture = Image.new("RGB", (192, 128), (58, 44, 34))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((10, 10, 181, 117), fill=(236, 224, 200))
    pen.ellipse((108, 22, 156, 70), fill=(224, 122, 66))
    pen.polygon([(10, 117), (64, 48), (118, 117)], fill=(62, 96, 112))
    pen.polygon([(76, 117), (132, 64), (181, 117)], fill=(98, 138, 128))
    return np.asarray(picture)


def _ink(first: Rgb, ground: Rgb) -> Rgb:
    """Return a colour for words on a ground: the first when it stands out, else dark or white."""
    weights = np.array([0.3, 0.6, 0.1])
    bright, behind = float(weights @ np.array(first)), float(weights @ np.array(ground))
    return first if abs(bright - behind) > 0.35 else (0.1, 0.1, 0.1) if behind > 0.5 else (0.98, 0.98, 0.98)


def _pale(rgb: Rgb) -> Rgb:
    return 0.5 + rgb[0] / 2, 0.5 + rgb[1] / 2, 0.5 + rgb[2] / 2
