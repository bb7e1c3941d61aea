"""Scripted events in words: what a person does to the simulated scene while the robot works."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from vlp.core.errors import UsageError, closest, lookup

if TYPE_CHECKING:
    from vlp.sim.simulation import Simulation
    from vlp.sim.worlds.protocol import Happening


def parse_event(text: str, events: Mapping[str, Happening]) -> tuple[Happening, tuple[str, ...]]:
    """Return what an event's words mean, and the phrases in them, "" for one that was left out.

    Args:
        text: the words.
        events: the world's.

    Raises:
        UsageError: no such event, or one that is too long or names one thing twice.
    """
    words, longest = " ".join(text.split()).lower(), 200
    if len(words) > longest:
        raise UsageError(f"an event of {len(words):,} characters is too long: {words[:40]!r}...", f"At most {longest}.")
    first = words.split(" ", 1)[0]
    forms = ", ".join(f'"{event.example}"' for event in events.values()) or "none: nothing happens in this world"
    if first not in events:
        near = closest(first, events)
        hint = f"Did you mean {near!r}? " if near else ""
        raise UsageError(f"unknown event {text[:100]!r}.", f"{hint}Expected e.g. {forms}.")
    found = re.fullmatch(events[first].form, words)
    if found is None:
        raise UsageError(f"the event {text[:100]!r} is not complete.", f"Expected e.g. {forms}.")
    phrases = tuple(phrase or "" for phrase in found.groups())
    if twice := next((phrase for i, phrase in enumerate(phrases) if phrase and phrase in phrases[:i]), ""):
        hint = f"Name two different ones, e.g. {events[first].example!r}."
        raise UsageError(f"the event {text[:100]!r} names {twice!r} twice.", hint)
    return events[first], phrases


def check_event(simulation: Simulation, text: str) -> tuple[Happening, tuple[str, ...]]:
    """Return what an event means and the names in it; raises UsageError also for what is not there now."""
    event, phrases = parse_event(text, simulation.world.events)
    groups = [about(simulation) for about in event.about] or [simulation.truth().objects] * len(phrases)
    known = [{name.lower(): name for name in names} for names in groups]
    what = "name" if event.about else "object"
    return event, tuple(phrase and lookup(phrase, names, what) for phrase, names in zip(phrases, known, strict=True))


def happen(simulation: Simulation, text: str, rng: np.random.Generator, settle: bool = True) -> tuple[str, ...]:
    """Carry out an event and return the phrases of what a person moved; none when there was no room for it.

    Args:
        simulation: the world.
        text: the event's words.
        rng: decides what they leave open.
        settle: whether to wait until things have come to rest; not while the robot moves.

    Raises:
        UsageError: no such event, or no such object in the world.
    """
    event, phrases = check_event(simulation, text)
    moved = event.act(simulation, rng, phrases)
    settle_s = 0.5 if settle else 0.0  # things come to rest, and empty fingers close
    simulation.step(round(settle_s / simulation.model.opt.timestep))
    return moved
