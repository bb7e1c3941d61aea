"""An expert that errs at stated rates."""

import json
from random import Random

import pytest

from vlp.core.errors import UsageError
from vlp.core.messages import Message
from vlp.episodes.cases import sample_episode
from vlp.episodes.disturbed import DisturbedModel, Errors
from vlp.episodes.episode import System, run_episode
from vlp.models.protocol import Capabilities, Reply

POLICY = {
    "goal": "the red cube is in the bin",
    "subtasks": [
        {
            "name": "take it",
            "steps": [{"do": "locate", "object": "red cube", "as": "it"}, {"do": "grasp", "target": "$it"}, {"do": "lift"}],
        },
        {"name": "put it away", "steps": [{"do": "place", "target": "bin"}, {"do": "check", "relation": "in"}]},
    ],
}


class FakeModel:
    """Writes one policy."""

    name, profile, can = "fake", "brief", Capabilities()

    def __init__(self, policy):
        self.policy = policy

    def generate(self, messages, **options):
        return Reply(json.dumps(self.policy))


def written(policy=POLICY, share=1.0, n=60, things=("red cube", "blue ball")):
    """What a model writes in n replies, and in which ways they were wrong."""
    model = DisturbedModel(FakeModel(policy), share, Random(4), lambda: list(things))
    replies = [json.loads(model.generate([Message("user", "put the red cube into the bin")]).text) for _ in range(n)]
    return replies, model.wrong


def test_a_policy_is_wrong_in_one_way_and_still_checks_what_was_asked_for():
    """Guards against an error that also changes the goal or the check, which then nothing could notice."""
    replies, ways = written()
    assert set(ways) == {"another thing", "a step too few", "in the wrong order"} and len(ways) == 60
    for reply, way in zip(replies, ways, strict=True):
        assert reply["goal"] == POLICY["goal"] and reply["subtasks"][1]["steps"][-1]["do"] == "check"
        steps, right = ([step for subtask in policy["subtasks"] for step in subtask["steps"]] for policy in (reply, POLICY))
        assert steps != right and len(right) - len(steps) == (way == "a step too few")
        if way == "another thing":
            assert steps[0]["object"] == "blue ball"
        if way == "in the wrong order":
            assert sorted(map(json.dumps, steps)) == sorted(map(json.dumps, right))


def test_the_share_of_wrong_policies_is_the_one_asked_for():
    """Guards against a rate that is drawn once for each way."""
    _, ways = written(share=0.3, n=2000)
    assert 0.26 < len(ways) / 2000 < 0.34


@pytest.mark.parametrize(
    "policy", [{"goal": "what was said", "cannot": "there is no red cube"}, {"goal": "it is", "subtasks": []}]
)
def test_a_policy_without_actions_has_nothing_that_could_be_wrong(policy):
    """Guards against an index beyond the steps of a policy that has none."""
    assert written(policy) == ([policy] * 60, [])


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_rate_that_is_no_share_is_refused(share):
    with pytest.raises(UsageError, match="from 0 to 1"):
        Errors(steps=share)


def test_new_policies_make_up_for_a_wrong_one(tmp_path):
    """Guards against rates that reach no model: the first policy of this episode takes the wrong thing, and a check tells."""
    episode, errors = sample_episode(11_000_005, "static"), Errors(policies=0.5)
    whole, fixed = (
        run_episode(episode, System(None, "oracle", without, errors=errors), tmp_path / "runs") for without in ("", "replan")
    )
    assert whole["success"] and whole["policies"] > 1 and whole["went_wrong"]
    assert not fixed["success"] and fixed["went_wrong"] and "check failed" in fixed["cause"]


@pytest.mark.parametrize(("errors", "seed"), [(Errors(perceptions=1.0), 11_000_007), (Errors(steps=1.0), 11_000_005)])
def test_looks_and_steps_go_wrong_at_their_own_rates(tmp_path, errors, seed):
    """Guards against a rate that is read for another kind of error."""
    row = run_episode(sample_episode(seed, "static"), System(None, "oracle", "replan", errors=errors), tmp_path / "runs")
    assert row["went_wrong"] and not row["success"]
