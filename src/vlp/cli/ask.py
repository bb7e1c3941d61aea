"""`vlp ask`: a question about an image."""

import json
from typing import Annotated

import tyro

from vlp.cli.names import AskedModel
from vlp.cli.run import open_chosen
from vlp.core.errors import TaskFailed
from vlp.core.images import read_image
from vlp.models.catalogue import DEFAULT_MODEL, with_name
from vlp.prompt.render import clean_question, question_messages
from vlp.understanding.gate import unknown_in_question

MAX_TOKENS = 256
SHOWN = 80
"""How much of an answer that was cut off is shown in the error."""


def ask(
    image: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")],
    question: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="QUESTION")],
    model: AskedModel = DEFAULT_MODEL,
    model_name: str = "",
    adapter: str = "",
    profile: str = "",
    server: str = "",
    timeout_s: float = 120.0,
) -> int:
    """Ask a model a question about an image.

    Args:
        image: PNG, JPEG, BMP or WEBP.
        question: e.g. "how many cubes are there?".
        model_name: which of a server's models, where it lists several.
        adapter: a LoRA adapter for a model in process.
        profile: the wording of its prompts, "full" for a general one; by default the one that it asks for.
        server: the kind of the model's server (vllm, llama.cpp, ollama, lmstudio, openai); by default what it says of itself.
        timeout_s: limit on the answer, in seconds.
    """
    question = clean_question(question)
    rgb = read_image(image)
    chosen = open_chosen(with_name(model, model_name), adapter, profile, server, grammar=False, open_s=timeout_s)
    names = chosen.can.names
    why = unknown_in_question(question, names) if names else None
    if why is not None:
        raise why
    messages = question_messages(rgb, question, chosen.profile)
    reply = chosen.generate(messages, max_tokens=MAX_TOKENS, timeout_s=timeout_s)
    answer = "".join(c if c.isprintable() or c == "\n" else " " for c in reply.text.strip())
    if reply.finish == "length":
        begun = " ".join(answer.split())[:SHOWN]
        raise TaskFailed(f"the answer was cut off after {MAX_TOKENS} tokens: {begun!r}.", "Ask for less.")
    if not answer:
        raise TaskFailed("the model gave an empty answer.", "Ask in other words.")
    if names and not _whole(answer):
        raise TaskFailed(f"the model's answer is none: {' '.join(answer.split())[:SHOWN]!r}.", "Ask in other words.")
    print(answer)
    return 0


def _whole(answer: str) -> bool:
    """Return whether an answer is JSON or plain words; a small model may run on into a policy: `the bowl","cannot":"...`."""
    try:
        json.loads(answer)
    except ValueError:
        return '"' not in answer and "{" not in answer
    return True
