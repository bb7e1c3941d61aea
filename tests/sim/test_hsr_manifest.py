"""What the HSR says of itself, and the grammar that follows from it."""

import hashlib
import json

import pytest

from vlp.perception.perceiving import with_perceptions
from vlp.primitives.schema import policy_schema
from vlp.sim.open import manifest_of


@pytest.mark.parametrize(("refuted", "digest"), [(False, "ec2688c1d70d6a1b"), (True, "b72140ec294fb9e7")])
def test_the_grammar_of_the_hsr_is_the_one_that_the_embedded_model_was_measured_under(refuted: bool, digest: str) -> None:
    """A change of this grammar changes what the shipped weights can write: measure them again before the digest is changed."""
    text = json.dumps(policy_schema(with_perceptions(manifest_of("hsr")), refuted))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest
