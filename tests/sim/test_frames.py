"""Training frames: a function of the seed, labels that agree with the picture, shards that resume."""

import colorsys

import numpy as np
import pytest

from vlp.sim.worlds.tabletop.frames import HEIGHT_PX, WIDTH_PX, read_dataset, render_dataset, render_frame

FRAMES = [render_frame(seed) for seed in range(40, 64)]


def test_a_frame_is_a_function_of_its_seed():
    """Frames share one drawing context: textures of the frame before must not show."""
    again = render_frame(45)
    assert (again.rgb == FRAMES[5].rgb).all() and again.labels() == FRAMES[5].labels()


def test_boxes_lie_in_the_picture_and_hold_the_pixels_counted():
    for frame in FRAMES:
        assert frame.rgb.shape == (HEIGHT_PX, WIDTH_PX, 3)
        for o in frame.objects:
            if o.box is None:
                assert o.fraction == 0 and o.pixels == 0
            else:
                x1, y1, x2, y2 = o.box
                assert 0 <= x1 < x2 <= WIDTH_PX and 0 <= y1 < y2 <= HEIGHT_PX
                assert 0 < o.pixels <= (x2 - x1) * (y2 - y1) + 1e-6


def test_objects_at_the_table_are_large_enough_to_be_recognised():
    sides = [
        max(o.box[2] - o.box[0], o.box[3] - o.box[1])
        for f in FRAMES
        if f.at == "table"
        for o in f.objects
        if o.box and o.support == "table" and o.fraction > 0.9
    ]
    assert len(sides) > 40 and np.percentile(sides, 5) >= 15


def test_pixels_of_an_object_have_its_colour():
    """A lamp too dim turned white into grey and orange into brown."""
    hues = {"red": 0.0, "orange": 0.073, "yellow": 0.14, "green": 0.36, "blue": 0.63, "purple": 0.78}
    checked = 0
    for frame in FRAMES:
        for o in frame.objects:
            if o.box and o.fraction > 0.95 and o.kind in ("cube", "block", "ball") and o.support == "table":
                x, y = round((o.box[0] + o.box[2]) / 2), round((o.box[1] + o.box[3]) / 2)
                pixel = frame.rgb[y - 3 : y + 3, x - 3 : x + 3].reshape(-1, 3).max(axis=0) / 255
                hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
                if o.colour in hues:
                    away = abs(hue - hues[o.colour])
                    assert min(away, 1 - away) < 0.035 and saturation > 0.5, (frame.seed, o.colour, pixel)
                else:
                    assert saturation < 0.25, (frame.seed, pixel)
                    assert value > 0.5 if o.colour == "white" else value < 0.3, (frame.seed, pixel)
                checked += 1
    assert checked > 15


def test_what_is_held_is_in_the_hand_and_some_frames_hold_something():
    for frame in FRAMES:
        held = [f"{o.colour} {o.kind}" for o in frame.objects if o.support == "hand"]
        assert held == ([frame.holding] if frame.holding else [])
    assert 2 <= sum(bool(f.holding) for f in FRAMES) <= 14


@pytest.mark.slow
def test_shards_resume(tmp_path):
    render_dataset(tmp_path, 3, "test", workers=1, progress=lambda _: None)
    images, labels = read_dataset(tmp_path, "test")
    assert images[0].shape == (3, HEIGHT_PX, WIDTH_PX, 3)
    assert [x["seed"] for x in labels] == [20_000_000, 20_000_001, 20_000_002]
    stamp = (tmp_path / "test-00000.npy").stat().st_mtime_ns
    render_dataset(tmp_path, 3, "test", workers=1, progress=lambda _: None)
    assert (tmp_path / "test-00000.npy").stat().st_mtime_ns == stamp
    (tmp_path / "test-00000.jsonl").write_text("")
    render_dataset(tmp_path, 3, "test", workers=1, progress=lambda _: None)
    again, same = read_dataset(tmp_path, "test")
    assert (again[0] == images[0]).all() and same == labels
