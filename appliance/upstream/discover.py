"""The addresses behind a name, looked up again and again while the upstream lives.

A name that cannot be resolved for a while is no reason to drop servers that answer: what was known stays
until a lookup succeeds and says otherwise. An answer without addresses counts as a failure too; it is what
a name server says in the moment between the old servers and the new ones.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final

import trio

from appliance.policy.retry import Chance

Resolve = Callable[[str, int], Awaitable[list[str]]]
Addresses = tuple[str, ...]

INTERVAL: Final = 10.0
"""Seconds between lookups that succeed."""
FIRST_RETRY: Final = 1.0
"""Seconds after the first failure; each further one doubles them, up to the interval."""
LOOKUP_LIMIT: Final = 10.0
"""Seconds that one lookup may take."""


async def lookup(host: str, port: int) -> list[str]:
    """Ask the system's resolver for the addresses of a name; raises OSError."""
    try:
        found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
    except UnicodeError:  # an empty label, or one of more than 63 characters
        raise OSError(f"{host!r} is not a host name") from None
    return [str(row[4][0]) for row in found]


async def resolve_forever(
    host: str,
    port: int,
    resolve: Resolve,
    told: Callable[[Addresses], object],
    failed: Callable[[str], object],
    *,
    chance: Chance,
    interval: float = INTERVAL,
) -> None:
    """Look a name up now and every ``interval`` seconds; tell its addresses when they have changed.

    They are distinct, IPv4 first, in the order of their numbers. ``failed`` hears why a lookup has failed
    if the one before it had not; the next one then comes sooner. All pauses vary by a tenth.
    """
    known: Addresses = ()
    failures = 0
    while True:
        try:
            found = await addresses_of(host, port, resolve)
        except OSError as error:
            if not failures:
                failed(error.strerror or str(error) or type(error).__name__)
            pause = min(interval, FIRST_RETRY * 2.0 ** min(failures, 30))
            failures += 1
        else:
            failures, pause = 0, interval
            if found != known:
                known = found
                told(found)
        await trio.sleep(pause * chance.uniform(0.9, 1.1))


async def addresses_of(host: str, port: int, resolve: Resolve) -> Addresses:
    """Look a name up once; raises OSError when there is no address."""
    with trio.move_on_after(LOOKUP_LIMIT):
        found = await resolve(host, port)
        if not found:
            raise OSError("the name has no address")
        return tuple(sorted(set(found), key=_order))
    raise OSError(f"no answer within {LOOKUP_LIMIT:g} s")


def _order(address: str) -> tuple[int, int, str]:
    number = ip_address(address)
    return number.version, int(number), address
