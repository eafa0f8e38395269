"""A health beside a slow model that keeps every result."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from appliance.policy.health import Health


class Machine(RuleBasedStateMachine):
    """Results in any order; the state is worked out anew from all of them each time."""

    @initialize(up=st.integers(1, 5), down=st.integers(1, 5))
    def begin(self, up: int, down: int) -> None:
        """Choose the thresholds."""
        self.up, self.down = up, down
        self.health = Health(up, down)
        self.results: list[bool] = []
        self.changes: list[bool] = []

    @rule(good=st.booleans())
    def check(self, good: bool) -> None:
        """Report one result."""
        before = self.model()
        self.results.append(good)
        changed = self.health.report("" if good else "bad")
        assert changed == (self.model() != before)

    def model(self) -> bool:
        """Give the state by reading all results from the first."""
        state = True
        since = 0
        for index, good in enumerate(self.results):
            if index == 0:
                state, since = good, 1
                continue
            needed = self.up if good else self.down
            row = self.results[max(since, index - needed + 1) : index + 1]
            if good != state and len(row) == needed and all(each == good for each in row):
                state, since = good, index + 1
        return state

    @invariant()
    def they_agree(self) -> None:
        """Always."""
        if hasattr(self, "health"):
            assert self.health.healthy == self.model()


TestHealth = Machine.TestCase
TestHealth.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
