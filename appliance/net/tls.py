"""TLS over any transport: what arrives is decrypted before it is read, what is written is encrypted at once.

The library works on two buffers in memory, and the transport beneath moves the bytes. Compared with letting
the library read and write the socket itself that is two system calls for a small message instead of four,
keeps the plain transport's way of holding small writes together, and lets tests run it without sockets.

An end without the closing alert is no end: whoever cut the connection could have cut a body short, so it is
PeerGone, as a reset is. A session that has failed stays failed, whatever may still be asked of it.

The library's buffers never give back what they once grew to, so they are fed and emptied by 64 KiB: a
connection that was busy once costs little while it idles.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable
from typing import Any, Final

from appliance.model.fault import Fault, Reason
from appliance.model.identity import Identity

from .transport import BULK_READ_SIZE, READ_SIZE, PeerGone, Transport

_RECORD: Final = 16 * 1024
_FEED: Final = 64 * 1024
_MAX_SAID: Final = 16 * 1024  # bytes; some 600 answers to changes of keys, to a peer that reads none of them


class TlsTransport:
    """A Transport within TLS; made by a handshake. ``heard``: the peer has sent something."""

    __slots__ = (
        "_ahead",
        "_eof",
        "_failed",
        "_in",
        "_kept",
        "_out",
        "_peer",
        "_raw",
        "_said",
        "_shut",
        "heard",
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
        self.heard = False
        self.server_name: str | None = None
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self.obj = make(self._in, self._out)
        self._raw: bytes | memoryview = b""  # received, and not yet given to the library
        self._ahead = b""  # decrypted, and not yet asked for
        self._eof = False
        self._shut = False
        self._failed: str | None = None
        self._said = 0
        self._kept = False
        self._peer: tuple[Identity | None] | None = None
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
    def cipher(self) -> str:
        """Give the suite, such as ``TLS_AES_256_GCM_SHA384``."""
        return (self.obj.cipher() or ("",))[0]

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
            self._peer = (_identity(self.obj, der) if der else None,)
        return self._peer[0]

    # What the transport beneath knows.

    @property
    def hung_up(self) -> bool:
        """Say whether the peer sends no more."""
        return self.inner.hung_up

    @property
    def broken(self) -> bool:
        """Say whether writing has failed, or would."""
        return self.inner.broken or self._failed is not None

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
        if self._failed is not None:
            raise PeerGone(self._failed)

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
            if self.rx.fault is None:
                data = self._decrypted(limit)
                if data is not None:
                    return data
            raw = await self.inner.receive(min(max(limit, READ_SIZE), BULK_READ_SIZE))
            if not raw:
                raise PeerGone("ended without closing TLS")
            self._take(raw)

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
            self._take(raw)

    def _take(self, raw: bytes) -> None:
        """Keep what was received; all before it has been given to the library."""
        if len(raw) <= _FEED:
            self._in.write(raw)
        else:
            self._raw = memoryview(raw)

    def _feed(self) -> bool:
        """Give the library more of what was received; False if there is no more."""
        raw = self._raw
        if not raw:
            return False
        self._in.write(raw[:_FEED])
        self._raw = raw[_FEED:]
        return True

    def _decrypted(self, limit: int) -> bytes | None:
        """Give what can be decrypted now, None if that is nothing."""
        if self._ahead:
            data, self._ahead = self._ahead[:limit], self._ahead[limit:]
            return data
        if self._failed is not None:
            raise PeerGone(self._failed)
        obj, incoming = self.obj, self._in
        parts: list[bytes] = []
        got = 0
        while got < limit and not self._eof:
            if not incoming.pending and not obj.pending() and not self._feed():
                break
            try:
                piece = obj.read(min(limit - got, _RECORD))
            except ssl.SSLWantReadError:  # a record that is here in part, or nothing but tickets
                if self._feed():
                    continue
                break
            except ssl.SSLZeroReturnError:  # the end, too, once both sides have said it
                piece = b""
            except ssl.SSLError as error:
                self._failed = f"TLS: {plain(error)}"
                break
            if piece:
                parts.append(piece)
                got += len(piece)
            else:
                self._eof = True
        if self._out.pending:
            self._answer()
        if parts:
            return parts[0] if len(parts) == 1 else b"".join(parts)
        if self._failed is not None:
            raise PeerGone(self._failed)
        return b"" if self._eof else None

    def _answer(self) -> None:
        """Send what TLS itself has to say, such as to a change of keys, while the peer reads any of it."""
        if not self.inner.refused:
            self._said = 0
        self._said += self._out.pending
        self._flush()
        if self._said > _MAX_SAID and self.inner.refused and self._failed is None:
            self._failed = "TLS: the peer asks on and on, and reads no answer"

    def write(self, data: bytes) -> None:
        """Encrypt and send what the kernel takes now; errors show in the next wait."""
        if not data or self._shut or self.broken:
            return
        for at in range(0, len(data), _FEED):
            try:
                self.obj.write(data if len(data) <= _FEED else memoryview(data)[at : at + _FEED])
            except ssl.SSLError as error:
                self._failed = f"TLS: {plain(error)}"
                return
            self.inner.write(self._out.read())

    def _flush(self) -> None:
        if self._out.pending and not self.inner.broken:
            self.inner.write(self._out.read())

    def alive(self) -> bool:
        """Say of an idle connection whether it can be used: session tickets may have come, nothing else."""
        if self.hung_up or self.broken or self._shut:
            return False
        if self.receive_nowait(1) is not None:
            return False
        if not self._kept:
            self._remember()
        return True

    def shut_writing(self) -> None:
        """Send the closing alert, then half-close; what has arrived can still be read."""
        self._read_ahead()
        self._say_goodbye()
        self.inner.shut_writing()

    def close(self) -> None:
        """Send the closing alert if that can be done at once, and close. Safe to call again."""
        self._say_goodbye()
        self.inner.close()

    def _read_ahead(self) -> None:
        """Decrypt all that is here: who says goodbye looks for the peer's, and drops what lies before it."""
        parts = []
        try:
            while data := self._decrypted(BULK_READ_SIZE):
                parts.append(data)
        except PeerGone:
            pass  # it is raised again by whoever reads
        self._ahead = b"".join(parts)

    def _say_goodbye(self) -> None:
        if self._shut:
            return
        self._shut = True
        self._remember()
        try:
            self.obj.unwrap()
        except (ssl.SSLError, ValueError):
            pass  # it waits for the peer's alert, which nobody here does
        self._flush()

    def _remember(self) -> None:
        """Keep the session for the next connection; not earlier, for the tickets of TLS 1.3 come late."""
        if self.keep is not None:
            session = self.obj.session
            if session is not None and (session.has_ticket or self.version == "TLSv1.2"):
                self.keep(session)
                self._kept = True

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
            self.heard = True
            self._in.write(raw)


