"""Which of the models that a server lists is asked: the one that was named, or the only one that can chat about images."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vlp.core.errors import MissingComponent, UsageError, closest
from vlp.models.served_name import ServedName, same_model

MOST_LISTED, MOST_SHOWN, MAX_NAME = 2000, 8, 200
OPTION = "Name one with --model-name."

NO_CHAT = frozenset(
    (
        *("embed", "embedding", "embeddings", "bge", "gte", "e5", "minilm", "colbert", "splade", "rerank", "reranker", "clip"),
        *("siglip", "whisper", "tts", "stt", "asr", "transcribe", "speech", "audio", "realtime", "kokoro", "parakeet", "piper"),
        *("bark", "musicgen", "dall", "imagen", "image", "flux", "diffusion", "sd", "sdxl", "sd3", "sd15", "kandinsky", "sora"),
        *("veo", "moderation", "guard", "llamaguard"),
    )
)
"""Words in the names of models that embed, rank, hear, speak, draw or judge, and do not chat."""

OTHER_KINDS = frozenset(
    (
        *("embedding", "embeddings", "rerank", "reranker", "image", "images", "image-generation", "text-to-image", "audio"),
        *("speech", "transcription", "video", "moderation"),
    )
)
"""What servers call the type of such a model where they tell it."""


@dataclass(frozen=True)
class Listed:
    """One model of a server's list.

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

    def is_called(self, name: str) -> bool:
        """Return whether a name means this model."""
        return any(same_model(each, name) for each in (self.name, *self.others))


def read_list(found: Any) -> list[Listed] | None:
    """Return the models in what a server answered, None when it is no list: OpenAI's shape, a bare list, or Ollama's."""
    if isinstance(found, dict):
        found = found.get("data", found.get("models"))
    if not isinstance(found, list):
        return None
    listed = [each for entry in found[:MOST_LISTED] if (each := _entry(entry)) is not None]
    return list({each.name: each for each in reversed(listed)}.values())[::-1] if listed or not found else None


def choose(url: str, listed: Sequence[Listed], wanted: str = "") -> tuple[Listed, str]:
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
    marked = [each for each in listed if ServedName.read(each.name)]
    able = marked or [each for each in listed if each.chats]
    if len(listed) == 1:
        return listed[0], ""
    if len(able) == 1:
        return able[0], f"{url} lists {len(listed)} models; {able[0].name!r} is asked. Another is named with --model-name."
    what = f"{len(listed)} models" if able else f"{len(listed)} models, none of which seems to chat about images"
    raise UsageError(f"{url} serves {what}: {_names(able or listed)}.", OPTION)


def _named(url: str, listed: Sequence[Listed], wanted: str) -> Listed:
    exact = [each for each in listed if each.name == wanted]
    meant = exact or [each for each in listed if wanted in each.others] or [each for each in listed if each.is_called(wanted)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise UsageError(f"several models at {url} could be {wanted[:MAX_NAME]!r}: {_names(meant)}.", OPTION)
    near = closest(wanted, [each.name for each in listed])
    hint = f"Did you mean {near!r}? " if near else ""
    raise UsageError(f"{url} serves no model {wanted[:MAX_NAME]!r}.", f"{hint}It serves {_names(listed)}.")


def _names(listed: Sequence[Listed]) -> str:
    shown = ", ".join(repr(each.name) for each in listed[:MOST_SHOWN])
    return shown + (f" and {len(listed) - MOST_SHOWN} more" if len(listed) > MOST_SHOWN else "")


def _entry(entry: Any) -> Listed | None:
    if isinstance(entry, str):
        entry = {"id": entry}
    if not isinstance(entry, dict):
        return None
    name = next((entry[key] for key in ("id", "name", "model") if isinstance(entry.get(key), str) and entry[key].strip()), None)
    if name is None:
        return None
    aliases = entry.get("aliases") if isinstance(entry.get("aliases"), list) else []
    others = [entry.get("root"), entry.get("canonical_slug"), entry.get("model"), entry.get("name"), *(aliases or [])[:20]]
    known = tuple(dict.fromkeys(each[:MAX_NAME] for each in others if isinstance(each, str) and each and each != name))
    return Listed(name[:MAX_NAME], known, _chats(name, entry), str(entry.get("owned_by", ""))[:MAX_NAME])


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
    if str(entry.get("type", "")).lower() in OTHER_KINDS:
        return False
    return not NO_CHAT & set(re.split(r"[^a-z0-9]+", name.lower()))
