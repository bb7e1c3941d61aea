"""A stand-in for a general model: it plans by rules from the text of the prompt alone, and is served as such models are.

What it knows of the robot (primitives, places, doors, bounds) it reads from the rules; where the robot stands, what it has done
and what has failed, from STATE and MEMORY. It understands a dozen forms of sentences.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Step = dict[str, Any]
Wish = tuple[str, ...]
SO = {"open": "open", "close": "closed"}


class Prompt:
    """What the text of a prompt says.

    Args:
        text: all of it, rules and request.
    """

    def __init__(self, text: str) -> None:
        rules, _, asked = text.partition("STATE (measured)")
        state, _, rest = asked.partition("MEMORY (data)")
        memory, _, instruction = rest.rpartition("INSTRUCTION\n")
        self.instruction: str = json.loads(instruction.strip().splitlines()[0])
        self.primitives = dict(re.findall(r"^- (\w+)(\(.*)$", rules, re.M))
        places = re.findall(r'("[^"]*") \(([^)]*)\)', re.search(r"^Places: (.*)$", rules, re.M)[1])  # type: ignore[index]
        self.places = {json.loads(name): says for name, says in places}
        self.behind = {name: found[1] for name, says in self.places.items() if (found := re.search(r"behind the (.*)", says))}
        self.state = {name: value.strip('"') for name, value in re.findall(r'^- "?(\w+)"?: (".*")$', state, re.M)}
        sensed = dict(re.findall(r'^- "open ([^"]*)": (so|not so)$', state, re.M))
        self.doors = {door: "open" if sensed[door] == "so" else "closed" for door in self.choices("open_door", "door")}
        self.earlier = [json.loads(line) for line in re.findall(r"^- earlier instruction: (.*)$", memory, re.M)]
        done = re.findall(r'^- step: "(\w+)" with ("(?:[^"\\]|\\.)*").*?: "succeeded"', memory, re.M)
        self.steps = [(do, json.loads(json.loads(arguments))) for do, arguments in done]

    def choices(self, primitive: str, argument: str) -> list[str]:
        """Return the words that an argument takes."""
        found = re.search(rf"\b{argument}\??: ([^,)]*)", self.primitives.get(primitive, ""))
        return found[1].split("|") if found else []

    def bounds(self, primitive: str, argument: str) -> list[float]:
        """Return the least and the most that an argument takes."""
        return [float(number) for number in self.choices(primitive, argument)[0].split(" ")[0].split("..")]


class Impossible(Exception):
    """What is wanted is beyond this robot."""


def wishes(prompt: Prompt, sentence: str) -> list[Wish]:
    """Return what a sentence asks for, in order."""
    parts = re.split(
        r",? then |,? and (?=\w+ the|then|look|go)|; ", re.sub(r"^(no|please|now), ", "", sentence.strip(" .").lower())
    )
    return [wish for part in parts for wish in _wishes(prompt, part.strip(" ,"))]


def _wishes(prompt: Prompt, part: str) -> Iterator[Wish]:
    part = re.sub(r",? (too|instead|now|please)$", "", part)
    if found := re.fullmatch(r"in the (\w+)", part):  # a correction: the rest stands in the earlier instruction
        yield from [(kind, *words[:-1], _place(prompt, found[1])) for kind, *words in wishes(prompt, prompt.earlier[-1])]
    elif found := re.fullmatch(r"(?:go|drive|return|come back) (?:back )?to the (\w+)(?: (slowly|fast))?", part):
        yield "visit", found[2] or "", _place(prompt, found[1])
    elif found := re.fullmatch(r"(tell me|report|measure) the (\w+) in (?:the (\w+)|every room behind a door)", part):
        if found[2] not in prompt.choices("measure", "quantity"):
            raise Impossible(f"no primitive measures {found[2]}")
        kind = "sample" if found[1] == "measure" else "tell"
        yield from [(kind, found[2], _place(prompt, place)) for place in ([found[3]] if found[3] else prompt.behind)]
    elif found := re.fullmatch(r"look around in the (\w+)", part):
        yield "look", _place(prompt, found[1])
    elif (found := re.fullmatch(r"(open|close) the (\w+ ?\w*)", part)) and found[2] in prompt.doors:
        yield found[1], found[2]
    elif re.fullmatch(r"charge( the battery)?", part):
        yield ("charge",)
    else:
        raise Impossible(f"none of my primitives can {part}")


def _place(prompt: Prompt, name: str) -> str:
    if name not in prompt.places:
        raise Impossible(f"there is no place {name}")
    return name


class Plan:
    """Steps for wishes, in a world that each step changes.

    Args:
        prompt: what is known.
    """

    def __init__(self, prompt: Prompt) -> None:
        self.prompt, self.at, self.doors = prompt, prompt.state["at"], dict(prompt.doors)
        self.battery = int(prompt.state.get("battery_percent", "100"))
        low = re.search(r"below (\d+) percent .*? only the (\w+)", prompt.primitives.get("charge", ""))
        self.low, self.charger = (int(low[1]), low[2]) if low else (0, "")
        near = re.search(r"from the (\w+) or from the room behind", prompt.primitives.get("open_door", ""))
        self.lobby = near[1] if near else ""
        self.steps: list[Step] = []
        self.readings = 0

    def go(self, place: str, pace: str = "") -> None:
        """Drive to a place, through its doors, with what the battery has."""
        if place == self.at:
            return
        if self.battery < self.low and place != self.charger:
            self.charge()
        if (door := self.prompt.behind.get(self.at)) and self.doors[door] == "closed":
            self.open(door)
        if (door := self.prompt.behind.get(place)) and self.doors[door] == "closed":
            self.go(self.lobby, pace)
            self.open(door)
        if place == self.at:
            return
        speed = {"slowly": 0, "fast": 1}.get(pace)
        quick = {} if speed is None else {"speed_m_s": self.prompt.bounds("go_to", "speed_m_s")[speed]}
        self.steps.append({"do": "go_to", "place": place, **quick})
        self.at = place

    def open(self, door: str) -> None:
        """Open a door from where it can be reached."""
        if self.prompt.behind.get(self.at) != door:
            self.go(self.lobby)
        self.steps.append({"do": "open_door", "door": door})
        self.doors[door] = "open"

    def close(self, door: str) -> None:
        """Close a door from the lobby."""
        self.go(self.lobby)
        self.steps.append({"do": "close_door", "door": door})
        self.doors[door] = "closed"

    def charge(self) -> None:
        """Charge where that is possible."""
        self.go(self.charger)
        self.steps.append({"do": "charge"})
        self.battery = 100

    def add(self, kind: str, *words: str) -> None:
        """Add the steps for one wish."""
        if kind in ("open", "close", "charge"):
            if not words or self.doors[words[0]] != SO[kind]:
                getattr(self, kind)(*words)
            return
        self.go(words[-1], words[0] if kind == "visit" else "")
        if kind in ("tell", "sample"):
            self.readings += 1
            name = f"reading_{self.readings}"
            self.steps.append({"do": "measure", "quantity": words[0], "as": name})
            if kind == "tell":
                self.steps.append({"do": "report", "message": f"{words[0]} in the {words[1]}", "reading": f"${name}"})
        elif kind == "look":
            self.steps.append({"do": "look", "as": "view"})


def still(prompt: Prompt, wanted: list[Wish]) -> list[Wish]:
    """Return the wishes that neither the steps so far nor the measured state meet."""
    at, met = "", set[Wish]()
    for do, arguments in prompt.steps:
        at = arguments["place"] if do == "go_to" else at or prompt.state["at"]
        rows: dict[str, Wish] = {
            "go_to": ("visit", at),
            "measure": ("sample", arguments.get("quantity", ""), at),
            "report": ("tell", *str(arguments.get("message", "")).split(" in the ")),
            "look": ("look", at),
            "charge": ("charge",),
        }
        met.add(rows.get(do, ()))
    left: list[Wish] = []  # behind a wish that is left, what is so now may not be so any more
    for number, wish in enumerate(wanted):
        last = number == len(wanted) - 1
        if wish[0] in ("open", "close"):
            so = prompt.doors[wish[1]] == SO[wish[0]] and not left
        elif wish[0] == "visit":
            so = (wish[-1] == prompt.state["at"] and not left) if last else ("visit", wish[-1]) in met
        else:
            so = wish in met
        if not so:
            left.append(wish)
    return left


def plan(text: str) -> str:
    """Return the policy that the rules make of a prompt's text."""
    prompt = Prompt(text)
    try:
        wanted = wishes(prompt, prompt.instruction)
    except Impossible as why:
        return _compact({"goal": prompt.instruction, "cannot": str(why)})
    made, subtasks = Plan(prompt), []
    for wish in still(prompt, wanted):
        before = len(made.steps)
        made.add(*wish)
        if made.steps[before:]:
            subtasks.append({"name": " ".join(filter(None, wish)), "steps": made.steps[before:]})
    return _compact({"goal": prompt.instruction, "subtasks": subtasks})


def _compact(policy: dict[str, Any]) -> str:
    return json.dumps(policy, separators=(",", ":"), ensure_ascii=False)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send({"data": [{"id": "stand-in"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        schema = asked.get("response_format", {}).get("json_schema", {}).get("schema", {})
        word = schema.get("properties", {}).get("word", {}).get("enum")  # asked whether schemas are kept to
        text = _compact({"word": word[0]}) if word else plan(_text(asked["messages"]))
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self._send({"model": asked["model"], "choices": [choice], "usage": {}})

    def _send(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _text(messages: list[dict[str, Any]]) -> str:
    parts = [message["content"] for message in messages if message["role"] != "assistant"]
    texts = [[part] if isinstance(part, str) else [p["text"] for p in part if p["type"] == "text"] for part in parts]
    return "\n\n".join(text for group in texts for text in group)


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Serve the stand-in on loopback as an OpenAI-compatible server; gives its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
