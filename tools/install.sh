#!/bin/sh
# Make a virtual environment and install vlp with extras into it: tools/install.sh VENV EXTRAS
#
# PYTHON            the Python to make it with (3.11 or newer)
# TORCH_INDEX_URL   where pip finds PyTorch; on a machine without a GPU give PyTorch's index of CPU builds (see PyTorch's
#                   installation page): pip's own index may hold the CUDA build, which is several gigabytes larger
set -eu
venv=$1
extras=$2
python=${PYTHON:-python3}
torch=${TORCH_INDEX_URL:+--index-url $TORCH_INDEX_URL}

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
echo "installing vlp[$extras] into $venv"
if ! "$venv/bin/python" -c "import torch" 2>/dev/null; then
    "$venv/bin/pip" install -q --no-compile $torch torch==2.13.0
fi
# Python compiles what is imported when it is: compiling everything beforehand is more than half of the time (200 s, 87 s without).
"$venv/bin/pip" install -q --no-compile -e ".[$extras]"
if ! command -v nvidia-smi >/dev/null 2>&1 && ! "$venv/bin/python" -c "import sys, torch; sys.exit(torch.version.cuda is not None)"; then
    echo "note: pip brought the CUDA build of PyTorch onto a machine without a GPU. It works, and is several gigabytes larger"
    echo "      than it need be. For the CPU build: remove $venv, set TORCH_INDEX_URL (see README) and run this again."
fi
echo "installed vlp[$extras] into $venv"
