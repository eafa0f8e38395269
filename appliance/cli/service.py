"""How a process in the foreground gets on with who started it: a service manager, or a terminal."""

from __future__ import annotations

import logging
import os
import socket
import time
from math import inf

import trio

_log = logging.getLogger("meshctl")


def notify(state: str) -> None:
    """Tell the service manager, if there is one (sd_notify(3))."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    target = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect(target)
            sock.send(state.encode())
        except OSError as error:
            _log.warning("NOTIFY_SOCKET %s: %s", path, error)


def notify_reloading() -> None:
    """Tell that the profile is being loaded; ``READY=1`` has to follow."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_interval() -> float:
    """Give the seconds between two signs of life that the service manager wants, ``inf`` if it wants none.

    Half of what it allows, as sd_watchdog_enabled(3) advises.
    """
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return inf
    allowed = os.environ.get("WATCHDOG_USEC", "")
    return int(allowed) / 2e6 if allowed.isdigit() and int(allowed) else inf


async def keep_alive() -> None:
    """Give signs of life for as long as this loop turns."""
    interval = watchdog_interval()
    while interval < inf:
        notify("WATCHDOG=1")
        await trio.sleep(interval)


def has_terminal() -> bool:
    """Say whether there is a terminal that controls this process; after it was closed there is none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
