import json
import re
from dataclasses import replace

import kit
import pytest

from vlp.core.errors import UsageError
from vlp.data.stats import stats, stats_lines
from vlp.data.store import StoreWriter
from vlp.data.view import view

EVIL = "<script>alert(1)</script>\"'&"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    kit.write(folder, 20)
    return folder


def test_a_policy_without_steps_is_named_by_stats(tmp_path):
    sample = replace(kit.write(tmp_path, 1)[0], policy={"goal": "g", "subtasks": [{"name": "x"}]})
    (tmp_path / "samples.jsonl").write_text(json.dumps(sample.to_json()) + "\n")
    with pytest.raises(UsageError, match=f"policy of sample {sample.id} has no steps"):
        stats(tmp_path)


def test_the_page_shows_what_is_asked_for_and_needs_nothing_else(store, tmp_path):
    assert view(store, tmp_path / "p.html", n=6) == 6
    page = (tmp_path / "p.html").read_text()
    assert page.count("<article") == page.count("data:image/jpeg;base64,") == 6
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "default-src 'none'" in page and "<script" not in page
    assert view(store, tmp_path / "p.html", split="test") == 4
    assert view(store, tmp_path / "p.html", family="put") == 5


def test_whatever_a_sample_says_stays_text(tmp_path):
    with StoreWriter(tmp_path / "s", {"hsr": kit.manifest()}) as writer:
        sample = kit.example(0, writer.add_image(kit.picture(0)))
        policy = {"goal": EVIL, "seen": [[EVIL, [1, 2, 30, 40]]], "subtasks": sample.policy["subtasks"]}
        policy["subtasks"][0]["name"] = EVIL
        source = {"kind": EVIL, "family": EVIL, "boxes": {EVIL: [1, 2, 3, 4], "odd": "x", "short": [1]}}
        memory = replace(sample.memory, instructions=(EVIL, EVIL), trigger=EVIL)
        writer.add(replace(sample, instruction=EVIL, memory=memory, policy=policy, source=source))
    view(tmp_path / "s", tmp_path / "p.html", faults={sample.id: [EVIL]})
    page = (tmp_path / "p.html").read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 8
    assert page.count("<rect") == 2


def test_policies_that_are_none_and_images_that_are_gone_are_said_to_be(tmp_path):
    with StoreWriter(tmp_path / "s", {"hsr": kit.manifest()}) as writer:
        first = kit.example(0, writer.add_image(kit.picture(0)))
        writer.add(replace(first, policy={"subtasks": 5}))
        second = kit.example(1, writer.add_image(kit.picture(1)))
        writer.add(second)
    (tmp_path / "s" / "images" / f"{second.images[0]}.png").unlink()
    assert view(tmp_path / "s", tmp_path / "p.html") == 2
    page = (tmp_path / "p.html").read_text()
    assert "no policy" in page and "is missing" in page


def test_too_many_are_refused(store, tmp_path):
    with pytest.raises(UsageError, match="cannot be shown"):
        view(store, tmp_path / "p.html", n=0)


def with_boxes(folder, true, seen):
    with StoreWriter(folder, {"hsr": kit.manifest()}) as writer:
        sample = kit.example(0, writer.add_image(kit.picture(0)))
        policy = {**sample.policy, **({"seen": seen} if seen else {})}
        writer.add(replace(sample, policy=policy, source={**sample.source, "boxes": true}))


@pytest.mark.parametrize(
    ("true", "seen", "solid", "dotted"),
    [({"red cube": [9, 9, 30, 40]}, [], 0, 1), ({}, [["red cube", [9, 9, 30, 40]]], 1, 0), ({}, [], 0, 0)],
)
def test_boxes_are_named_and_only_those_there_are_explained(tmp_path, true, seen, solid, dotted):
    """Against: true boxes without a name to be seen, and a legend of boxes that no picture has."""
    with_boxes(tmp_path / "s", true, seen)
    view(tmp_path / "s", tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text()
    assert len(re.findall("<text[^>]*>red cube</text>", page)) == solid + dotted
    assert (page.count("solid boxes"), page.count("dotted ones")) == (solid, dotted)


def test_nothing_to_show_is_refused_and_leaves_the_page_alone(store, tmp_path):
    """Against: a family that there is not wrote an empty page over the one that was there."""
    page = tmp_path / "p.html"
    page.write_text("before")
    with pytest.raises(UsageError, match=r"no samples of family 'putt' in .*Did you mean 'put'\? Known: pick, put, stack"):
        view(store, page, family="putt")
    StoreWriter(tmp_path / "none", {"hsr": kit.manifest()}).close()
    with pytest.raises(UsageError, match="no samples to show"):
        view(tmp_path / "none", page)
    assert page.read_text() == "before"


def test_numbers_add_up(store):
    found = stats(store)
    assert found["samples"] == found["images"] == 20
    assert found["counts"]["split"] == {"train": 12, "validation": 4, "test": 4}
    assert found["counts"]["family"] == dict.fromkeys(kit.FAMILIES, 5)
    assert found["counts"]["primitive"]["locate"] == 40
    assert found["lengths"]["steps"] == {"mean": 6, "median": 6, "least": 6, "most": 6}
    assert "20 samples, 20 images" in stats_lines(found)[0]
