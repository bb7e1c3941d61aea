"""Scripted events in words: what a person does to the simulated scene while the robot works."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from vlp.core.errors import UsageError, closest, lookup

if TYPE_CHECKING:
    from vlp.sim.simulation import Simulation

FORMS = '"move red cube", "remove red cube", "knock", "block green bowl by red can"'
SETTLE_S = 0.5
"""What an event takes: time in which things come to rest and empty fingers close."""
Act = Callable[["Simulation", np.random.Generator, re.Match[str]], tuple[str, ...]]


def _move(simulation: Simulation, rng: np.random.Generator, found: re.Match[str]) -> tuple[str, ...]:
    return (found[1],) if simulation.move(found[1], rng) else ()


def _remove(simulation: Simulation, rng: np.random.Generator, found: re.Match[str]) -> tuple[str, ...]:
    del rng
    simulation.remove(found[1])
    return (found[1],)


def _knock(simulation: Simulation, rng: np.random.Generator, found: re.Match[str]) -> tuple[str, ...]:
    del found
    held = simulation.knock_out(rng)
    return (held,) if held else ()


def _block(simulation: Simulation, rng: np.random.Generator, found: re.Match[str]) -> tuple[str, ...]:
    put = simulation.block(found[1], rng, by=found[2])
    return (put,) if put else ()


ACTS: dict[str, tuple[str, Act]] = {
    "move": (r"move (?:the )?(\w+ \w+)", _move),
    "remove": (r"remove (?:the )?(\w+ \w+)", _remove),
    "knock": (r"knock", _knock),
    "block": (r"block (?:the )?(\w+ \w+)(?: (?:by|with) (?:the )?(\w+ \w+))?", _block),
}
"""Events by their first word: the form of the words, and what happens; each returns the things that were moved."""


def parse_event(text: str) -> tuple[re.Match[str], Act]:
    """Return the parts of an event's words and what carries it out.

    Raises:
        UsageError: no such event.
    """
    words = " ".join(text.split()).lower()
    first = words.split(" ", 1)[0]
    if first not in ACTS:
        near = closest(first, ACTS)
        hint = f"Did you mean {near!r}? " if near else ""
        raise UsageError(f"unknown event {text[:100]!r}.", f"{hint}Expected e.g. {FORMS}.")
    form, act = ACTS[first]
    found = re.fullmatch(form, words)
    if found is None:
        raise UsageError(f"the event {text[:100]!r} is not complete.", f"Expected e.g. {FORMS}.")
    return found, act


def happen(simulation: Simulation, text: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Carry out an event and return the phrases of what a person moved; none when there was no room for it.

    Raises:
        UsageError: no such event, or no such object in the world.
    """
    found, act = parse_event(text)
    now = simulation.truth().objects
    for phrase in found.groups():
        if phrase is not None:
            lookup(phrase, now, "object")
    moved = act(simulation, rng, found)
    simulation.step(round(SETTLE_S / simulation.model.opt.timestep))
    return moved
