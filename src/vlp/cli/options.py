"""Options that several commands have, with the help made from the tables that say what there is."""

from typing import Annotated

import tyro

from vlp.models.catalogue import FOLDERS
from vlp.perception.grounder import GROUNDERS
from vlp.sim import WORLDS

IN_PROCESS = f"{', '.join(FOLDERS)}, a model folder"
"""What a model that runs in this process is called by."""

BaseModel = Annotated[str, tyro.conf.arg(help=f"{IN_PROCESS}, or a Hugging Face id such as Qwen/Qwen2.5-VL-3B-Instruct.")]
AskedModel = Annotated[str, tyro.conf.arg(help=f"{IN_PROCESS}, a Hugging Face id, or the URL of an OpenAI-compatible server.")]
RecordedBase = Annotated[
    str, tyro.conf.arg(help=f"{IN_PROCESS}, or a Hugging Face id; by default what the record of the tuned model says.")
]
of_worlds = tyro.conf.arg(help=f"the world that a simulated robot stands in: {', '.join(WORLDS)}.")
Eyes = Annotated[
    str,
    tyro.conf.arg(help=f"what finds things in images: {', '.join(GROUNDERS)}; the oracle reads the simulator: an upper bound."),
]
