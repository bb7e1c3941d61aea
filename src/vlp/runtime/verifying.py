"""Whether what a step says that it made is so: each effect that its primitive declares is asked of the world."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from vlp.core.observation import RobotState
from vlp.policy.model import PolicyStep
from vlp.primitives.facts import SPATIAL, Condition, sensed_facts
from vlp.primitives.schema import CHECK
from vlp.runtime.body import Body
from vlp.runtime.memory import RunMemory

Word = Literal["yes", "no", "unsure"]


@dataclass(frozen=True)
class Effect:
    """What was found of one effect.

    Args:
        fact: the effect in words, e.g. "in red cube green bowl".
        verdict: whether it is so.
        evidence: what was seen or sensed, as a clause.
    """

    fact: str
    verdict: Word
    evidence: str


@dataclass(frozen=True)
class Verification:
    """What was found of all effects of a step.

    Args:
        findings: one for each effect that could be asked for.
        looks: how many pictures that took.
    """

    findings: tuple[Effect, ...]
    looks: int = 0

    @property
    def verdict(self) -> Word:
        """No where one effect is not so; unsure where one could not be seen; else yes."""
        said = {finding.verdict for finding in self.findings}
        return "no" if "no" in said else "unsure" if "unsure" in said else "yes"

    @property
    def evidence(self) -> str:
        """What speaks for the verdict, in one line."""
        return "; ".join(finding.evidence for finding in self.findings if finding.verdict == self.verdict)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data, with the verdict."""
        return {"verdict": self.verdict, "findings": [asdict(finding) for finding in self.findings], "looks": self.looks}


class Verifier:
    """Asks for the effects of steps: of the hand, the place and what else the robot senses its own state, else a look.

    Args:
        body: the robot; without the primitive `check` only what it senses is asked.
        memory: what the run knew before the step.
        looks: how often it is looked when a look tells nothing.
    """

    def __init__(self, body: Body, memory: RunMemory, looks: int = 2) -> None:
        self._body, self._memory, self._looks = body, memory, looks
        check = body.manifest.primitives.get(CHECK)
        self._relations = next((a.choices for a in check.arguments if a.name == "relation"), ()) if check else ()

    def verify(self, step: PolicyStep) -> Verification | None:
        """Return what is found of a step that says it succeeded, None where nothing that it makes can be asked for.

        It must be called before the run's memory takes the step's end in: `held` is what was held before it.
        """
        effects = list(self._effects(step))
        if not effects:
            return None
        state, found, looks = self._body.state(), list[Effect](), 0
        for effect in effects:
            verdict, evidence = _sensed(effect, state)
            if verdict == "unsure" and self._can_be_seen(effect):
                for _ in range(self._looks):
                    verdict, evidence = self._seen(effect)
                    looks += 1
                    if verdict != "unsure":
                        break
            found.append(Effect(str(effect), verdict, evidence))
        return Verification(tuple(found), looks)

    def _effects(self, step: PolicyStep) -> Iterator[Condition]:
        """Yield the effects that the robot's state or a look can tell."""
        situation, state = self._memory.situation, sensed_facts(self._body.state().facts)
        for text in self._memory.primitives[step.do].makes:
            effect = Condition.parse(text).grounded(situation.said(step), situation.held)
            own = effect.words in state or effect.words[:1] in (("hand_empty",), ("holding",))
            if own or (effect.words[:1] == ("at",) and len(effect.words) == 2) or self._can_be_seen(effect):
                yield effect

    def _can_be_seen(self, effect: Condition) -> bool:
        return effect.positive and len(effect.words) == 3 and effect.words[0] in SPATIAL and effect.words[0] in self._relations

    def _seen(self, effect: Condition) -> tuple[Word, str]:
        relation, subject, other = effect.words
        result = self._body.perceive(CHECK, {"relation": relation, "subject": subject, "object": other})
        evidence = str(result.done.get("evidence", "")) or result.message or str(effect)
        if result.status == "succeeded":
            return "yes", evidence
        return ("no" if result.code == "check-failed" and result.value is False else "unsure"), evidence


def _sensed(effect: Condition, state: RobotState) -> tuple[Word, str]:
    """Return what the robot's own state says of an effect."""
    words, sensed = effect.words, sensed_facts(state.facts)
    holds = f"the hand holds {state.holding}" if state.holding else "the hand is empty"
    if words in sensed:
        return _word(sensed[words] is effect.positive), f"the robot senses that {' '.join(words)!r} is {sensed[words]}".lower()
    if words == ("hand_empty",):
        return _word(bool(state.holding) is not effect.positive), holds
    if words[:1] == ("holding",):
        return _word((state.holding in ("something", *words[1:])) is effect.positive), holds
    if words[:1] == ("at",) and len(words) == 2 and state.at:
        return _word((state.at == words[1]) is effect.positive), f"the robot is at the {state.at}"
    return "unsure", "the robot does not sense it"


def _word(so: bool) -> Word:
    return "yes" if so else "no"
