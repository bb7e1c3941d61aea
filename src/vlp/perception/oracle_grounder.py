"""The grounder that reads the simulator's true boxes."""

from collections.abc import Callable, Mapping, Sequence

from vlp.core.errors import MissingComponent
from vlp.core.images import Rgb
from vlp.core.observation import Box
from vlp.perception.grounder import DEFAULT_GROUNDER, Detection, Sources
from vlp.perception.looks import matches


class OracleGrounder:
    """Reads the simulator's true boxes instead of the image; for experts and ablations only."""

    names, looks = None, 2

    def __init__(self, boxes: Callable[[], Mapping[str, Box]]) -> None:
        self._boxes = boxes

    @classmethod
    def build(cls, sources: Sources) -> "OracleGrounder":
        """Return the grounder; it needs `sources.boxes`."""
        if sources.boxes is None:
            hint = f"Use the grounder {DEFAULT_GROUNDER!r} or 'model'."
            raise MissingComponent("the oracle grounder needs a simulator.", hint)
        return cls(sources.boxes)

    def ground(self, rgb: Rgb, phrase: str, also: Sequence[str] = ()) -> list[Detection]:
        """Return the true boxes of what matches, of what has that very name where there is one; the image is not looked at."""
        boxes = self._boxes()
        named = [phrase] if phrase in boxes else [name for name in boxes if matches(phrase, name)]
        return [Detection(name, boxes[name], 1.0) for name in named]
