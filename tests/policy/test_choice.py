"""What all policies share: weights are checked, and most do not listen."""

import pytest

from appliance.policy.choice import Deaf, weights_of


def test_weights_are_whole_and_not_negative() -> None:
    """A negative weight has no meaning; 0 has one."""
    assert weights_of([0, 3]) == [0, 3]
    with pytest.raises(ValueError, match="0 or more"):
        weights_of([1, -1])


def test_a_deaf_policy_takes_in_nothing() -> None:
    """Whatever it hears, it has no place to keep it."""
    deaf = Deaf()
    deaf.heard(0, 1.0, True, 5.0)
    assert not hasattr(deaf, "__dict__")
