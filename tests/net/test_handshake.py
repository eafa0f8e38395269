"""Handshakes that come to nothing say why, on both sides; those that succeed say with whom."""

from __future__ import annotations

import re

import pytest
import trio

from appliance.model.fault import UPSTREAM_CERT, UPSTREAM_TLS, Fault, Reason
from appliance.net.handshake import Refused, handshake_client, handshake_server
from appliance.net.park import Lot
from appliance.net.tls import TlsTransport
from tests.kit.certs import certs
from tests.kit.tls import HOST, client, server, shake
from tests.kit.wires import pair

REFUSALS = [
    ({}, {"ca": None}, HOST, "client did not accept|does not know the authority", (UPSTREAM_CERT, "tls.ca")),
    ({}, {}, "b.example", "client did not accept|handshake", (UPSTREAM_CERT, "tls.server_name")),
    ({"names": ("expired",)}, {}, HOST, "expired|did not accept", (UPSTREAM_CERT, "expired")),
    ({"client_auth": "require", "client_ca": True}, {}, HOST, "client_auth requires", None),
]


@pytest.mark.parametrize(("listener", "upstream", "host", "said", "told"), REFUSALS)
async def test_a_refusal_says_why(
    listener: dict[str, object],
    upstream: dict[str, object],
    host: str,
    said: str,
    told: tuple[Reason, str] | None,
    autojump_clock: object,
) -> None:
    """On both sides, in words that name the setting."""
    names = listener.pop("names", ())
    rest = {key: certs().ca if value is True else value for key, value in listener.items()}
    here, there, _, _ = await shake(server(*names, **rest), client(**upstream), host)  # type: ignore[misc]
    listener["names"] = names
    assert isinstance(here, Refused)
    assert re.search(said, str(here)), str(here)
    if told is not None:
        assert isinstance(there, Fault)
        assert there.reason is told[0]
        assert told[1] in there.detail


async def test_clients_prove_who_they_are(autojump_clock: object) -> None:
    """Subject as RFC 4514 writes it, names and fingerprint; of a stranger nothing is believed."""
    ours = server(client_auth="optional", client_ca=certs().ca)
    mine = certs().pair("client")
    here, _, _, _ = await shake(ours, client(cert=mine.cert, key=mine.key))
    assert isinstance(here, TlsTransport)
    assert here.peer is not None
    assert here.peer.subject.startswith("CN=edge\\, one,")
    assert len(here.peer.fingerprint) == 64
    nobody, _, _, _ = await shake(ours, client())
    assert isinstance(nobody, TlsTransport)
    assert nobody.peer is None
    strange = certs().pair("strange")
    refused, _, _, _ = await shake(ours, client(cert=strange.cert, key=strange.key))
    assert isinstance(refused, Refused)
    assert "client's certificate was not accepted" in str(refused)


async def test_http2_must_be_offered_where_it_is_needed(autojump_clock: object) -> None:
    """An upstream that is said to speak HTTP/2 and does not agree to it is a fault with advice."""
    _, there, _, _ = await shake(server(http2=False), client("http2"))
    assert isinstance(there, Fault)
    assert there.reason is UPSTREAM_TLS
    assert "ALPN" in there.detail


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "plain HTTP"),
        (b"\x00" * 50, "not TLS"),
        (b"\x16\x03\x01\x00\x05hello", "unexpected|length|bad"),
        (b"", "closed in the middle"),
    ],
)
async def test_what_is_no_handshake_is_refused(sent: bytes, said: str, autojump_clock: object) -> None:
    """Plain HTTP is told what the port speaks, in plain HTTP."""
    near, far = pair(Lot(trio.current_time))
    await near.send(sent)
    near.shut_writing()
    with pytest.raises(Refused, match=said):
        await handshake_server(far, server(), 5.0)
    if b"GET" in sent:
        answer = await near.receive()
        assert answer.startswith(b"HTTP/1.1 400 ")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"content-length: %d" % len(body) in head


async def test_a_handshake_has_its_time(autojump_clock: object) -> None:
    """On either side a silent peer is given up, by the clock of the park."""
    lot = Lot(trio.current_time)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lot.run)
        _, far = pair(lot)
        with pytest.raises(Refused, match="no handshake within 3 s"):
            await handshake_server(far, server(), 3.0)
        near, _ = pair(lot)
        with pytest.raises(Fault, match="no handshake within 3 s") as caught:
            await handshake_client(near, client(), HOST, 3.0)
        assert caught.value.reason is UPSTREAM_TLS
        assert near.closed
        assert 6 <= trio.current_time() <= 6.2
        nursery.cancel_scope.cancel()


async def test_an_upstream_without_tls_is_told_apart(autojump_clock: object) -> None:
    """What answers in plain text does not speak TLS."""
    near, far = pair(Lot(trio.current_time))
    await far.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(Fault, match="does not speak TLS"):
        await handshake_client(near, client(), HOST, 5.0)


async def test_whether_it_said_anything(autojump_clock: object) -> None:
    """A check whether the port is open is told from a handshake that broke off."""
    for said, silent in ((b"", True), (b"\x16\x03", False)):
        near, far = pair(Lot(trio.current_time))
        near.write(said)
        near.shut_writing()
        with pytest.raises(Refused, match="closed") as caught:
            await handshake_server(far, server(), 3.0)
        assert caught.value.silent is silent
