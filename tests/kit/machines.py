"""A machine made of tables, for checks of profiles: the same one everywhere, at one fixed moment.

The moment suits the certificates of the corpus: `soon.crt` has nine days left then. Names that end
in `.invalid` do not resolve, only loopback addresses are there, ports below 1024 are for others,
and a process may open 1024 files. Paths tell their fate: below `/missing/` nothing exists, below
`/denied/` nothing may be written, and of the files only those called `open.*` are open to all, as a
checkout cannot carry modes.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address

NOW = datetime(2031, 1, 25, 12, tzinfo=UTC).timestamp()


@dataclass
class FakeMachine:
    """Answers from its fields; ``asked`` holds the names that were looked up."""

    time: float = NOW
    lowest_port: int = 1024
    files: int | None = 1024
    addresses: tuple[str, ...] = ()
    groups: tuple[str, ...] = ("ops",)
    modes: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def now(self) -> float:
        """Give the fixed moment."""
        return self.time

    def unprivileged_port(self) -> int:
        """Give the lowest port of the table."""
        return self.lowest_port

    def file_limit(self) -> int | None:
        """Give the limit of the table."""
        return self.files

    def has_address(self, host: str) -> bool:
        """Say whether an address is loopback or in the table."""
        return ip_address(host).is_loopback or host in self.addresses

    def unresolved(self, hosts: Collection[str]) -> set[str]:
        """Give the names that end in `.invalid`."""
        self.asked += hosts
        return {host for host in hosts if host.endswith(".invalid")}

    def group_exists(self, name: str) -> bool:
        """Say whether a group is in the table."""
        return name in self.groups

    def rights(self, path: str) -> int | None:
        """Give the mode of the table, else one by the name of the file."""
        name = os.path.basename(path)
        return self.modes.get(name, 0o644 if name.startswith("open.") else 0o600)

    def unwritable_file(self, path: str) -> str:
        """Give a reason by the beginning of the path."""
        return self.unwritable_directory(os.path.dirname(path))

    def unwritable_directory(self, path: str) -> str:
        """Give a reason by the beginning of the path."""
        top = path.strip("/").split("/")[0]
        return {"missing": "no such directory", "denied": "permission denied"}.get(top, "")
