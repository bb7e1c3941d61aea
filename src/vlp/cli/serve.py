"""`vlp serve`: a model behind an OpenAI-compatible server, under the flags that serve exactly what was trained."""

import contextlib
import ipaddress
import os
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from vlp.cli.names import BaseModel
from vlp.core.errors import MissingComponent, UsageError, VlpError, lookup, not_installed
from vlp.models.adapter import check_adapter, check_base
from vlp.models.catalogue import DEFAULT_MODEL, find_folder, open_model
from vlp.models.endpoint import checked_key
from vlp.models.folder import check_folder
from vlp.models.protocol import Model
from vlp.models.tuning import Requests, Trial, keep, read_tuning, tuning_file
from vlp.models.tuning import tune as run_tuning
from vlp.models.vllm import Flags, Offer, Vllm, check_served_adapter, command, environment, find_vllm
from vlp.models.vllm_process import ServerProcess, warm_up
from vlp.runtime.subscribers.terminal import printable

DTYPES = ("float32", "bfloat16", "float16")
Serving = Callable[[Offer], AbstractContextManager[tuple[ServerProcess, float]]]


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
    tune: bool = False,
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
        log: file to which vLLM's output is added.
        timeout_s: limit on its start, in seconds.
        tune: do not serve, but find out which of vLLM's flags are fastest here, with requests of three simulated episodes and 9
            to 19 starts of vLLM; `vlp serve` takes them from runs/serve from then on.
        dry_run: only print the command line.
    """
    if not 1 <= port <= 65535:
        raise UsageError(f"--port {port} is no port.", "Give 1 to 65535.")
    if dtype:
        lookup(dtype, dict.fromkeys(DTYPES), "dtype")
    if merge and not adapter:
        raise UsageError("--merge adds an adapter into the weights, and none is named.", "Name one with --adapter.")
    if tune and dry_run:
        raise UsageError("--tune has to start vLLM, and --dry-run does not.", "Leave one of them out.")
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
        serving = partial(_served, vllm, key, Path(log), timeout_s)
        if tune:
            return _tune(vllm, offer, serving, console)
        offer = replace(offer, flags=_flags(vllm, offer))
        if dry_run:
            print(shlex.join(command(vllm, offer)))
            return 0
        console.print(f"starting vLLM {vllm.version} for {offer.name} (log: {log})", markup=False)
        with console.status("loading the model"):
            server, seconds = stack.enter_context(serving(offer))
        print(f"ready: {offer.url} serves {offer.name} (warmed up in {seconds:.1f} s)", flush=True)
        server.wait()


@contextlib.contextmanager
def _served(vllm: Vllm, key: str, log: Path, timeout_s: float, offer: Offer) -> Iterator[tuple[ServerProcess, float]]:
    """Serve an offer while the context is open; give the process, and the seconds of its first replies."""
    with ServerProcess(command(vllm, offer), environment(vllm, key), log) as server:
        server.wait_until_healthy(offer.url, timeout_s)
        try:
            seconds = warm_up(offer.url, key)
        except VlpError as error:
            hint = f"{server.complaint()} The whole story is in {str(log)!r}.".strip()
            raise MissingComponent(f"the model loads but does not serve: {error.message}", hint) from None
        yield server, seconds


def _flags(vllm: Vllm, offer: Offer) -> Flags:
    """Return the flags that were chosen for an offer, else the usual ones; what was found is told beside the output."""
    file = tuning_file(offer.name)
    found = read_tuning(offer.name, file)
    if found is None:
        return Flags.usual(vllm)
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    if not found.fits(vllm):
        there = f"vLLM {found.vllm} on a {'CPU' if found.cpu else 'GPU'}"
        said = f"note: {file} was measured with {there}, and is not used; --tune measures anew."
        notes.print(said, style="yellow", markup=False)
        return Flags.usual(vllm)
    faster = f"{found.times_faster:.2f} times as fast as the usual ones"
    notes.print(f"flags from {file}, {faster}: {shlex.join(found.flags.words())}", markup=False)
    return found.flags


def _tune(vllm: Vllm, offer: Offer, serving: Serving, console: Console) -> int:
    """Choose flags for an offer by measurement, and write them down."""
    file = tuning_file(offer.name)

    @contextlib.contextmanager
    def start(flags: Flags) -> Iterator[Model]:
        with serving(replace(offer, flags=flags)):
            yield open_model(offer.url)

    def tell(trial: Trial) -> None:
        said = f"{trial.seconds:.2f} s" if trial.seconds is not None else f"not to be used: {printable(trial.fault)}"
        console.print(f"{shlex.join(trial.flags.words())}: {said}", markup=False)

    found = run_tuning(offer.name, vllm, start, partial(_requests, file.with_suffix("")), tell)
    keep(found, file)
    chosen = shlex.join(found.flags.words())
    console.print(f"{chosen}: {found.times_faster:.2f} times as fast as the usual flags; written to {file}", markup=False)
    return 0


def _requests(folder: Path, model: Model) -> Requests:
    """Return what a model is asked in three dynamic episodes, which are kept in a folder."""
    try:
        from vlp.evaluation.speed.recorded import recorded
    except ImportError as error:
        raise not_installed("--tune runs simulated episodes, which need", error, "sim,models") from None
    asked = [(call.messages, call.grammar) for call in recorded(model, 3, folder)]
    if not asked:
        raise MissingComponent("the model was asked nothing in three episodes.", f"See the runs in {str(folder)!r}.")
    return Requests(asked)


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
