"""What is kept of commands, how many may come, and what strangers cannot do to it."""

from __future__ import annotations

import json

import trio

from appliance.control.audit import RATE, REMEMBERED, Audit
from appliance.control.command import Order, Result
from appliance.control.roles import Peer
from appliance.proxy.bulletin import RING, Bulletin
from tests.kit.desk import GUEST, ROOT, office

DENIED = Result("denied", "no")


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def audit(clock: Clock) -> tuple[Audit, Bulletin]:
    bulletin = Bulletin(clock)
    return Audit(bulletin, clock), bulletin


def test_a_peer_has_its_own_pace() -> None:
    """So many at once, and then so many a second; another peer is not slowed by it."""
    clock = Clock()
    kept, _ = audit(clock)
    assert sum(kept.in_pace(7) for _ in range(1000)) == RATE
    assert kept.in_pace(8)
    clock.now += 0.5
    assert sum(kept.in_pace(7) for _ in range(1000)) == RATE / 2


def test_paces_are_forgotten_before_they_fill_memory() -> None:
    """The peers of long ago go first."""
    kept, _ = audit(Clock())
    for number in range(5000):
        kept.in_pace(str(number))
    assert len(kept._pace) <= 1000


def test_refusals_cannot_push_other_events_out() -> None:
    """One a second is told, with how many came besides."""
    clock = Clock()
    kept, bulletin = audit(clock)
    order = Order({}, {}, False, GUEST)
    for number in range(2 * RING):
        clock.now = number / 1000
        kept.refuse("breaker.force", order, DENIED)
    texts = [each.text for each in bulletin.after(0)[1]]
    assert len(texts) == 10
    assert texts[1].endswith("; 999 more such before")


def test_the_same_command_has_the_same_result_for_a_while() -> None:
    """Another one under the same id is told so; later the id is free."""
    clock = Clock()
    kept, _ = audit(clock)
    done = Result("ok", "done")
    kept.remember((0, "a"), {"op": "x"}, done)
    assert kept.result_of((0, "a"), {"op": "x"}) is done
    other = kept.result_of((0, "a"), {"op": "y"})
    assert other is not None
    assert other.code == "invalid"
    assert kept.result_of((1, "a"), {"op": "x"}) is None
    clock.now = REMEMBERED
    assert kept.result_of((0, "a"), {"op": "x"}) is None
    for number in range(3000):
        kept.remember((0, str(number)), {}, done)
    assert len(kept._done) <= 1000


def test_arguments_are_not_kept() -> None:
    """They may be large, and many."""
    kept, _ = audit(Clock())
    kept.remember((0, "a"), {"args": {"weight": [[]] * 10_000}}, Result("ok", "done"))
    assert all(len(row[1]) == 32 for row in kept._done.values())


async def test_whatever_stands_in_a_command_the_events_can_be_told(autojump_clock: trio.abc.Clock) -> None:
    """Reasons that are no text, half a character, or very long: every frame is JSON in UTF-8, and small."""
    nested: object = "x"
    for _ in range(12):
        nested = [nested]
    async with office() as here:
        client = here.client(Peer(5, 5, 5, "\ud800", role="observer"))
        client.subscribe()
        reasons = (nested, float("nan"), "\ud800", "a" * 60_000, {"a": "\ud800"}, 10**400)
        for number, reason in enumerate(reasons):
            command = {
                "op": "breaker.reset",
                "id": f"c{number}",
                "args": {"breaker": "\ud800", "reason": reason},
            }
            for peer in (GUEST, ROOT):
                await here.desk.actions.run(peer, command)
                await trio.sleep(1.1)
        assert not client.ended
        told = [row for frame in client.of("events") for row in frame["items"]]
        assert len(told) == 2 * len(reasons)
        assert all(len(json.dumps(row)) < 2000 for row in told)
        frame = here.desk.events(0)
        assert frame is not None
        assert frame[1].encode()


async def test_of_an_unknown_command_there_is_an_event(autojump_clock: trio.abc.Clock) -> None:
    """With as much of its name as a line holds."""
    async with office() as here:
        result = await here.desk.actions.run(ROOT, {"op": "\x1b" * 500, "id": "a"})
        assert result.code == "unsupported"
        (event,) = here.desk.worker.bulletin.after(0)[1]
        assert "\x1b" not in event.text
        assert len(event.text) < 1000
