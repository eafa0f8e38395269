"""The table of transitions of a health, entry by entry."""

from __future__ import annotations

import pytest

from appliance.policy.health import Health


def made(results: str, healthy_after: int = 2, unhealthy_after: int = 3) -> tuple[Health, str]:
    """Report ``+`` and ``-`` in turn; give the health and its states, in capitals where it changed."""
    health, states = Health(healthy_after, unhealthy_after), ""
    for result in results:
        changed = health.report("" if result == "+" else "status 500")
        letter = "h" if health.healthy else "u"
        states += letter.upper() if changed else letter
    return health, states


@pytest.mark.parametrize(
    ("results", "states"),
    [
        ("+", "h"),
        ("-", "U"),
        ("+--", "hhh"),
        ("+---", "hhhU"),
        ("+--+--", "hhhhhh"),
        ("+--+---", "hhhhhhU"),
        ("-+", "Uu"),
        ("-++", "UuH"),
        ("-+-+", "Uuuu"),
        ("-+-++", "UuuuH"),
        ("-++---", "UuHhhU"),
    ],
)
def test_the_table(results: str, states: str) -> None:
    """The first result decides; then so many in a row against the state."""
    assert made(results)[1] == states


def test_one_may_be_enough() -> None:
    """With thresholds of 1 every result is the state."""
    assert made("+-+-", 1, 1)[1] == "hUHU"


def test_before_any_check_it_may_serve() -> None:
    """Nobody knows better."""
    health = Health(2, 3)
    assert (health.healthy, health.checks, health.why) == (True, 0, "")


def test_the_last_reason_is_kept() -> None:
    """Until a good check."""
    health, _ = made("+--")
    assert (health.why, health.streak, health.checks) == ("status 500", 2, 3)
    health.report("")
    assert (health.why, health.streak) == ("", 0)
