"""A model's server: what kind it is, and which of the models that it lists is asked."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from vlp.core.errors import MissingComponent, UsageError, closest, lookup
from vlp.models.endpoint import Deadline, Endpoint, read_json
from vlp.models.protocol import RequestRefused, Tell


@dataclass(frozen=True)
class _Kind:
    """One kind of server.

    Args:
        owners: what it gives as `owned_by` in its list of models, by which it is told from others.
        fields: what is added to each request.
        sight: path beside /v1 that tells whether a model sees images; "" where the list of models tells, or nothing does.
        asked: from the model's name to the body with which that path is asked; None asks without one (GET).
        sees: from that answer and the model's name to whether it sees images; None when it does not say.
        note: what a person who runs it should know; "" for nothing.
    """

    owners: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    sight: str = ""
    asked: Callable[[str], dict[str, Any]] | None = None
    sees: Callable[[Any, str], bool | None] = lambda told, name: None
    note: str = ""

    def sees_images(self, base: str, key: str | None, name: str, deadline: Deadline) -> bool:
        """Return whether a model sees images, as the server tells; True where it tells nothing.

        Args:
            base: the URL of its API, with or without /v1 behind it.
            key: bearer token; None for none.
            name: of the model.
            deadline: limit on time.
        """
        if not self.sight:
            return True
        endpoint = Endpoint(base.removesuffix("/v1"), key)
        body = self.asked(name) if self.asked else None
        try:
            told = endpoint.read("POST" if body else "GET", self.sight, body, deadline)
        except (MissingComponent, RequestRefused, TimeoutError):
            return True  # an older version, or a proxy that lets only /v1 through
        return self.sees(told, name) is not False


def _modalities(told: Any, name: str) -> bool | None:
    found = told.get("modalities") if isinstance(told, dict) else None
    return bool(found.get("vision")) if isinstance(found, dict) and "vision" in found else None


def _capabilities(told: Any, name: str) -> bool | None:
    found = told.get("capabilities") if isinstance(told, dict) else None
    return "vision" in found if isinstance(found, list) and found else None


def _listed_type(told: Any, name: str) -> bool | None:
    listed = told.get("data") if isinstance(told, dict) else None
    types = [each.get("type") for each in listed or () if isinstance(each, dict) and each.get("id") == name]
    return types[0] == "vlm" if types and isinstance(types[0], str) else None


SERVERS: dict[str, _Kind] = {
    "vllm": _Kind(("vllm",)),
    "llama.cpp": _Kind(
        ("llamacpp",), {"cache_prompt": True}, "/props", sees=_modalities,
        note="Images need the model's projector: `llama-server --mmproj`.",
    ),
    "ollama": _Kind(
        ("library",), {}, "/api/show", lambda name: {"model": name}, _capabilities,
        note="A prompt longer than its context is cut without a word: set OLLAMA_CONTEXT_LENGTH to 8192 or more.",
    ),
    "lmstudio": _Kind(
        ("organization_owner", "organization-owner"), {}, "/api/v0/models", sees=_listed_type
    ),
    "openai": _Kind(),
}  # fmt: skip
"""Kinds of server by name; the last row is any other. A row says how a server is asked; what it answers is checked whatever
the row says."""


def find_server(name: str, owner: str) -> _Kind:
    """Return the kind of a server.

    Args:
        name: a row of `SERVERS`; "" goes by the owner.
        owner: what its list of models gives as `owned_by`.

    Raises:
        UsageError: no such row.
    """
    if name:
        return lookup(name, SERVERS, "kind of server")
    return next((kind for kind in SERVERS.values() if owner in kind.owners), SERVERS["openai"])


@dataclass(frozen=True)
class ServedModel:
    """A model of a server: its names, and what they say that it wants of its clients.

    `my-model@brief+sight:0a1b2c3d4e5f` is a name of `vlp serve`: it wants prompts in the wording `brief`, and the turns `sight`
    (`vlp.models.turns`), which read images with the vision tower that has this digest. A name without `@` says nothing.

    Args:
        name: under which it is asked for.
        others: further names of the same model: the path it was loaded from, aliases.
        chats: whether it can chat about images, as far as its name and the list tell.
        owner: what the list gives as `owned_by`; "" for nothing.
    """

    name: str
    others: tuple[str, ...] = ()
    chats: bool = True
    owner: str = ""

    @property
    def profile(self) -> str:
        """The wording of prompts that it was made for; "" where its name says nothing."""
        return self._marked("profile")

    @property
    def turns(self) -> str:
        """The word for what it says before its reply; "" when it says nothing."""
        return self._marked("turns")

    @property
    def tower(self) -> str:
        """The digest of the vision tower that those turns read images with (see `vlp.models.tower`)."""
        return self._marked("tower")

    def is_called(self, name: str) -> bool:
        """Return whether a name means this model."""
        # Cut as the names of a list are; reading the ends of one takes the square of its length.
        return any(same_model(each, name[:200]) for each in (self.name, *self.others))

    def _marked(self, what: str) -> str:
        turns = r"\+(?P<turns>[a-z_]{1,32}):(?P<tower>[0-9a-f]{12})"
        match = re.fullmatch(rf"[^@]{{1,120}}@(?P<profile>[a-z_]{{1,32}})({turns})?", self.name)
        return (match[what] or "") if match else ""


def marked_name(name: str, profile: str = "full", turns: str = "", tower: str = "") -> str:
    """Return the name under which `vlp serve` offers a model (see `ServedModel`)."""
    return f"{name}@{profile}" + (f"+{turns}:{tower}" if turns else "")


def find_model(endpoint: Endpoint, wanted: str, deadline: Deadline, tell: Tell) -> ServedModel:
    """Return the model that is asked; where the base lists none, one with or without /v1 is tried, and kept.

    Args:
        endpoint: the server.
        wanted: the name that was given; "" takes the one with the marks of `vlp serve`, else the only one that can chat about
            images.
        deadline: limit on time.
        tell: told which base or model was taken, where that was not as given.

    Raises:
        MissingComponent: the server cannot be reached, does not speak the protocol, or serves no model.
        UsageError: none by that name, or several that could be meant.
    """
    given = endpoint.url
    other = given.removesuffix("/v1") if given.endswith("/v1") else f"{given}/v1"
    error: MissingComponent | None = None
    for base in (given, other):
        endpoint.url = base
        try:
            listed = _listed(endpoint, deadline)
        except (_NoList, RequestRefused) as none:
            error = error or none
            continue
        if base != given:
            tell(f"the API is at {base}, not at {given}.")
        model, note = choose(base, listed, wanted)
        if note:
            tell(note)
        return model
    endpoint.url = given
    assert error is not None
    if wanted and isinstance(error, RequestRefused):
        tell(f"{given} does not list its models; {wanted[:200]!r} is asked for all the same.")
        return ServedModel(wanted)
    raise MissingComponent(f"{error.message} {other} lists none, either.", error.hint)


class _NoList(MissingComponent):
    """What should be a list of models is something else."""


def _listed(endpoint: Endpoint, deadline: Deadline) -> list[ServedModel]:
    try:
        data = b"".join(endpoint.answer("GET", "/models", None, deadline))
    except TimeoutError:
        raise endpoint.late(deadline) from None
    said, hint = f"{endpoint.url} does not list models as an OpenAI-compatible server does", "Does the URL end in /v1?"
    try:
        listed = read_list(read_json(endpoint.url, data, 1024 * 1024))  # a list of 500 models is long
    except MissingComponent as error:
        raise _NoList(f"{said}: {error.message}", hint) from None
    if listed is None:
        raise _NoList(f"{said}.", hint)
    return listed


def read_list(found: Any) -> list[ServedModel] | None:
    """Return the models in what a server answered, None when it is no list: OpenAI's shape, a bare list, or Ollama's."""
    if isinstance(found, dict):
        found = found.get("data", found.get("models"))
    if not isinstance(found, list):
        return None
    listed = [each for entry in found[:2000] if (each := _entry(entry)) is not None]
    return list({each.name: each for each in reversed(listed)}.values())[::-1] if listed or not found else None


def choose(url: str, listed: Sequence[ServedModel], wanted: str = "") -> tuple[ServedModel, str]:
    """Return the model that is asked, and what a person should be told about the choice ("" for nothing).

    Args:
        url: of the server.
        listed: its models.
        wanted: the name that was given; "" for none.

    Raises:
        MissingComponent: no model.
        UsageError: none by that name, or several that could be meant.
    """
    if not listed:
        raise MissingComponent(f"{url} serves no model.", "Load one there.")
    if wanted:
        return _named(url, listed, wanted), ""
    marked = [each for each in listed if each.profile]
    able = marked or [each for each in listed if each.chats]
    if len(listed) == 1:
        return listed[0], ""
    if len(able) == 1:
        return able[0], f"{url} lists {len(listed)} models; {able[0].name!r} is asked. Another is named with --model-name."
    what = f"{len(listed)} models" if able else f"{len(listed)} models, none of which seems to chat about images"
    raise UsageError(f"{url} serves {what}: {_names(able or listed)}.", "Name one with --model-name.")


def _named(url: str, listed: Sequence[ServedModel], wanted: str) -> ServedModel:
    exact = [each for each in listed if each.name == wanted]
    meant = exact or [each for each in listed if wanted in each.others] or [each for each in listed if each.is_called(wanted)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise UsageError(f"several models at {url} could be {wanted[:200]!r}: {_names(meant)}.", "Name one with --model-name.")
    near = closest(wanted, [each.name for each in listed])
    hint = f"Did you mean {near!r}? " if near else ""
    raise UsageError(f"{url} serves no model {wanted[:200]!r}.", f"{hint}It serves {_names(listed)}.")


def _names(listed: Sequence[ServedModel]) -> str:
    shown = listed[:8]
    more = f" and {len(listed) - len(shown)} more" if len(listed) > len(shown) else ""
    return ", ".join(repr(each.name) for each in shown) + more


def _entry(entry: Any) -> ServedModel | None:
    if isinstance(entry, str):
        entry = {"id": entry}
    if not isinstance(entry, dict):
        return None
    name = next((entry[key] for key in ("id", "name", "model") if isinstance(entry.get(key), str) and entry[key].strip()), None)
    if name is None:
        return None
    aliases = entry.get("aliases") if isinstance(entry.get("aliases"), list) else []
    others = [entry.get("root"), entry.get("canonical_slug"), entry.get("model"), entry.get("name"), *(aliases or [])[:20]]
    known = tuple(dict.fromkeys(each[:200] for each in others if isinstance(each, str) and each and each != name))
    return ServedModel(name[:200], known, _chats(name, entry), str(entry.get("owned_by", ""))[:200])


def _chats(name: str, entry: dict[str, Any]) -> bool:
    """Return whether a model can chat about images: what the list tells counts before what the name suggests."""
    told = entry.get("architecture") if isinstance(entry.get("architecture"), dict) else entry
    assert isinstance(told, dict)
    takes, gives = told.get("input_modalities"), told.get("output_modalities")
    if isinstance(takes, list) and takes:
        return "image" in takes and (not isinstance(gives, list) or "text" in gives)
    able = entry.get("capabilities")
    if isinstance(able, dict) and "vision" in able:
        return bool(able["vision"]) and able.get("completion_chat", True) is not False
    if isinstance(able, list) and able and all(isinstance(each, str) for each in able):
        return bool({"vision", "multimodal", "image"} & set(able))
    if str(entry.get("type", "")).lower() in _other_kinds()["types"]:
        return False
    return not set(_other_kinds()["names"]) & set(re.split(r"[^a-z0-9]+", name.lower()))


@cache
def _other_kinds() -> dict[str, list[str]]:
    """Return how models that do not chat are called (see `other_kinds.toml`)."""
    return tomllib.loads(files("vlp.models").joinpath("other_kinds.toml").read_text())


def same_model(asked: str, answered: str) -> bool:
    """Return whether two names mean the same model.

    An alias and its dated version do ("gpt-x", "gpt-x-2025-01-01"), and a short name and its path; two different dates do not.
    A name of nothing but white space is no other model.
    """
    a, b = _bare(asked), _bare(answered)
    return not b or a == b or _unversioned(a) == b or a == _unversioned(b)


def _bare(name: str) -> str:
    """Return a name without its folders, its owner and what says nothing."""
    bare = name.strip().lower().replace("\\", "/").rstrip("/")
    # A folder of the Hugging Face cache: models--ORG--NAME/snapshots/HASH.
    cached = re.search(r"models--(?:[^/]*--)?(?P<name>[^/]+?)(?:/snapshots/.*)?$", bare)
    bare = cached["name"] if cached else bare.rsplit("/", 1)[-1]
    while (shorter := re.sub(r"([-:]latest|:free|:nitro|\.(gguf|safetensors|bin))$", "", bare)) != bare:
        bare = shorter
    return bare


def _unversioned(bare: str) -> str:
    """Return a name without ends that say which version or precision it is: a date, a number, a kind of quantisation."""
    version = r"[-_@.](\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{3})"
    precision = r"[-_.](iq\d\w*|q\d(_\w+)?|bf16|fp?16|fp?32|fp8|awq|gptq)"
    while (shorter := re.sub(rf"({version}|{precision})$", "", bare)) not in (bare, ""):
        bare = shorter
    return bare
