"""Names and their addresses: they come, go, flap and fail, and what is known is never lost by a failure."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from random import Random

import pytest
import trio

from appliance.upstream.discover import LOOKUP_LIMIT, lookup, resolve_forever


class Steady:
    """Chance that always draws the middle."""

    def uniform(self, a: float, b: float) -> float:
        """Give the middle of the two."""
        return (a + b) / 2


class Names:
    """A resolver that gives one scripted answer after another, the last one for ever."""

    def __init__(self, *answers: list[str] | OSError | float) -> None:
        self.answers = answers
        self.asked: list[float] = []
        self.told: list[tuple[float, tuple[str, ...]]] = []
        self.failed: list[tuple[float, str]] = []

    async def resolve(self, host: str, port: int) -> list[str]:
        """Answer, raise, or take so many seconds and then answer."""
        assert (host, port) == ("app.internal", 8080)
        self.asked.append(trio.current_time())
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, OSError):
            raise answer
        if isinstance(answer, float):
            await trio.sleep(answer)
            return ["10.0.0.1"]
        return answer

    async def run(self, seconds: float, chance: object = None, interval: float = 10.0) -> None:
        """Look up for so many seconds."""
        with trio.move_on_after(seconds):
            await resolve_forever(
                "app.internal",
                8080,
                self.resolve,
                lambda found: self.told.append((trio.current_time(), found)),
                lambda why: self.failed.append((trio.current_time(), why)),
                chance=chance or Steady(),
                interval=interval,
            )


A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.10"
DOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def test_addresses_are_told_at_once_and_when_they_change(autojump_clock: object) -> None:
    """They come, stay, come and go; what has not changed is not told again."""
    names = Names([A], [A], [B, A], [B], [B])
    await names.run(45)
    assert names.asked == [0, 10, 20, 30, 40]
    assert names.told == [(0, (A,)), (20, (A, B)), (30, (B,))]
    assert names.failed == []


async def test_order_and_repetition_mean_nothing(autojump_clock: object) -> None:
    """Resolvers rotate their answers and repeat themselves."""
    names = Names([C, A, B], [B, C, A, A], [A, B, C, C], ["::1", C, A, B])
    await names.run(35)
    assert names.told == [(0, (A, B, C)), (30, (A, B, C, "::1"))]


async def test_flapping_is_told_each_time(autojump_clock: object) -> None:
    """It is a change each time."""
    names = Names([A], [B], [A], [B])
    await names.run(35)
    assert [found for _, found in names.told] == [(A,), (B,), (A,), (B,)]


async def test_a_failure_keeps_what_is_known_and_is_told_once(autojump_clock: object) -> None:
    """The next lookups come after 1, 2, 4, 8 and then 10 seconds; nothing is told until there is a change."""
    names = Names([A], *[DOWN] * 6, [A], [A, B])
    await names.run(60)
    assert names.asked == [0, 10, 11, 13, 17, 25, 35, 45, 55]
    assert names.failed == [(10, "Name or service not known")]
    assert names.told == [(0, (A,)), (55, (A, B))]


async def test_each_streak_of_failures_is_told_and_begins_anew(autojump_clock: object) -> None:
    """After a success the pauses begin at one second again."""
    names = Names(DOWN, DOWN, [A], OSError("no network"), [A])
    await names.run(25)
    assert names.asked == [0, 1, 3, 13, 14, 24]
    assert names.failed == [(0, "Name or service not known"), (13, "no network")]
    assert names.told == [(3, (A,))]


async def test_no_address_is_a_failure(autojump_clock: object) -> None:
    """It does not take the last servers away."""
    names = Names([A], [], [B])
    await names.run(12)
    assert names.failed == [(10, "the name has no address")]
    assert names.told == [(0, (A,)), (11, (B,))]


async def test_a_failure_without_words_has_a_name(autojump_clock: object) -> None:
    """The reason is never empty."""
    names = Names(TimeoutError())
    await names.run(0.5)
    assert names.failed == [(0, "TimeoutError")]


async def test_a_lookup_has_a_limit(autojump_clock: object) -> None:
    """A resolver that never answers fails like any other; one that is slow does not."""
    names = Names(9.5, inf, [B])
    await names.run(32)
    assert names.told == [(9.5, (A,)), (30.5, (B,))]
    assert names.failed == [(29.5, f"no answer within {LOOKUP_LIMIT:g} s")]


async def test_a_short_interval_bounds_the_pauses_after_failures(autojump_clock: object) -> None:
    """Failing never makes lookups rarer than succeeding does."""
    names = Names(DOWN)
    await names.run(1.4, interval=0.5)
    assert names.asked == [0, 0.5, 1.0]


async def test_pauses_vary_by_a_tenth(autojump_clock: object) -> None:
    """Over many rounds they fill 0.9 to 1.1 of the interval, and never leave it."""
    names = Names([A])
    await names.run(20_000, Random(5))
    pauses = [after - before for before, after in zip(names.asked, names.asked[1:], strict=False)]
    assert len(pauses) > 1900
    assert 9.0 - 1e-6 <= min(pauses) < 9.02
    assert 10.98 < max(pauses) <= 11.0 + 1e-6


async def test_many_failures_do_not_overflow(autojump_clock: object) -> None:
    """The doubling ends somewhere."""
    names = Names(DOWN)
    await names.run(30_000)
    assert len(names.asked) > 2900
    assert names.failed == [(0, "Name or service not known")]


@asynccontextmanager
async def answering(answer: Callable[[], list[object]]) -> AsyncIterator[list[tuple[object, ...]]]:
    """Put a resolver of the test's own in the place of the system's; gives what was asked."""
    asked: list[tuple[object, ...]] = []

    class Resolver(trio.abc.HostnameResolver):
        async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):
            asked.append((host, port, type))
            return answer()

        async def getnameinfo(self, sockaddr, flags):
            raise NotImplementedError

    trio.socket.set_custom_hostname_resolver(Resolver())
    try:
        yield asked
    finally:
        trio.socket.set_custom_hostname_resolver(None)


async def test_the_system_is_asked_for_stream_addresses() -> None:
    """IPv4 and IPv6 alike, in the resolver's order."""
    rows = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 80, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (B, 80)),
    ]
    async with answering(lambda: rows) as asked:
        assert await lookup("app.internal", 80) == ["::1", B]
    assert asked == [(b"app.internal", 80, socket.SOCK_STREAM)]


async def test_what_the_resolver_raises_is_passed_on() -> None:
    """As an OSError with its reason."""

    def fail() -> list[object]:
        raise DOWN

    async with answering(fail):
        with pytest.raises(OSError, match="not known"):
            await lookup("app.internal", 80)


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "\udc80"])
async def test_what_is_no_host_name_is_an_os_error(host: str) -> None:
    """Not the encoding's own error, which nobody up there waits for."""
    with pytest.raises(OSError, match="is not a host name"):
        await lookup(host, 80)


async def test_an_address_is_its_own_answer() -> None:
    """No name server is asked."""
    assert await lookup("127.0.0.1", 80) == ["127.0.0.1"]
