"""How well-known models see images and write places, by what they are called: a server does not tell."""

import re

from vlp.core.images import ImageView

AS_SENT = ImageView(side_px=1, least_px=1, most_px=10**9)
"""The view of a model of which nothing is known: it writes pixels of the image that it was sent."""

VIEWS: dict[str, ImageView] = {
    r"qwen-?2[.-]?5-?vl|qwen-?2[.-]?5-?omni": ImageView(),
    r"qwen-?3(\.\d)?-?(vl|omni)": ImageView(side_px=32, least_px=32 * 32 * 4, unit="thousandth"),
    r"qwen-?2-?vl|internvl|intern-?s1": ImageView(unit="thousandth"),
}
"""Views by a pattern in a model's name, in small letters with - for _; the first that fits."""


def view_of(name: str) -> ImageView:
    """Return how the model of a name sees images."""
    plain = name.lower().replace("_", "-")
    return next((view for pattern, view in VIEWS.items() if re.search(pattern, plain)), AS_SENT)
