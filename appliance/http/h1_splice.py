"""Hand a long body of known length from one plain socket to another without reading it."""

from __future__ import annotations

from appliance.model.fault import CLIENT_SLOW, Fault, Reason
from appliance.model.message import Body
from appliance.net.splice import Limits, NoPipe, splice
from appliance.net.transport import SocketTransport, Transport

from .h1_body import SizedBody

WORTHWHILE = 64 * 1024  # bytes still to come, below which two splices cost more than a read and a write


async def relay(body: Body, sink: Transport, write_limit: float, slow: Reason = CLIENT_SLOW) -> int:
    """Move the rest of ``body`` to ``sink`` if both are plain sockets and it is long; returns the count.

    Bytes that are already in memory must have been written before. Does nothing, and returns 0, where
    it does not apply. Raises Fault by the body's rules and ``slow``, and PeerGone of the sink.
    """
    if not isinstance(body, SizedBody) or body.left < WORTHWHILE or body.inbox.data:
        return 0
    source = body.inbox.transport
    if not isinstance(source, SocketTransport) or not isinstance(sink, SocketTransport):
        return 0
    await sink.wait_drained(0, write_limit, slow)
    rules = body.rules
    limits = Limits(rules.idle, rules.idle_why, rules.cut, write_limit, slow)
    try:
        moved = await splice(source, sink, body.left, limits)
    except NoPipe:
        return 0
    body.took(moved)
    if body.left:
        raise Fault(rules.cut, f"{body.left} bytes short of its length")
    return moved
