"""What a run leaves behind: result.json, and report.html with the whole story."""

import base64
import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError
from vlp.core.files import write_whole
from vlp.core.messages import counted
from vlp.journal import Event, journal_path, read_events
from vlp.runtime.memory import reading
from vlp.runtime.story import TIMES, Chapter, Row, Story


def result_of(story: Story) -> dict[str, Any]:
    """Return what a run came to, as plain data."""
    end, started = story.end, story.started
    return {
        "outcome": end.get("outcome", "unfinished"),
        "verdict": end.get("verdict"),
        "reason": end.get("reason", ""),
        "claim": end.get("claim", ""),
        "checked": end.get("checked"),
        "account": story.account,
        "never_given": end.get("never_given", []),
        "instructions": story.instructions,
        "policies": [_chapter_json(chapter) for chapter in story.chapters],
        "triggers": [
            {"name": name, "detail": detail, "policy": chapter.revision}
            for chapter in story.chapters
            for name, detail in chapter.triggers
        ],
        "steps": len(story.steps),
        "timings_s": {name: round(seconds, 4) for name, seconds in story.times_s.items()},
        "total_s": round(story.now_s, 4),
        **{key: started.get(key) for key in ("run_id", "robot", "world", "seed", "model", "versions", "options")},
    }


def result_text(story: Story) -> str:
    """Return the text of result.json."""
    text = json.dumps(result_of(story), indent=2, ensure_ascii=False, allow_nan=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text) + "\n"


def _chapter_json(chapter: Chapter) -> dict[str, Any]:
    steps = [
        {
            "id": row.id,
            "step": row.text,
            "status": row.status or "not started",
            "message": row.message,
            "final": row.final,
            "seconds": round(row.seconds, 4),
            "result": {key: row.result.get(key) for key in ("done", "value", "code", "duration_s")} if row.result else None,
        }
        for row in chapter.rows
    ]
    return {
        "revision": chapter.revision,
        "instruction": chapter.instruction,
        "understood": chapter.understood,
        "confirmed": chapter.confirmed,
        "policy": chapter.policy,
        "claim": chapter.claim,
        "diff": chapter.diff_data,
        "replies": chapter.replies,
        "model_s": round(chapter.model_s, 4),
        "steps": steps,
    }


def escape(text: str) -> str:
    """Return text for a page, without characters that turn the direction of what follows, or forge a line."""
    return html.escape("".join(c if c.isprintable() or c == "\n" else " " for c in text))


MARKS = {"": "·", "running": "▶", "succeeded": "✓", "stopped": "■", "in flight": "?"}
DIFF_CLASSES = {"+": "added", "-": "dropped", "=": "kept", "undo": "undone", "done": "kept"}


def render_report(events: Iterable[Event]) -> str:
    """Return the report of a run as one HTML page without links to anything outside it.

    Args:
        events: the journal's, images included.
    """
    story = Story.of(events)
    style = Path(__file__).with_name("report.css").read_text()
    title = escape(story.instructions[-1] if story.instructions else "no instruction")
    body = [
        _head(story),
        _images(story),
        _times(story),
        *(_chapter_html(chapter) for chapter in story.chapters),
        _failures(story),
        _time_line(story),
        _origin(story),
    ]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{style}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def write_files(out: Path, events: Sequence[Event]) -> Story:
    """Write result.json and report.html of a run, and return its story.

    Args:
        out: the run's directory.
        events: the journal's, images included.

    Raises:
        MissingComponent: the directory cannot be written.
    """
    story = Story.of(events)
    write_whole(out / "result.json", result_text(story))
    write_whole(out / "report.html", render_report(events))
    return story


def replay(where: str | Path) -> Story:
    """Write report.html and result.json again from a journal alone, beside it, and return the run's story.

    Args:
        where: run directory or journal file.

    Raises:
        UsageError: no journal, a damaged one, or one without a run.
        MissingComponent: the directory cannot be written.
    """
    events = [event for event in read_events(where) if event.kind != "snapshot"]
    if not events:
        raise UsageError("the journal holds no run.", "Was the run killed before it began?")
    with reading():
        return write_files(journal_path(where).parent, events)


class ReportFiles:
    """Writes report.html and result.json when a run ends.

    Args:
        out: the run's directory.
    """

    def __init__(self, out: str | Path) -> None:
        self._out = Path(out)
        self._events: list[Event] = []

    def on_event(self, event: Event) -> None:
        """Keep one event; write at the end."""
        if event.kind != "snapshot":
            self._events.append(event)
        if event.kind == "run-finished":
            write_files(self._out, self._events)


def _head(story: Story) -> str:
    sentences = [f'<span class="old">{escape(s)}</span><br>' for s in story.instructions[:-1]]
    last = escape(story.instructions[-1]) if story.instructions else ""
    outcome = str(story.end.get("outcome", "unfinished"))
    words = escape(story.account.partition(": ")[2])
    return (
        f'<h1>{"".join(sentences)}{last}</h1><p><span class="badge {escape(outcome)}">{escape(outcome)}</span> '
        f'<span class="soft">{words}</span></p>'
    )


