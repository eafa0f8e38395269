"""From t to requests on the screen."""

from __future__ import annotations

from typing import Any

from tests.kit.tops import Desk, FakeLine, at_the_dashboard

ROW = {
    "rid": "604631945ab60000000a", "t": 1_795_774_874_110, "me": "GET", "path": "/search?q=\x1b[31m[b]lamp",
    "host": "shop.example.com", "proto": "HTTP/2", "ls": "public", "client": "203.0.113.9", "rt": "search",
    "up": "search", "ep": "10.0.6.12:8080", "st": 502, "ms": 641.0, "by": 8294, "try": 2,
    "ph": {"q": 20.1, "ttfb": 592.0, "body": 29.0}, "note": ["retried once"], "fault": "upstream-reset",
    "why": "the connection was reset", "tried": ["10.0.6.11:8080"],
}  # fmt: skip


def tap(**more: Any) -> dict[str, Any]:
    return {
        "k": "tap",
        "id": "top",
        "seen": 5,
        "shown": 1,
        "dropped": 4,
        "items": [ROW],
        "over": False,
        **more,
    }


def test_requests_of_a_thing() -> None:
    """Tapped where the cursor is; one of them is told in full, harmlessly."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "t")
        assert "[5 Tap]" in desk.text
        assert "waiting for a request" in desk.text
        desk.hear(tap())
        found = (
            "/search?q=\\x1b[31m[b]lamp", "5 seen, 1 shown", "4 not shown", "stops in ", "502", "641ms",
            "upstream-reset; r", "search → 10.0.6.12:8080", "after 10.0.6.11:8080", "waiting for head",
            "592ms", "in flight now (0)",
        )  # fmt: skip
        for words in found:
            assert words in desk.text, words

    line = at_the_dashboard(do)
    (started,) = [args for op, args in line.asked if op == "tap.start"]
    assert started["match"] == 'upstream="payments" and ep="10.0.8.11:8080"'
    assert (started["ttl"], started["rate"]) == (300_000, 100)


def test_start_stop_hold_clear() -> None:
    """In the view itself."""

    async def do(desk: Desk) -> None:
        await desk.press("5")
        assert "t begins to show requests" in desk.text
        await desk.press("t")
        desk.hear(tap())
        await desk.press("space")
        assert "held" in desk.text
        desk.hear(tap(items=[ROW | {"rid": "another000000b"}]))
        assert len(desk.app.items()) == 1
        await desk.press("space")
        assert len(desk.app.items()) == 2
        await desk.press("n")
        assert desk.app.tap.sample == 10
        await desk.press("C", "t")
        assert "the tap has stopped" in desk.text
        assert not desk.app.tap.runs
        assert desk.app.tap.rows == ()

    at_the_dashboard(do)


def test_a_match_is_typed() -> None:
    """What is wrong with it is told while it is."""

    async def do(desk: Desk) -> None:
        await desk.press("5", "slash", *"status>")
        assert "column 8" in desk.text
        await desk.press(*"=500", "enter")
        assert "match: status>=500" in desk.text

    line = at_the_dashboard(do)
    assert [args["match"] for op, args in line.asked if op == "tap.start"] == ["status>=500"]


def test_what_the_proxy_refuses_is_told() -> None:
    """Where the requests would be."""
    refused = FakeLine({"ok": False, "code": "busy", "text": "at most 4 taps"})

    async def do(desk: Desk) -> None:
        await desk.press("5", "t")
        await desk.pilot.pause()
        assert "the tap could not begin: at most 4 taps" in desk.text

    at_the_dashboard(do, line=refused)


def test_it_ends_with_its_connection() -> None:
    """And is not said to run."""

    async def do(desk: Desk) -> None:
        await desk.press("5", "t")
        desk.hear(status="disconnected", text="gone")
        assert not desk.app.tap.runs

    at_the_dashboard(do)
