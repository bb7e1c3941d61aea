"""P1 to P3: how long a new policy takes, how many passes of the model it needs, and what is read again for it."""

import time
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import torch

from vlp.core.errors import UsageError
from vlp.core.images import Rgb
from vlp.core.messages import Message, counted
from vlp.core.timing import Interval, Timed
from vlp.evaluation.planning import manifest, prompt, prompt_messages
from vlp.evaluation.speed.recorded import recorded
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.models.catalogue import find_folder, open_model
from vlp.models.folder import check_folder
from vlp.models.in_process import InProcess
from vlp.models.protocol import Model, Reply
from vlp.models.transformers_model import TransformersModel
from vlp.models.turns import ModelWithTurns, make_turns
from vlp.policy.checks import check_policy
from vlp.policy.model import State


class PlainModel:
    """The baseline: `transformers.generate` of the whole prompt for each turn, without grammar, draft or anything kept.

    Args:
        model: whose weights and chat template it uses.
    """

    def __init__(self, model: TransformersModel) -> None:
        self.model = model
        self.name, self.profile, self.can = model.name, model.profile, model.can

    def generate(self, messages: Sequence[Message], *, max_tokens: int = 1024, **options: Any) -> Reply:
        """Return the greedy reply; the other options are passed over."""
        chat, model = self.model.chat, self.model.model
        prompt = chat.prompt(messages)
        with torch.inference_mode():
            ids = torch.tensor([prompt.ids])
            out = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=torch.tensor([prompt.is_image]).int(),
                pixel_values=torch.cat([torch.from_numpy(image.values) for image in prompt.images]),
                image_grid_thw=torch.tensor([image.grid for image in prompt.images]),
                do_sample=False, max_new_tokens=max_tokens, eos_token_id=[*self.model.ends], pad_token_id=min(self.model.ends),
            )  # fmt: skip
        new = out[0, len(prompt.ids) :].tolist()
        return Reply(chat.tokenizer.decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def image_tokens(self, images: Sequence[Rgb]) -> list[np.ndarray[Any, Any]]:
        """Return what the tower makes of images (see `vlp.models.turns.Tower`)."""
        merge, tower = self.model.chat.image_processor.merge_size, self.model.model.model
        found = []
        for pixels in map(self.model.chat.pixels, images):
            with torch.inference_mode():
                seen = tower.get_image_features(torch.from_numpy(pixels.values), torch.tensor([pixels.grid]), return_dict=True)
            rows, columns = (side // merge for side in pixels.grid[1:])
            found.append(torch.cat(tuple(seen.pooler_output)).numpy().reshape(rows, columns, -1))
        return found


def new_policies(effort: Effort) -> list[Measured]:
    """P1: from a trigger to the checked policy, against `generate` of the whole prompt; the picture is a new one each time."""
    ours, inner = opened(effort.base)
    usual = inner if isinstance(inner, TransformersModel) else TransformersModel(find_folder(effort.base), device="cpu")
    plain = _with_turns(PlainModel(usual), effort.base)
    progress = effort.counting("episodes recorded")
    calls = recorded(ours, 8 * effort.repeats, effort.folder / "recorded", progress=progress)
    replans = [call for call in calls if call.draft]
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    unlike = 0
    for turn, call in enumerate(replans[: 8 * effort.repeats]):
        texts: dict[str, str] = {}
        taken: dict[str, float] = {}
        for arm, model in sorted({"ours": ours, "plain": plain}.items(), reverse=bool(turn % 2)):
            inner.forget()
            began = time.perf_counter()
            texts[arm] = model.generate(call.messages, grammar=call.grammar, draft=call.draft, max_tokens=1024).text
            check_policy(texts[arm], manifest(), State())
            taken[arm] = time.perf_counter() - began
        if texts["ours"] == texts["plain"]:
            for arm, one in taken.items():
                seconds[arm].append(one)
        else:  # what the grammar changed is no comparison
            unlike += 1
    timed = Timed(seconds)
    said = (
        f"{len(seconds['ours'])} re-plans of dynamic episodes of the test split, each with a picture that is new to the model,"
        f" against `transformers.generate` of the whole prompt of each turn, without grammar and draft; equal policies"
        f" ({unlike} others left out), {torch.get_num_threads()} threads."
    )
    ms = {arm: Interval.of([1000 * one for one in values]) for arm, values in seconds.items()}
    return [
        Measured("P1", "a new policy, plain over ours", timed.ratio("plain", "ours"), said, at_least=8),
        Measured("P1", "a new policy, ours", ms["ours"], f"Plain: {ms['plain']} ms.", at_most=80, unit="ms"),
    ]


def passes(effort: Effort) -> list[Measured]:
    """P2 and P2b: passes of the model for each token that it writes, words before the policy and the end of turns included."""
    model, inner = opened(effort.base)
    found: dict[bool, list[float]] = {False: [], True: []}
    tokens, forwards = {False: 0, True: 0}, {False: 0, True: 0}

    def count(reply: Reply, again: bool) -> None:
        tokens[again] += reply.tokens["reply"] + 1
        forwards[again] += reply.tokens["forwards"]

    progress = effort.counting("episodes recorded and asked again")
    episodes = recorded(model, 14 * effort.repeats, effort.folder / "recorded", progress=progress)
    heard = _Heard(inner)
    asked = _with_turns(heard, effort.base)
    for _, calls in groupby(episodes, key=lambda call: call.episode):
        inner.forget()
        for call in calls:
            heard.replies.clear()
            reply = asked.generate(call.messages, grammar=call.grammar, draft=call.draft, max_tokens=1024)
            if reply.text != call.reply:
                raise AssertionError(f"episode {call.episode}: {reply.text[:80]!r} is not {call.reply[:80]!r}")
            for each in heard.replies:
                count(each, bool(call.draft))
            written = sum(each.tokens["reply"] + 1 for each in heard.replies)
            found[bool(call.draft)].append(sum(each.tokens["forwards"] for each in heard.replies) / written)
    said = (
        "{n} policies of {episodes} dynamic episodes of the test split, {tokens:,} tokens in {passes:,} passes, asked again as"
        " they were then: the same replies. What earlier episodes wrote is forgotten."
    )
    told = {
        again: said.format(n=len(found[again]), episodes=14 * effort.repeats, tokens=tokens[again], passes=forwards[again])
        for again in found
    }
    rows = []
    for again, what, most in ((True, "re-plans", 0.2), (False, "first policies", 0.35)):
        more = {"whole": forwards[again] / max(tokens[again], 1)}
        name = "P2" if again else "P2b"
        rows.append(
            Measured(name, f"forward passes a token, {what}", Interval.of(found[again]), told[again], None, most, "", more)
        )
    return rows


def reading(effort: Effort) -> list[Measured]:
    """P3: time to the first token of a policy, with what is kept of the prompt before, over the time without."""
    model, inner = opened(effort.base)
    asked = [prompt_messages(*prompt(i, "test", "test"), model.profile) for i in range(2 * effort.repeats)]
    rows = []
    for name, most in (("another picture", 0.5), ("the same picture", 0.2)):
        same = name.startswith("the same")
        pairs = [(a, _shown(a, b) if same else b) for a, b in pairwise(asked)]
        ratios = [_warm_over_cold(model, inner, a, b) for a, b in pairs]
        said = (
            f"{counted(len(ratios), 'pair')} of prompts for scenes of the test split, each with another sentence; the second"
            f" after the first, over the second alone. {inner.name!r}, wording {model.profile!r}."
        )
        rows.append(Measured("P3", f"first token, warm over cold, {name}", Interval.of(ratios), said, at_most=most))
    return rows


def _warm_over_cold(model: Model, inner: InProcess, first: list[Message], then: list[Message]) -> float:
    taken = list[float]()
    for warm in (True, False):
        inner.forget()
        if warm:
            model.generate(first, max_tokens=1)
        began = time.perf_counter()
        model.generate(then, max_tokens=1)
        taken.append(time.perf_counter() - began)
    return taken[0] / taken[1]


def _shown(picture: Sequence[Message], sentence: Sequence[Message]) -> list[Message]:
    """Return a prompt with the image of another."""
    image = next(part for message in picture for part in message.parts if not isinstance(part, str))
    return [Message(one.role, tuple(part if isinstance(part, str) else image for part in one.parts)) for one in sentence]


class _Heard:
    """A model in process whose every reply is kept, those of its own turns too."""

    def __init__(self, model: InProcess) -> None:
        self.model, self.replies = model, list[Reply]()
        self.name, self.profile, self.can = model.name, model.profile, model.can
        self.image_tokens = model.image_tokens

    def generate(self, messages: Sequence[Message], **options: Any) -> Reply:
        self.replies.append(self.model.generate(messages, **options))
        return self.replies[-1]


def opened(base: str) -> tuple[Model, InProcess]:
    """Return a model in process, and what of it has no turns of its own."""
    model = open_model(base)
    inner = model.model if isinstance(model, ModelWithTurns) else model
    if not isinstance(inner, InProcess):
        raise UsageError(f"{base!r} does not run in process.", "Name a model folder.")
    return model, inner


def _with_turns(model: Any, base: str) -> Model:
    word = check_folder(find_folder(base)).turns
    return ModelWithTurns(model, make_turns(word, model)) if word else model