def _images(story: Story) -> str:
    pair = [("start", story.first_image), ("end", story.last_image)]
    figures = [
        f'<figure><img alt="{name}" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
        f"<figcaption>{name}</figcaption></figure>"
        for name, data in pair
        if data
    ]
    return f'<div class="pair">{"".join(figures)}</div>' if figures else ""


def _times(story: Story) -> str:
    total = sum(story.times_s.values()) or 1.0
    bar = "".join(f'<div style="width:{100 * story.times_s[n] / total:.2f}%;background:var(--{n})"></div>' for n in TIMES)
    legend = "".join(
        f'<span><span class="dot" style="background:var(--{n})"></span>{n} {story.times_s[n]:.2f} s</span>' for n in TIMES
    )
    done = f"{counted(len(story.steps), 'step')}, {counted(len(story.chapters), 'policy')}"
    steps = f"{done}, {story.now_s:.1f} s in all"
    return f'<section><div class="bar">{bar}</div><div class="legend">{legend}</div><p class="soft">{steps}</p></section>'


def _chapter_html(chapter: Chapter) -> str:
    whys = "".join(f'<p class="why">{escape(why)}</p>' for why in chapter.whys)
    cannot = chapter.policy.get("cannot")
    body = f"<p>cannot: {escape(str(cannot))}</p>" if cannot else _rows(chapter.rows)
    replies = f", {chapter.replies} replies" if chapter.replies > 1 else ""
    diff = f"<details open><summary>what changed</summary>{_diff(chapter.diff)}</details>" if chapter.diff else ""
    reports = "".join(f"<pre>{escape(report)}</pre>" for report in chapter.reports)
    noted = "what the model wrote down of the picture before it wrote this policy"
    said = f'<p class="soft">{noted}: {escape(chapter.said)}</p>' if chapter.said else ""
    meant = f"<p>understood: {escape(chapter.understood)}</p>" if chapter.understood else ""
    agreed = f"<p>asked before it moved: {escape(chapter.confirmed)}</p>" if chapter.confirmed else ""
    refused = f"<details><summary>refused replies</summary>{reports}</details>" if reports else ""
    return (
        f"<h2>Policy {chapter.revision}: {escape(str(chapter.policy.get('goal', '')))}</h2><section>{whys}"
        f'<p class="soft">for “{escape(chapter.instruction)}”, at {chapter.started_s:.1f} s, '
        f"model {chapter.model_s:.2f} s{replies}</p>{said}{meant}{agreed}{body}{diff}{refused}</section>"
    )


def _rows(rows: list[Row]) -> str:
    if not rows:
        return "<p>nothing to do: it holds already</p>"
    lines: list[str] = []
    subtask = None
    for row in rows:
        if row.subtask != subtask:
            subtask = row.subtask
            lines.append(f'<li class="subtask">{escape(subtask)}</li>')
        known = row.status in MARKS
        kind = ("todo" if row.status == "" else row.status) if known else "bad"
        spent = f"{row.seconds:.1f} s" if row.status else ""
        why = f" — {escape(row.message)}" if row.message else ""
        gave = f" = <b>{escape(row.gave)}</b>" if row.gave else ""
        final = " <b>(cannot be undone)</b>" if row.final else ""
        lines.append(
            f'<li class="step {escape(kind)}"><span class="mark">{MARKS.get(row.status, "✗")}</span>'
            f'<span>{escape(row.text)}{gave}{final}{why}</span><span class="time">{spent}</span></li>'
        )
    return f"<ol>{''.join(lines)}</ol>"


def _diff(text: str) -> str:
    lines = [f'<span class="{DIFF_CLASSES.get(t.split(" ", 1)[0], "")}">{escape(t)}</span>' for t in text.splitlines()]
    return f"<pre>{chr(10).join(lines)}</pre>"


def _failures(story: Story) -> str:
    if not story.failures:
        return ""
    rows = "".join(
        f'<tr><td class="at">{row.finished_s:.1f} s</td><td>{escape(row.text)}</td><td>{escape(row.status)}: '
        f"{escape(row.message)}</td></tr>"
        for row in story.failures
    )
    return f"<h2>Failures</h2><section><table>{rows}</table></section>"


def _time_line(story: Story) -> str:
    rows = "".join(
        f'<tr><td class="at">{at_s:.1f} s</td><td class="kind">{escape(kind)}</td><td>{escape(text)}</td></tr>'
        for at_s, kind, text in story.moments
    )
    return f"<h2>Time line</h2><section><table>{rows}</table></section>"


def _origin(story: Story) -> str:
    started = story.started
    scene = ("world", "seed") if started.get("world") else ()  # of a robot that is simulated
    known = {key: started.get(key) for key in ("run_id", "robot", *scene, "model")}
    known |= started.get("versions") or {}
    words = " · ".join(f"{escape(str(k))} {escape(str(v))}" for k, v in known.items() if v not in (None, ""))
    return f'<p class="soft">{words}</p>'
