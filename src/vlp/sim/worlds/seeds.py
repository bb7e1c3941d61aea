"""Which seeds belong to training, validation and test; every sampler and every suite asks here."""

from vlp.core.errors import UsageError, lookup

SPLITS: dict[str, range] = {
    "train": range(0, 10_000_000),
    "validation": range(10_000_000, 20_000_000),
    "test": range(20_000_000, 30_000_000),
}


def seed_of(split: str, index: int) -> int:
    """Return the seed of the case number `index` in a split ("train", "validation" or "test").

    Raises:
        UsageError: no such split, or the index lies outside it.
    """
    seeds = lookup(split, SPLITS, "split")
    if not 0 <= index < len(seeds):
        raise UsageError(f"index {index} is outside the {split} split.", f"Expected 0 to {len(seeds) - 1}.")
    return seeds[index]


def split_of(seed: int) -> str:
    """Return the split that a seed belongs to, "" when to none."""
    return next((name for name, seeds in SPLITS.items() if seed in seeds), "")
