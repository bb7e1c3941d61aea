"""Errors a person can act on, checks whose outcome is data, and tables of names whose look-up offers the closest match."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any, TypeVar

T = TypeVar("T")


class VlpError(Exception):
    """An error with a sentence for the person and an exit status for the shell.

    Args:
        message: what was found and what was expected.
        hint: the next step, in one sentence; empty when there is none.
    """

    exit_status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class TaskFailed(VlpError):
    """The task or check ran and did not succeed (exit status 1)."""

    exit_status = 1


class UsageError(VlpError):
    """Bad usage or bad input (exit status 2)."""

    exit_status = 2


class MissingComponent(VlpError):
    """Something needed is missing or cannot be reached (exit status 3)."""

    exit_status = 3


class SimulationFault(VlpError):
    """The physics of a simulated robot broke down: neither a success nor anybody's failure (exit status 1).

    Args:
        message, hint: as of any error.
        dump: text of a file from which `vlp world replay` steps into the same fault; "" where there is none.
    """

    def __init__(self, message: str, hint: str = "", dump: str = "") -> None:
        super().__init__(message, hint)
        self.dump = dump


class Note(UserWarning):
    """Something a person should know that stops nothing; `warnings.warn` it, and the command line shows it as one line."""


def not_installed(needs: str, error: ImportError, extra: str) -> MissingComponent:
    """Return the error for a package that cannot be imported: it is not installed, or it is and does not load.

    Args:
        needs: what needs it, with the verb: "simulation needs".
        error: of the import.
        extra: what to install, e.g. "sim" or "train,data".
    """
    install = f"Install it with: pip install 'vlp[{extra}]'."
    if error.name and isinstance(error, ModuleNotFoundError):
        return MissingComponent(f"{needs} {error.name}.", install)
    why = " ".join(str(error).split())[:200].rstrip(".")
    return MissingComponent(f"{needs} {error.name or 'a package'}, which does not load: {why}.", "Install that package again.")


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name nearest in spelling to `name`, or None when nothing is near."""
    names, cutoff = list(known), 0.6  # below, what is offered only shares a syllable: "locate" for "water"
    matches = difflib.get_close_matches(name[:200], names, n=1, cutoff=cutoff)
    if not matches:  # read from the end, a wrong letter in the middle costs less
        matches = [near[::-1] for near in difflib.get_close_matches(name[199::-1], [n[::-1] for n in names], 1, cutoff)]
    return matches[0] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the hint for an unknown name: the closest match, and the list of what exists."""
    names = sorted(known)
    near = closest(name, names)
    question = f"Did you mean {near!r}? " if near else ""
    return f"{question}Known: {', '.join(name[:200] for name in names)}."


def lookup(name: str, table: Mapping[str, T], what: str) -> T:
    """Return `table[name]`, or raise a UsageError that names the closest match.

    Args:
        name: the name asked for.
        table: what exists.
        what: the word for one entry, e.g. "robot".
    """
    if name in table:
        return table[name]
    raise UsageError(f"unknown {what} {name[:200]!r}.", did_you_mean(name, table))


@dataclass(frozen=True)
class Issue:
    """One failed check.

    Args:
        path: where in the document, e.g. "/subtasks/0/steps/2/target".
        code: a stable word for the kind of fault, e.g. "unknown-name".
        message: what was found and what was expected.
        hint: what would mend it; empty when nothing is known.
    """

    path: str
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.message} {self.hint}".strip() + f" [{self.code}]"


@dataclass
class Report:
    """A list of issues; empty means that every check passed."""

    issues: list[Issue] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when there is no issue."""
        return not self.issues

    def add(self, path: str, code: str, message: str, hint: str = "") -> None:
        """Append one issue."""
        self.issues.append(Issue(path, code, message, hint))

    def to_json(self) -> dict[str, object]:
        """Return the report as plain data."""
        return {"ok": self.ok, "issues": [asdict(issue) for issue in self.issues]}

    def __str__(self) -> str:
        return "ok" if self.ok else "\n".join(str(issue) for issue in self.issues)


def first(table: Mapping[str, str]) -> str:
    """Return the name of a table's first row: the default."""
    return next(iter(table))


def open_row(name: str, table: Mapping[str, str], what: str) -> Any:
    """Return the object of a row; where the row names a class, one made of it without arguments.

    Args:
        name: of the row; "" takes the first one.
        table: "module:name" by name.
        what: the word for one entry, e.g. "robot".

    Raises:
        UsageError: no such row.
    """
    module, _, attribute = lookup(name or first(table), table, what).partition(":")
    found = getattr(import_module(module), attribute)
    return found() if isinstance(found, type) else found
