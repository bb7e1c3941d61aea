"""Write the pages of `docs/reference/` from the program itself: `python tools/write_reference.py [--check]`."""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from vlp.cli.main import COMMANDS, STATUSES
from vlp.primitives.describe import describe_primitives
from vlp.primitives.standard import STANDARD

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
HEAD = """# Command line

This page is written by `tools/write_reference.py` from the program; `vlp COMMAND --help` prints the same.
"""


PRIMITIVES_HEAD = """# Standard primitives

This page is written by `tools/write_reference.py` from `vlp.primitives.standard`. A manifest selects from these and may
add its own. "holding target" stands for "holding" and the thing behind the argument `target`; `held` is the thing in the
hand. A `check` whose relation does not hold makes its step fail.
[What a robot's methods receive](../robot_api.md#a-robot-with-an-arm).

"""


def main() -> int:
    """Write the pages, or with `--check` compare them; returns the exit status."""
    pages = {"cli.md": cli_page(), "primitives.md": PRIMITIVES_HEAD + describe_primitives(STANDARD.values()) + "\n"}
    if "--check" not in sys.argv[1:]:
        for name, text in pages.items():
            (FOLDER / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in pages.items() if (FOLDER / name).read_text(encoding="utf-8") != text]
    if stale:
        print(f"docs/reference/{', '.join(stale)} not up to date; run: python tools/write_reference.py", file=sys.stderr)
    return bool(stale)


def cli_page() -> str:
    """Return the page: every command with its purpose, arguments, options and defaults."""
    sections = [_section(name, target) for name, (target, _) in COMMANDS.items()]
    return "\n".join([HEAD, STATUSES.replace("\n", " "), "", *sections])


def _section(name: str, target: str) -> str:
    module, _, attribute = target.partition(":")
    command: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    purpose, _ = _documented(command)
    rows = [*_rows(command)]
    words = [metavar for metavar, option, *_ in rows if not option]
    usage = " ".join(["vlp", name, *words, *(["[OPTIONS]"] if len(words) < len(rows) else [])])
    table = ["| argument | default | meaning |", "| --- | --- | --- |"]
    table += [f"| `{metavar}` | {default} | {text} |" for metavar, _, default, text in rows]
    return "\n".join([f"## vlp {name}", "", f"`{usage}`", "", purpose, "", *(table if rows else []), ""])


def _rows(command: Callable[..., Any]) -> Iterator[tuple[str, bool, str, str]]:
    """Yield each argument of a command: how it is written, whether it is an option, its default, its meaning."""
    texts, hints = _documented(command)[1], get_type_hints(command, include_extras=True)
    for parameter in inspect.signature(command).parameters.values():
        hint, marks = _unwrapped(hints[parameter.name])
        config = next((mark for mark in marks if hasattr(mark, "metavar")), None)
        if inspect.isclass(hint) and hasattr(hint, "__dataclass_fields__"):  # its fields are options of their own
            yield from _rows(hint)
            continue
        meaning = _escaped(texts.get(parameter.name) or (config and config.help) or "")
        if any("Positional" in repr(mark) for mark in marks):
            yield config.metavar if config else parameter.name.upper(), False, "", meaning
            continue
        switched_off = "no-" if parameter.default is True else ""
        flag = f"--{switched_off}" + ((config and config.name) or parameter.name).replace("_", "-")
        value = "" if hint is bool else f" {(config and config.metavar) or _kind(hint)}"
        if any("UseAppendAction" in repr(mark) for mark in marks):
            value = value.removesuffix(" ...")
        yield flag + value, True, _default(parameter.default), meaning


def _documented(command: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return what a docstring says before its arguments, and of each of them."""
    purpose, _, arguments = inspect.getdoc(command).partition("\nArgs:\n")  # type: ignore[union-attr]
    texts, names = dict[str, str](), list[str]()
    for line in arguments.split("\nReturns:")[0].splitlines():
        if begun := re.fullmatch(r" {4}(\w+(?:, \w+)*): (.*)", line):
            names = begun[1].split(", ")
            texts |= dict.fromkeys(names, begun[2])
        elif line.strip():
            texts |= {name: f"{texts[name]} {line.strip()}" for name in names}
    return purpose.strip(), texts


def _unwrapped(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return (get_args(hint)[0], get_args(hint)[1:]) if get_origin(hint) is Annotated else (hint, ())


def _kind(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "{" + ",".join(map(str, get_args(hint))) + "}"
    inner = [part for part in get_args(hint) if part not in (type(None), ...)] or [hint]
    return getattr(inner[0], "__name__", str(inner[0])).upper() + (" ..." if get_origin(hint) in (tuple, list) else "")


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    empty = value is None or isinstance(value, bool) or value in ("", ())
    return "" if empty else f"`{' '.join(map(str, value)) if isinstance(value, tuple) else value}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", "<br>")


if __name__ == "__main__":
    sys.exit(main())
