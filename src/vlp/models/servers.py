"""Model servers that speak the OpenAI protocol, each with what it does in its own way: a row for each kind.

What a row says is how the server is asked; what it answers is checked whatever the row says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vlp.core.errors import MissingComponent, lookup
from vlp.models.endpoint import Deadline, Endpoint
from vlp.models.served_reply import read_json
from vlp.models.server_errors import RequestRefused


@dataclass(frozen=True)
class ServerKind:
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
            told = read_json(endpoint.url, b"".join(endpoint.answer("POST" if body else "GET", self.sight, body, deadline)))
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


SERVERS: dict[str, ServerKind] = {
    "vllm": ServerKind(("vllm",)),
    "llama.cpp": ServerKind(
        ("llamacpp",), {"cache_prompt": True}, "/props", sees=_modalities,
        note="Images need the model's projector: `llama-server --mmproj`.",
    ),
    "ollama": ServerKind(
        ("library",), {}, "/api/show", lambda name: {"model": name}, _capabilities,
        note="A prompt longer than its context is cut without a word: set OLLAMA_CONTEXT_LENGTH to 8192 or more.",
    ),
    "lmstudio": ServerKind(
        ("organization_owner", "organization-owner"), {}, "/api/v0/models", sees=_listed_type
    ),
    "openai": ServerKind(),
}  # fmt: skip
"""Kinds of server by name; the last row is any other."""


def find_server(name: str, owner: str) -> ServerKind:
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
