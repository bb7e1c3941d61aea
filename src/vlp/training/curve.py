"""The loss curve of a run: JSON lines, one for each step or each few, and a picture."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError
from vlp.core.files import cannot_write, write_whole


def read_curve(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a curve; half a last line, of a process that was killed, is passed over.

    Raises:
        UsageError: a line that is no row.
    """
    if not file.is_file():
        return []
    lines = file.read_bytes().split(b"\n")[:-1]
    try:
        return [json.loads(line) for line in lines]
    except ValueError:
        raise UsageError(f"{str(file)[:300]!r} is no curve: a line is not JSON.") from None


def cut_curve(file: Path, step: int) -> None:
    """Drop the rows after a step: they are made anew by the run that goes on from there."""
    rows = [row for row in read_curve(file) if row["step"] <= step]
    write_whole(file, "".join(json.dumps(row) + "\n" for row in rows))


def add_row(file: Path, row: dict[str, Any]) -> None:
    """Add a row in one piece; raises MissingComponent when it cannot be written."""
    try:
        with file.open("ab") as opened:
            opened.write(json.dumps(row).encode() + b"\n")
    except OSError as error:
        raise cannot_write(file, error) from None


def plot_curve(
    file: Path, picture: Path, title: str, loss: str = "loss per token that counts (nats)", scores: Sequence[str] = ()
) -> None:
    """Draw a curve: the loss of each row and its mean over the last rows, and scores where rows have them.

    Args:
        file: the curve.
        picture: the PNG file.
        title: of the picture.
        loss: the label of the loss.
        scores: keys of rates between 0 and 1, drawn against an axis of their own.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = read_curve(file)
    steps, losses = [row["step"] for row in rows], [row["loss"] for row in rows]
    means = [sum(losses[max(0, i - 9) : i + 1]) / min(i + 1, 10) for i in range(len(losses))]
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(steps, losses, color="0.75", linewidth=1, label="loss")
    axes.plot(steps, means, color="C0", label="mean of 10")
    axes.set(xlabel="optimizer step", ylabel=loss, title=title)
    if losses and min(losses) > 0:
        axes.set_yscale("log")
    told = [name for name in scores if any(name in row for row in rows)]
    right = axes.twinx() if told else axes
    for number, name in enumerate(told, start=1):
        points = [(row["step"], row[name]) for row in rows if name in row]
        right.plot(*zip(*points, strict=True), color=f"C{number}", marker=".", label=name)
    if told:
        right.set(ylabel="rate on validation frames", ylim=(0, 1))
    figure.legend(loc="outside lower center", ncols=5)
    part = picture.with_name(picture.name + ".part")
    figure.savefig(part, format="png", dpi=120)
    part.replace(picture)
