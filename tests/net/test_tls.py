"""TLS over wires in memory: what is sent arrives, what is cut is told apart from what has ended."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from math import inf

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.model.fault import CLIENT_SLOW
from appliance.net.tls import TlsTransport
from appliance.net.transport import PeerGone
from tests.kit.tls import HOST, client, server, shake
from tests.kit.wires import Wire


@asynccontextmanager
async def opened(
    cuts: Callable[[], Iterable[int] | None] = lambda: None, **rest: object
) -> AsyncIterator[tuple[TlsTransport, TlsTransport, Wire, Wire]]:
    """Give server and client after a handshake, and the wires beneath (client's first)."""
    here, there, near, far = await shake(server(**rest), client(), cuts=cuts)
    assert isinstance(here, TlsTransport)
    assert isinstance(there, TlsTransport)
    yield here, there, near, far


async def test_what_is_written_arrives(autojump_clock: object) -> None:
    """Both ways, with the facts of the handshake on both sides."""
    async with opened() as (here, there, _, _):
        there.write(b"hello")
        assert await here.receive() == b"hello"
        here.write(b"world")
        assert await there.receive() == b"world"
        assert (here.alpn, there.alpn, here.version) == ("h2", "h2", "TLSv1.3")
        assert here.server_name == HOST
        assert here.peer is None
        assert there.peer is not None
        assert "a.example" in there.peer.names
        assert here.rx.due == inf


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=40_000), max_size=6), st.integers(1, 5000))
def test_any_cut_of_the_ciphertext_gives_the_same(pieces: list[bytes], size: int) -> None:
    """Records have borders of their own, which no reader sees."""

    async def run() -> bytes:
        got = b""
        async with (
            opened(lambda: iter(lambda: size, 0)) as (here, there, _, _),
            trio.open_nursery() as nursery,
        ):

            async def send() -> None:
                for piece in pieces:
                    there.write(piece)
                    await there.wait_drained(0, 60, CLIENT_SLOW)
                there.close()

            nursery.start_soon(send)
            while data := await here.receive(7_000):
                assert len(data) <= 7_000
                got += data
        return got

    assert trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0)) == b"".join(pieces)


async def test_much_that_has_arrived_is_read_at_once(autojump_clock: object) -> None:
    """Several records are one piece for the reader, up to its limit."""
    async with opened() as (here, there, _, _):
        there.write(b"x" * 100_000)
        got = [len(await here.receive(65_536)) for _ in range(2)]
        assert min(got) > 2 * 16_384
        assert sum(got) > 65_536


async def test_an_end_in_order_is_an_end(autojump_clock: object) -> None:
    """The closing alert is ``b""``, after all that came before it."""
    async with opened() as (here, there, _, _):
        there.write(b"last")
        there.shut_writing()
        assert await here.receive() == b"last"
        assert await here.receive() == b""
        assert await here.receive() == b""
        here.write(b"still")
        assert await there.receive() == b"still"


async def test_an_end_without_its_alert_is_a_cut(autojump_clock: object) -> None:
    """Somebody in between may have ended it."""
    async with opened() as (here, there, near, _):
        there.write(b"part")
        near.shut_writing()
        assert await here.receive() == b"part"
        with pytest.raises(PeerGone, match="without closing TLS"):
            await here.receive()


@pytest.mark.parametrize("at", [0, 3, 5, 10, 30, 60])
async def test_a_changed_byte_is_noticed(at: int, autojump_clock: object) -> None:
    """Nothing of a record that was tampered with is given out."""
    async with opened() as (here, there, _, far):
        there.write(b"q" * 50)
        await trio.testing.wait_all_tasks_blocked()
        far.incoming.data[at] ^= 0x55
        with pytest.raises((PeerGone, trio.TooSlowError)):
            with trio.fail_after(5):
                await here.receive()


async def test_an_idle_connection_lives_until_something_comes(autojump_clock: object) -> None:
    """The tickets of TLS 1.3 come unasked and mean nothing; data, an alert or an end mean that it is over."""
    async with opened() as (here, there, near, far):
        assert near.incoming.readable
        assert there.alive()
        assert not near.incoming.readable
        assert there.alive()
        here.write(b"unasked")
        assert not there.alive()
    async with opened() as (here, there, near, far):
        here.close()
        assert not there.alive()
    async with opened() as (here, there, near, far):
        far.close()
        assert not there.alive()


async def test_a_connection_is_resumed(autojump_clock: object) -> None:
    """The next handshake with the same upstream is a short one, in either version."""
    for version in ("1.2", "1.3"):
        ours, theirs = server(min_version=version), client()
        resumed = []
        for _ in range(2):
            here, there, _, _ = await shake(ours, theirs)
            assert isinstance(here, TlsTransport)
            assert isinstance(there, TlsTransport)
            here.write(b"x")
            await there.receive()
            resumed.append((here.resumed, there.resumed))
            there.close()
        assert resumed == [(False, False), (True, True)]


async def test_closing_twice_and_writing_afterwards_do_nothing(autojump_clock: object) -> None:
    """As with any transport."""
    async with opened() as (here, there, _, far):
        here.close()
        here.close()
        here.write(b"late")
        assert far.closed
        assert await there.receive() == b""
        there.abort()
        there.close()


def test_only_strong_suites_are_spoken() -> None:
    """Ephemeral keys and authenticated encryption, from TLS 1.2 on."""
    for context in (server()._first, client()._context):
        names = [suite["name"] for suite in context.get_ciphers()]
        assert names
        assert all(
            name.startswith(("TLS_", "ECDHE-")) and ("GCM" in name or "CHACHA20" in name) for name in names
        )
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
