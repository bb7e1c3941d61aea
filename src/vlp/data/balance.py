"""The check of class balance."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from vlp.data.fault import DataFault
from vlp.data.sample import Sample
from vlp.data.store import Store

LEAST_SAMPLES = 100
LARGEST_SHARE, SMALLEST_PART = 0.5, 0.1


class Balance:
    """In a training split of 100 samples or more no family makes up over half of it when there are three or more, and
    none has less than a tenth of an even share."""

    def __init__(self) -> None:
        self._ids: dict[str, list[str]] = defaultdict(list)

    def look(self, sample: Sample, store: Store) -> Iterator[DataFault]:
        """Count one sample."""
        if sample.split == "train":
            self._ids[sample.family].append(sample.id)
        return iter(())

    def end(self) -> Iterator[DataFault]:
        """Yield `unbalanced`, named by the first sample of the class."""
        counts = Counter({family: len(ids) for family, ids in self._ids.items()})
        total, even = counts.total(), counts.total() / max(1, len(counts))
        if total < LEAST_SAMPLES or len(counts) < 2:
            return
        for family, n in counts.most_common():
            first = self._ids[family][0]
            if n > LARGEST_SHARE * total and len(counts) > 2:
                message = f"{n} of {total} training samples are of the class {family!r}, like this one."
                yield DataFault(first, "unbalanced", message, "Collect more of the others, or leave some of these out.")
            elif n < SMALLEST_PART * even:
                message = f"only {n} of {total} training samples are of the class {family!r}, like this one."
                yield DataFault(first, "unbalanced", message, "Collect more of them.")
