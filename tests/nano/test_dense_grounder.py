"""The embedded model as a grounder."""

import numpy as np

from vlp.nano.grounder import DenseGrounder

RGB = np.zeros((480, 640, 3), dtype=np.uint8)


def test_it_gives_the_best_first_and_leaves_out_the_doubtful():
    asked = []

    def detect(rgb, phrase):
        asked.append(phrase)
        return [
            ("red", "cube", 0.5, (0, 0, 9, 9)),
            ("red", "cube", 0.9, (-5, 5, 20, 900)),
            ("red", "ball", 0.1, (0, 0, 5, 5)),
        ]

    grounder = DenseGrounder(detect)
    found = grounder.ground(RGB, "red cube")
    assert [d.score for d in found] == [0.9, 0.5]
    assert found[0].box == (0.0, 5.0, 20.0, 480.0), "boxes end at the image's border"
    assert grounder.ground(RGB, "ball") == []
    assert asked == ["red cube", "ball"]
