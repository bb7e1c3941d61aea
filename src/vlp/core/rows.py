"""Tables of names: what a row "module:name" stands for, imported when it is asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from vlp.core.errors import lookup


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
