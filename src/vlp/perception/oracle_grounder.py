"""The grounder that reads the simulator's true boxes."""

from collections.abc import Callable, Mapping, Sequence

from vlp.core.errors import MissingComponent
from vlp.core.images import Rgb
from vlp.core.observation import Box, Described
from vlp.perception.grounder import DEFAULT_GROUNDER, Detection, Sources
from vlp.perception.looks import matches


class OracleGrounder:
    """Reads the simulator's true boxes instead of the image; for experts and ablations only."""

    names, looks = None, 2

    def __init__(self, boxes: Callable[[], Mapping[str, Box]], described: Callable[[], Mapping[str, Described]] = dict) -> None:
        self._boxes, self._described = boxes, described

    @classmethod
    def build(cls, sources: Sources) -> "OracleGrounder":
        """Return the grounder; it needs `sources.boxes`."""
        if sources.boxes is None:
            hint = f"Use the grounder {DEFAULT_GROUNDER!r} or 'model'."
            raise MissingComponent("the oracle grounder needs a simulator.", hint)
        return cls(sources.boxes, sources.described)

    def ground(self, rgb: Rgb, phrase: str, also: Sequence[str] = ()) -> list[Detection]:
        """Return the true boxes of what matches, of what has that very name where there is one; the image is not looked at."""
        boxes, known, found = self._boxes(), self._described(), []
        for name in [phrase] if phrase in boxes else boxes:
            about = known.get(name, Described(()))
            person = about.facing_rad is not None
            if name == phrase or phrase in about.phrases or (not person and matches(phrase, name)):
                found.append(Detection(name, boxes[name], 1.0, about.facing_rad))
        return found
