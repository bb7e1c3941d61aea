"""Which episode a seed gives, in any world."""

import hashlib

import pytest

from vlp.core.errors import UsageError
from vlp.episodes.assemble import manifest_in
from vlp.episodes.cases import Episode, changes_in, sample_episode
from vlp.episodes.episode import words_of
from vlp.episodes.world_events import parse_event
from vlp.sim import WORLDS, open_world
from vlp.sim.worlds.changes import change_kinds, robot_changes
from vlp.sim.worlds.home.tasks.families import families
from vlp.sim.worlds.seeds import seed_of


def told(episode: Episode) -> str:
    """An episode as text, without what says in which world it is."""
    events = [(e.step, e.kind, e.args, e.task and e.task.instruction) for e in episode.events]
    return repr((episode.seed, episode.scene_seed, episode.kind, episode.task, events))


DIGESTS = {
    "static": "95d046020851e4c9", "dynamic": "471c947f4aff3074", "cannot": "9b5afd05e3def720", "satisfied": "9c327da5af843a94",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "digest"), DIGESTS.items())
def test_the_episodes_of_the_table_are_those_of_every_published_figure(kind, digest):
    """A seam for other worlds that drew one number more would have changed the cases of all figures."""
    manifest = manifest_in("hsr", "tabletop")
    text = "".join(told(sample_episode(seed_of("test", i), kind, manifest=manifest)) for i in range(50))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest


def test_the_dynamic_episodes_of_the_home_are_those_of_the_published_figures():
    """Guards against kinds of change that are drawn unasked, so that no earlier figure compares."""

    def shown(e: Episode) -> str:
        told = [(event.step, event.kind, event.args) for event in e.events]
        return repr((e.seed, e.scene_seed, e.task.instruction, getattr(e.task, "goals", ()), told))

    manifest = manifest_in("hsr", "home")
    cases = [sample_episode(seed_of("test", i), "dynamic", world="home", manifest=manifest) for i in range(30)]
    assert hashlib.sha256("".join(map(shown, cases)).encode()).hexdigest()[:16] == "896088ef76abfd06"


@pytest.mark.parametrize("body", ["hsr", "anymal"])
def test_the_home_gives_tasks_of_each_family_that_a_body_can_do(body):
    manifest = manifest_in(body, "home")
    for family in families():
        case = sample_episode(seed_of("validation", 3), families={family: 1.0}, world="home", manifest=manifest)
        assert case.task.family == family and case.world == "home" and not case.events
        assert case == sample_episode(seed_of("validation", 3), families={family: 1.0}, world="home", manifest=manifest)


def test_what_changes_midway_in_the_home_leaves_a_task():
    cases = [sample_episode(seed_of("validation", i), "dynamic", world="home") for i in range(12)]
    assert {case.events[0].kind for case in cases} >= {"move", "instruct"}
    assert all(case.final_task.instruction and case.events[0].step >= 1 for case in cases)


def test_a_kind_of_episode_that_a_world_has_not_is_refused():
    with pytest.raises(UsageError, match=r"unknown kind of episode in the home 'cannot'"):
        sample_episode(0, "cannot", world="home")


@pytest.mark.parametrize("world", ["tabletop", "home"])
def test_every_kind_of_change_can_be_asked_for(world):
    """Guards against a kind that no scene allows, and one whose episodes have another kind of change."""
    manifest = manifest_in("hsr", world)
    for change in changes_in(world):
        case = sample_episode(seed_of("validation", 4), "dynamic", world=world, manifest=manifest, change=change)
        assert case.change == change and case.final_task.instruction
        assert case == sample_episode(seed_of("validation", 4), "dynamic", world=world, manifest=manifest, change=change)
        absent = change == "appeared"  # it is taken away before the first policy
        assert len(case.events) == (change not in robot_changes()) + absent and all(words_of(event) for event in case.events)


@pytest.mark.parametrize("world", ["tabletop", "home"])
def test_what_appears_is_not_there_at_first_and_is_wanted(world):
    """Guards against a thing that the first policy brings already, and one that nobody asked for."""
    manifest = manifest_in("hsr", world)
    for i in range(6):
        case = sample_episode(seed_of("validation", i), "dynamic", world=world, manifest=manifest, change="appeared")
        gone, back = case.events
        assert (gone.step, gone.kind, back.kind) == (0, "remove", "bring") and back.step >= 1
        assert gone.args["object"] == back.args["object"] and back.args["object"] in case.task.subjects


def test_every_kind_of_change_is_in_the_one_table():
    known, offered = change_kinds(), {name for world in WORLDS for name in changes_in(world)}
    assert offered == set(known)
    events = [kind.example for kind in known.values() if kind.side == "world"]
    worlds = [open_world(world).events for world in WORLDS]
    assert all(any(happens(text, world) for world in worlds) for text in events)


def happens(text, events):
    try:
        return bool(parse_event(text, events))
    except UsageError:
        return False


@pytest.mark.parametrize(("text", "said"), [
    ("swap cola can with the cola can", "names 'cola can' twice.*two different ones"),
    ("move " + "cereal" * 100, "an event of 605 characters is too long"),
])  # fmt: skip
def test_an_event_that_cannot_be_meant_is_refused(text, said):
    """Against: a swap of a thing with itself that moved nothing, and a very long word that was "not complete"."""
    for world in WORLDS:
        with pytest.raises(UsageError, match=said):
            parse_event(text, open_world(world).events)


def test_a_kind_of_change_that_a_world_has_not_is_refused_with_the_closest():
    with pytest.raises(UsageError, match=r"unknown kind of change in the home 'put-bak'.*put-back"):
        sample_episode(0, "dynamic", world="home", change="put-bak")
    with pytest.raises(UsageError, match="nothing changes in episodes of the kind 'static'"):
        sample_episode(0, change="moved")
