"""What the end of a request says about the endpoint that it was sent to.

Only what the endpoint itself did counts. A client that left, a limit of ours and an answer that
blames the request (4xx) say nothing. Being asked to slow down (429, RESOURCE_EXHAUSTED) is an answer of
its own: the endpoint is alive, and has too much to do; so is a stream that it refused unseen.

gRPC tells in `grpc-status`, at the end: of the fifteen errors some are the caller's business, and a
stream that ends without any status has failed, whatever its head said.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final, Protocol

from appliance.model.fault import (
    CONNECT_FAILED,
    CONNECT_TIMEOUT,
    DNS_FAILED,
    RESPONSE_TIMEOUT,
    TRY_TIMEOUT,
    UPSTREAM_BAD,
    UPSTREAM_CERT,
    UPSTREAM_CUT,
    UPSTREAM_IDLE,
    UPSTREAM_REFUSED,
    UPSTREAM_RESET,
    UPSTREAM_SLOW,
    UPSTREAM_TLS,
    Fault,
    Reason,
    Side,
)

from .breaker import Verdict

WORDS: Final[dict[Reason, str]] = {
    CONNECT_FAILED: "connect",
    CONNECT_TIMEOUT: "connect",
    DNS_FAILED: "connect",
    UPSTREAM_TLS: "connect",
    UPSTREAM_CERT: "connect",
    UPSTREAM_REFUSED: "reset",
    UPSTREAM_RESET: "reset",
    UPSTREAM_CUT: "reset",
    UPSTREAM_BAD: "reset",
    RESPONSE_TIMEOUT: "timeout",
    TRY_TIMEOUT: "timeout",
    UPSTREAM_IDLE: "timeout",
    UPSTREAM_SLOW: "timeout",
}
"""The word of the profile for each fault of an upstream."""

TOO_MANY_REQUESTS: Final = 429
UNKNOWN: Final = 2
_GRPC_OVERLOAD: Final = 8
_GRPC_NEUTRAL: Final = frozenset({1, 3, 5, 6, 7, 9, 10, 11, 12, 16})
"""CANCELLED, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION, ABORTED,
OUT_OF_RANGE, UNIMPLEMENTED, UNAUTHENTICATED; a code that there is not is read as UNKNOWN."""


class Outcomes(Protocol):
    """Which ends are failures: HTTP statuses, and the words connect, reset and timeout."""

    @property
    def statuses(self) -> AbstractSet[int]:
        """Statuses of answers."""

    @property
    def words(self) -> AbstractSet[str]:
        """Words for what is no answer."""


def of_status(status: int, failures: Outcomes) -> Verdict:
    """Judge a whole answer by its HTTP status."""
    if status in failures.statuses:
        return Verdict.FAIL
    if status == TOO_MANY_REQUESTS:
        return Verdict.OVERLOAD
    return Verdict.OK if 200 <= status < 400 or status == 101 else Verdict.NEUTRAL


def of_grpc(status: int | None) -> Verdict:
    """Judge a gRPC call by its status, None if it ended without one."""
    if status == 0:
        return Verdict.OK
    if status == _GRPC_OVERLOAD:
        return Verdict.OVERLOAD
    return Verdict.NEUTRAL if status in _GRPC_NEUTRAL else Verdict.FAIL


def of_fault(fault: Fault, failures: Outcomes) -> Verdict:
    """Judge what went wrong instead of an answer, or in the middle of one."""
    if fault.reason.side is not Side.UPSTREAM:
        return Verdict.NEUTRAL
    if WORDS.get(fault.reason, "reset") not in failures.words:
        return Verdict.NEUTRAL
    return Verdict.OVERLOAD if fault.reason is UPSTREAM_REFUSED else Verdict.FAIL
