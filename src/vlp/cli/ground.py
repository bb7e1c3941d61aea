"""`vlp ground`: where in an image is what a phrase names?"""

import json
from typing import Annotated

import tyro

from vlp.cli.names import AskedModel
from vlp.cli.run import open_chosen
from vlp.core.errors import lookup
from vlp.core.files import write_whole
from vlp.core.images import Rgb, encode_png, read_image
from vlp.core.messages import Names
from vlp.models.catalogue import DEFAULT_MODEL, FOLDERS, with_name
from vlp.perception.grounder import ANYTHING, GROUNDERS, Detection, Sources, make_grounder
from vlp.prompt.render import clean_question


def ground(
    image: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")],
    phrase: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PHRASE")],
    model: AskedModel = DEFAULT_MODEL,
    model_name: str = "",
    adapter: str = "",
    profile: str = "",
    server: str = "",
    out: str = "",
    json_: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> int:
    """Find in an image what a phrase names; exit status 1 when it is not there.

    Args:
        image: PNG, JPEG, BMP or WEBP.
        phrase: "red cube", "cube", "red", "thing" for all that can be grasped, "anything".
        model_name: which of a server's models, where it lists several.
        adapter: a LoRA adapter for a model in process.
        profile: the wording of its prompts, "full" for a general one; by default the one that it asks for.
        server: the kind of the model's server (vllm, llama.cpp, ollama, lmstudio, openai); by default what it says of itself.
        out: write the image with the boxes drawn into it, as PNG.
        json_: print JSON.
    """
    rgb = read_image(image)
    phrase = " ".join(clean_question(phrase).lower().split())
    found = _find(rgb, phrase, with_name(model, model_name), adapter, profile, server)
    if out:
        from pathlib import Path

        write_whole(Path(out), encode_png(_drawn(rgb, found)))
    if json_:
        rows = [{"phrase": d.phrase, "box": [round(v, 1) for v in d.box], "score": round(d.score, 3)} for d in found]
        print(json.dumps(rows))
    else:
        for d in found:
            print(f"{d.phrase:<16} {' '.join(f'{v:6.1f}' for v in d.box)}   score {d.score:.2f}")
        if not found:
            print(f"no {phrase} in this image")
    return 0 if found else 1


def _find(rgb: Rgb, phrase: str, model: str, adapter: str, profile: str, server: str) -> list[Detection]:
    """Return what a model finds; words that a grounder has not learnt are pointed out instead of not found."""
    if model in GROUNDERS and model in FOLDERS:  # it finds without writing
        grounder = make_grounder(model, Sources())
        names = grounder.names
        if names is not None:
            _check(phrase, names)
        return grounder.ground(rgb, phrase)
    return make_grounder("model", Sources(model=open_chosen(model, adapter, profile, server))).ground(rgb, phrase)


def _check(phrase: str, names: Names) -> None:
    colours, kinds = dict.fromkeys(names.colours), dict.fromkeys((*names.kinds, "thing", ANYTHING))
    words = phrase.split()
    if len(words) == 2:
        lookup(words[0], colours, "colour")
        lookup(words[1], kinds, "kind of object")
    else:
        lookup(phrase, colours | kinds, "phrase")


def _drawn(rgb: Rgb, found: list[Detection]) -> Rgb:
    import numpy as np
    from PIL import Image, ImageDraw

    picture = Image.fromarray(rgb)
    pen = ImageDraw.Draw(picture)
    for d in found:
        x1, y1, x2, y2 = d.box
        pen.rectangle((x1, y1, x2, y2), outline=(255, 60, 200), width=2)
        pen.text((x1 + 3, y1 - 12), f"{d.phrase} {d.score:.2f}", fill=(255, 255, 255), stroke_width=1, stroke_fill=(0, 0, 0))
    return np.asarray(picture)
