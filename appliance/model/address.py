"""Where something listens or is reached: TCP, Unix socket, inherited descriptor, or a DNS name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Address:
    """One address as a profile writes it.

    ``kind`` says which fields count: ``tcp`` (host, port), ``unix`` (path), ``fd`` (path holds the
    socket-activation name) or ``dns`` (host, port, resolved when it is dialled). An empty ``host``
    of a ``tcp`` address means every local address. IPv6 hosts are stored without brackets.
    """

    kind: Literal["tcp", "unix", "fd", "dns"]
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"unix:{self.path}"
        if self.kind == "fd":
            return f"fd:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"dns:{host}:{self.port}" if self.kind == "dns" else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a profile: file as the operator named it, line and column counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
