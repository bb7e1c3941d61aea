"""Policies that are wrong by construction: each function spoils a valid one in a way that no reading makes right."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from vlp.policy.parse import MAX_BYTES
from vlp.primitives.schema import MAX_STEPS, MAX_STRING, MAX_SUBTASKS

Data = dict[str, Any]
Spoil = Callable[[random.Random, Data], str | bytes]
"""Takes a valid policy that has at least one step (it may change it) and returns a malformed text."""


def dumps(data: Any) -> str:
    """Return compact JSON; not a number is written as the words that Python's parser would take."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def _objects(data: Any) -> list[Data]:
    """Return every object in the document, the root first."""
    found = [data] if isinstance(data, dict) else []
    for item in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        found += _objects(item)
    return found


def _slots(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place that holds a value, as (container, key)."""
    for key, item in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield data, key
        yield from _slots(item)


def _steps(data: Data) -> list[Data]:
    return [step for subtask in data["subtasks"] for step in subtask["steps"]]


def _append(data: Data, *steps: Data) -> str:
    data["subtasks"] = [*data["subtasks"][: MAX_SUBTASKS - 1], {"name": "more", "steps": list(steps)}]
    return dumps(data)


def _prepend(data: Data, *steps: Data) -> str:
    data["subtasks"] = [{"name": "more", "steps": list(steps)}, *data["subtasks"][: MAX_SUBTASKS - 1]]
    return dumps(data)


def _instead(rng: random.Random, data: Data, raw: str) -> str:
    """Put raw text in place of a random value."""
    return _raw(data, *rng.choice(list(_slots(data))), raw)


def _raw(data: Data, container: Any, key: Any, raw: str) -> str:
    """Put raw text in place of a value."""
    container[key] = "@@stand-in@@"
    return dumps(data).replace('"@@stand-in@@"', raw)


def _other(rng: random.Random, but: str = "") -> Any:
    """Return a value of any JSON type but one."""
    values = (None, True, False, 0, -3, 2.5, "word", [], ["a"], {}, {"a": 1})
    return rng.choice([value for value in values if _json_type(value) != but])


# Text ------------------------------------------------------------------------------------------------------------


def truncated(rng: random.Random, data: Data) -> str:
    """A prefix of a JSON object is never JSON."""
    text = dumps(data)
    return text[: rng.randrange(len(text))]


def nested(rng: random.Random, data: Data) -> str:
    """Deeper than any policy is."""
    depth = rng.choice((9, 12, 100, 5_000, 100_000))
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}"), ('{"subtasks":[', "]}")))
    deep = opening * depth + "1" + closing * (depth if rng.random() < 0.8 else rng.randrange(depth))
    return deep if rng.random() < 0.5 else _instead(rng, data, deep)


def duplicated(rng: random.Random, data: Data) -> str:
    """One object has one key twice."""
    chosen = rng.choice(_objects(data))
    key = rng.choice(list(chosen))
    chosen["@@stand-in@@"] = copy.deepcopy(chosen[key])
    return dumps(data).replace('"@@stand-in@@"', dumps(key))


def not_finite(rng: random.Random, data: Data) -> str:
    """No value of a policy may be NaN or infinite."""
    return _instead(rng, data, rng.choice(("NaN", "Infinity", "-Infinity", "1e999", "-1e400", "nan", "inf")))


def long_number(rng: random.Random, data: Data) -> str:
    """Numbers of many digits are expensive to read and mean nothing."""
    return _instead(rng, data, rng.choice("123456789") + rng.choice(("0", "7", ".5")) * rng.choice((30, 400, 5_000)))


def binary(rng: random.Random, data: Data) -> bytes:
    """Bytes that no UTF-8 text has."""
    text = dumps(data).encode() if rng.random() < 0.5 else rng.randbytes(rng.randrange(200))
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice((b"\xff", b"\xc0", b"\xfe", b"\xf8\x88")) + text[at:]


def junk(rng: random.Random, data: Data) -> str:
    """Not JSON, or JSON with something before or after it."""
    noise = "".join(rng.choice('abc{}[]",:0123 \\\n\x00é') for _ in range(rng.randrange(60)))
    text = dumps(data)
    return rng.choice(
        ("x" + noise, text + "x" + noise, "x" + noise + text, f"```json\n{text}\n```", text + text, "\ufeff" + text)
    )


def oversized(rng: random.Random, data: Data) -> str:
    """Longer than is read, be it by spaces alone."""
    return dumps(data) + " " * rng.choice((MAX_BYTES, MAX_BYTES * 4))


def quotes(rng: random.Random, data: Data) -> str:
    """Many short tokens: the scan must not take quadratic time."""
    return rng.choice(('"\\"', '""', '"', "[]", "{},", '\\"', '"\\\\"')) * rng.randrange(1, 8_000)


def empty(rng: random.Random, data: Data) -> str:
    """Nothing, or JSON that is no policy."""
    return rng.choice(("", " ", "\n", "null", "[]", "{}", '""', "0", "true", '{"goal":"x"}', '{"subtasks":[]}'))


# Structure -------------------------------------------------------------------------------------------------------


def missing_key(rng: random.Random, data: Data) -> str:
    """One needed key is gone."""
    chosen = rng.choice(_objects(data))
    del chosen[rng.choice([key for key in chosen if key != "seen"])]
    return dumps(data)


def unknown_key(rng: random.Random, data: Data) -> str:
    """One object has a key that it does not have."""
    rng.choice(_objects(data))[rng.choice(("zz", "Goal", "__class__", "", "do ", "x" * 300))] = _other(rng)
    return dumps(data)


def wrong_type(rng: random.Random, data: Data) -> str:
    """One value is of another JSON type."""
    container, key = rng.choice(list(_slots(data)))
    container[key] = _other(rng, but=_json_type(container[key]))
    return dumps(data)


def unknown_primitive(rng: random.Random, data: Data) -> str:
    """One step does what no robot declares."""
    rng.choice(_steps(data))["do"] = rng.choice(("gras", "GRASP", "grasp ", "", "eval", "__import__", "x" * 190, "pick_up"))
    return dumps(data)


def unknown_word(rng: random.Random, data: Data) -> str:
    """A relation, direction or place that does not exist."""
    steps = [
        {"do": "go_to", "place": "moon"},
        {"do": "look_at", "target": "moon"},
        {"do": "check", "relation": "inside", "subject": "red cube", "object": "green bowl"},
        {"do": "check", "relation": "holding", "subject": "red cube", "object": "green bowl"},
        {"do": "check", "relation": "next_to", "subject": "red cube", "object": "bin"},
        {"do": "check", "relation": "on", "subject": "red cube", "object": "red cube"},
        {"do": "locate", "object": "table", "as": "t"},
        {"do": "find_all", "object": "bin", "as": "t"},
    ]
    return _append(data, rng.choice(steps))


def out_of_bounds(rng: random.Random, data: Data) -> str:
    """A height beyond what the declaration allows."""
    return _append(data, {"do": "lift", "height_m": rng.choice((0.019, 0.3001, -1, 0, 1e9, -0.0, 30))})


def wrong_place(rng: random.Random, data: Data) -> str:
    """A named place in a relation that it cannot stand in."""
    target, relation = rng.choice((("table", "in"), ("bin", "on"), ("start", "on"), ("table", "at"), ("bin", "next_to")))
    held = ({"do": "locate", "object": "red cube", "as": "zq"}, {"do": "grasp", "target": "$zq"})
    return _append(data, *held, {"do": "place", "target": target, "relation": relation})


def wrong_box(rng: random.Random, data: Data) -> str:
    """A box without area, outside any image, or not of four numbers."""
    box = rng.choice(
        ([5, 5, 5, 9], [9, 5, 5, 9], [0, 0, 1], [0, 0, 1, 1, 1], [-1, 0, 5, 5], [0, 0, 9e9, 9], [0, 0, True, 9], [])
    )
    data.pop("seen", None)
    return dumps({"goal": data["goal"], "seen": [["red cube", box]], "subtasks": data["subtasks"]})


def wrong_string(rng: random.Random, data: Data) -> str:
    """Empty or endless text, or characters that move a cursor, reverse a line or are half of a pair."""
    bad = rng.choice(("", "a\nb", "\x00", "\x1b[2J", "a\u202eb", "\u2028", "x" * (MAX_STRING + 1), "\x7f", "\x9b1m"))
    chosen = rng.choice((data, rng.choice(data["subtasks"])))
    key = "goal" if chosen is data else "name"
    if rng.random() < 0.2:
        return _raw(data, chosen, key, rng.choice((r'"\ud800"', r'"\udfff x"', r'"a\u0000"')))
    chosen[key] = bad
    return dumps(data)


def wrong_phrase(rng: random.Random, data: Data) -> str:
    """A phrase that is no phrase, or a result bound to no name."""
    phrase = rng.choice(("", " red cube", "red  cube", "red\tcube", "red;cube", "${x}", "$x", "a" * 65, "röt", "red cube\n"))
    name = rng.choice(("", "Cube", "1a", "red cube", "a" * 33, "a-b", "$a", "a\n", "ä"))
    good = {"do": "locate", "object": "red cube", "as": "zq"}
    return _append(data, {**good, "object": phrase} if rng.random() < 0.5 else {**good, "as": name})


def too_many(rng: random.Random, data: Data) -> str:
    """More subtasks or steps than a plan may have."""
    home = {"do": "home"}
    many = [{"name": "n", "steps": [home]}] * rng.randint(MAX_SUBTASKS + 1, 300)
    long = [{"name": "n", "steps": [home] * 61}] * 2
    one = [{"name": "n", "steps": [home] * rng.randint(MAX_STEPS + 1, 600)}]
    none = [{"name": "n", "steps": []}]
    return dumps({"goal": "g", "subtasks": rng.choice((many, long, one, none))})


# Meaning ---------------------------------------------------------------------------------------------------------


def dangling(rng: random.Random, data: Data) -> str:
    """A reference that nothing binds, binds too late, or that is no reference."""
    step = {
        "do": "look_at",
        "target": rng.choice(("$zq_nobody", "$", "$Zq", "$1", "zq", "$zq_nobody ", "$$zq", "$zq late")),
    }
    if rng.random() < 0.3:
        return _prepend(data, {"do": "look_at", "target": "$zq"}, {"do": "locate", "object": "red cube", "as": "zq"})
    return rng.choice((_prepend, _append))(data, step)


def many_faults(rng: random.Random, data: Data) -> str:
    """As many steps as there may be, every one with a fault, and many names that are nearly right."""
    names = [f"{rng.choice('abc') * 20}_{i}" for i in range(MAX_STEPS // 2)]
    see = [{"do": "locate", "object": "red cube", "as": name} for name in names]
    look = [{"do": "grasp", "target": f"${name}x"} for name in names]
    return dumps({"goal": "g", "subtasks": [{"name": "n", "steps": [*see, *look]}]})


def wrong_result(rng: random.Random, data: Data) -> str:
    """The result of a question or a list where one located thing is needed."""
    maker = rng.choice(({"do": "ask", "question": "which?", "as": "zq"}, {"do": "find_all", "object": "thing", "as": "zq"}))
    return _prepend(data, maker, {"do": rng.choice(("grasp", "look_at")), "target": "$zq"})


def hand_empty(rng: random.Random, data: Data) -> str:
    """Something is done with what is held while nothing is."""
    steps = ({"do": "lift", "height_m": 0.1}, {"do": "release"}, {"do": "place", "target": "bin", "relation": "in"})
    return _prepend(data, rng.choice(steps))


def hand_full(rng: random.Random, data: Data) -> str:
    """The hand takes or pushes a second thing while it holds one."""
    first = {"do": "locate", "object": "red cube", "as": "zq"}
    second = {"do": "locate", "object": "blue can", "as": "zr"}
    push = {"do": "push", "target": "$zr", "direction": "left", "distance_m": 0.1}
    again = rng.choice(({"do": "grasp", "target": "$zr"}, {"do": "grasp", "target": "$zq"}, push))
    return _prepend(data, first, second, {"do": "grasp", "target": "$zq"}, again)


def stale(rng: random.Random, data: Data) -> str:
    """A thing is gone to where it was before the robot itself moved it."""
    see = {"do": "locate", "object": "red cube", "as": "zq"}
    push = {"do": "push", "target": "$zq", "direction": "left", "distance_m": 0.1}
    take, drop = {"do": "grasp", "target": "$zq"}, {"do": "release"}
    moved = rng.choice(([push], [take, drop], [take, {"do": "place", "target": "bin", "relation": "in"}]))
    return _prepend(data, see, *moved, rng.choice((push, take)))


def self_relation(rng: random.Random, data: Data) -> str:
    """What is held is put in a relation to itself."""
    see, take = {"do": "locate", "object": "red cube", "as": "zq"}, {"do": "grasp", "target": "$zq"}
    relation = rng.choice(("in", "on", "next_to", "behind"))
    return _prepend(data, see, take, *([see] * rng.randrange(2)), {"do": "place", "target": "$zq", "relation": relation})


def _json_type(value: Any) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


SPOILERS: tuple[Spoil, ...] = (
    truncated, nested, duplicated, not_finite, long_number, binary, junk, oversized, quotes, empty,
    missing_key, unknown_key, wrong_type, unknown_primitive, unknown_word, out_of_bounds, wrong_place, wrong_box,
    wrong_string, wrong_phrase, too_many,
    dangling, many_faults, wrong_result, hand_empty, hand_full, stale, self_relation,
)  # fmt: skip
"""Every way to spoil a policy, named by its function."""
