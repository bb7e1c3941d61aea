"""The page of a suite: the rate, the table, and every failure with its cause in one line and its pictures."""

import base64
import io
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from vlp.core.files import write_whole


def write_report(folder: Path, summary: Mapping[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write report.html, self-contained.

    Args:
        folder: of the suite; pictures are taken from the runs that lie there.
        summary: as in summary.json.
        rows: all of them.
    """
    failures = [row for row in rows if not row["success"]]
    name = escape(summary["suite"])
    shown = failures[:400]
    style = Path(__file__).with_name("report.css").read_text()
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>vlp bench {name}</title><style>\n{style}</style>",
        f"<h1>{name}</h1><p>{escape(summary['doc'])}</p>",
        f"<p class=big>{_rate(summary['rate'])}</p>",
        f"<p class=dim>{summary['cases']} cases from seed {summary['seed']} on; {_options(summary['options'])}; "
        f"vlp {escape(summary['version'])}; {summary['seconds']} s</p>",
        *(_groups(column, values) for column, values in summary["groups"].items()),
        _numbers(summary["numbers"]),
        _causes(summary["causes"]),
        f"<h2>Failures ({len(failures)})</h2>" if failures else "",
        *(_failure(folder, row, i < 60) for i, row in enumerate(shown)),
        f"<p>{len(failures) - len(shown)} more are in rows.jsonl.</p>" if len(failures) > len(shown) else "",
    ]
    write_whole(folder / "report.html", "\n".join(part for part in parts if part))


def _rate(rate: Mapping[str, Any]) -> str:
    span = f"{100 * rate['low']:.1f} to {100 * rate['high']:.1f} %"
    return f"{100 * rate['rate']:.1f} % <span class=dim>({rate['successes']} of {rate['n']}; 95 %: {span})</span>"


def _options(options: Mapping[str, str]) -> str:
    return ", ".join(f"{escape(k)} {escape(v)}" for k, v in options.items())


def _groups(column: str, values: Mapping[str, Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(value)}<td class=n>{r['successes']} / {r['n']}<td class=n>{100 * r['rate']:.1f} %"
        f"<td class=dim>{100 * r['low']:.0f} to {100 * r['high']:.0f}</tr>"
        for value, r in values.items()
    )
    return f"<h2>By {escape(column)}</h2><table>{rows}</table>" if len(values) > 1 else ""


def _numbers(numbers: Mapping[str, Mapping[str, float]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}<td class=n>{q['median']:g}<td class=n>{q['p95']:g}<td class=n>{q['max']:g}</tr>"
        for name, q in numbers.items()
        if q
    )
    return f"<h2>Numbers</h2><table><tr><th><th>median<th>95 %<th>most</tr>{rows}</table>" if rows else ""


def _causes(causes: Mapping[str, int]) -> str:
    rows = "".join(f"<tr><td>{escape(cause) or 'unknown'}<td class=n>{count}</tr>" for cause, count in causes.items())
    return f"<h2>Causes</h2><table>{rows}</table>" if rows else ""


def _failure(folder: Path, row: Mapping[str, Any], pictured: bool) -> str:
    words = [str(row[k]) for k in ("instruction", "question", "phrase", "change") if row.get(k)]
    extra = [f"{k} {row[k]}" for k in ("answer", "expected", "outcome", "claim", "iou", "xy_m") if row.get(k) not in (None, "")]
    pictures = "".join(_image(jpeg) for jpeg in _pictures(folder, row)) if pictured else ""
    return (
        f"<div class=fail><b>case {row['case']}</b> {escape(' &rarr; '.join(words)).replace('&amp;rarr;', '&rarr;')} "
        f"<span class=dim>{escape(', '.join(extra))[:600]}</span><br>"
        f"<span class=cause>{escape(str(row.get('cause', '')))[:500]}</span><br>{pictures}</div>"
    )


def _pictures(folder: Path, row: Mapping[str, Any]) -> list[bytes]:
    """Return the pictures of a case: first and last image of a run, or the one picture asked about."""
    if row.get("run"):
        from vlp.journal import read_events
        from vlp.runtime.story import Story

        try:
            story = Story.of(read_events(folder / row["run"]))
        except Exception:  # a run's journal that was deleted or damaged since: the page goes without its pictures
            return []
        return [jpeg for jpeg in (story.first_image, story.last_image) if jpeg]
    if row.get("picture"):
        file = folder / row["picture"]
        return [file.read_bytes()] if file.is_file() else []
    return []


def _image(jpeg: bytes) -> str:
    from PIL import Image

    small = io.BytesIO()
    with Image.open(io.BytesIO(jpeg)) as image:
        image.convert("RGB").resize((320, round(320 * image.height / image.width))).save(small, "JPEG", quality=70)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(small.getvalue()).decode()}">'
