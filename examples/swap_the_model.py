"""A model of your own: one method. And what happens when it writes nonsense.

    python examples/swap_the_model.py [--smoke]                     # the model below
    python examples/swap_the_model.py http://127.0.0.1:8000/v1      # any OpenAI-compatible server, such as vLLM
    python examples/swap_the_model.py ~/models/Qwen2.5-VL-3B-Instruct

On the command line the same is `vlp run "..." --model ...`.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from vlp.core.messages import Instruction, Message
from vlp.models.catalogue import open_model
from vlp.models.protocol import Capabilities, Model, Reply
from vlp.runtime.run import Run, Spec
from vlp.runtime.subscribers.terminal import Terminal
from vlp.sim.fake.robot import FakeRobot

NONSENSE = '{"goal":"the blue ball is held","subtasks":[{"name":"take it","steps":[{"do":"grab","target":"blue ball"}]}]}'
RIGHT = (
    '{"goal":"the blue ball is held","subtasks":[{"name":"take it","steps":['
    '{"do":"locate","object":"blue ball","as":"blue_ball"},{"do":"grasp","target":"$blue_ball"}]}]}'
)


class MyModel:
    """Writes nonsense first; reads the report that comes back, and writes it right."""

    name = "mine"
    profile = "full"  # the wording of prompts it wants
    can = Capabilities()  # what it can do: what is told of it here is not asked of it

    def generate(
        self,
        messages: Sequence[Message],
        *,
        grammar: dict[str, Any] | None = None,
        draft: str | None = None,
        max_tokens: int = 1024,
        timeout_s: float = 60.0,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Return a policy. `grammar` is the JSON Schema it must match, for models that can be constrained."""
        if len(messages) < 3:
            return Reply(NONSENSE)
        report = messages[-1].text
        print("--- what came back to the model ---", report, "---", sep="\n")
        return Reply(RIGHT)


def main() -> int:
    """Run one instruction on a robot without a body."""
    names = [word for word in sys.argv[1:] if word != "--smoke"]
    model: Model = open_model(names[0]) if names else MyModel()
    with tempfile.TemporaryDirectory() as out:
        spec = Spec(Instruction.of("take the blue ball"))
        outcome = Run(out, spec, FakeRobot(), model, subscribers=[Terminal()]).go()
    return 0 if outcome.outcome == "success" else 1


if __name__ == "__main__":
    sys.exit(main())
