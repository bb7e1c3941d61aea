"""A folder's tokenizer and chat template are read before they are used: neither can run long, grow text or say anything odd.

Both are programs. A pattern of a tokenizer can take a second for every letter, a template can loop or write 10 GB; so only what
cannot is taken: the patterns of models of this family, patterns that never go back, and templates that loop over the messages.
"""

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from vlp.core.errors import UsageError

KNOWN_PATTERNS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
)
"""Of Qwen 2 and 2.5."""
ATOM = r"(?:\[(?:\\.|[^\[\]\\])+\]|\\[spPdwSDW](?:\{\w{1,20}\})?|[A-Za-z0-9 ])[+*?]?"
NEVER_GOES_BACK = re.compile(rf"{ATOM}(?:\|{ATOM}){{0,50}}")
"""Alternatives of one set of characters each."""

PARTS = {
    "normalizer": ("NFC", "NFD", "NFKC", "NFKD", "Sequence"),
    "pre_tokenizer": ("Sequence", "Split", "ByteLevel"),
    "post_processor": ("ByteLevel", "TemplateProcessing", "Sequence"),
    "decoder": ("ByteLevel",),
    "model": ("BPE",),
}


def check_tokenizer(tokenizer: Mapping[str, Any], name: str) -> None:
    """Raise UsageError unless a tokenizer cannot run long.

    Args:
        tokenizer: what stands in tokenizer.json.
        name: what its folder is called.
    """

    def refuse(what: str) -> NoReturn:
        raise UsageError(f"the tokenizer of {name!r} {what}.", "Use the tokenizer.json of Qwen2.5-VL.")

    try:
        found = {part: _kinds(tokenizer.get(part)) for part in PARTS}
        patterns = _patterns(tokenizer)
    except RecursionError:
        refuse("is nested too deep")
    for part, kinds in PARTS.items():
        for kind in found[part]:
            if kind not in kinds:
                refuse(f"has a {part.replace('_', ' ')} of type {str(kind)[:40]!r}; known are {', '.join(kinds)}")
    for pattern in patterns:
        if pattern not in KNOWN_PATTERNS and not NEVER_GOES_BACK.fullmatch(pattern[:1000]):
            refuse(f"splits text by {pattern[:60]!r}, which may take for ever")
    model = tokenizer.get("model")
    model = model if isinstance(model, dict) else {}
    listed = {"vocab": model.get("vocab"), "merges": model.get("merges"), "added_tokens": tokenizer.get("added_tokens")}
    most_entries = 400_000  # Qwen2.5-VL has 151,665
    for what, entries in listed.items():
        if len(entries or ()) > most_entries:
            refuse(f"has {len(entries):,} entries in {what}; at most {most_entries:,}")


def _kinds(part: Any) -> list[Any]:
    """Return the types of a part and of those within it."""
    if not isinstance(part, dict):
        return []
    within = [*(part.get("normalizers") or ()), *(part.get("pretokenizers") or ()), *(part.get("processors") or ())]
    return [part.get("type"), *(kind for inner in within for kind in _kinds(inner))]


def _patterns(part: Any) -> list[str]:
    """Return every regular expression within a part."""
    if isinstance(part, dict):
        own = [str(part["Regex"])] if "Regex" in part else []
        return own + [p for key, value in part.items() if key not in ("vocab", "merges") for p in _patterns(value)]
    return [p for value in part for p in _patterns(value)] if isinstance(part, list) else []


NODES = (
    *("Template", "Output", "TemplateData", "For", "If", "CondExpr", "Assign", "NSRef", "Call", "Keyword", "Filter", "Test"),
    *("Name", "Const", "Getattr", "Getitem", "Slice", "List", "Tuple", "Compare", "Operand", "And", "Or", "Not", "Neg", "Add"),
)
FILTERS = ("trim", "length", "lower", "upper", "tojson", "string", "first", "last")
CALLS = ("namespace", "raise_exception", "strip", "lstrip", "rstrip", "startswith", "endswith", "split")


def check_template(template: Any, name: str) -> None:
    """Raise UsageError unless a chat template writes each message in turn and nothing that grows by itself.

    Args:
        template: Jinja's source.
        name: what the folder is called.
    """
    import jinja2

    def refuse(what: str) -> NoReturn:
        raise UsageError(f"the chat template of {name!r} {what}.", "Use the chat_template.jinja of Qwen2.5-VL.")

    if not isinstance(template, str):
        refuse("is not one template")
    most_chars = 20_000
    if len(template) > most_chars:
        refuse(f"has {len(template):,} characters; at most {most_chars:,}")
    try:
        tree = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).parse(template)
    except (jinja2.TemplateError, RecursionError) as error:
        refuse(f"is not valid Jinja: {' '.join(str(error).split())[:100]}")
    fault = _fault(tree, 0, False)
    if fault:
        refuse(fault)


def _fault(node: Any, loops: int, assigned: bool) -> str:
    """Return what a template may not do, "" for nothing; `assigned` says that the value of the node is kept."""
    kind = type(node).__name__
    if kind not in NODES:
        return f"uses {kind} in line {node.lineno}, which is not known here"
    if kind == "Filter" and node.name not in FILTERS:
        return f"uses the filter {node.name[:40]!r}"
    named = str(getattr(node, "attr", "") or getattr(getattr(node, "arg", None), "value", ""))  # of Getattr, of Getitem
    if kind in ("Getattr", "Getitem") and named.startswith("_"):
        return f"reads {named[:40]!r} in line {node.lineno}, which is of Python's inside"
    if kind == "Call":
        called = getattr(node.node, "name", None) or getattr(node.node, "attr", "")
        if called not in CALLS:
            return f"calls {str(called)[:40]!r}"
    if kind == "For":
        loops += 1
        if loops > 2:
            return "nests loops deeper than over the messages and their parts"
        if type(node.iter).__name__ not in ("Name", "Getattr", "Getitem") or node.recursive:
            return f"loops over something else than messages and their parts, in line {node.lineno}"
    counted = kind == "Add" and type(node.right).__name__ == "Const" and type(node.right.value) is int
    if kind == "Add" and assigned and not counted:
        return f"keeps text that it has put together, in line {node.lineno}: it could grow without bound"
    assigned = assigned or kind == "Assign"
    return next((fault for child in node.iter_child_nodes() if (fault := _fault(child, loops, assigned))), "")
