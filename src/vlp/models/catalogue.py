"""From a word on the command line to a model."""

import importlib
import inspect
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vlp.core.errors import MissingComponent, UsageError, did_you_mean, lookup, not_installed
from vlp.models.protocol import Model, NoReply, Tell, patiently, say_nothing

MODELS: dict[str, str] = {
    "nano": "vlp.models.catalogue:open_shipped",
    "nano-base": "vlp.models.catalogue:open_shipped",
    "scripted": "vlp.models.catalogue:open_scripted",
    "http": "vlp.models.catalogue:open_served",
    "https": "vlp.models.catalogue:open_served",
}
"""How a spec is opened, by its word or the part before its first colon; called with the whole spec."""

FOLDERS: dict[str, str] = {"nano": "vlp.nano.folders:shipped", "nano-base": "vlp.nano.folders:shipped_base"}
"""Words for models whose weights come with the package; called with nothing, each returns its folder."""

DEFAULT_MODEL = next(iter(FOLDERS))
"""The word for the model that is taken where nobody names one."""

OPEN_S = 120.0
"""How long opening the model of a server may take."""

SERVED = ("http://", "https://")
"""How the URL of a server begins."""


def open_model(spec: str, **options: Any) -> Model:
    """Return a model.

    Args:
        spec: a word of `FOLDERS`, a model folder, a Hugging Face id ("Qwen/Qwen2.5-VL-3B-Instruct"), the URL of an
            OpenAI-compatible server ("http://127.0.0.1:8000/v1", with "#NAME" behind it where it serves several models), or
            "scripted:FILE".
        options: handed to the back end: `profile`; `adapter`, `device`, `dtype` for models in process; `model`, `key`,
            `server`, `sight`, `grammar`, `tell`, `open_s` for a server.

    Raises:
        UsageError: nothing by that name, or a folder that cannot be trusted.
        MissingComponent: a package, the weights or the server is not there.
    """
    word = spec.split(":", 1)[0]
    if word in MODELS and (word == spec or ":" in spec):
        module, _, name = MODELS[word].partition(":")
        return _call(getattr(importlib.import_module(module), name), spec, options)
    return _in_process(find_folder(spec), **options)


def open_for_person(
    spec: str,
    adapter: str = "",
    profile: str = "",
    server: str = "",
    *,
    grammar: bool = True,
    open_s: float = OPEN_S,
    tell: Tell = say_nothing,
) -> Model:
    """Return the model of `--model`; one on a server has its key from the environment.

    Args:
        spec: see `open_model`.
        adapter: a LoRA adapter for a model in process; "" for none.
        profile: the wording of its prompts; "" for the one that it asks for.
        server: the kind of server, a row of `vlp.models.server.SERVERS`; "" goes by what it says of itself.
        grammar: whether replies under a grammar will be asked for.
        open_s: limit on opening a server's model, in which it is waited for one that is busy.
        tell: told, in a line each, what the person should know.

    Raises:
        UsageError: see `open_model`; an adapter for a server.
        MissingComponent: see `open_model`.
    """
    if not spec.startswith(SERVED):
        if server:
            raise UsageError("--server is for a server's models, and no URL is named.", "Leave it out.")
        return open_model(spec, **{name: value for name, value in (("adapter", adapter), ("profile", profile)) if value})
    if server:
        from vlp.models.server import SERVERS

        lookup(server, SERVERS, "kind of server")
    if adapter:
        raise UsageError("--adapter is for a model in process.", "A server loads its adapters itself.")
    key, sight = os.environ.get("VLP_MODEL_KEY"), os.environ.get("VLP_MODEL_SIGHT", "")
    return open_model(
        spec, key=key, sight=sight, profile=profile or None, server=server, grammar=grammar, open_s=open_s, tell=tell
    )


def with_name(spec: str, model_name: str) -> str:
    """Return a spec with the name of one of a server's models, as `open_model` takes it.

    Raises:
        UsageError: the spec is not the URL of a server, or names a model already.
    """
    if not model_name:
        return spec
    if not spec.startswith(SERVED):
        raise UsageError(f"--model-name is for a server's models, and {spec[:200]!r} is no URL.", "Leave it out.")
    if "#" in spec:
        raise UsageError(f"{spec[:200]!r} names a model already.", "Leave out --model-name.")
    return f"{spec}#{model_name}"


def find_folder(spec: str, files: tuple[str, ...] = ("*.json", "*.safetensors", "*.jinja", "merges.txt")) -> Path:
    """Return the folder of a model that can run in process, fetched when it is not on this machine.

    Args:
        spec: a word of `FOLDERS`, a model folder, or a Hugging Face id.
        files: patterns of what is fetched: never code or pickles.

    Raises:
        UsageError: nothing by that name.
        MissingComponent: it cannot be fetched, or this installation has no weights.
    """
    if spec in FOLDERS:
        module, _, name = FOLDERS[spec].partition(":")
        return getattr(importlib.import_module(module), name)()
    if spec.strip() and Path(spec).expanduser().is_dir():
        return Path(spec).expanduser()
    part = r"[A-Za-z0-9][\w.-]{0,95}"
    if re.fullmatch(f"{part}/{part}", spec) and not Path(spec).exists():
        return _fetched(spec, files)
    host_and_port = r"(localhost|[\w.-]+\.[\w.-]+|\[[0-9a-f:.]+\])(:\d+(/\S*)?|/v1)"
    hint = "Write http:// before it." if re.fullmatch(host_and_port, spec) else did_you_mean(spec, MODELS)
    raise UsageError(f"no model {spec[:200]!r}: neither a word, a folder, a Hugging Face id nor a URL.", hint)


