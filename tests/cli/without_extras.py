"""The command line as it is without extras: `python without_extras.py '[["world", "show"], ...]'` prints statuses."""

import contextlib
import io
import json
import sys

GONE = {
    "mujoco", "mink", "scipy", "daqp", "torch", "transformers", "fastapi", "uvicorn", "imageio_ffmpeg", "rerun",
    "matplotlib", "llguidance", "peft", "safetensors", "tokenizers", "huggingface_hub",
}  # fmt: skip


class _Gone:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in GONE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, _Gone())  # type: ignore[arg-type]
    from vlp.cli.main import main

    told = []
    for argv in json.loads(sys.argv[1]):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
            status = main(argv)
        told.append([status, err.getvalue()])
    print(json.dumps(told))
