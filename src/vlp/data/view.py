"""A dataset as one HTML page that needs nothing else: image with boxes, instruction, policy as a tree."""

import base64
import io
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError, did_you_mean
from vlp.core.files import write_whole
from vlp.core.images import Rgb
from vlp.data.sample import Sample
from vlp.data.store import Store
from vlp.policy.model import Policy, say


def view(
    folder: str | Path,
    out: str | Path,
    n: int = 60,
    split: str = "",
    family: str = "",
    faults: dict[str, list[str]] | None = None,
) -> int:
    """Write the page, and return how many samples it shows: n of those asked for, evenly spread.

    Args:
        folder: a store.
        out: the page's file.
        n: at most so many samples.
        split, family: only those; "" for all.
        faults: sentences by sample id, shown with it; samples with faults come first.

    Raises:
        UsageError: no store, a line that is no sample, n out of bounds, or nothing to show; then no page is written.
        MissingComponent: the page could not be written.
    """
    if not 1 <= n <= 2000:
        raise UsageError(f"{n} samples cannot be shown.", "Give 1 to 2,000.")
    store, told = Store(folder), faults or {}
    wanted = [s.id for s in store.samples(split) if not family or s.family == family]
    if not wanted:
        raise _nothing(store, split, family)
    chosen = set([i for i in wanted if i in told][:n])
    chosen |= set(_spread([i for i in wanted if i not in chosen], n - len(chosen)))
    cards = [_card(sample, store, told.get(sample.id, [])) for sample in store.samples(split) if sample.id in chosen]
    title = escape(Path(folder).resolve().name)
    about = f"{len(cards)} of {len(wanted)} samples" + "".join(f" · {escape(w)}" for w in (split, family) if w)
    legend = {"seen": "solid boxes are those the policy names", "true": "dotted ones are true"}
    about = "; ".join([about, *(said for kind, said in legend.items() if any(_group(kind) in card for card in cards))])
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{Path(__file__).with_name('view.css').read_text()}</style></head><body><main>"
        f'<h1>{title}</h1><p class="soft">{about}.</p>'
        f"{''.join(cards)}</main></body></html>\n"
    )
    write_whole(Path(out), page)
    return len(cards)


def _nothing(store: Store, split: str, family: str) -> UsageError:
    """Return the error for a page that would be empty."""
    where = f"{str(store.folder)[:300]!r}" + (f", split {split}" if split else "")
    families = {sample.family for sample in store.samples(split)}
    if not families:
        return UsageError(f"no samples to show in {where}.")
    return UsageError(f"no samples of family {family[:80]!r} in {where}.", did_you_mean(family, families))


def _spread(ids: list[str], n: int) -> list[str]:
    if n <= 0:
        return []
    return ids if len(ids) <= n else [ids[i * len(ids) // n] for i in range(n)]


def _card(sample: Sample, store: Store, faults: list[str]) -> str:
    badges = [sample.family, sample.split, str(sample.source.get("question", "")), str(sample.source["kind"])]
    marks = "".join(f'<span class="badge">{escape(badge[:60])}</span>' for badge in badges if badge)
    alarms = "".join(f'<p class="fault">{escape(fault)}</p>' for fault in faults)
    before = "".join(f'<p class="old">{escape(text)}</p>' for text in sample.memory.instructions[:-1])
    told = [f"why: {sample.memory.trigger}"] if sample.memory.trigger else []
    told += [f"holding: {sample.state.holding}"] if sample.state.holding else []
    told += [f"steps before: {len(sample.memory.steps)}"] if sample.memory.steps else []
    context = f'<p class="soft">{escape(" · ".join(told))}</p>' if told else ""
    return (
        f'<article id="{escape(sample.id)}">{_picture(sample, store)}<div class="words">{alarms}'
        f"<p>{marks}</p>{before}<h2>{escape(sample.instruction)}</h2>{context}{_answer(sample)}"
        f'<p class="id">{escape(sample.id)}</p></div></article>'
    )


def _picture(sample: Sample, store: Store) -> str:
    try:
        rgb = store.image(sample)
    except UsageError as error:
        return f'<div class="picture fault">{escape(error.message)}</div>'
    height, width = rgb.shape[:2]
    marks = [_box(name, box, "true") for name, box in _boxes(sample.source.get("boxes"))]
    marks += [_box(name, box, "seen") for name, box in _boxes(sample.policy.get("seen"))]
    return (
        f'<div class="picture"><img alt="" src="data:image/jpeg;base64,{_jpeg(rgb)}">'
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none">{"".join(marks)}</svg></div>'
    )


def _jpeg(rgb: Rgb) -> str:
    from PIL import Image

    picture, buffer, most_px = Image.fromarray(rgb), io.BytesIO(), 480
    if picture.width > most_px:
        picture = picture.resize((most_px, round(picture.height * most_px / picture.width)))
    picture.save(buffer, format="JPEG", quality=82)
    return base64.b64encode(buffer.getvalue()).decode()


def _boxes(found: Any) -> Iterator[tuple[str, list[float]]]:
    """Yield the well-formed (name, box) pairs of {name: box} or [[name, box], ...], whatever else is in there."""
    pairs = found.items() if isinstance(found, dict) else found if isinstance(found, list) else ()
    for pair in pairs:
        name, box = pair if isinstance(pair, list | tuple) and len(pair) == 2 else ("", ())
        numbers = [float(v) for v in box if isinstance(v, int | float) and abs(v) < 1e5] if isinstance(box, list) else []
        if isinstance(name, str) and len(numbers) == 4 == len(box):
            yield name, numbers


def _box(name: str, box: list[float], kind: str) -> str:
    x1, y1, x2, y2 = box
    # The policy's words stand over the box and the true ones in its lower edge, so that both can be read.
    text = f'<text x="{x1 + 2:.0f}" y="{max(12.0, y1 - 4 if kind == "seen" else y2 - 3):.0f}">{escape(name)}</text>'
    shape = f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{max(0, x2 - x1):.1f}" height="{max(0, y2 - y1):.1f}"/>'
    return f"{_group(kind)}{shape}{text}</g>"


def _group(kind: str) -> str:
    return f'<g class="{kind}">'


def _answer(sample: Sample) -> str:
    if not sample.question:
        return _tree(sample.policy)
    return f'<p class="soft">{escape(sample.question)}</p><p class="goal">{escape(sample.reply)}</p>'


def _tree(document: dict[str, Any]) -> str:
    try:
        policy = Policy.from_json(document)
    except (KeyError, TypeError, ValueError, AttributeError):
        return f'<p class="fault">no policy: {escape(str(document)[:400])}</p>'
    head = f'<p class="goal">{escape(policy.goal)}</p>'
    if policy.cannot:
        return f'{head}<p class="cannot">cannot: {escape(policy.cannot)}</p>'
    if not policy.subtasks:
        return f'{head}<p class="soft">nothing to do: it holds already</p>'
    items = "".join(
        f"<li>{escape(subtask.name)}<ol>{''.join(f'<li>{escape(say(step))}</li>' for step in subtask.steps)}</ol></li>"
        for subtask in policy.subtasks
    )
    return f'{head}<ol class="tree">{items}</ol>'
