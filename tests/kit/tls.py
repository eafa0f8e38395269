"""Handshakes on wires in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from appliance.model.fault import Fault
from appliance.net.handshake import Refused, handshake_client, handshake_server
from appliance.net.park import Lot
from appliance.net.tls import TlsTransport
from appliance.net.tls_context import ClientTls, ServerTls
from tests.kit.certs import certs
from tests.kit.wires import Wire, pair

HOST = "a.example"


def server(*names: str, http2: bool = True, **rest: object) -> ServerTls:
    """Give the settings of a listener."""
    return ServerTls(certs().listener(*names, **rest), http2)


def client(protocol: str = "auto", **rest: object) -> ClientTls:
    """Give the settings of an upstream that trusts the authority of the tests."""
    return ClientTls(certs().upstream(**rest), protocol)


async def shake(
    ours: ServerTls,
    theirs: ClientTls,
    host: str = HOST,
    cuts: Callable[[], Iterable[int] | None] = lambda: None,
) -> tuple[TlsTransport | Refused, TlsTransport | Fault, Wire, Wire]:
    """Do a handshake and give what became of both sides."""
    near, far = pair(Lot(trio.current_time), capacity=1 << 20, cuts=cuts(), back_cuts=cuts())
    found: dict[str, TlsTransport | Refused | Fault] = {}

    async def accept() -> None:
        try:
            found["server"] = await handshake_server(far, ours, 5.0)
        except Refused as refused:
            found["server"] = refused
            far.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        try:
            found["client"] = await handshake_client(near, theirs, host, 5.0)
        except Fault as fault:
            found["client"] = fault
    return found["server"], found["client"], near, far  # type: ignore[return-value]
