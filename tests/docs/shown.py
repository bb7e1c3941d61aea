"""Commands as README and guides show them, read from their fenced `sh` blocks."""

import re
from dataclasses import dataclass
from pathlib import Path

from vlp.cli.main import EXAMPLES

ROOT = Path(__file__).parents[2]
HELP = "vlp --help"
KEPT_OUT = ("log.md",)  # what was done once, with files of that day
GUIDES = sorted(f"docs/{f.name}" for f in (ROOT / "docs").glob("*.md") if f.name not in KEPT_OUT)
PAGES = ("README.md", *GUIDES, "docs/reference/http.md", HELP)

PROGRAMS = ("vlp", "make", "pip", "python", "sh", "export", "accelerate", "ray")
STATUS = re.compile(r"exit status (\d+)$")
COMMENT = re.compile(r"(?:^|\s+)#\s(.*)$")


@dataclass(frozen=True)
class Shown:
    """One command that a page shows.

    Args:
        page, line: where it stands.
        text: the command without its comment, on one line; of a shell script the whole block.
        status: the exit status that the page tells; 0 unless it says another.
        prints: lines that the page says it prints, "" where it does not say.
        script: whether it is more than a command a line, and goes to the shell as a whole.
    """

    page: str
    line: int
    text: str
    status: int = 0
    prints: str = ""
    script: bool = False

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def commands(page: str) -> list[Shown]:
    """Return what a page of `PAGES` shows, in its order."""
    if page == HELP:
        return _lines(page, 1, [line.strip() for line in EXAMPLES.splitlines()])
    lines, found, at = text_of(page).splitlines(), list[Shown](), 0
    while at < len(lines):
        if (fence := lines[at]).startswith("```") and fence != "```":
            end = lines.index("```", at)
            body = lines[at + 1 : end]
            if fence == "```sh":
                found += _block(page, at + 2, body)
            elif fence == "```text":  # what the command above it prints
                last = found.pop()
                found.append(Shown(page, last.line, last.text, last.status, "\n".join(body)))
            at = end
        at += 1
    return found


def text_of(page: str) -> str:
    """Return a page as it stands in the repository."""
    return (ROOT / page).read_text(encoding="utf-8")


def program_of(text: str) -> str:
    """Return the program that a command line calls, after the variables it sets."""
    return next((word for word in text.split() if not re.fullmatch(r"[A-Z_]+=\S*", word)), "")


def _block(page: str, line: int, body: list[str]) -> list[Shown]:
    plain = all(program_of(text) in PROGRAMS for _, text in _logical(body) if not text.startswith("#"))
    return _lines(page, line, body) if plain else [Shown(page, line, "\n".join(body), script=True)]


def _lines(page: str, line: int, body: list[str]) -> list[Shown]:
    found = []
    for offset, text in _logical(body):
        comment = COMMENT.search(text)
        told = STATUS.search(comment[1].strip()) if comment else None
        if command := " ".join(COMMENT.sub("", text).split()):
            found.append(Shown(page, line + offset, command, int(told[1]) if told else 0))
    return found


def _logical(body: list[str]) -> list[tuple[int, str]]:
    """Return lines with those that a backslash continues made one, each with the number of its first."""
    found, begun = list[tuple[int, str]](), ""
    for number, text in enumerate(body):
        start = found.pop()[0] if begun else number
        whole = begun + text
        begun = whole.removesuffix("\\") if whole.endswith("\\") else ""
        if whole.strip():
            found.append((start, whole))
    return found