def open_shipped(spec: str, **options: Any) -> Model:
    """Return a model whose weights come with the package."""
    if spec not in FOLDERS:
        word = spec.partition(":")[0]
        raise UsageError(f"no model {spec[:200]!r}: the embedded model is called {word!r}, with nothing behind it.")
    folder = find_folder(spec)
    return _in_process(folder, **options) if options.keys() - {"profile"} else _with_turns(_in_numpy()(folder, **options))


def open_scripted(spec: str, **options: Any) -> Model:
    """Return the model for "scripted:FILE"."""
    from vlp.models.scripted import ScriptedModel

    return _call(ScriptedModel.from_file, spec.partition(":")[2], options)


def open_served(
    url: str, sight: str = "", grammar: bool = True, open_s: float = OPEN_S, tell: Tell = say_nothing, **options: Any
) -> Model:
    """Return the model behind a server, which was seen to keep to a grammar, or whose replies are taken as free text.

    Args:
        url: of the server.
        sight: the folder of the model whose vision tower reads images for it, where the served model wants that; "" takes
            the shipped model that has this tower.
        grammar: whether replies under a grammar will be asked for; it is looked at whether the server keeps to one.
        open_s: limit on all that is asked first, waiting for a server that is busy included.
        tell: told what is waited for, which of several models is taken, and that the server keeps to no grammar.
        options: of `vlp.models.openai_model.OpenAIModel`.

    Raises:
        UsageError: no such URL or model, or several that could be meant.
        MissingComponent: the server gives no reply in time; or the tower that the served model wants is not at hand.
    """
    from vlp.models.openai_model import NoGrammar, OpenAIModel

    began_s = time.monotonic()
    with _told_while_waiting(f"waiting for the model server at {url} ...", tell):
        made = {**options, "tell": tell}
        model: Any = patiently(lambda left_s: _call(OpenAIModel, url, {**made, "timeout_s": left_s}), open_s, tell)
        if grammar:
            try:
                patiently(model.probe, max(began_s + open_s - time.monotonic(), 0.1), tell)
            except NoGrammar as error:
                model.loosen(error.message)
            except NoReply as error:  # a server that gives none at the start is not there
                raise MissingComponent(error.message, error.hint) from None
    asks = model.served
    if not asks.turns:
        return model
    from vlp.models.tower import tower_digest
    from vlp.models.turns import ModelWithTurns, make_turns

    towers = {tower_digest(folder): folder for folder in map(find_folder, [sight] if sight else FOLDERS)}
    if asks.tower not in towers:
        here = ", ".join(f"{folder.name!r} has {digest}" for digest, folder in towers.items())
        raise MissingComponent(
            f"{model.name!r} is told in words what the vision tower {asks.tower} sees; {here}.",
            "Name the folder of the served model in the environment's VLP_MODEL_SIGHT.",
        )
    tower = _back_end()(towers[asks.tower]) if sight else _in_numpy()(towers[asks.tower])
    return ModelWithTurns(model, make_turns(asks.turns, tower))


@contextmanager
def _told_while_waiting(line: str, tell: Tell, *, after_s: float = 3.0) -> Iterator[None]:
    """Tell a line once when what is done here takes longer."""
    timer = threading.Timer(after_s, tell, (line,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _back_end() -> Any:
    """Return the class of models in process."""
    try:
        from vlp.models.transformers_model import TransformersModel
    except ImportError as error:
        raise not_installed("a model in process needs", error, "models") from None
    return TransformersModel


def _in_numpy() -> Any:
    """Return the class of the package's own models where nothing is asked of them that needs torch."""
    try:
        import jinja2  # noqa: F401
        import threadpoolctl  # noqa: F401
        import tokenizers  # noqa: F401
    except ImportError as error:
        raise not_installed("a model in process needs", error, "models") from None
    from vlp.models.numpy_model import NumpyModel

    return NumpyModel


def _in_process(folder: Path, **options: Any) -> Model:
    return _with_turns(_call(_back_end(), folder, options))


def _with_turns(model: Any) -> Model:
    if model.turns is None:
        return model
    from vlp.models.turns import ModelWithTurns

    return ModelWithTurns(model, model.turns)


def _fetched(hub_id: str, files: tuple[str, ...]) -> Path:
    """Return the local folder of a model on the hub."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingComponent(
            "fetching a model needs huggingface_hub.", "Install it with: pip install 'vlp[models]'."
        ) from None
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(files)))
    except Exception as error:  # the hub's client raises errors of many libraries
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(".")
        raise MissingComponent(
            f"{hub_id!r} is no folder here, and no model by that name can be fetched: {why}.", "Name a local folder instead."
        ) from None


def _call(entry: Callable[..., Model], first: Any, options: dict[str, Any]) -> Model:
    """Return what the back end makes; options that it does not have are a person's error."""
    known = inspect.signature(entry).parameters.values()
    takes = {p.name for p in known if p.kind is p.KEYWORD_ONLY or p.kind is p.POSITIONAL_OR_KEYWORD}
    unknown = sorted(set(options) - takes) if not any(p.kind is p.VAR_KEYWORD for p in known) else []
    if unknown:
        raise UsageError(f"this kind of model takes no option {unknown[0]!r}.", did_you_mean(unknown[0], takes))
    return entry(first, **options)
