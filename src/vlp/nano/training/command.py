"""The command `vlp train nano`."""

from pathlib import Path

from vlp.core.errors import UsageError, lookup, not_installed


def command(
    out: str = "work-nano",
    frames: int = 12_000,
    stage: str = "all",
    steps: int = 0,
    workers: int = 2,
    threads: int = 2,
    frames_dir: str = "",
    device: str = "",
    policies: bool = True,
    start: str = "",
    rate_share: float = 1.0,
    seed: int = 0,
) -> int:
    """Train the embedded model, from nothing or on from another: render frames, two stages, export to OUT/model.

    It goes on where it stopped when it was killed. About three hours on two cores, by the time that its steps take.

    Args:
        out: directory of frames, checkpoints, curves and the model.
        frames: rendered training frames.
        stage: vision, language, export or all.
        steps: optimizer steps of the stage; 0 takes the recipe's.
        workers: processes that render.
        threads: threads of one stage.
        frames_dir: frames that exist already.
        device: cpu, cuda, cuda:1, ...; by default a GPU where there is one.
        policies: without them the result is nano-base, which sees, answers, and says in words what it would do.
        start: a model to go on from instead of from nothing: nano, nano-base or a folder that was exported.
        rate_share: part of the recipe's learning rates; 0.7 does to go on.
        seed: other scenes and turns for another number.
    """
    lookup(stage, dict.fromkeys(("all", "vision", "language", "export")), "stage")
    bounds = (("frames", frames, 1), ("steps", steps, 0), ("workers", workers, 1), ("threads", threads, 1))
    for name, value, least in bounds:
        if value < least:
            raise UsageError(f"--{name} {value} is too small.", f"Give {least} or more.")
    if not 0 < rate_share <= 1:
        raise UsageError(f"--rate-share {rate_share} is out of bounds.", "Give more than 0 and at most 1.")
    if frames_dir and not Path(frames_dir).is_dir():
        raise UsageError(f"no directory of frames at {frames_dir[:300]!r}.")
    try:
        from vlp.nano.training.train import train
    except ImportError as error:
        raise not_installed("training needs", error, "train,sim") from None
    existing = Path(frames_dir) if frames_dir else None
    train(
        Path(out), frames, stage, steps or None, workers, threads, policies, frames_dir=existing, device=device or None,
        start=start, rate_share=rate_share, seed=seed,
    )  # fmt: skip
    return 0
