"""Commands as they are read."""

from __future__ import annotations

from math import inf

import pytest

from appliance.control.command import REASON, Order, Refused, Result, done, expected
from appliance.control.roles import Peer


def order(**args: object) -> Order:
    return Order(args, {}, False, Peer(0, 0, 1, "root"))


def test_times_are_milliseconds() -> None:
    """None is for ever; without one there is a usual one."""
    assert order(ttl=1500).ttl(9.0) == 1.5
    assert order().ttl(9.0) == 9.0
    assert order(ttl=None).ttl(9.0) == inf
    for wrong in (0, -1, True, "1m", 1e12, [1], float("nan")):
        with pytest.raises(Refused):
            order(ttl=wrong).ttl(9.0)


def test_reasons_are_short_and_safe() -> None:
    """And texts, or nothing."""
    assert order(reason="a\x1bb\u202ec").reason == "a\\x1bb\\u202ec"
    assert len(order(reason="x" * 1000).reason) == REASON
    assert order(reason=["x"]).reason == ""


def test_a_plan_is_told_as_done_or_as_what_would_be() -> None:
    """By its verb."""
    assert done(order(), "drain endpoint x") == "drained endpoint x"
    assert done(Order({}, {}, True, Peer()), "drain endpoint x") == "would drain endpoint x"


def test_expectations() -> None:
    """Only what was named is looked at."""
    wants = Order({}, {"st": "open", "other": 1}, False, Peer())
    expected(wants, {"st": "open"}, ("st",), "x")
    with pytest.raises(Refused) as caught:
        expected(wants, {"st": "closed"}, ("st",), "x")
    assert caught.value.result == Result(
        "conflict", "x has changed: st is closed, not open", {"st": "closed"}
    )
