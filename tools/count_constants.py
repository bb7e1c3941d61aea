"""Count the upper-case constants of the source: names such as `MAX_TOKENS` that a module or a class binds.

    python tools/count_constants.py            # per package, and the total
    python tools/count_constants.py nano       # every constant of one package, with file and line

Data files (TOML, text) hold phrases and tables, so they do not count.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Bound(NamedTuple):
    """A constant and where it is bound; the file is relative to the root."""

    file: Path
    line: int
    name: str

    @property
    def package(self) -> str:
        """The package it belongs to; modules directly in the root count as one package, "vlp"."""
        return self.file.parts[0] if len(self.file.parts) > 1 else "vlp"


def constants(root: Path) -> list[Bound]:
    """Return the constants bound in the Python files under `root`, each name once per file and class."""
    found: dict[tuple[Path, str], Bound] = {}
    for path in sorted(root.rglob("*.py")):
        file = path.relative_to(root)
        for scope, line, name in _bound(ast.parse(path.read_text()).body):
            found.setdefault((file, scope + name), Bound(file, line, name))
    return list(found.values())


def _bound(body: list[ast.stmt], scope: str = "") -> Iterator[tuple[str, int, str]]:
    """Yield (scope, line, name) of the constants bound in a module or class, also under `if`, `try` and `with`."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _bound(node.body, f"{scope}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for part in ast.walk(target):
                    if isinstance(part, ast.Name) and re.fullmatch(r"_*[A-Z][A-Z0-9_]+", part.id):
                        yield scope, node.lineno, part.id
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                yield from _bound(getattr(node, field, []), scope)


def main() -> None:
    """Print the counts, or the constants of the package named."""
    found = constants(Path(__file__).parent.parent / "src" / "vlp")
    if len(sys.argv) > 1:
        for one in found:
            if one.package == sys.argv[1]:
                print(f"{one.file}:{one.line}  {one.name}")
        return
    for package, count in sorted(Counter(one.package for one in found).items()):
        print(f"{package:20} {count:4}")
    print(f"{'total':20} {len(found):4}")


if __name__ == "__main__":
    main()
