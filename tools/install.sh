#!/bin/sh
# Make a virtual environment and install vlp with extras into it: tools/install.sh VENV EXTRAS
# PyTorch comes as the CPU build unless a GPU is found: the CUDA build is several gigabytes.
set -eu
venv=$1
extras=$2
python=${PYTHON:-python3}

"$python" - <<'P' || exit 3
import sys
if sys.version_info < (3, 11):
    sys.exit(f"vlp needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. Set PYTHON to a newer one.")
P

# Off-screen rendering needs EGL from the system. Say so before anything large is installed.
if ! ldconfig -p 2>/dev/null | grep -q libEGL.so.1; then
    packages="libegl1 libgl1 libgl1-mesa-dri"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing $packages"
        apt-get update -qq && apt-get install -y -qq $packages
    else
        echo "libEGL is missing, which renders the robot's camera. Install it first: sudo apt-get install $packages" >&2
        exit 3
    fi
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
if ! "$venv/bin/python" -c "import torch" 2>/dev/null; then
    if command -v nvidia-smi >/dev/null 2>&1; then
        "$venv/bin/pip" install -q torch
    else
        # The index of CPU builds is asked first; where it cannot be reached, a CPU build may lie in pip's own folders.
        "$venv/bin/pip" install -q torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu 2>/dev/null ||
            "$venv/bin/pip" install -q torch==2.13.0
    fi
fi
"$venv/bin/pip" install -q -e ".[$extras]"
echo "installed vlp[$extras] into $venv"
