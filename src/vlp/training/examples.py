"""Samples as the trainer takes them: tokens with labels, in an order that follows from the seed, in padded batches.

The prompt is the one of run time, word for word: the folder's profile, chat template and image processor, and with
it what the model's own turns say before the reply, where it has such turns (`vlp.models.turns`). Where it says in words what
it would do before it writes a policy, these are the sample's own: the names of its subtasks.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from vlp.core.errors import UsageError
from vlp.core.images import Rgb, decode_image
from vlp.core.messages import Message
from vlp.data.sample import Sample
from vlp.data.store import Store
from vlp.models.transformers_model import TransformersModel
from vlp.models.turns import Turns
from vlp.prompt.render import question_messages
from vlp.prompt.target import IGNORED, loss_labels, policy_text
from vlp.training.kept_replies import TIMEOUT_S, KeptReplies
from vlp.training.known_images import patch_states
from vlp.training.rehearsal import draw_questions


@dataclass(frozen=True)
class TrainingExample:
    """One sample in tokens.

    Args:
        id: of the sample.
        image: hash of its image.
        ids: prompt, reply and the token that ends the turn.
        labels: the same where the model's own words stand (the reply, and what it says before), `IGNORED` elsewhere.
        grid: frames, rows and columns of the image's patches.
    """

    id: str
    image: str
    ids: tuple[int, ...]
    labels: tuple[int, ...]
    grid: tuple[int, int, int]

    @property
    def counted_tokens(self) -> int:
        """How many tokens count."""
        return sum(label != IGNORED for label in self.labels)

    @property
    def scored_tokens(self) -> int:
        """How many tokens there are from the first that counts to the end."""
        return len(self.labels) - next(i for i, label in enumerate(self.labels) if label != IGNORED)


class Examples:
    """The samples of a store in the tokens of one model.

    Args:
        store: where they are.
        model: the base; its tower reads the images when the folder says so.
        base: what tells this base from others, such as the hashes of its weights, so that what it says is kept beside the
            samples; "" keeps nothing.
        agreed: teach the words before a policy only where the base says the very same; the policy is taught in any case.
    """

    def __init__(self, store: Store | str | Path, model: TransformersModel, base: str = "", *, agreed: bool = False) -> None:
        self.agreed, self.differing = agreed, 0
        self.store = store if isinstance(store, Store) else Store(store)
        self.model = model
        # Kept beside the samples: what a base says can take as long as the epochs of tuning themselves.
        kept = self.store.folder / ".replies" / f"{base[:16]}.jsonl" if base else None
        self._asked = KeptReplies(model, kept, base)

    def example(self, sample: Sample) -> TrainingExample:
        """Return a sample in tokens.

        Raises:
            UsageError: longer than the model takes, or its image is damaged; named by its id.
        """
        try:
            rgb = self.store.image(sample)
            messages = sample.messages(rgb, self.store.manifest(sample.robot), self.model.profile)
        except UsageError as error:
            raise UsageError(f"sample {sample.id}: {error.message}", "`vlp data lint` lists every fault.") from None
        turns = self.model.turns
        if sample.question:
            return self._made(sample, *self._shown(messages), sample.reply)
        if turns is None or not turns.speaks_first(messages):
            return self._made(sample, *self._shown(messages), policy_text(sample.policy))
        shown, said = self._shown(messages, lambda: self._words(sample, turns))
        if self.agreed and self._shown(messages)[1] != said:
            self.differing += 1
            said = said[:-1]
        return self._made(sample, shown, said, policy_text(turns.named(sample.policy)))

    def rehearsal(self, sample: Sample, question: str) -> TrainingExample | None:
        """Return a question about a sample's image in tokens, with the model's own answer; None where that has no end.

        Args:
            sample: whose image.
            question: see `vlp.training.rehearsal`.
        """
        messages, said = self._shown(question_messages(self.store.image(sample), question, self.model.profile))
        answer = self._asked.generate(messages, max_tokens=128)
        return self._made(sample, messages, said, answer.text) if answer.finish == "stop" else None

    def all(
        self, samples: Iterable[Sample], rehearse: int = 0, progress: Callable[[int], None] = lambda _: None
    ) -> list[TrainingExample]:
        """Return samples in tokens, with questions about their images.

        Args:
            samples: in the order that they come back in.
            rehearse: questions about each sample's image.
            progress: told how many samples are done.
        """
        done: list[TrainingExample] = []
        for number, sample in enumerate(samples, 1):
            done.append(self.example(sample))
            questions = draw_questions(sample.policy, rehearse, Random(sample.id))
            done += filter(None, (self.rehearsal(sample, question) for question in questions))
            progress(number)
        return done

    def _words(self, sample: Sample, turns: Turns) -> str:
        try:
            words = self.model.chat.inert(turns.words(sample.policy))
        except (KeyError, TypeError):
            raise UsageError(f"sample {sample.id}: its policy has no subtasks with names.") from None
        if len(self.model.chat.target(words)) > turns.words_tokens:
            raise UsageError(f"sample {sample.id}: the names of its subtasks are longer than {turns.words_tokens} tokens.")
        return words

    def _shown(self, messages: list[Message], words: Callable[[], str] | None = None) -> tuple[list[Message], list[list[int]]]:
        """Return a conversation as the model is shown it, and the tokens of what it says before its reply."""
        if self.model.turns is None:
            return messages, []
        shown, said = self.model.turns.shown(messages, self._asked, TIMEOUT_S, words)
        return shown, [self.model.chat.target(each.text) for each in said]

    def _made(self, sample: Sample, messages: list[Message], said: list[list[int]], reply: str) -> TrainingExample:
        chat = self.model.chat
        prompt, target = chat.prompt(messages), chat.target(reply)
        ids = (*prompt.ids, *target)
        limit = int(self.model.model.config.text_config.max_position_embeddings)
        if len(ids) > limit:
            raise UsageError(f"sample {sample.id} has {len(ids):,} tokens; {self.model.name!r} takes {limit:,}.")
        labels = loss_labels(prompt.ids, target)
        end = len(prompt.ids)
        for part in reversed(said):
            end = _last(prompt.ids[:end], part)
            labels[end : end + len(part)] = part
        return TrainingExample(sample.id, sample.images[0], ids, tuple(labels), prompt.images[0].grid)

    def rgb(self, example: TrainingExample) -> Rgb:
        """Return the image of an example."""
        return decode_image(self.store.image_bytes(example.image), f"image of {example.id}")


def _last(ids: Sequence[int], part: Sequence[int]) -> int:
    """Return where a run of ids stands for the last time."""
    return next(i for i in range(len(ids) - len(part), -1, -1) if list(ids[i : i + len(part)]) == list(part))


def shown_tokens(example: TrainingExample, model: TransformersModel) -> list[tuple[str, bool]]:
    """Return an example's tokens as (text, whether it counts in the loss); an image's tokens come as one.

    Args:
        example: what is shown.
        model: whose tokens they are.
    """
    tokenizer, shown = model.chat.tokenizer, list[tuple[str, bool]]()
    for image, run in groupby(zip(example.ids, example.labels, strict=True), lambda pair: pair[0] == model.chat.image_token):
        tokens = list(run)
        if image:
            shown.append((f"<{len(tokens)} image tokens>", any(label != IGNORED for _, label in tokens)))
        else:
            shown += [(tokenizer.decode([token]), label != IGNORED) for token, label in tokens]
    return shown


class Batcher:
    """Makes a batch of examples, as the model takes it: padded on the left, so that all replies end together.

    Args:
        examples: where images come from.
        rows: the examples, which a batch names by number.
        images: what is handed over of them, as `vlp.training.known_images.image_input` names it; all but pixels is computed
            once an image.
        max_kept_bytes: what is beyond these is computed again each time. An image of 640 x 480 takes 1.6 MB of the 3B model's
            features, and 4 MB of its patches' states.
    """

    def __init__(
        self, examples: Examples, rows: Sequence[TrainingExample], images: str = "pixel_values", max_kept_bytes: int = 8 * 2**30
    ) -> None:
        self.examples, self.rows, self.images = examples, rows, images
        self.max_kept_bytes = max_kept_bytes
        self._features: dict[str, Tensor] = {}
        self._kept_bytes = 0

    def __call__(self, picked: Sequence[dict[str, int]]) -> dict[str, Tensor]:
        """Return ids, mask, labels and images of the rows that are picked."""
        rows = [self.rows[item["row"]] for item in picked]
        length = max(len(row.ids) for row in rows)
        model = self.examples.model
        pad = model.chat.tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (length - len(row.ids)) + list(row.ids) for row in rows])
        mask = torch.tensor([[0] * (length - len(row.ids)) + [1] * len(row.ids) for row in rows])
        labels = torch.tensor([[IGNORED] * (length - len(row.ids)) + list(row.labels) for row in rows])
        batch = {
            "input_ids": ids,
            "attention_mask": mask,
            "labels": labels,
            "mm_token_type_ids": (ids == model.chat.image_token).int(),
            "image_grid_thw": torch.tensor([row.grid for row in rows]),
        }
        return batch | {self.images: torch.cat([self._image(row) for row in rows])}

    def _image(self, row: TrainingExample) -> Tensor:
        if row.image in self._features:
            return self._features[row.image]
        model, rgb = self.examples.model, self.examples.rgb(row)
        if self.images == "pixel_values":
            return torch.from_numpy(model.chat.pixels(rgb).values)
        if self.images == "patch_states":
            pixels = model.chat.pixels(rgb)
            values = torch.from_numpy(pixels.values).to(model.device, model.model.dtype)
            found = patch_states(model.model.model.visual, values, torch.tensor([pixels.grid], device=model.device)).cpu()
        else:
            tokens = model.image_tokens([rgb])[0]
            found = torch.from_numpy(tokens.reshape(-1, tokens.shape[-1])).to(model.model.dtype)
        if self._kept_bytes + found.nbytes <= self.max_kept_bytes:
            self._features[row.image] = found
            self._kept_bytes += found.nbytes
        return found


def training_order(lengths: Sequence[int], epochs: int, batch: int, seed: int) -> list[int]:
    """Return the examples' numbers in the order of training: each block of `batch` is one step, of similar lengths.

    It follows from the seed alone, so that a run that was killed goes on with the very next step, and any number of
    processes take the same steps. An epoch's last step is filled up with examples of that epoch.

    Args:
        lengths: tokens of each example.
        epochs: how often each is seen.
        batch: examples in a step.
        seed: of the shuffling.
    """
    order: list[int] = []
    for epoch in range(epochs):
        rng = Random(f"{seed}/{epoch}")
        shuffled = rng.sample(range(len(lengths)), len(lengths))
        while len(shuffled) % batch:
            shuffled += shuffled[: batch - len(shuffled) % batch]
        blocks: list[list[int]] = []
        pooled = 16 * batch  # sorted by length together: enough for little padding, few enough to stay mixed
        for start in range(0, len(shuffled), pooled):
            pool = sorted(shuffled[start : start + pooled], key=lambda i: -lengths[i])
            blocks += [pool[i : i + batch] for i in range(0, len(pool), batch)]
        rng.shuffle(blocks)
        order += [i for block in blocks for i in block]
    return order


def as_dataset(order: Sequence[int]) -> Any:
    """Return the order as a `datasets.Dataset` of row numbers: what TRL's trainer iterates over."""
    from datasets import Dataset

    return Dataset.from_dict({"row": list(order)})
