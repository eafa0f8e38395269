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
from functools import partial
from math import inf
from typing import Any, Final

from appliance.model.fault import HANDSHAKE_TIMEOUT, UPSTREAM_CERT, UPSTREAM_TLS, Fault, Reason

from .tls_context import ClientTls, ServerTls
from .transport import BULK_READ_SIZE, READ_SIZE, PeerGone, Transport

_RECORD: Final = 16 * 1024
_PLAIN_ANSWER: Final = (
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n"
    b"content-length: 44\r\n\r\nThis port speaks TLS; ask for https:// URLs.\n"
)

# What the library calls it, and what it means.
_SERVER_WORDS: Final = {
    "UNSUPPORTED_PROTOCOL": "the client speaks no TLS version that is allowed here",
    "NO_SHARED_CIPHER": "the client offers no cipher suite that is allowed here",
    "HTTP_REQUEST": "plain HTTP was sent to a port that speaks TLS",
    "WRONG_VERSION_NUMBER": "what the client sent is not TLS",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client showed no certificate, but client_auth requires one",
    "CALLBACK_FAILED": "no certificate is for the name that the client asked for (unknown_sni: reject)",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not know the authority of this listener's certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client did not accept this listener's certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client did not accept this listener's certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client finds this listener's certificate expired",
}
_CLIENT_WORDS: Final = {
    "WRONG_VERSION_NUMBER": "the upstream does not speak TLS on this port",
    "RECORD_LAYER_FAILURE": "the upstream does not speak TLS on this port",
    "UNSUPPORTED_PROTOCOL": "the upstream speaks no TLS version that is allowed here",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the upstream speaks no TLS version that is allowed here",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the upstream has no cipher suite in common, or wants a certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the upstream wants a certificate of ours (tls.cert, tls.key)",
    "TLSV1_ALERT_UNKNOWN_CA": "the upstream does not know the authority of our certificate",
    "TLSV1_UNRECOGNIZED_NAME": "the upstream has no certificate for that name (tls.server_name)",
}


class Refused(Exception):
    """A client's handshake that came to nothing; the text says why, for the log."""


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
        "_obj",
        "_out",
        "_peer",
        "_shut",
        "inner",
        "keep",
        "lot",
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
        self._obj = make(self._in, self._out)
        self._eof = False
        self._shut = False
        self._peer: Identity | None = None
        self.keep: Callable[[ssl.SSLSession], None] | None = None

    # Facts.

    @property
    def alpn(self) -> str | None:
        """Give the protocol that was agreed on by ALPN."""
        return self._obj.selected_alpn_protocol()

    @property
    def version(self) -> str:
        """Give the version of TLS, such as ``TLSv1.3``."""
        return self._obj.version() or ""

    @property
    def session(self) -> ssl.SSLSession | None:
        """Give what lets the next connection resume."""
        return self._obj.session

    @property
    def resumed(self) -> bool:
        """Say whether the handshake was a short one."""
        return bool(self._obj.session_reused)

    @property
    def peer(self) -> Identity | None:
        """Give who the other side has proved to be, None if it showed no certificate."""
        if self._peer is None:
            der = self._obj.getpeercert(True)
            if der:
                self._peer = _identity(self._obj.getpeercert() or {}, der)
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
        obj, incoming = self._obj, self._in
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
                raise PeerGone(f"TLS: {_plain(error)}") from None
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
            self._obj.write(data)
        except ssl.SSLError as error:  # the session has failed while it was read from
            self.inner.interrupt(Fault(UPSTREAM_TLS, _plain(error)))
            return
        self.inner.write(self._out.read())

    def _flush(self) -> None:
        if self._out.pending and not self.inner.broken:
            self.inner.write(self._out.read())

    def alive(self) -> bool:
        """Say of an idle connection whether it can be used: session tickets may have come, nothing else."""
        if self.inner.alive():
            return not self._eof and not self._in.pending and not self._obj.pending()
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
        if self.keep is not None and self._obj.session is not None:
            self.keep(self._obj.session)  # only now: the tickets of TLS 1.3 come late
        try:
            self._obj.unwrap()
        except (ssl.SSLError, ValueError):
            pass  # it waits for the peer's alert, which nobody here does
        self._flush()

    async def shake(self) -> None:
        """Do the handshake; raises ssl.SSLError, PeerGone, and the Fault of the park."""
        while True:
            done = True
            try:
                self._obj.do_handshake()
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


async def handshake_server(inner: Transport, tls: ServerTls, limit: float) -> TlsTransport:
    """Accept TLS from a client within ``limit`` seconds; raises Refused. The caller closes ``inner``."""
    transport = TlsTransport(inner, tls.wrap)
    inner.rx.due, inner.rx.why = inner.lot.now() + limit, HANDSHAKE_TIMEOUT
    try:
        await transport.shake()
    except ssl.SSLCertVerificationError as error:
        raise Refused(f"the client's certificate was not accepted: {error.verify_message}") from None
    except ssl.SSLError as error:
        reason = error.reason or ""
        if reason == "HTTP_REQUEST":
            inner.write(_PLAIN_ANSWER)
            inner.shut_writing()
        raise Refused(_SERVER_WORDS.get(reason) or _plain(error)) from None
    except PeerGone as gone:
        raise Refused(str(gone)) from None
    except Fault as fault:
        raise Refused(
            f"no handshake within {limit:g} s" if fault.reason is HANDSHAKE_TIMEOUT else str(fault)
        ) from None
    finally:
        inner.rx.due = inf
        transport.server_name = tls.name_of(transport._obj)
    return transport


async def handshake_client(inner: Transport, tls: ClientTls, host: str, limit: float) -> TlsTransport:
    """Open TLS to an upstream within ``limit`` seconds; raises Fault, ``inner`` being closed then."""
    transport = TlsTransport(inner, lambda incoming, outgoing: tls.wrap(incoming, outgoing, host))
    inner.rx.due, inner.rx.why = inner.lot.now() + limit, HANDSHAKE_TIMEOUT
    name = tls.server_name or host
    try:
        await transport.shake()
        if tls.needs and transport.alpn != tls.needs:
            raise Fault(
                UPSTREAM_TLS, f"{name} does not offer {tls.needs} by ALPN; set `protocol` to what it speaks"
            )
    except BaseException as error:
        inner.close()
        match error:
            case ssl.SSLCertVerificationError():
                raise Fault(UPSTREAM_CERT, _verdict(error, name)) from None
            case ssl.SSLError():
                raise Fault(
                    UPSTREAM_TLS, f"{name}: {_CLIENT_WORDS.get(error.reason or '') or _plain(error)}"
                ) from None
            case PeerGone():
                raise Fault(UPSTREAM_TLS, f"{name}: {error}") from None
            case Fault() if error.reason is HANDSHAKE_TIMEOUT:
                raise Fault(UPSTREAM_TLS, f"{name}: no handshake within {limit:.3g} s") from None
        raise
    inner.rx.due = inf
    transport.keep = partial(tls.sessions.__setitem__, host)
    return transport


def _verdict(error: ssl.SSLCertVerificationError, name: str) -> str:
    """Say what is wrong with an upstream's certificate, and which setting that is about."""
    why = error.verify_message
    if error.verify_code in (18, 19, 20, 21):  # self-signed, or an issuer that is not known
        why += "; name its authority in the upstream's tls.ca"
    elif "match" in why:
        why += "; tls.server_name is the name that is expected"
    return f"the certificate of {name}: {why}"


def _plain(error: ssl.SSLError) -> str:
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
