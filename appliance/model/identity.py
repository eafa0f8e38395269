"""Who the other side of a connection has proved to be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate is for: subject (RFC 4514), DNS names, URIs, and its SHA-256 in hex digits."""

    subject: str
    names: tuple[str, ...]
    uris: tuple[str, ...]
    fingerprint: str
