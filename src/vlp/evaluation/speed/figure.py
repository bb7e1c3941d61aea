"""The picture of `vlp bench speed`: a bar for each row, on a scale of its own, with interval, bound and baseline."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlp.core.errors import not_installed

if TYPE_CHECKING:
    from vlp.evaluation.speed.rows import Measured


def colour(verdict: str) -> str:
    """Return the colour of a bar by `Measured.verdict`."""
    return {"reached": "#4c956c", "missed": "#d1495b", "": "#8d99ae"}[verdict]


def check_drawable() -> None:
    """Raise MissingComponent where pictures cannot be drawn: said before an hour of measurements, not after it."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise not_installed("the picture of the rows needs", error, "view") from None


def draw(rows: Sequence["Measured"], picture: Path, title: str) -> None:
    """Draw the rows one below the other, 8 inches wide.

    A bar ends at the median; its whisker is the 95 % interval. The side of the bound that is wanted is shaded. In a row of
    ratios the dotted line at 1 is the baseline.

    Args:
        rows: at least one.
        picture: the PNG file.
        title: of the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.52 * len(rows) + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{title}\nshaded: wanted; dotted: the baseline; whiskers: 95 %", fontsize=8)
    panels: Any = figure.subplots(len(rows), 1, squeeze=False)
    for panel, one in zip(panels[:, 0], rows, strict=True):
        _draw_row(panel, one)
    part = picture.with_name(picture.name + ".part")
    figure.savefig(part, format="png", dpi=120)
    part.replace(picture)


def _draw_row(panel: Any, one: "Measured") -> None:
    value, bound = one.value, one.at_most if one.at_least is None else one.at_least
    ratio = one.unit == "times"
    end = 1.15 * max(value.high, bound or 0.0, 1.0 if ratio else 0.0) or 1.0
    if bound is not None:
        panel.axvspan(*((bound, end) if one.at_least is not None else (0.0, bound)), color="#edf6f0")
        panel.axvline(bound, color="#2d6a4f", linewidth=1.2)
    if ratio:
        panel.axvline(1.0, color="0.4", linewidth=1, linestyle=":")
    panel.barh(0, value.median, height=0.6, color=colour(one.verdict))
    panel.plot([value.low, value.high], [0, 0], color="0.15", linewidth=1.3, marker="|", markersize=7)
    panel.set(xlim=(0, end), ylim=(-0.5, 0.5), yticks=[])
    panel.tick_params(labelsize=6, length=2, pad=1)
    for side in ("top", "left", "right"):
        panel.spines[side].set_visible(False)
    name = "\n".join(textwrap.wrap(f"{one.row}  {one.what.replace('`', '')}", 46)[:3])
    panel.text(-0.015, 0.5, name, transform=panel.transAxes, ha="right", va="center", fontsize=7, parse_math=False)
    wanted = f"\nwanted {one.wanted}" if one.wanted else ""
    said = f"{value.median:.3g} {one.unit}{wanted}"
    panel.text(1.015, 0.5, said, transform=panel.transAxes, va="center", fontsize=7, parse_math=False)
