"""Active checks: one endpoint asked whether it is well, and the loop that keeps asking.

A check has a connection of its own, never one of the pool: it is to find out whether a client could be
served now, and a pool that is full or stale says nothing about that. It asks for as little as will do:
over HTTP/1.1 the head of an answer, by the same reader as for traffic, so that nobody is healthy whose
answers would be refused; for TCP a connect; for gRPC the standard health service (grpc.health.v1).

What comes out is a reason in plain words, empty when all is well. Whatever a peer does ends as a reason,
at the latest when the time of the check is over: one endpoint cannot hold up its own loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from appliance.config.plan_policy import HealthPlan
from appliance.http.h1_head import MAX_RESPONSE_HEAD, ResponseHead, parse_response
from appliance.http.h1_lenient import parse_leniently
from appliance.http.h2_call import Answer, call
from appliance.model.address import Address
from appliance.model.fault import CONNECT_TIMEOUT, UPSTREAM_BAD, UPSTREAM_CUT, Fault
from appliance.model.units import format_statuses
from appliance.net.transport import PeerGone, Transport
from appliance.policy.retry import Chance
from appliance.routing.path import written

from .endpoint import Dial

Told = Callable[[bool, str], object]

FIRST_WITHIN: Final = 1.0
"""Seconds over which the first checks of all endpoints are spread."""

_MAX_INTERIM: Final = 32
_GREETING: Final = b"HTTP/1."
_SERVING: Final = 1
_FIXED: Final = {1: 8, 5: 4}  # bytes of the protobuf wire types of fixed size
_HEALTH: Final = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_GRPC: Final = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
    "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip


async def check_forever(
    dial: Dial, address: Address, host: bytes, plan: HealthPlan, chance: Chance, told: Told
) -> None:
    """Check one endpoint soon and then again and again, and tell each result: good or not, and why not.

    Intervals count from the beginning of a check, and vary by a tenth, so that the checks of many
    endpoints, or of many proxies, do not come together.
    """
    await trio.sleep(chance.uniform(0.0, min(plan.interval, FIRST_WITHIN)))
    while True:
        due = trio.current_time() + plan.interval * chance.uniform(0.9, 1.1)
        why = await check(dial, address, host, plan)
        told(not why, why)
        await trio.sleep_until(due)


async def check(dial: Dial, address: Address, host: bytes, plan: HealthPlan) -> str:
    """Check once, within ``plan.timeout``; give the reason why the endpoint is not well, or nothing.

    The connection is closed when this returns, cancellation included.
    """
    missing = "connection"
    transport: Transport | None = None
    with trio.move_on_after(plan.timeout):
        try:
            transport = await dial(address, plan.timeout)
            missing = "answer"
            if plan.protocol == "http":
                return await _http(transport, host, plan)
            if plan.protocol == "grpc":
                return _judge_grpc(await call(transport, host, b"/grpc.health.v1.Health/Check", b""))
            return ""
        except Fault as fault:
            if fault.reason is not CONNECT_TIMEOUT:
                return _plain(fault.detail.removeprefix(f"{address}: ") or fault.reason.sentence.rstrip("."))
        except PeerGone:
            return "the connection was reset"
        except OSError as error:
            return _plain(error.strerror or str(error) or type(error).__name__)
        finally:
            if transport is not None:
                transport.close()
    return f"no {missing} within {plan.timeout:g} s"


def _plain(text: str) -> str:
    """Give a reason as it reads after a colon: no capital in front, unless it begins with a name."""
    return text[:1].lower() + text[1:] if text.split(" ", maxsplit=1)[0][1:].islower() else text


async def _http(transport: Transport, host: bytes, plan: HealthPlan) -> str:
    transport.write(
        b"GET %b HTTP/1.1\r\nhost: %b\r\nuser-agent: meshctl-health\r\nconnection: close\r\n\r\n"
        % (written(plan.path), host)
    )
    data = b""
    for _ in range(_MAX_INTERIM + 1):
        head, data = await _head(transport, data)
        if head.status >= 200 or head.status == 101:
            if head.status in plan.expect.statuses:
                return ""
            return f"status {head.status}, expected {format_statuses(plan.expect.statuses)}"
    return f"more than {_MAX_INTERIM} interim answers"


async def _head(transport: Transport, data: bytes) -> tuple[ResponseHead, bytes]:
    """Read one head, of which ``data`` has arrived; give what follows it, too. Raises Fault."""
    while (end := data.find(b"\r\n\r\n", 0, MAX_RESPONSE_HEAD)) < 0:
        if not data.startswith(_GREETING[: len(data)]):
            raise Fault(UPSTREAM_BAD, "the answer is not HTTP/1")
        if len(data) >= MAX_RESPONSE_HEAD:
            raise Fault(UPSTREAM_BAD, f"a response head of more than {MAX_RESPONSE_HEAD} bytes")
        more = await transport.receive()
        if not more:
            raise Fault(
                UPSTREAM_CUT, "closed in the middle of the head" if data else "closed without an answer"
            )
        data += more
    raw = data[: end + 4]
    return parse_response(raw) or parse_leniently(raw, b"GET"), data[end + 4 :]


def _judge_grpc(answer: Answer) -> str:
    """Say what is wrong with an answer of the health service."""
    fields = dict(answer.headers)
    if answer.status != 200 or not fields.get(b"content-type", b"").startswith(b"application/grpc"):
        return f"the answer is not gRPC (HTTP status {answer.status})"
    code = dict(answer.trailers or answer.headers).get(b"grpc-status", b"")
    if not (code.isdigit() and len(code) <= 9):
        return "the answer ended without a gRPC status"
    if int(code):
        return f"gRPC status {_named(_GRPC, int(code))}, expected OK"
    data = answer.data
    if data[:1] != b"\0" or len(data) < 5 or len(data) - 5 != int.from_bytes(data[1:5], "big"):
        return "the answer is not one plain gRPC message"
    status = _status_of(data[5:])
    return "" if status == _SERVING else f"health is {_named(_HEALTH, status)}, expected SERVING"


def _named(names: tuple[str, ...], number: int) -> str:
    return names[number] if number < len(names) else str(number)


def _status_of(message: bytes) -> int:
    """Read field 1, an enumeration, of a protobuf message; 0 if it is absent. Raises Fault."""
    status = at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            status = value if key >> 3 == 1 else status
        elif kind == 2:
            size, at = _varint(message, at)
            at += size
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            raise Fault(UPSTREAM_BAD, "the answer is not a HealthCheckResponse")
    if at > len(message):
        raise Fault(UPSTREAM_BAD, "the answer is not a HealthCheckResponse")
    return status


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Read a number of at most ten bytes; give the place after it, too. Raises Fault."""
    number = 0
    for index, byte in enumerate(message[at : at + 10]):
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return number, at + index + 1
    raise Fault(UPSTREAM_BAD, "the answer is not a HealthCheckResponse")
