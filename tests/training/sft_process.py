"""Fine-tuning in processes of their own, forked from one that has imported everything: to be killed, or two at a time."""

import multiprocessing
import os
import signal
import socket
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["vlp.training.sft"])


def train(base: Path, samples: Path, out: Path, kill_at: int = 0, kill_in_write: int = 0, rank: int = 0, world: int = 1,
          port: int = 0, resume: bool = False, **recipe: Any) -> None:  # fmt: skip
    """Fine-tune; with `kill_at` by SIGKILL as soon as that step is told, with `kill_in_write` in that checkpoint."""
    os.environ |= {"OMP_NUM_THREADS": "1"}
    if world > 1:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    import torch
    from safetensors import torch as files

    from vlp.training.recipe import Recipe
    from vlp.training.sft import train_sft

    torch.set_num_threads(1)
    writes = 0
    whole = files.save_file

    def half(tensors: Any, path: Any, **rest: Any) -> None:
        nonlocal writes
        writes += 1
        whole(tensors, path, **rest)
        if writes == kill_in_write:
            os.truncate(path, os.path.getsize(path) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    files.save_file = half

    def told(what: str, done: int, total: int) -> None:
        if what == "training" and done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    train_sft(str(base), samples, out, Recipe(**recipe), device="cpu", resume=resume, progress=told)


def start(*places: Path, **options: Any) -> Any:
    """Return a process in which `train` has been started."""
    process = CONTEXT.Process(target=train, args=places, kwargs=options)
    process.start()
    return process


def run(*places: Path, world: int = 1, **options: Any) -> int:
    """Return the exit status of `train`, in as many processes as `world` says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [start(*places, rank=rank, world=world, port=port, **options) for rank in range(world)]
    for process in started:
        process.join(120)
    return max((process.exitcode for process in started), key=abs)