def plain(error: ssl.SSLError) -> str:
    """Give the reason of the library in words."""
    return (error.reason or "TLS failed").lower().replace("_", " ")


def _identity(obj: ssl.SSLObject, der: bytes) -> Identity:
    fingerprint = hashlib.sha256(der).hexdigest()
    try:
        found: dict[str, Any] = obj.getpeercert() or {}
    except ValueError:  # names in bytes that are no text
        return Identity("", (), (), fingerprint)
    subject = ",".join(
        "+".join(f"{_SHORT.get(key, key)}={_escaped(value)}" for key, value in row)
        for row in reversed(found.get("subject", ()))
    )
    alternatives = found.get("subjectAltName", ())
    names = tuple(value for kind, value in alternatives if kind == "DNS")
    uris = tuple(value for kind, value in alternatives if kind == "URI")
    return Identity(subject, names, uris, fingerprint)


_SHORT: Final = {
    "commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C",
    "localityName": "L", "stateOrProvinceName": "ST", "streetAddress": "STREET", "domainComponent": "DC",
    "userId": "UID",
}  # fmt: skip


def _escaped(value: str) -> str:
    """Escape a value as RFC 4514 section 2.4 says."""
    last = len(value) - 1
    return "".join(
        f"\\{c}"
        if c in '"+,;<>\\' or (c == " " and at in (0, last)) or (c == "#" and at == 0)
        else c
        if c.isprintable()
        else "".join(f"\\{b:02x}" for b in c.encode())
        for at, c in enumerate(value)
    )
