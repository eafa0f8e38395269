"""TLS over any transport: what arrives is decrypted before it is read, what is written is encrypted at once.

The library works on two buffers in memory, and the transport beneath moves the bytes. Compared with letting
the library read and write the socket itself that is two system calls for a small message instead of four,
keeps the plain transport's way of holding small writes together, and lets tests run it without sockets.

An end without the closing alert is no end: whoever cut the connection could have cut a body short, so it is
PeerGone, as a reset is.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from appliance.model.fault import UPSTREAM_TLS, Fault, Reason

from .transport import BULK_READ_SIZE, READ_SIZE, PeerGone, Transport

_RECORD: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate is for: subject (RFC 4514), DNS names, URIs, and its SHA-256 in hex digits."""

    subject: str
    names: tuple[str, ...]
    uris: tuple[str, ...]
    fingerprint: str


class TlsTransport:
    """A Transport within TLS; made by a handshake."""

    __slots__ = (
        "_eof",
        "_in",
        "_out",
        "_peer",
        "_shut",
        "inner",
        "keep",
        "lot",
        "obj",
        "rx",
        "server_name",
        "tx",
    )

    def __init__(
        self, inner: Transport, make: Callable[[ssl.MemoryBIO, ssl.MemoryBIO], ssl.SSLObject]
    ) -> None:
        self.inner = inner
        self.lot = inner.lot
        self.rx = inner.rx
        self.tx = inner.tx
        self.server_name: str | None = None
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self.obj = make(self._in, self._out)
        self._eof = False
        self._shut = False
        self._peer: Identity | None = None
        self.keep: Callable[[ssl.SSLSession], None] | None = None

    # Facts.

    @property
    def alpn(self) -> str | None:
        """Give the protocol that was agreed on by ALPN."""
        return self.obj.selected_alpn_protocol()

    @property
    def version(self) -> str:
        """Give the version of TLS, such as ``TLSv1.3``."""
        return self.obj.version() or ""

    @property
    def session(self) -> ssl.SSLSession | None:
        """Give what lets the next connection resume."""
        return self.obj.session

    @property
    def resumed(self) -> bool:
        """Say whether the handshake was a short one."""
        return bool(self.obj.session_reused)

    @property
    def peer(self) -> Identity | None:
        """Give who the other side has proved to be, None if it showed no certificate."""
        if self._peer is None:
            der = self.obj.getpeercert(True)
            if der:
                self._peer = _identity(self.obj.getpeercert() or {}, der)
        return self._peer

    # What the transport beneath knows.

    @property
    def hung_up(self) -> bool:
        """Say whether the peer sends no more."""
        return self.inner.hung_up

    @property
    def broken(self) -> bool:
        """Say whether writing has failed."""
        return self.inner.broken

    @property
    def on_hangup(self) -> Callable[[], None] | None:
        """Give what is called when the peer leaves."""
        return self.inner.on_hangup

    @on_hangup.setter
    def on_hangup(self, call: Callable[[], None] | None) -> None:
        self.inner.on_hangup = call

    @property
    def unsent(self) -> int:
        """Bytes, encrypted, that the kernel has not taken yet."""
        return self.inner.unsent

    @property
    def refused(self) -> int:
        """Bytes, encrypted, that the kernel would not take so far."""
        return self.inner.refused

    def uncork(self) -> None:
        """Send what is held back to go out with the writes of others."""
        self.inner.uncork()

    async def together(self) -> None:
        """Let tasks that the caller has just woken run first, and send what they write in one go."""
        await self.inner.together()

    async def wait_drained(self, low: int, limit: float, why: Reason) -> None:
        """Wait until at most ``low`` bytes are unsent; Fault(why) after ``limit`` s without progress."""
        await self.inner.wait_drained(low, limit, why)

    def interrupt(self, fault: Fault) -> None:
        """Raise ``fault`` in whoever reads from here, now or next, and in whoever waits to write."""
        self.inner.interrupt(fault)

    def abort(self) -> None:
        """Close so that the peer sees a reset, not an end."""
        self._shut = True
        self.inner.abort()

    # Bytes.

    async def receive(self, limit: int = READ_SIZE) -> bytes:
        """Give at most ``limit`` bytes; ``b""`` when the peer has closed in order. Raises PeerGone."""
        while True:
            data = self._decrypted(limit)
            if data is not None:
                return data
            raw = await self.inner.receive(min(max(limit, READ_SIZE), BULK_READ_SIZE))
            if not raw:
                raise PeerGone("ended without closing TLS")
            self._in.write(raw)

    def receive_nowait(self, limit: int = READ_SIZE) -> bytes | None:
        """Give what has arrived, None if nothing has; ``b""`` at the end, whatever kind of end."""
        while True:
            try:
                data = self._decrypted(limit)
            except PeerGone:
                return b""
            if data is not None:
                return data
            raw = self.inner.receive_nowait(READ_SIZE)
            if not raw:
                return raw
            self._in.write(raw)

    def _decrypted(self, limit: int) -> bytes | None:
        """Give what can be decrypted now, None if that is nothing."""
        obj, incoming = self.obj, self._in
        parts: list[bytes] = []
        got = 0
        try:
            while got < limit and (incoming.pending or obj.pending()):
                piece = obj.read(min(limit - got, _RECORD))
                if not piece:
                    self._eof = True
                    break
                parts.append(piece)
                got += len(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._flush()
            if not parts:
                raise PeerGone(f"TLS: {plain(error)}") from None
        if self._out.pending:
            self._flush()  # answers of TLS itself, such as to a change of keys
        if parts:
            return parts[0] if len(parts) == 1 else b"".join(parts)
        return b"" if self._eof else None

    def write(self, data: bytes) -> None:
        """Encrypt and send what the kernel takes now; errors show in the next wait."""
        if not data or self._shut or self.inner.broken:
            return
        try:
            self.obj.write(data)
        except ssl.SSLError as error:  # the session has failed while it was read from
            self.inner.interrupt(Fault(UPSTREAM_TLS, plain(error)))
            return
        self.inner.write(self._out.read())

    def _flush(self) -> None:
        if self._out.pending and not self.inner.broken:
            self.inner.write(self._out.read())

    def alive(self) -> bool:
        """Say of an idle connection whether it can be used: session tickets may have come, nothing else."""
        if self.inner.alive():
            return not self._eof and not self._in.pending and not self.obj.pending()
        if self.inner.hung_up or self.inner.broken:
            return False
        return self.receive_nowait(1) is None

    def shut_writing(self) -> None:
        """Send the closing alert, then half-close."""
        self._say_goodbye()
        self.inner.shut_writing()

    def close(self) -> None:
        """Send the closing alert if that can be done at once, and close. Safe to call again."""
        self._say_goodbye()
        self.inner.close()

    def _say_goodbye(self) -> None:
        if self._shut:
            return
        self._shut = True
        if self.keep is not None and self.obj.session is not None:
            self.keep(self.obj.session)  # only now: the tickets of TLS 1.3 come late
        try:
            self.obj.unwrap()
        except (ssl.SSLError, ValueError):
            pass  # it waits for the peer's alert, which nobody here does
        self._flush()

    async def shake(self) -> None:
        """Do the handshake; raises ssl.SSLError, PeerGone, and the Fault of the park."""
        while True:
            done = True
            try:
                self.obj.do_handshake()
            except ssl.SSLWantReadError:
                done = False
            except ssl.SSLError:
                self._flush()
                raise
            self._flush()
            if done:
                return
            raw = await self.inner.receive()
            if not raw:
                raise PeerGone("closed in the middle of the handshake")
            self._in.write(raw)


def plain(error: ssl.SSLError) -> str:
    """Give the reason of the library in words."""
    return (error.reason or "TLS failed").lower().replace("_", " ")


def _identity(found: dict[str, Any], der: bytes) -> Identity:
    subject = ",".join(
        "+".join(f"{_SHORT.get(key, key)}={_escaped(value)}" for key, value in row)
        for row in reversed(found.get("subject", ()))
    )
    alternatives = found.get("subjectAltName", ())
    names = tuple(value for kind, value in alternatives if kind == "DNS")
    uris = tuple(value for kind, value in alternatives if kind == "URI")
    return Identity(subject, names, uris, hashlib.sha256(der).hexdigest())


_SHORT: Final = {
    "commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C",
    "localityName": "L", "stateOrProvinceName": "ST", "streetAddress": "STREET", "domainComponent": "DC",
    "userId": "UID",
}  # fmt: skip


def _escaped(value: str) -> str:
    """Escape a value as RFC 4514 section 2.4 says."""
    text = "".join(
        f"\\{c}" if c in '"+,;<>\\' else c if c.isprintable() else "".join(f"\\{b:02x}" for b in c.encode())
        for c in value
    )
    if text[:1] in (" ", "#"):
        text = "\\" + text
    return text[:-1] + "\\ " if text.endswith(" ") and not text.endswith("\\ ") else text
