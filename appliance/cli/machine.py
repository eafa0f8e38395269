"""This machine, as the checks of a profile ask about it.

Every question is answered from the system itself and none of them fails: where the system gives no
answer, the one is given that leads to no complaint. What would be costly to load is imported in the
question that needs it, so that a profile without host names is checked without `socket`.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection

LOOKUP = 1.0  # seconds for all names together
_LOOKERS = 16  # threads: a slow answer leaves room for the other names, and no resolver is flooded
_BIND_SERVICE = 10  # CAP_NET_BIND_SERVICE in capabilities(7)
_DEFAULT_PORTS = 1024


class ThisMachine:
    """The ``Machine`` of the checks that this process runs on."""

    def now(self) -> float:
        """Give the time in seconds since 1970, UTC."""
        return time.time()

    def unprivileged_port(self) -> int:
        """Give the lowest port that this process may bind; 0 if it may bind all."""
        if self._may_bind_all():
            return 0
        text = _text("/proc/sys/net/ipv4/ip_unprivileged_port_start").strip()
        return int(text) if text.isdecimal() else _DEFAULT_PORTS

    def _may_bind_all(self) -> bool:
        for line in _text("/proc/self/status").splitlines():
            name, _, value = line.partition(":")
            if name == "CapEff":
                return bool(int(value, 16) >> _BIND_SERVICE & 1)
        return os.geteuid() == 0

    def file_limit(self) -> int | None:
        """Give how many files this process may have open at most; None if there is no limit."""
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if hard == resource.RLIM_INFINITY else hard

    def has_address(self, host: str) -> bool:
        """Say whether a socket can be bound to this IP address here; True if it cannot be told."""
        import errno
        import socket

        try:
            flags = socket.AI_NUMERICHOST | socket.AI_PASSIVE
            family, kind, _, _, target = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=flags)[0]
            with socket.socket(family, kind) as probe:
                probe.bind(target)
        except OSError as problem:
            # Without IPv6 in the kernel its addresses are as far away as those of other machines.
            return problem.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
        except ValueError:
            return True
        return True

    def unresolved(self, hosts: Collection[str]) -> set[str]:
        """Give those of the names that do not resolve; what takes over a second in all counts as resolved.

        A lookup cannot be called off, so it runs in a thread that nobody waits for, not even at exit.
        """
        import socket
        from queue import Empty, SimpleQueue
        from threading import Thread

        waiting: SimpleQueue[str] = SimpleQueue()
        answers: SimpleQueue[tuple[str, bool]] = SimpleQueue()
        names = set(hosts)

        def look() -> None:
            while True:
                try:
                    host = waiting.get_nowait()
                except Empty:
                    return
                try:
                    socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                except (OSError, ValueError):  # ValueError: it cannot even be asked for
                    answers.put((host, False))
                else:
                    answers.put((host, True))

        for name in sorted(names):
            waiting.put(name)
        for _ in range(min(_LOOKERS, len(names))):
            Thread(target=look, name="lookup", daemon=True).start()
        ends = time.monotonic() + LOOKUP
        found: set[str] = set()
        for _ in names:
            try:
                host, resolves = answers.get(timeout=max(0.0, ends - time.monotonic()))
            except Empty:
                break
            if not resolves:
                found.add(host)
        return found

    def group_exists(self, name: str) -> bool:
        """Say whether there is a group of users of this name."""
        import grp

        try:
            grp.getgrnam(name)
        except (KeyError, ValueError):
            return False
        except OSError:
            return True
        return True

    def rights(self, path: str) -> int | None:
        """Give the permission bits of a file, None if they cannot be had."""
        try:
            return stat.S_IMODE(os.stat(path).st_mode)
        except (OSError, ValueError):
            return None

    def unwritable_file(self, path: str) -> str:
        """Give the reason why this file can be neither appended to nor created; empty if it can."""
        try:
            mode = os.stat(path).st_mode
        except FileNotFoundError:
            return self.unwritable_directory(os.path.dirname(path) or ".")
        except (OSError, ValueError) as problem:
            return _reason(problem)
        if stat.S_ISDIR(mode):
            return "it is a directory"
        return "" if os.access(path, os.W_OK) else "permission denied"

    def unwritable_directory(self, path: str) -> str:
        """Give the reason why no file can be created in this directory; empty if one can."""
        try:
            mode = os.stat(path).st_mode
        except FileNotFoundError:
            return "no such directory"
        except (OSError, ValueError) as problem:
            return _reason(problem)
        if not stat.S_ISDIR(mode):
            return "what should be its directory is none"
        return "" if os.access(path, os.W_OK | os.X_OK) else "permission denied"


def _reason(problem: OSError | ValueError) -> str:
    text = getattr(problem, "strerror", None) or "the path cannot be used"
    return text[0].lower() + text[1:]


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
