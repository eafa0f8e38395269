"""Records of exchanges, and that filters see the same."""

from __future__ import annotations

import trio

from appliance.control.capture import Glance, record
from appliance.model.fault import CONNECT_FAILED
from appliance.wire.filter import compile_filter
from appliance.wire.records import RECORD
from tests.kit.origin import Origin, sized
from tests.kit.proxy import running


async def test_a_record_says_what_happened(autojump_clock: trio.abc.Clock) -> None:
    """Who asked what of whom, how long each part took; only listed headers, no bodies, no query."""
    async with running(Origin(sized(b"hello", 200))) as proxy:
        await proxy.connect().get(b"/a?b=c", b"User-Agent: me", b"Cookie: secret")
        await proxy.settle()
        (exchange,) = proxy.journal.exchanges
    found = record(exchange, exchange.started + 0.5, 1000.0, ("user-agent", "host"))
    assert (found["me"], found["path"], found["st"], found["by"]) == ("GET", "/a", 200, 5)
    assert (found["rt"], found["up"], found["ep"], found["try"]) == ("all", "app", "10.0.0.1:80", 1)
    assert found["ms"] == 500.0
    assert set(found["ph"]) == {"q", "ttfb", "body"}
    assert dict(found["headers"])["user-agent"] == "me"
    assert "secret" not in repr(found)
    assert "hello" not in repr(found)
    assert "headers" not in record(exchange, 1.0, 0.0)


async def test_faults_and_retries_are_noted(autojump_clock: trio.abc.Clock) -> None:
    """With the reason in words."""
    origin = Origin()
    origin.refuses = CONNECT_FAILED
    async with running(origin) as proxy:
        await proxy.connect().get()
        await proxy.settle()
        (exchange,) = proxy.journal.exchanges
    found = record(exchange, 1.0, 0.0)
    assert (found["fault"], found["st"]) == ("connect-failed", 502)
    assert found["why"]
    exchange.tries = 3
    assert "retried 2 times" in record(exchange, 1.0, 0.0)["note"]


async def test_a_filter_sees_what_the_record_says(autojump_clock: trio.abc.Clock) -> None:
    """Each field, and nothing for fields that there are not."""
    async with running(Origin(sized(b"hello", 200))) as proxy:
        await proxy.connect().get(b"/a")
        await proxy.settle()
        (exchange,) = proxy.journal.exchanges
    glance, whole = Glance(exchange, 9.0), record(exchange, 9.0, 0.0)
    for field, _ in RECORD.values():
        assert glance.get(field) == whole.get(field) or glance.get(field) in ("", None)
    assert glance.get("nonsense", 7) == 7
    assert compile_filter("status=200 and path=/a and route=all and not note=retried")(glance)  # type: ignore[arg-type]
