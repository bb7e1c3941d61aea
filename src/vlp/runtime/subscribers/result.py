"""result.json: the run's outcome as data, for scripts."""

import json
from pathlib import Path
from typing import Any

from vlp.journal import Event
from vlp.runtime.files import write_whole
from vlp.runtime.story import Chapter, Story

FILE_NAME = "result.json"


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
        "instructions": story.instructions,
        "policies": [_chapter(chapter) for chapter in story.chapters],
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
    return json.dumps(result_of(story), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _chapter(chapter: Chapter) -> dict[str, Any]:
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


class ResultFile:
    """Writes result.json when a run ends.

    Args:
        out: the run's directory.
    """

    def __init__(self, out: str | Path) -> None:
        self._path = Path(out) / FILE_NAME
        self._story = Story()

    def on_event(self, event: Event) -> None:
        """Take one event in; write at the end."""
        self._story.on_event(event)
        if event.kind == "run-finished":
            write_whole(self._path, result_text(self._story))
