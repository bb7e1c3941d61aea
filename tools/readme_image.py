"""The picture of the README, from a run's directory: python tools/readme_image.py RUN docs/images/run.jpg"""

import sys
from pathlib import Path

import imageio_ffmpeg
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vlp.journal import read_events
from vlp.policy.model import Policy, tree_lines
from vlp.runtime.story import Story

MOMENTS = (0.26, 0.72)
"""Where in the film the two frames are taken."""
COLOURS = {"✓": (120, 220, 140), "+": (120, 220, 140), "-": (235, 120, 110), "=": (150, 155, 165), "!": (240, 210, 110)}


def main(run: Path, to: Path) -> None:
    """Put two frames of the film beside the policies as the terminal shows them."""
    reader = imageio_ffmpeg.read_frames(str(run / "run.mp4"))
    width, height = next(reader)["size"]
    film = [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]
    story = Story.of(read_events(run, blobs=False))
    first, last = story.chapters[0], story.chapters[-1]
    lines = tree_lines(Policy.from_json(first.policy), {row.id: row.status for row in first.rows})
    lines += ["", *[f"! {why}" for _, why in last.triggers], *last.diff.splitlines()[1:], ""]
    lines += tree_lines(Policy.from_json(last.policy), {row.id: row.status for row in last.rows})
    picture = Image.new("RGB", (640 + 560, 960), (16, 20, 28))
    for number, moment in enumerate(MOMENTS):
        picture.paste(Image.fromarray(film[round(moment * len(film))]).resize((640, 480)), (0, 480 * number))
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSansMono.ttf"), 15)
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        colour = next((c for mark, c in COLOURS.items() if f"{mark} " in line[:12]), (235, 235, 240))
        pen.text((662, 24 + 25 * number), line, font=font, fill=colour)
    picture.save(to, quality=85)
    print(f"{to}: {to.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
