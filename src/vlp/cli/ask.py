"""`vlp ask`: a question about an image."""

from typing import Annotated

import tyro

from vlp.cli.launch import open_chosen
from vlp.core.images import read_image
from vlp.prompt.bounds import clean_question
from vlp.prompt.render import question_messages
from vlp.understanding.gate import unknown_in_question


def ask(
    image: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")],
    question: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="QUESTION")],
    model: str = "nano",
    adapter: str = "",
    timeout_s: float = 120.0,
) -> int:
    """Ask a model a question about an image.

    Args:
        image: PNG, JPEG, BMP or WEBP.
        question: e.g. "how many cubes are there?".
        model: nano, nano-base, a model folder, a Hugging Face id, or the URL of an OpenAI-compatible server.
        adapter: a LoRA adapter for a model in process.
        timeout_s: limit on the answer, in seconds.
    """
    question = clean_question(question)
    rgb = read_image(image)
    chosen = open_chosen(model, adapter)
    why = unknown_in_question(question, chosen.names) if getattr(chosen, "names", None) else None
    if why is not None:
        raise why
    messages = question_messages(rgb, question, getattr(chosen, "profile", "full"))
    reply = chosen.generate(messages, max_tokens=256, timeout_s=timeout_s)
    print("".join(c if c.isprintable() or c == "\n" else " " for c in reply.text.strip()))
    return 0
