"""Does a tuned model still see and answer? A fixed set of questions about images, before and after.

The bar is that of VLM2VLA (arXiv 2509.22195): 85 % of the base's score. The simulated questions are the same ones everywhere:
scenes of the validation seeds, phrasings that are never trained on, answers from the true state. Other sets are read from
folders: `questions.jsonl` with a line {"image": "a.png", "question": "...", "answer": "..."} for each question beside the
images; "answer" may be a list of accepted ones, and "kind" names a group.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError
from vlp.core.images import Rgb, decode_image, encode_png, read_image
from vlp.evaluation.gates.report import GateReport
from vlp.evaluation.runner import Rate
from vlp.models.protocol import Model
from vlp.prompt.render import question_messages

FILE = "questions.jsonl"
Open = Callable[[], Model]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class GateQuestion:
    """One question about one image.

    Args:
        set: the set that it is of.
        kind: the group within the set.
        text: the question.
        answers: the accepted answers.
        image: PNG, or the file of the image.
    """

    set: str
    kind: str
    text: str
    answers: tuple[str, ...]
    image: bytes | Path

    def rgb(self) -> Rgb:
        """Return the image."""
        return decode_image(self.image) if isinstance(self.image, bytes) else read_image(self.image)


def simulated_questions(n: int, split: str = "validation") -> list[GateQuestion]:
    """Return the first n questions about simulated scenes of a split: the same ones each time."""
    from vlp.evaluation.seeing import draw_question

    drawn = (draw_question(index, split) for index in range(n))
    return [GateQuestion("simulated", kind, text, (answer,), encode_png(rgb)) for rgb, kind, text, answer in drawn]


def read_sets(folders: Sequence[Path]) -> list[GateQuestion]:
    """Return the questions of several folders, a set each.

    Raises:
        UsageError: two sets of one name, which would be judged as one; or as `read_questions` does.
    """
    named: dict[str, str] = {"simulated": "the simulated questions"}
    found: list[GateQuestion] = []
    for folder in folders:
        name, where = _set_name(folder), repr(str(folder)[:300])
        if name in named:
            raise UsageError(f"{named[name]} and {where} are both called {name[:100]!r}.", "Rename one: each set has to pass.")
        named[name] = where
        found += read_questions(folder)
    return found


def read_questions(folder: Path) -> list[GateQuestion]:
    """Return the questions of a folder.

    Raises:
        UsageError: no such file, or a line that is no question, by its number.
    """
    file = folder / FILE
    if not file.is_file():
        raise UsageError(f"no questions at {str(file)[:300]!r}.", f"Expected {FILE} beside its images.")
    found = list(_lines(folder, file))
    if not found:
        raise UsageError(f"{str(file)[:300]!r} holds no questions.")
    return found


def same_answer(said: str, accepted: Sequence[str]) -> bool:
    """Return whether an answer is one of those accepted: case, a full stop and the way a list is written do not count.

    A reply without words answers nothing, not even "none".
    """
    return bool(said.strip(" .\t\n")) and any(_normal(said) == _normal(answer) for answer in accepted)


def keeps(
    base: Open, tuned: Open, questions: Sequence[GateQuestion], name: str = "the tuned model", bar: float = 0.85,
    progress: Progress = lambda what, done, all_: None,
) -> GateReport:  # fmt: skip
    """Compare two models' answers; one is open at a time.

    Args:
        base: opens the model before tuning.
        tuned: opens it after.
        questions: of any number of sets; each set has to pass.
        name: of the tuned model.
        bar: the share of the base's score that must be left.
        progress: told (which model, questions done, all).
    """
    if not questions:
        raise UsageError("no questions to ask.", "Give --n 1 or more, or a folder with --questions.")
    before, after = _answer("base", base, questions, progress), _answer("tuned", tuned, questions, progress)
    rows, failures, facts = [], [], dict[str, Any]()
    passed = True
    for which in dict.fromkeys(question.set for question in questions):
        mine = [i for i, question in enumerate(questions) if question.set == which]
        old, new = (Rate.of({"success": row[i][0]} for i in mine) for row in (before, after))
        left = new.successes / old.successes if old.successes else 0.0
        good = left >= bar and old.successes > 0
        passed = passed and good
        kept = f"{100 * left:.1f} %" if old.successes else "the base answers none"
        rows.append({"questions": which, "base": str(old), "tuned": str(new), "kept": kept, "": "passed" if good else "failed"})
        facts[which] = {"base": vars(old), "tuned": vars(new), "kept": left, "kinds": _kinds(questions, mine, before, after)}
        failures += [
            f"{which} {i}, {questions[i].kind}: {questions[i].text} Expected {questions[i].answers[0]!r}, base "
            f"{before[i][1][:80]!r}, tuned {after[i][1][:80]!r}"
            for i in mine
            if before[i][0] and not after[i][0]
        ]
    verdict = "kept" if passed else "did not keep"
    said = f"{name} {verdict} at least {100 * bar:.0f} % of what its base sees and answers (95 % intervals in brackets)."
    return GateReport("keeps", passed, said, rows, failures, {"bar": bar, "sets": facts})


def _answer(what: str, opened: Open, questions: Sequence[GateQuestion], progress: Progress) -> list[tuple[bool, str]]:
    """Return for each question whether a model answers it, and what it says."""
    model, found = opened(), list[tuple[bool, str]]()
    profile = model.profile
    for question in questions:
        messages = question_messages(question.rgb(), question.text, profile)
        said = model.generate(messages, max_tokens=128, timeout_s=300.0).text.strip()
        found.append((same_answer(said, question.answers), said))
        progress(what, len(found), len(questions))
    return found


def _kinds(
    questions: Sequence[GateQuestion], mine: Sequence[int], before: list[tuple[bool, str]], after: list[tuple[bool, str]]
) -> dict[str, dict[str, int]]:
    kinds: dict[str, dict[str, int]] = {}
    for i in mine:
        count = kinds.setdefault(questions[i].kind, {"n": 0, "base": 0, "tuned": 0})
        count["n"] += 1
        count["base"] += before[i][0]
        count["tuned"] += after[i][0]
    return kinds


def _lines(folder: Path, file: Path) -> Iterator[GateQuestion]:
    with file.open("rb") as stream:
        for number, line in enumerate(iter(lambda: stream.readline(65_537), b""), 1):
            if number > 100_000 or len(line) > 65_536:
                raise UsageError(f"{FILE} has more than 100,000 lines, or a line of more than 65,536 bytes.")
            if line.strip():
                yield _question(folder, number, line)


def _question(folder: Path, number: int, line: bytes) -> GateQuestion:
    expected = 'Expected {"image": "a.png", "question": "...", "answer": "..."}.'
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError(f"line {number} of {FILE} is not JSON.", expected) from None
    if not isinstance(data, dict):
        raise UsageError(f"line {number} of {FILE} is no object.", expected)
    answers = data.get("answer")
    answers = [answers] if isinstance(answers, str) else answers
    name, text, kind = data.get("image"), data.get("question"), data.get("kind", "")
    good = isinstance(answers, list) and answers and all(isinstance(each, str) and each.strip() for each in answers)
    if not good or not isinstance(name, str) or not isinstance(text, str) or not isinstance(kind, str):
        raise UsageError(f"line {number} of {FILE} is no question.", expected)
    image = folder / name
    try:
        inside = image.resolve().is_relative_to(folder.resolve()) and image.is_file()
    except (OSError, ValueError):
        inside = False
    if not inside:
        raise UsageError(f"line {number} of {FILE}: no image {name[:200]!r} in the folder.", expected)
    return GateQuestion(_set_name(folder), kind, text, tuple(answers or ()), image)


def _set_name(folder: Path) -> str:
    return folder.resolve().name


def _normal(answer: str) -> tuple[str, ...]:
    """Return an answer as a list of plain words: a JSON list, or names parted by commas; none of them for "none"."""
    text = answer.strip().rstrip(".").lower()
    if text in ("none", "nothing", "[]"):
        return ()
    try:
        listed = json.loads(text)
        if isinstance(listed, list):
            return tuple(str(item).strip() for item in listed)
    except (ValueError, RecursionError):
        pass
    return tuple(part.strip() for part in text.split(","))
