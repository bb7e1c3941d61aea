"""A model's view of an image: the size is Qwen's own, and boxes come back to the image they were asked for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlp.core.images import ImageView

BOUNDS = [(28, 3136, 12845056), (36, 3136, 139968), (28, 3136, 1003520)]


@settings(deadline=None)  # transformers takes seconds to import
@given(st.integers(8, 4000), st.integers(8, 4000), st.sampled_from(BOUNDS))
def test_the_size_is_that_of_the_image_processor(width: int, height: int, bounds: tuple[int, int, int]) -> None:
    smart_resize = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl").smart_resize
    side, least, most = bounds
    if max(width, height) / min(width, height) > 200:
        return
    rows, columns = smart_resize(height, width, side, min_pixels=least, max_pixels=most)
    if min(rows, columns) > 0:
        assert ImageView(side, least, most).seen_size(width, height) == (columns, rows)


def test_what_is_written_in_pixels_seen_or_in_thousandths_comes_back_to_the_image_and_ends_at_its_borders() -> None:
    assert ImageView().seen_size(640, 480) == (644, 476)
    assert ImageView().to_image((0, 0, 644, 476), 640, 480) == (0, 0, 640, 480)
    assert ImageView().to_image((322, -5, 9999, 238), 640, 480) == (320, 0, 640, 240)
    assert ImageView(unit="thousandth").to_image((250, 500, 1000, 1001), 640, 480) == (160, 240, 640, 480)
