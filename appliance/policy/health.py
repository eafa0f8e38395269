"""Whether an endpoint is healthy, by the results of its checks; pure.

    state      a good check                          a bad check
    unknown    healthy                               unhealthy
    healthy    -                                     unhealthy, at unhealthy_after in a row
    unhealthy  healthy, at healthy_after in a row    -

The first check decides by itself: a server that is dead when the proxy starts must not have traffic for
several intervals. Until then an endpoint may serve, for nobody knows better.
"""

from __future__ import annotations


class Health:
    """The health of one endpoint. ``why`` is what was wrong with the last check, empty if it was good."""

    __slots__ = ("_healthy_after", "_unhealthy_after", "checks", "healthy", "streak", "why")

    def __init__(self, healthy_after: int, unhealthy_after: int) -> None:
        self.follow(healthy_after, unhealthy_after)
        self.healthy = True
        self.checks = 0
        self.streak = 0
        self.why = ""

    def follow(self, healthy_after: int, unhealthy_after: int) -> None:
        """Change at other numbers of checks from now on; the verdict stays."""
        self._healthy_after = healthy_after
        self._unhealthy_after = unhealthy_after

    def report(self, why: str) -> bool:
        """Take the result of a check, empty if it was good; True when the state has changed.

        ``streak`` counts results in a row that speak against the state.
        """
        first = not self.checks
        self.checks += 1
        self.why = why
        good = not why
        if good == self.healthy:
            self.streak = 0
            return False
        self.streak += 1
        if not first and self.streak < (self._healthy_after if good else self._unhealthy_after):
            return False
        self.healthy = good
        self.streak = 0
        return True
