"""Checks of one sample by itself: its id fits its question, and its policy fits its robot."""

from collections.abc import Iterator

from vlp.core.errors import UsageError
from vlp.data.fault import DataFault
from vlp.data.sample import Sample
from vlp.data.store import Store
from vlp.policy.checks import check_policy
from vlp.policy.model import State
from vlp.prompt.target import policy_text


def known_in(sample: Sample) -> State:
    """Return what was known at the moment of a sample, as its policy is checked on it."""
    holding = sample.memory.holding or sample.state.holding
    return State(sample.state.at, holding, frozenset(sample.memory.facts), sample.memory.beliefs)


class Identity:
    """The id ends in the digits that follow from images, instruction, state and memory: none of them was exchanged."""

    def look(self, sample: Sample, store: Store) -> Iterator[DataFault]:
        """Yield `exchanged`."""
        if not sample.id.endswith(sample.digest):
            message = f"the id does not fit what is asked (it should end in {sample.digest}): image, instruction, state"
            hint = "Put back what was there; a question that was changed on purpose needs a new id."
            yield DataFault(sample.id, "exchanged", f"{message} or memory was exchanged.", hint)

    def end(self) -> Iterator[DataFault]:
        """Yield nothing."""
        return iter(())


class Policies:
    """Every policy passes the checks that it would have to pass before anything moves."""

    def look(self, sample: Sample, store: Store) -> Iterator[DataFault]:
        """Yield `no-manifest`, and `policy-CODE` with the code of each failed check."""
        try:
            manifest = store.manifest(sample.robot)
        except UsageError as error:
            yield DataFault(sample.id, "no-manifest", error.message, error.hint)
            return
        if sample.question:  # it has no policy
            return
        known = known_in(sample)
        try:
            text = policy_text(sample.policy)
        except ValueError as error:
            yield DataFault(sample.id, "policy-not-finite", f"the policy cannot be written: {error}.")
            return
        _, report = check_policy(text, manifest, known)
        for issue in report.issues:
            yield DataFault(sample.id, f"policy-{issue.code}", f"{issue.path}: {issue.message}".removeprefix(": "), issue.hint)

    def end(self) -> Iterator[DataFault]:
        """Yield nothing."""
        return iter(())
