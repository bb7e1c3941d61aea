"""The outcome of checks as data: what is wrong, where, and what would help."""

from dataclasses import asdict, dataclass, field


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
