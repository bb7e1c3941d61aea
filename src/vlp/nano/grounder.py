"""The embedded model as a grounder: its vision tower sees every object of an image in one pass."""

from collections.abc import Callable, Sequence

from vlp.core.errors import MissingComponent
from vlp.core.images import Rgb
from vlp.core.observation import Box
from vlp.nano.names import NAMES
from vlp.perception.grounder import Detection, Sources, clipped
from vlp.perception.looks import matches

Detect = Callable[[Rgb, str], Sequence[tuple[str, str, float, Box]]]


class DenseGrounder:
    """The dense head on the vision tower (`vlp.nano.vision`).

    Args:
        detect: image and phrase -> (colour, kind, score, box) of everything seen; the phrase decides where a kind is in doubt.
        least_score: detections below it are left out.
    """

    names, looks = NAMES, 2

    def __init__(self, detect: Detect, least_score: float = 0.25) -> None:
        self._detect = detect
        self._least_score = least_score

    @classmethod
    def build(cls, sources: Sources) -> "DenseGrounder":
        """Return the grounder on the shipped weights; nothing of the sources is needed."""
        del sources
        try:
            from vlp.nano.vision import detect
        except ImportError as error:
            raise MissingComponent(f"nano's detector cannot be loaded: {error}.", "pip install 'vlp[models]'") from None
        return cls(detect)

    def ground(self, rgb: Rgb, phrase: str, also: Sequence[str] = ()) -> list[Detection]:
        """Return what matches, best first; several phrases on one image cost one pass."""
        seen = [Detection(f"{c} {k}", clipped(b, rgb), float(s)) for c, k, s, b in self._detect(rgb, phrase)]
        found = [d for d in seen if d.score >= self._least_score and matches(phrase, d.phrase)]
        return sorted(found, key=lambda d: -d.score)
