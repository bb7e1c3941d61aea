"""Instruction families: clear tasks, fair splits, tests on the true state, and sentences that can be read back."""

from dataclasses import replace
from random import Random

import pytest

from vlp.sim.language.changes import sample_change
from vlp.sim.language.families import FAMILIES, PLAIN, sample_task
from vlp.sim.language.fitting import has_room, has_spot
from vlp.sim.language.random_truth import sample_truth
from vlp.sim.language.recognise import parse_reference, recognise
from vlp.sim.language.references import resolve
from vlp.sim.language.relations import holds
from vlp.sim.language.task import Goal, Task
from vlp.sim.language.wording import typo
from vlp.sim.truth import TrueObject, Truth
from vlp.sim.worlds.tabletop.scripted import expected, sample_event


def scene(*rows: tuple, holding: str = "") -> Truth:
    """Return a truth from rows (phrase, x, y[, support])."""
    sizes = {"bowl": (0.15, 0.15, 0.06), "tray": (0.22, 0.16, 0.03), "plate": (0.17, 0.17, 0.02)}
    objects = {}
    for phrase, x, y, *support in rows:
        colour, kind = phrase.split()
        below = "hand" if phrase == holding else support[0] if support else "table"
        relation = "in" if below.endswith(("bowl", "box", "bin", "hand")) else "on"
        size = sizes.get(kind, (0.05, 0.05, 0.05))
        objects[phrase] = TrueObject(colour, kind, (x, y, 0.46), size, support=below, relation=relation)
    return Truth(objects, holding)


TABLE = scene(
    ("red cube", 0.5, 0.2),
    ("red can", 0.6, -0.1),
    ("blue can", 0.5, -0.25),
    ("green bowl", 0.65, 0.05),
    ("white tray", 0.5, 0.0),
)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_gives_tasks_in_random_scenes(name: str) -> None:
    rng = Random(name)
    tasks = [FAMILIES[name].sample(sample_truth(rng), rng, "train") for _ in range(400)]
    made = [task for task in tasks if task is not None]
    assert len(made) >= 4
    for task in made:
        assert task.instruction and task.family == name
        assert bool(task.cannot) == (name == "impossible") and task.satisfied == (name == "satisfied")


def test_the_same_seed_gives_the_same_task_and_another_seed_another() -> None:
    def draw(seed: int) -> Task | None:
        rng = Random(seed)
        return sample_task(sample_truth(rng), rng, "train")

    assert draw(3) == draw(3)
    assert len({str(draw(seed)) for seed in range(20)}) > 15


def test_every_family_has_several_phrasings() -> None:
    for family in PLAIN.values():
        assert len(family.sentences.train) >= 4 and len(family.sentences.test) >= 3


def test_a_task_is_not_done_at_its_start_and_what_is_done_already_is() -> None:
    rng = Random(8)
    for _ in range(500):
        truth = sample_truth(rng)
        task = sample_task(truth, rng, "train")
        assert task is not None
        assert task.success(truth, truth) == bool(task.cannot or task.satisfied), task


def test_putting_something_else_into_the_bowl_too_is_no_success() -> None:
    task = Task("put", {}, (Goal("in", "red cube", "green bowl"),))
    done = scene(("red cube", 0.65, 0.05, "green bowl"), *[r for r in rows_of(TABLE) if r[0] != "red cube"])
    assert task.success(TABLE, done)
    extra = {**done.objects, "red can": replace(done.objects["red can"], support="green bowl", relation="in")}
    assert not task.success(TABLE, replace(done, objects=extra))
    assert not task.success(TABLE, replace(done, holding="red can"))


def rows_of(truth: Truth) -> list[tuple]:
    return [(n, *i.position_in_world[:2], i.support) for n, i in truth.objects.items()]


def test_a_thing_on_the_rim_is_not_in_the_bowl() -> None:
    rim = replace(TABLE.objects["red cube"], support="green bowl", relation="on")
    assert not holds(replace(TABLE, objects={**TABLE.objects, "red cube": rim}), "in", "red cube", "green bowl")


@pytest.mark.parametrize(
    ("reference", "phrases"),
    [
        ("leftmost thing", ["red cube"]),
        ("rightmost can", ["blue can"]),
        ("farthest thing", ["red can"]),
        ("every red thing", ["red cube", "red can"]),
        ("every can", ["red can", "blue can"]),
        ("can right_of red can", ["blue can"]),
        ("bowl", ["green bowl"]),
        ("ball", []),
    ],
)
def test_references_mean_what_they_say(reference: str, phrases: list[str]) -> None:
    assert resolve(TABLE, reference) == phrases


