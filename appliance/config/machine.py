"""What the checks may ask about the machine that a profile is for.

The rules of the MC6 family compare a profile with a clock, the rights of a process, addresses,
names and groups. All that is asked through this one protocol, so that the rules stay pure: a test
answers from a table, and a profile can be checked for another machine by somebody who knows it.

Only the bytes of files that a profile names are read directly; who may read those files besides
us is a matter of the machine again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Machine(Protocol):
    """One machine, as the user of this process sees it. No method raises, whatever it is asked."""

    def now(self) -> float:
        """Give the time in seconds since 1970, UTC."""

    def unprivileged_port(self) -> int:
        """Give the lowest port that this process may bind; 0 if it may bind all."""

    def file_limit(self) -> int | None:
        """Give how many files this process may have open at most; None if there is no limit."""

    def has_address(self, host: str) -> bool:
        """Say whether a socket can be bound to this IP address here; True if it cannot be told."""

    def unresolved(self, hosts: Collection[str]) -> set[str]:
        """Give those of the names that do not resolve; what takes over a second in all counts as resolved."""

    def group_exists(self, name: str) -> bool:
        """Say whether there is a group of users of this name."""

    def rights(self, path: str) -> int | None:
        """Give the permission bits of a file, None if they cannot be had."""

    def unwritable_file(self, path: str) -> str:
        """Give the reason why this file can be neither appended to nor created; empty if it can."""

    def unwritable_directory(self, path: str) -> str:
        """Give the reason why no file can be created in this directory; empty if one can."""
