"""`vlp serve`: a model behind an OpenAI-compatible server, under the flags that serve exactly what was trained."""

import contextlib
import ipaddress
import os
import shlex
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from vlp.cli.names import BaseModel
from vlp.core.errors import MissingComponent, UsageError, VlpError, lookup, not_installed
from vlp.models.adapter import check_adapter, check_base
from vlp.models.catalogue import DEFAULT_MODEL, find_folder
from vlp.models.endpoint import checked_key
from vlp.models.folder import check_folder
from vlp.models.vllm import Offer, Vllm, check_served_adapter, command, environment, find_vllm
from vlp.models.vllm_process import ServerProcess, warm_up

DTYPES = ("float32", "bfloat16", "float16")


def serve(
    model: BaseModel = DEFAULT_MODEL,
    adapter: str = "",
    merge: bool = False,
    port: int = 8000,
    host: str = "127.0.0.1",
    dtype: str = "",
    python: str = "",
    log: str = "vllm.log",
    timeout_s: float = 900.0,
    dry_run: bool = False,
) -> int:
    """Serve a model with vLLM, for `vlp run --model http://127.0.0.1:8000/v1` and anything that speaks the OpenAI protocol.

    It prints "ready" once the model has answered a prompt with an image, and one under a grammar. Ctrl-C ends it. Clients
    must show the environment's VLP_MODEL_KEY where that is set. Exit status 3 when vLLM is missing, too old, or fails.

    Args:
        adapter: a LoRA adapter, computed beside the weights; with its part for the vision tower where it has one.
        merge: add the adapter into the weights first, in a temporary folder.
        port: of the server.
        host: address to listen on; others than this machine reach it only with 0.0.0.0 or an address of the network, and
            with VLP_MODEL_KEY set.
        dtype: float32, bfloat16 or float16; by default what is used in process: float32 on a CPU, else bfloat16.
        python: the Python that has vLLM; by default the environment's VLP_VLLM_PYTHON, else the one that runs vlp.
        log: file that vLLM writes to.
        timeout_s: limit on its start, in seconds.
        dry_run: only print the command line.
    """
    if not 1 <= port <= 65535:
        raise UsageError(f"--port {port} is no port.", "Give 1 to 65535.")
    if dtype:
        lookup(dtype, dict.fromkeys(DTYPES), "dtype")
    if merge and not adapter:
        raise UsageError("--merge adds an adapter into the weights, and none is named.", "Name one with --adapter.")
    key = checked_key(os.environ.get("VLP_MODEL_KEY")) or ""
    _must_be_guarded(host, port, key)
    plain = Offer(check_folder(find_folder(model)), None, host, port, dtype)
    if adapter:
        _check_adapter(Path(adapter), plain, merge)
    console = Console(highlight=False, soft_wrap=True)
    vllm = _find_vllm(python or os.environ.get("VLP_VLLM_PYTHON", ""), dry_run)
    with contextlib.ExitStack() as stack:
        if not dry_run:
            _must_be_free(host, port)
        offer = _offer(stack, model, adapter, merge, plain)
        words = command(vllm, offer)
        if dry_run:
            print(shlex.join(words))
            return 0
        console.print(f"starting vLLM {vllm.version} for {offer.name} (log: {log})")
        server = stack.enter_context(ServerProcess(words, environment(vllm, key), Path(log)))
        with console.status("loading the model"):
            server.wait_until_healthy(offer.url, timeout_s)
            try:
                seconds = warm_up(offer.url, key)
            except VlpError as error:
                hint = f"{server.complaint()} The whole story is in {log!r}.".strip()
                raise MissingComponent(f"the model loads but does not serve: {error.message}", hint) from None
        print(f"ready: {offer.url} serves {offer.name} (warmed up in {seconds:.1f} s)", flush=True)
        server.wait()


def _find_vllm(python: str, dry_run: bool) -> Vllm:
    """Return the installed vLLM; a dry run goes on without one, with the flags for the newest one on this machine."""
    notes = Console(stderr=True, highlight=False, soft_wrap=True)  # the output of a dry run is the command line alone
    try:
        vllm = find_vllm(python)
    except MissingComponent as error:
        if not dry_run:
            raise
        cpu = shutil.which("nvidia-smi") is None
        notes.print(f"note: {error.message} These are the flags on a {'CPU' if cpu else 'GPU'}.", style="yellow")
        return Vllm(python or sys.executable, "", cpu)
    if not vllm.tried:
        notes.print(f"note: vLLM {vllm.version} is newer than those that vlp was tried with.", style="yellow")
    return vllm


def _check_adapter(adapter: Path, plain: Offer, merge: bool) -> None:
    """Refuse an adapter that does not go with the model, or not without --merge."""
    if merge:
        check_adapter(adapter)
        check_base(adapter, plain.folder)
    else:
        check_served_adapter(adapter, plain.folder)
    _check_fit(adapter, plain.folder.path)


def _offer(stack: contextlib.ExitStack, model: str, adapter: str, merge: bool, plain: Offer) -> Offer:
    """Return what is served; a merged model lies in a folder that goes when the stack is left."""
    if not adapter:
        return plain
    path = Path(adapter)
    if not merge:
        return Offer(plain.folder, path, plain.host, plain.port, plain.dtype)
    try:
        from vlp.training.export import merge as merged
    except ImportError as error:
        raise not_installed("merging needs", error, "train") from None
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vlp-merged-")))
    return Offer(merged(path, model, folder / path.resolve().name), None, plain.host, plain.port, plain.dtype)


def _check_fit(adapter: Path, base: Path) -> None:
    """Refuse an adapter with a key that the base has no place for, by its name."""
    try:
        from vlp.models.adapter import check_fit
        from vlp.models.shape import build_shape
    except ImportError as error:
        raise not_installed("checking an adapter needs", error, "models") from None
    check_fit(adapter, build_shape(base / "config.json"))


def _address(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    """Return the family and the number of the address that vLLM listens on for a host: of several, that of IPv4."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UsageError(f"--host {host[:80]!r} is no address of this machine.", "Give 127.0.0.1, 0.0.0.0 or ::1.") from None
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, str(address[0])


def _must_be_guarded(host: str, port: int, key: str) -> None:
    """Refuse to listen beyond this machine for anyone who comes."""
    if not key and not ipaddress.ip_address(_address(host, port)[1]).is_loopback:
        raise UsageError(
            f"--host {host[:80]} lets other machines in, and no key is set.",
            "Set VLP_MODEL_KEY here and where clients run, or leave out --host.",
        )


def _must_be_free(host: str, port: int) -> None:
    family, number = _address(host, port)
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((number, port))
        except OSError as error:
            why = error.strerror or str(error)
            raise UsageError(f"cannot listen on {host[:80]}:{port}: {why}.", "Choose another --port or --host.") from None