@pytest.mark.parametrize(
    ("sentence", "arguments"),
    [
        ("Please put the red cube in the green bowl.", {"a": "red cube", "relation": "in", "b": "green bowl"}),
        ("PUT EVERYTHING RED ON THE WHITE TRAY", {"a": "every red thing", "relation": "on", "b": "white tray"}),
        ("could you put the leftmost tin in the bowl?", {"a": "leftmost can", "relation": "in", "b": "bowl"}),
        ("into the bin with everything", {"a": "every thing", "relation": "in", "b": "bin"}),
        ("put the can right of the red can in the bowl", {"a": "can right_of red can", "relation": "in", "b": "bowl"}),
        ("put the gren bowl in the bin", {"a": "green bowl", "relation": "in", "b": "bin"}),
        ("swap the red cube and the blue can", {"a": "red cube", "b": "blue can"}),
    ],
)
def test_a_typed_sentence_is_read_back(sentence: str, arguments: dict[str, str]) -> None:
    task = recognise(sentence, TABLE)
    assert task is not None and task.arguments == arguments


@pytest.mark.parametrize("sentence", ["", "what is the weather?", "sing a song", "x" * 5000, "put put put", "🤖"])
def test_what_belongs_to_no_family_is_no_task(sentence: str) -> None:
    assert recognise(sentence, TABLE) is None


@pytest.mark.parametrize("split", ["train", "test"])
def test_nearly_all_sentences_are_read_back_with_their_meaning(split: str) -> None:
    rng, right = Random(4), 0
    for _ in range(300):
        truth = sample_truth(rng)
        task = sample_task(truth, rng, split)  # type: ignore[arg-type]
        assert task is not None
        read = recognise(task.instruction, truth)
        right += read is not None and set(read.goals) == set(task.goals) and bool(read.cannot) == bool(task.cannot)
    assert right >= 285


def test_names_are_parsed() -> None:
    assert parse_reference("the violet cup") == "purple mug"
    assert parse_reference("all the boxes") == "every box"
    assert parse_reference("the moon") == ""


def test_a_typing_error_leaves_first_letters_and_short_words() -> None:
    rng = Random(1)
    for _ in range(200):
        before, after = ["put", "the", "yellow", "bottle", "in", "it"], typo("put the yellow bottle in it", rng).split()
        assert len(before) == len(after) and sum(a != b for a, b in zip(before, after, strict=True)) <= 1
        assert all(a[0] == b[0] for a, b in zip(before, after, strict=True))
        assert after[0] == "put" and after[1] == "the"


def test_a_change_of_mind_keeps_what_was_meant_before() -> None:
    arguments = {"a": "red cube", "relation": "in", "b": "green bowl"}
    task = Task("put", arguments, (Goal("in", "red cube", "green bowl"),), instruction="x")
    held = scene(*rows_of(TABLE), holding="red cube")
    changes = [sample_change(held, task, Random(seed)) for seed in range(60)]
    elliptic = [c for c in changes if c is not None and c.family == "change"]
    assert elliptic and all(c.before == "x" for c in elliptic)
    for change in elliptic:
        about_it = "it" in change.instruction.lower().split() or "tray" in change.instruction
        if about_it and not change.cannot and change.goals[0].target == "white tray":
            assert change.subjects == ("red cube",)


def test_events_happen_midway_and_leave_the_task_possible() -> None:
    rng, kinds = Random(2), set()
    for _ in range(250):
        truth = sample_truth(rng)
        task = sample_task(truth, rng, "train", {"put": 1, "group": 1, "clear": 1, "stack": 1})
        event = sample_event(truth, task, rng) if task else None
        if event is None or task is None:
            continue
        kinds.add(event.kind)
        moments = expected(truth, task)
        assert 0 < event.step < len(moments) - 1
        now = moments[event.step].truth
        if event.kind == "knock":
            assert now.holding in task.subjects
        if event.kind == "remove":
            assert event.args["object"] in now.objects and len(task.goals) > 1
        if event.kind == "instruct":
            assert event.task is not None and not event.task.cannot and not event.task.satisfied
    assert kinds == {"move", "remove", "knock", "block", "instruct"}


def test_a_new_instruction_is_not_done_by_the_old_one_too() -> None:
    # "tidy up by colour", then "sort all the items by their colours": a run that never listened counted as a success.
    # 7 of 85 new instructions in the first 200 dynamic episodes of test seeds were of that sort.
    rng, changes = Random(3), 0
    for _ in range(300):
        truth = sample_truth(rng)
        task = sample_task(truth, rng, "train", {"sort": 1, "group": 1, "stack": 1, "put": 1})
        event = sample_event(truth, task, rng, kind="instruct") if task else None
        if event is None or task is None or event.task is None:
            continue
        changes += 1
        moments = expected(truth, task)
        assert not event.task.success(moments[event.step].truth, moments[-1].truth), (task, event)
    assert changes > 50


