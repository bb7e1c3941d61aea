"""How large the things of one kind are, where somebody knows it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SizeBounds:
    """Bounds on the things of one kind, in metres; None where it is not known.

    Args:
        tallest_m: what rises higher is something in, on or in front of the thing.
        shortest_m: a standing thing that shows less is hidden below, it does not stand on something.
        lying_m: a thing that shows nothing above this height lies on its side.
        span_m: its largest extent; pieces farther apart are not one thing.
    """

    tallest_m: float | None = None
    shortest_m: float | None = None
    lying_m: float | None = None
    span_m: float | None = None


Sizes = Mapping[str, SizeBounds]
"""Bounds by the noun that a phrase ends with."""
