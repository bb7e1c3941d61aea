"""The strict schema of a sample's JSON: types, bounds, no unknown keys, and faults told by path, found and expected."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator

from vlp.core.errors import UsageError
from vlp.core.messages import Instruction
from vlp.core.observation import Located, RobotState
from vlp.core.strict import Strict, first_fault
from vlp.prompt.render import Memory, StepRecord

_T = TypeVar("_T")
Word = Annotated[str, Field(max_length=200)]
Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Three = tuple[Number, Number, Number]
Plain = Annotated[dict[Word, Any], Field(max_length=100)]
UpTo200 = Annotated[_T, Field(max_length=200)]
"""Lists of steps and tables of things, as long as a memory may have them."""


class _Strict(BaseModel):
    model_config = Strict.model_config


class _State(_Strict):
    at: Word = ""
    holding: Word = ""
    joints_rad_or_m: UpTo200[dict[Word, Number]] = {}
    base_in_world: Three = (0.0, 0.0, 0.0)
    gripper_m: Number | None = None
    hand_in_base: Three | None = None
    own: UpTo200[dict[Word, Word | Number | bool]] = {}
    facts: UpTo200[dict[Word, bool]] = {}


class _Step(_Strict):
    do: Word
    arguments: Plain
    status: Word = "succeeded"
    message: Annotated[str, Field(max_length=2000)] = ""
    subtask: Word = ""
    bound: Word = ""
    value: Annotated[str, Field(max_length=2000)] = ""
    code: Word = ""


class _Located(_Strict):
    phrase: Word
    box: tuple[Number, Number, Number, Number]
    position_in_world: Three
    size_m: Three
    yaw_rad: Number
    score: Number
    stamp_s: Annotated[float, Field(ge=0, le=1e12)]


class _Memory(_Strict):
    instructions: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(min_length=1, max_length=200)]
    steps: UpTo200[list[_Step]] = []
    beliefs: UpTo200[dict[Word, _Located]] = {}
    gone: UpTo200[list[Word]] = []
    holding: Word = ""
    at: Word = ""
    trigger: Annotated[str, Field(max_length=4000)] = ""
    failures: UpTo200[list[Annotated[str, Field(max_length=2000)]]] = []
    facts: UpTo200[list[Annotated[list[Word], Field(min_length=1, max_length=8)]]] = []
    earlier: UpTo200[list[Annotated[str, Field(max_length=200)]]] = []
    lessons: UpTo200[list[Annotated[str, Field(max_length=1000)]]] = []


class _Sample(_Strict):
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}-[0-9a-f]{10}$")]
    images: Annotated[list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]], Field(min_length=1, max_length=8)]
    instruction: str
    robot: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    state: _State
    memory: _Memory
    question: Annotated[str, Field(max_length=2000)] = ""
    policy: Annotated[dict[str, Any], Field(max_length=8)]
    reply: Annotated[str, Field(max_length=8000, validate_default=True)] = ""
    source: Plain
    split: Literal["train", "validation", "test"]
    version: Literal[1]

    @field_validator("instruction")
    @classmethod
    def _plain_sentence(cls, value: str) -> str:
        try:
            clean = Instruction.of(value).text
        except UsageError as error:
            raise ValueError(f"a plain sentence; {error.message.rstrip('.')}") from None
        if clean != value:
            raise ValueError("a trimmed sentence in Unicode normal form C")
        return value

    @field_validator("memory")
    @classmethod
    def _same_instruction(cls, value: _Memory, info: ValidationInfo) -> _Memory:
        said = info.data.get("instruction", value.instructions[-1])
        if value.instructions[-1] != said:
            raise ValueError(f"the last of its instructions to be {said[:80]!r}")
        return value

    @field_validator("policy", "reply")
    @classmethod
    def _one_answer(cls, value: Any, info: ValidationInfo) -> Any:
        asked = bool(info.data.get("question"))
        if bool(value) != (asked if info.field_name == "reply" else not asked):
            raise ValueError("a policy, or a question and its reply")
        return value

    @field_validator("source")
    @classmethod
    def _kind(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(value.get("kind"), str):
            raise ValueError('an object with "kind"')
        return value


def read_json(text: str | bytes) -> dict[str, Any]:
    """Return the fields of a `Sample` from its JSON text.

    Raises:
        UsageError: names the first fault by its path, what was found and what was expected.
    """
    try:
        read = _Sample.model_validate_json(text)
    except ValidationError as error:
        raise UsageError(first_fault(error)) from None
    state, memory = read.state, read.memory
    return {
        "id": read.id,
        "images": tuple(read.images),
        "instruction": read.instruction,
        "robot": read.robot,
        "state": RobotState(**state.model_dump()),
        "memory": Memory(
            instructions=tuple(memory.instructions),
            steps=tuple(StepRecord(**step.model_dump()) for step in memory.steps),
            beliefs={name: Located(**belief.model_dump()) for name, belief in memory.beliefs.items()},
            gone=tuple(memory.gone),
            holding=memory.holding,
            at=memory.at,
            trigger=memory.trigger,
            failures=tuple(memory.failures),
            facts=tuple(map(tuple, memory.facts)),
            earlier=tuple(memory.earlier),
            lessons=tuple(memory.lessons),
        ),
        "policy": read.policy,
        "question": read.question,
        "reply": read.reply,
        "source": read.source,
        "split": read.split,
        "version": read.version,
    }
