"""The README of an adapter or a model: what it was made from, what it scored, and what it cannot do."""

from typing import Any


def model_card(name: str, record: dict[str, Any]) -> str:
    """Return the card as Markdown.

    Args:
        name: of the adapter or model.
        record: the run's record: base, data, recipe and scores.
    """
    base, data, recipe = record.get("base", {}), record.get("data", {}), record.get("recipe", {})
    families = ", ".join(f"{count} {family}" for family, count in data.get("families", {}).items())
    scores = [f"| {key} | {value} |" for key, value in record.get("scores", {}).items()]
    lines = [
        f"# {name}",
        "",
        f"A robot planner: image, instruction, state and memory to a policy. Fine-tuned with `vlp train sft` from "
        f"`{base.get('name', 'an unnamed base')}`.",
        "",
        "## Data",
        "",
        f"{data.get('samples', '?')} samples of `{data.get('name', '?')}` (SHA-256 of their lines "
        f"{str(data.get('sha256', '?'))[:16]}), for {', '.join(data.get('robots', [])) or '?'}: {families or '?'}.",
        "",
        "## Training",
        "",
        "| setting | value |",
        "| --- | --- |",
        *[f"| {key} | {value if value != '' else 'by device'} |" for key, value in recipe.items()],
        "",
        "## Scores",
        "",
        *(["| what | value |", "| --- | --- |", *scores] if scores else ["None were measured."]),
        "",
        "## Limits",
        "",
        "- It plans for the robots and the kinds of scenes in its samples; on others it was not tried.",
        "- It proposes text. Every policy is to be checked against the robot's manifest before a step is done, as `vlp run` "
        "does.",
        "- A low loss is not a right plan: compare with the base on prompts that it was not trained on before you rely on it.",
        "",
    ]
    return "\n".join(lines)
