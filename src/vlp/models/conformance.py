"""Does an object keep the promises of the `Model` protocol? Run over every back end."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from vlp.core.errors import Report, VlpError
from vlp.core.messages import assistant, user
from vlp.models.protocol import Capabilities, Model, Reply

GRAMMAR: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"enum": ["yes", "no"]}, "count": {"enum": [0, 1, 2, 3]}},
    "required": ["answer", "count"],
    "additionalProperties": False,
}


def check_model(model: Model, max_tokens: int = 64, timeout_s: float = 60.0) -> Report:
    """Ask a model a few small things and report every broken promise; what it says that it cannot do is not asked of it.

    Args:
        model: any model; it is asked about ten times.
        max_tokens: limit on its replies.
        timeout_s: time limit of each.

    Returns:
        a report; each issue's path is the name of the check.
    """
    report = Report()
    can = getattr(model, "can", Capabilities())
    promised = [check for what, checks in OF_WHAT_IT_CAN.items() if getattr(can, what, True) for check in checks]
    for check in (*CHECKS, *promised):
        name = check.__name__.strip("_")
        try:
            check(_Asker(model, max_tokens, timeout_s), report)
        except VlpError as error:
            report.add(name, "model-error", f"the model refused: {error}")
        except Exception as error:
            report.add(name, "model-crash", f"raised {type(error).__name__}: {str(error)[:200]}", "Raise MissingComponent.")
    return report


class _Asker:
    def __init__(self, model: Model, max_tokens: int, timeout_s: float) -> None:
        self._model, self._max_tokens, self._timeout_s = model, max_tokens, timeout_s

    @property
    def model(self) -> Model:
        """The model that is asked."""
        return self._model

    def __call__(self, text: str = "ask: is there a red cube?", **options: Any) -> Reply:
        pixels = np.full((480, 640, 3), 120, dtype=np.uint8)
        pixels[200:260, 300:360] = (200, 30, 30)
        asked = {"max_tokens": self._max_tokens, "timeout_s": self._timeout_s, **options}
        return self._model.generate([user(pixels, text)], **asked)


def _says_what_it_is(ask: _Asker, report: Report) -> None:
    model = ask.model
    for name, kind in {"name": str, "profile": str, "can": Capabilities}.items():
        if not isinstance(getattr(model, name, None), kind):
            report.add("says_what_it_is", "lacks", f"model.{name} is no {kind.__name__}", "See `vlp.models.protocol.Model`.")


def _reply(ask: _Asker, report: Report) -> None:
    reply = ask()
    if not isinstance(reply.text, str) or reply.finish not in ("stop", "length"):
        report.add("reply", "shape", f"text {type(reply.text).__name__}, finish {reply.finish!r}")
    if any(seconds < 0 for seconds in reply.timings_s.values()) or "total" not in reply.timings_s:
        report.add("reply", "timings", f"timings {reply.timings_s}", 'Give at least "total", in seconds.')


def _same_again(ask: _Asker, report: Report) -> None:
    if ask(grammar=GRAMMAR).text != ask(grammar=GRAMMAR).text:
        report.add("same_again", "not-deterministic", "the same question got two replies", "Decode greedily.")


def _grammar(ask: _Asker, report: Report) -> None:
    text = ask(grammar=GRAMMAR).text
    try:
        answer = json.loads(text)
        good = list(answer) == ["answer", "count"] and answer["answer"] in ("yes", "no") and answer["count"] in range(4)
    except (ValueError, TypeError, KeyError):
        good = False
    if not good or any(c.isspace() for c in text):
        report.add("grammar", "not-followed", f"{text[:100]!r} is not compact JSON of the grammar")


def _draft(ask: _Asker, report: Report) -> None:
    plain = ask(grammar=GRAMMAR).text
    for draft in (plain, '{"answer":"no","count":3}', "nonsense \u00e4\u20ac"):
        if ask(grammar=GRAMMAR, draft=draft).text != plain:
            report.add("draft", "changes-reply", f"the draft {draft[:40]!r} changed the reply")


def _stream(ask: _Asker, report: Report) -> None:
    pieces: list[str] = []
    text = ask(grammar=GRAMMAR, on_text=pieces.append).text
    if "".join(pieces) != text:
        report.add("stream", "differs", f"streamed {''.join(pieces)[:60]!r}, replied {text[:60]!r}")


def _limit(ask: _Asker, report: Report) -> None:
    reply = ask(grammar={"type": "string", "minLength": 400, "maxLength": 500, "pattern": "^[a-z]*$"}, max_tokens=3)
    if reply.finish != "length" or reply.tokens.get("reply", 3) > 3:
        report.add("limit", "ignored", f"3 tokens allowed, finish {reply.finish!r}, tokens {reply.tokens}")


def _turns(ask: _Asker, report: Report) -> None:
    first = ask(grammar=GRAMMAR).text
    again = [user("ask: is there a red cube?"), assistant(first), user("ask: and a blue one?")]
    if not ask.model.generate(again, max_tokens=3, timeout_s=60.0).tokens.get("reply", 1):
        report.add("turns", "no-reply", "a second question in one conversation got no reply")


CHECKS: tuple[Callable[[_Asker, Report], None], ...] = (_says_what_it_is, _reply)
OF_WHAT_IT_CAN: dict[str, tuple[Callable[[_Asker, Report], None], ...]] = {
    "grammar": (_same_again, _grammar, _draft, _limit),
    "streams": (_stream,),
    "turns": (_turns,),
}
"""By the field of `Capabilities` that promises it."""
