"""One fault of a dataset."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DataFault:
    """What is wrong, and with which sample.

    Args:
        sample: its id; "line 12" for a line in which no id can be read, "" for a fault of the whole set.
        code: a stable word for the kind of fault, e.g. "truncated-image".
        message: what was found and what was expected.
        hint: what would mend it; "" when nothing is known.
    """

    sample: str
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.sample or 'all samples'}: {self.message} {self.hint}".rstrip() + f" [{self.code}]"
