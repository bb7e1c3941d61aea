"""Shorten a film to an animated picture: python tools/film_excerpt.py runs/film/run.mp4 docs/images/home_anymal.webp

    vlp run "bring the milk carton to the sofa" --world home --robot anymal --seed 83 \\
        --model expert --grounder oracle --film wide --out runs/film-anymal
    vlp run "See that the dish soap comes onto the sofa." --world home --robot hsr --seed 10000007 \\
        --model expert --grounder oracle --film wide --out runs/film-hsr

These are the films of the README; each takes some minutes to draw in software.
"""

import argparse
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image


def main() -> None:
    """Write so many frames of a film, evenly spaced, and its last one for a while longer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("picture", type=Path, help="a .webp or .gif")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--width", type=int, default=800)
    options = parser.parse_args()
    frames = list(iio.imiter(options.film))
    chosen = [Image.fromarray(frames[i]) for i in np.linspace(0, len(frames) - 1, options.frames).astype(int)]
    size = options.width, round(options.width * chosen[0].height / chosen[0].width)
    small = [frame.resize(size, Image.Resampling.LANCZOS) for frame in chosen]
    shown_ms = [250] * (len(small) - 1) + [2500]
    small[0].save(options.picture, save_all=True, append_images=small[1:], duration=shown_ms, loop=0, quality=55, method=6)
    print(f"wrote {options.picture}: {len(small)} frames, {options.picture.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
