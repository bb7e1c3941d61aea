"""Checks across samples: the same thing twice, what must not be shared by training and test, and class balance."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from vlp.data.fault import DataFault
from vlp.data.sample import SPLITS, Sample
from vlp.data.similar import Fingerprint, named_words, phrasing, question_text, same_picture
from vlp.data.store import Store

Key = TypeVar("Key")


@dataclass(frozen=True)
class _Seen:
    id: str
    split: str
    picture: Fingerprint


class _Alike:
    """Finds earlier samples with the same words and nearly the same image."""

    def __init__(self) -> None:
        self._by_text: dict[str, list[_Seen]] = defaultdict(list)

    def before(self, sample: Sample, store: Store) -> list[_Seen]:
        """Return the earlier samples that are alike, and take this one in; none when its image cannot be read."""
        found = store.fingerprint(sample)
        if found is None:
            return []
        group = self._by_text[question_text(sample)]
        alike = [seen for seen in group if same_picture(seen.picture, found)]
        group.append(_Seen(sample.id, sample.split, found))
        return alike


class NearDuplicates:
    """No two samples of a split ask the same of nearly the same image."""

    def __init__(self) -> None:
        self._alike = _Alike()

    def look(self, sample: Sample, store: Store) -> Iterator[DataFault]:
        """Yield `near-duplicate`."""
        if sample.question:  # along a trajectory the same is asked of images that hardly differ
            return
        for seen in self._alike.before(sample, store):
            if seen.split == sample.split:
                message = f"asks the same as {seen.id} of nearly the same image."
                yield DataFault(sample.id, "near-duplicate", message, "Keep one of the two.")
                return

    def end(self) -> Iterator[DataFault]:
        """Yield nothing."""
        return iter(())


class Leakage:
    """What is tested was never trained on: no scene, image or sample is in two splits, no phrasing in train and test.

    A fault is laid on the sample of the later split in the order train, validation, test.
    """

    def __init__(self) -> None:
        self._alike = _Alike()
        self._scenes: dict[tuple[str, int], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._images: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._sentences: list[Sample] = []
        self._names: set[str] = set()

    def look(self, sample: Sample, store: Store) -> Iterator[DataFault]:
        """Yield `leak-sample`."""
        world, seed = sample.source.get("world"), sample.source.get("scene_seed")
        if isinstance(world, str) and isinstance(seed, int):
            self._scenes[world, seed][sample.split].append(sample.id)
        for sha256 in sample.images:
            self._images[sha256][sample.split].append(sample.id)
        if sample.split != "validation":
            self._sentences.append(sample)
            self._names |= named_words(sample)
        for seen in self._alike.before(sample, store):
            if seen.split != sample.split:
                later, earlier = (sample, seen) if SPLITS.index(sample.split) > SPLITS.index(seen.split) else (seen, sample)
                message = f"asks the same of nearly the same image as {earlier.id} of the {earlier.split} split."
                yield DataFault(later.id, "leak-sample", message, f"Remove it from the {later.split} split.")
                return

    def end(self) -> Iterator[DataFault]:
        """Yield `leak-scene`, `leak-image` and `leak-phrasing`."""
        yield from _shared("leak-scene", self._scenes, lambda key: f"its scene ({key[0]} {key[1]})")
        yield from _shared("leak-image", self._images, lambda key: f"its image {key[:12]}")
        phrasings: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for sample in self._sentences:
            template = sample.source.get("template")
            text = template if isinstance(template, str) else phrasing(sample, self._names)
            phrasings[text][sample.split].append(sample.id)
        yield from _shared("leak-phrasing", phrasings, lambda key: f"its phrasing ({key[:80]!r})")


class Balance:
    """In a training split of 100 samples or more no family makes up over half of it when there are three or more, and
    none has less than a tenth of an even share."""

    def __init__(self) -> None:
        self._ids: dict[str, list[str]] = defaultdict(list)

    def look(self, sample: Sample, store: Store) -> Iterator[DataFault]:
        """Count one sample."""
        if sample.split == "train" and not sample.question:
            self._ids[sample.family].append(sample.id)
        return iter(())

    def end(self) -> Iterator[DataFault]:
        """Yield `unbalanced`, named by the first sample of the class."""
        counts = Counter({family: len(ids) for family, ids in self._ids.items()})
        total, even = counts.total(), counts.total() / max(1, len(counts))
        if total < 100 or len(counts) < 2:
            return
        for family, n in counts.most_common():
            first = self._ids[family][0]
            if n > total / 2 and len(counts) > 2:
                message = f"{n} of {total} training samples are of the class {family!r}, like this one."
                yield DataFault(first, "unbalanced", message, "Collect more of the others, or leave some of these out.")
            elif n < even / 10:
                message = f"only {n} of {total} training samples are of the class {family!r}, like this one."
                yield DataFault(first, "unbalanced", message, "Collect more of them.")


def _shared(code: str, groups: Mapping[Key, Mapping[str, list[str]]], what: Callable[[Key], str]) -> Iterator[DataFault]:
    """Yield a fault for every sample whose key is in an earlier split too."""
    for key, by_split in groups.items():
        splits = sorted(by_split, key=SPLITS.index)
        for split in splits[1:]:
            for sample in dict.fromkeys(by_split[split]):
                message = f"{what(key)} is in the {splits[0]} split too: {by_split[splits[0]][0]}."
                yield DataFault(sample, code, message, f"Remove it from the {split} split.")
