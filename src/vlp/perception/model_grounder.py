"""A grounder that asks a model: any phrase, one request for everything in view, and no request twice for one image."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from vlp.core.errors import MissingComponent
from vlp.core.images import Rgb
from vlp.core.messages import Names
from vlp.core.observation import Box, iou
from vlp.models.protocol import Model, NoReply
from vlp.perception.grounder import ANYTHING, Detection, Sources
from vlp.perception.looks import matches
from vlp.prompt.marks import Mark, read_marks
from vlp.prompt.render import find_wording, ground_messages


class ModelGrounder:
    """Asks a model where things are; every answer is checked, and kept for the image that it was given for.

    A general model is asked for a phrase as it is, for several at once where they are known beforehand, and for everything
    in view in one request. A model that finds one thing at a time is asked for each name that it knows.

    Args:
        model: the model.
        timeout_s: limit on each request.
        tokens: limit on a reply about phrases, and on one about everything in view.
    """

    looks = 1
    """It would say the same of a second image of the same scene."""

    def __init__(self, model: Model, timeout_s: float = 60.0, tokens: tuple[int, int] = (256, 1536)) -> None:
        self._model = model
        self._timeout_s = timeout_s
        self._tokens = tokens
        self.names = model.can.names
        self._wording = find_wording(model.profile)
        self._known: OrderedDict[str, dict[str, list[Detection]]] = OrderedDict()

    @classmethod
    def build(cls, sources: Sources) -> "ModelGrounder":
        """Return the grounder; it needs `sources.model`."""
        if sources.model is None:
            raise MissingComponent("the grounder 'model' needs a model.", "Give one with --model.")
        if not sources.model.can.images:
            raise MissingComponent(f"the model {sources.model.name!r} sees no images.", "Name one that does with --model.")
        return cls(sources.model)

    def ground(self, rgb: Rgb, phrase: str, also: Sequence[str] = ()) -> list[Detection]:
        """Return what the model finds (see `vlp.perception.grounder.Grounder.ground`).

        Raises:
            NoReply: it wrote neither a place nor that the thing is not there.
        """
        known = self._of_image(rgb)
        if not self._wording.lists:
            names = _names(phrase, self.names)
            return [found for name in names for found in self._single(rgb, name, known)]
        bare = _bare(phrase)
        if _means_everything(bare):
            if ANYTHING not in known:
                known[ANYTHING] = self._ask(rgb, ())
            return known[ANYTHING]
        if bare not in known:
            known[bare] = [d for d in known.get(ANYTHING, ()) if d.phrase == bare] or self._phrase(rgb, bare, also, known)
        return [replace(d, phrase=phrase) if d.phrase == bare else d for d in known[bare]]

    def _of_image(self, rgb: Rgb) -> dict[str, list[Detection]]:
        """Return what is known of an image, by phrase; the last few images are remembered."""
        key = hashlib.sha256(rgb.tobytes()).hexdigest()
        known = self._known.setdefault(key, {})
        self._known.move_to_end(key)
        while len(self._known) > 4:
            self._known.popitem(last=False)
        return known

    def _single(self, rgb: Rgb, name: str, known: dict[str, list[Detection]]) -> list[Detection]:
        if name not in known:
            known[name] = self._ask(rgb, (name,))[:1]
        return known[name]

    def _phrase(self, rgb: Rgb, phrase: str, also: Sequence[str], known: dict[str, list[Detection]]) -> list[Detection]:
        """Ask for a phrase, and at once for others that are not known; of these, keep what the labels tell for certain."""
        more = [p for p in dict.fromkeys(map(_bare, also)) if p not in (phrase, *known) and not _means_everything(p)]
        found = self._ask(rgb, (phrase, *more))
        if not more:
            return found
        sorted_out = {name: [d for d in found if d.phrase == name] for name in (phrase, *more)}
        if sum(map(len, sorted_out.values())) < len(found):  # a label that is none of the phrases: each is asked for alone
            known.update({name: ours for name, ours in sorted_out.items() if ours})
            return known[phrase] if phrase in known else self._ask(rgb, (phrase,))
        known.update(sorted_out)
        return sorted_out[phrase]

    def _ask(self, rgb: Rgb, phrases: tuple[str, ...]) -> list[Detection]:
        messages, grammar = ground_messages(rgb, phrases, self._model.profile, self._model.can.view)
        reply = self._model.generate(
            messages,
            grammar=grammar,
            max_tokens=self._tokens[0 if phrases else 1] if self._wording.lists else 64,
            timeout_s=self._timeout_s,
        )
        marks = read_marks(reply.text)
        if marks is None:
            said = " ".join(reply.text.split())[:80]
            how = "was cut off at" if reply.finish == "length" else "wrote"
            what = f"the {' and the '.join(phrases)}" if phrases else "everything in view"
            raise NoReply(f"asked for {what}, the model {how} {said!r} instead of a box.", "Ask for one thing by name.")
        found = (self._detection(mark, phrases, rgb) for mark in marks)
        return _each_once([d for d in found if d is not None])

    def _detection(self, mark: Mark, phrases: tuple[str, ...], rgb: Rgb) -> Detection | None:
        height, width = rgb.shape[:2]
        box = self._model.can.view.to_image(mark.box, width, height)
        if mark.is_point:
            box = _around(box, 0.06 * height, width, height)  # half the side of the box around a point
        if box[0] >= box[2] or box[1] >= box[3]:
            return None
        return Detection(_called(_bare(mark.label), phrases), box, 0.4 if mark.is_point else 0.5)


def _bare(phrase: str) -> str:
    """Return a phrase in small letters, digits, ' and -, without article: as policies spell it, and as labels are compared."""
    words = "".join(c if c.isalnum() or c in "'-" else " " for c in phrase.lower()).split()
    return " ".join(words[1:] if words[:1] in (["the"], ["a"], ["an"]) and len(words) > 1 else words)[:64].strip()


def _means_everything(bare: str) -> bool:
    return bare in (ANYTHING, "everything", "thing", "things", "object", "objects")


def _called(label: str, phrases: tuple[str, ...]) -> str:
    """Return what a thing is called: the phrase that was asked for, or its label where that says more ("red cube")."""
    if not phrases:
        return label or "object"
    if len(phrases) == 1:
        return label if set(phrases[0].split()) < set(label.split()) else phrases[0]
    fitting = [phrase for phrase in phrases if phrase == label or set(phrase.split()) <= set(label.split())]
    return max(fitting, key=len) if fitting else label


def _each_once(found: list[Detection]) -> list[Detection]:
    """Return detections without those that say again what one before says: models repeat themselves in long lists."""
    kept: list[Detection] = []
    for d in found:
        if all(d.phrase != other.phrase or iou(d.box, other.box) < 0.9 for other in kept):
            kept.append(d)
    return kept


def _around(point: Box, reach: float, width: int, height: int) -> Box:
    x, y = point[:2]
    return max(x - reach, 0.0), max(y - reach, 0.0), min(x + reach, float(width)), min(y + reach, float(height))


def _names(phrase: str, names: Names | None) -> list[str]:
    """Return the full names to ask for one phrase a model that finds one thing at a time."""
    if names is None:
        return [phrase]
    full = [f"{colour} {kind}" for colour in names.colours for kind in names.kinds]
    return [name for name in full if matches(phrase, name)] or [phrase]
