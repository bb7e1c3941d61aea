"""Files of JSON whose every value has a type and bounds, and the first fault of one in a sentence."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class Strict(BaseModel):
    """The schema of a JSON object: no unknown keys, no conversions between types, no NaN and no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def first_fault(error: ValidationError) -> str:
    """Return the first fault as one sentence, and how many more there are."""
    faults = error.errors(include_url=False, include_context=False)
    fault = faults[0]
    path = "/" + "/".join(str(part)[:80] for part in fault["loc"])
    expected = fault["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
    if fault["type"] == "json_invalid":
        return f"not JSON: {expected.removeprefix('Invalid JSON: ')[:120]}."
    if fault["type"] == "missing":
        return f"{path}: nothing found; expected a value{more}."
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key; expected none{more}."
    return f"{path}: found {_short(fault['input'])}; expected: {expected[:200]}{more}."


def _short(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
