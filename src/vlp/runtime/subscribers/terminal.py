"""The run in a terminal, live: the policy as a tree, what changed it and why, and where the time goes."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from vlp.journal import Event
from vlp.policy.model import Policy, tree_lines
from vlp.runtime.story import TIMES, Chapter, Story

COLOURS = {"✓": "green", "▶": "bold cyan", "✗": "bold red", "■": "bold red", "·": "dim", "-": "dim"}
TIME_COLOURS = {"perception": "blue", "model": "magenta", "checks": "yellow", "motion": "green"}
OUTCOME_COLOURS = {"success": "green", "failure": "red", "stopped": "yellow", "timeout": "yellow"}
DIFF_COLOURS = {"+": "green", "-": "red", "=": "dim", "undo": "yellow", "done": "dim"}


class Terminal:
    """Shows a run on a console: live where it is a terminal, line by line elsewhere.

    Args:
        console: where to; None for standard output.
        line: gives the line that a person is typing, shown below the picture; None when nobody can type.
    """

    def __init__(self, console: Console | None = None, line: Callable[[], str] | None = None) -> None:
        self._console = console or Console()
        self._line = line
        self._story = Story()
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._seen_at_s = time.monotonic()
        self._writing = ""
        self._aside = False

    def on_event(self, event: Event) -> None:
        """Take one event in and show it."""
        with self._lock:
            shown = len(self._story.moments)
            self._story.on_event(event)
            self._seen_at_s = time.monotonic()
            if event.kind in ("reply", "policy"):
                self._writing = ""
        if not self._console.is_terminal:
            if event.kind == "confirm-asked":  # whoever is to agree sees every step
                self._console.print(policy_text(self._story.chapters[-1]), soft_wrap=True, end="")
            for moment in self._story.moments[shown:]:
                self._console.print(moment_line(*moment), soft_wrap=True)
        elif self._live is None and not self._story.end and not self._aside:
            self._begin()
        if event.kind == "run-finished":
            self.close()

    def on_text(self, piece: str) -> None:
        """Show a piece of a reply as it is written."""
        with self._lock:
            self._writing = (self._writing + piece)[-4000:]

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the screen to another program, such as an editor, while the context is open."""
        self._aside = True
        self.close()
        try:
            yield
        finally:
            self._aside = False
            if self._console.is_terminal and not self._story.end:
                self._begin()

    def _begin(self) -> None:
        self._live = Live(console=self._console, get_renderable=self.render, refresh_per_second=4)
        self._live.start()

    def close(self) -> None:
        """Leave the last picture standing."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def render(self) -> RenderableType:
        """Return the picture of this moment."""
        with self._lock:
            # What must be seen comes first: a long policy may be cut off at the bottom of a small window.
            parts: list[RenderableType] = [self._head(), times_text(self._story)]
            if self._story.chapters:
                chapter = self._story.chapters[-1]
                if chapter.diff:
                    parts.append(diff_panel(chapter))
                if chapter.refused:
                    parts.append(Text(printable(chapter.refused), style="red"))
                parts.append(Text(f"understood: {printable(chapter.understood)}", style="cyan"))
                parts.append(policy_text(chapter))
            if self._writing:
                parts.append(Text(printable(self._writing[-200:]), style="dim"))
            if self._line and not self._story.end:
                where = 1 if self._story.asking else len(parts)
                parts.insert(where, Text(printable(self._line()), style="bold"))
            return Group(*parts)

    def _head(self) -> Panel:
        story = self._story
        lines = Text()
        for i, sentence in enumerate(story.instructions):
            last = i == len(story.instructions) - 1
            lines.append(("" if i == 0 else "\n") + printable(sentence), style="bold" if last else "strike dim")
        if story.end:
            outcome = story.end["outcome"]
            lines.append(f"\n{outcome}", style=f"bold {OUTCOME_COLOURS.get(outcome, '')}")
            lines.append(printable(story.account.removeprefix(outcome)))
        else:
            now = story.waiting or self._doing()
            lines.append(f"\n{now}  {time.monotonic() - self._seen_at_s:.0f} s", style="cyan")
        return Panel(lines, title=f"{story.started.get('robot', '')} {story.started.get('world', '')}".strip() or None)

    def _doing(self) -> str:
        rows = self._story.chapters[-1].rows if self._story.chapters else []
        running = next((row for row in rows if row.status == "running"), None)
        return printable(running.text) if running else "between steps"


def policy_text(chapter: Chapter) -> Text:
    """Return a policy as a coloured tree, each step with its state and time."""
    policy = Policy.from_json(chapter.policy)
    states = {row.id: row.status for row in chapter.rows}
    text = Text()
    for line in tree_lines(policy, states):
        style = next((colour for mark, colour in COLOURS.items() if f" {mark} " in line), "bold")
        text.append(line, style=style)
        row = next((row for row in chapter.rows if f" {row.id} " in line), None)
        if row and row.gave:
            text.append(f" = {printable(row.gave)}", style="bold")
        if row and row.final:
            text.append("  cannot be undone", style="bold yellow")
        text.append(f"  {row.seconds:.1f} s\n" if row and row.seconds else "\n", style="dim")
    for row in chapter.rows:
        if row.message:
            text.append(f"{row.id} {printable(row.message)}\n", style="red")
    return text


def diff_panel(chapter: Chapter) -> Panel:
    """Return why and how a policy replaced the one before."""
    text = Text()
    text.append("\n".join(f"! {printable(why)}" for why in chapter.whys), style="bold yellow")
    for line in chapter.diff.splitlines():
        word = line.split(" ", 1)[0]
        text.append("\n" + printable(line), style=DIFF_COLOURS.get(word, ""))
    return Panel(text, title=f"policy {chapter.revision}", border_style="yellow")


def times_text(story: Story) -> Text:
    """Return where the time went, as one bar and its legend."""
    total = sum(story.times_s.values()) or 1.0
    bar = Text()
    for name in TIMES:
        bar.append("█" * round(40 * story.times_s[name] / total), style=TIME_COLOURS[name])
    for name in TIMES:
        bar.append(f"  {name} {story.times_s[name]:.1f} s", style=TIME_COLOURS[name])
    return bar


_MOMENT_STYLES: dict[str, str] = {
    "instruction": "bold", "trigger": "yellow", "policy": "cyan", "understood": "cyan",
    "report": "red", "world": "yellow", "confirm": "bold yellow", "end": "bold",
}  # fmt: skip


def moment_line(at_s: float, kind: str, text: str) -> Text:
    """Return one line of the time line."""
    return Text(f"{at_s:7.1f} s  {kind:<11} {printable(text)}", style=_MOMENT_STYLES.get(kind, ""))


def printable(text: str) -> str:
    """Return text without characters that could move the cursor or forge a line."""
    return "".join(c if c.isprintable() else " " for c in text)