def test_what_a_person_moved_is_not_held_against_the_robot() -> None:
    blocked = {**TABLE.objects, "blue can": replace(TABLE.objects["blue can"], support="white tray")}
    now = replace(TABLE, objects={**blocked, "red cube": replace(TABLE.objects["red cube"], support="white tray")})
    task = Task("put", {}, (Goal("on", "red cube", "white tray"),))
    assert not task.success(TABLE, now)
    assert task.success(TABLE.rebased(replace(TABLE, objects=blocked), ("blue can",)), now)


def test_there_is_room_only_where_the_load_leaves_it() -> None:
    # Room was reckoned by area: a bottle was asked for beside a cube in the middle of a plate, and fell.
    plate = TrueObject("blue", "plate", (0.6, 0.0, 0.44), (0.16, 0.16, 0.02))
    cube = TrueObject("red", "cube", (0.6, 0.0, 0.47), (0.055, 0.055, 0.055), support="blue plate")
    bottle = TrueObject("red", "bottle", (0.5, 0.3, 0.52), (0.058, 0.058, 0.175))
    aside = replace(cube, position_in_world=(0.6, 0.03, 0.47))
    assert has_room(plate, [], [bottle]) and not has_room(plate, [cube], [bottle])
    tray = replace(plate, kind="tray", size_m=(0.22, 0.15, 0.03))
    assert has_room(tray, [replace(aside, position_in_world=(0.54, 0.0, 0.47))], [bottle, bottle])
    box = replace(plate, kind="box", size_m=(0.15, 0.13, 0.08), yaw_rad=0.5)
    mug = TrueObject("white", "mug", (0.6, 0.0, 0.47), (0.104, 0.072, 0.08), support="blue box")
    assert has_room(box, [], [mug]) and not has_room(box, [mug], [bottle])


def test_fitting_agrees_with_the_tabletop_world() -> None:
    from vlp.sim.language.fitting import fits
    from vlp.sim.worlds.tabletop import layout
    from vlp.sim.worlds.tabletop.objects import SceneObject

    rng = Random(6)
    for _ in range(150):
        truth = sample_truth(rng)
        items = list(truth.objects.values())
        for a in items:
            for b in items:
                if a is b or a.kind in ("bowl", "box", "plate", "tray"):
                    continue
                mine = fits(a, b)
                theirs = layout.fits(*(SceneObject(i.colour, i.kind, i.size_m, (0, 0, 0)) for i in (a, b)))
                assert mine == theirs or (a.kind, b.kind) == ("ball", "plate"), (a, b)


def test_episodes_are_of_their_kind_and_repeat() -> None:
    from vlp.episodes.cases import sample_episode
    from vlp.sim.worlds.seeds import seed_of, split_of

    for kind in ("static", "dynamic", "cannot", "satisfied"):
        for i in range(15):
            episode = sample_episode(seed_of("test", i), kind)
            assert bool(episode.events) == (kind == "dynamic") and split_of(episode.scene_seed) == "test"
            assert bool(episode.task.cannot) == (kind == "cannot") and episode.task.satisfied == (kind == "satisfied")
            assert episode == sample_episode(seed_of("test", i), kind)


@pytest.mark.parametrize(("relation", "room"), [("behind", True), ("in_front_of", False), ("next_to", True)])
def test_places_beside_things_are_asked_for_only_where_there_is_room(relation: str, room: bool):
    """Guards against tasks nobody can do: in front of what stands at the table's edge, right of what is at reach's end."""
    table = scene(("red cube", 0.45, 0.0), ("blue can", 0.6, 0.25))
    assert has_spot(table, table.objects["blue can"], table.objects["red cube"], relation) is room


def test_a_neighbour_takes_the_room_beside_a_thing():
    table = scene(("red cube", 0.6, -0.33), ("green bowl", 0.6, -0.2), ("blue can", 0.45, 0.25))
    assert not has_spot(table, table.objects["blue can"], table.objects["red cube"], "left_of")
    assert not has_spot(table, table.objects["blue can"], table.objects["red cube"], "right_of")


def test_a_thing_that_came_to_rest_on_a_mug_is_left_alone() -> None:
    """Guards against a KeyError in "already done": nothing is ever put on a mug, but a ball can roll there."""
    table = scene(("red ball", 0.5, 0.2, "blue mug"), ("blue mug", 0.5, 0.2), ("green bowl", 0.65, 0.05))
    drawn = [FAMILIES["satisfied"].sample(table, Random(seed), "train") for seed in range(100)]
    assert any(drawn) and all(task.arguments.get("b") != "blue mug" for task in drawn if task)
