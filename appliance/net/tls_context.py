"""The settings of TLS as the library keeps them: made once, shared by all connections.

Only suites with forward secrecy and authenticated encryption are spoken, in either direction; renegotiation
and compression are off. A client that names a server gets the certificate for that name: an exact one first,
then a wildcard of one label, then the first of the list, or an alert if the profile says so.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final

from appliance.config.certificate import Certificate, Malformed, pem_blocks, read_certificate
from appliance.config.plan_policy import CertificatePair, ListenerTls, UpstreamTls
from appliance.config.tls_files import check_authorities, check_pair

_SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_VERIFY: Final = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "require": ssl.CERT_REQUIRED}
_MAX_NAMES: Final = 10_000
_MAX_SESSIONS: Final = 1000


class ServerTls:
    """What a listener shows its clients. Raises OSError and ssl.SSLError where files cannot be used.

    ``ends`` is when the first of its certificates is no longer valid (Unix seconds), None if none says so.
    """

    def __init__(self, plan: ListenerTls, http2: bool) -> None:
        self._names: dict[str, ssl.SSLContext] = {}
        self._asked: dict[ssl.SSLObject, str] = {}
        self._reject = plan.unknown_sni == "reject"
        self._contexts = [_server_context(plan, pair, http2) for pair in plan.certificates]
        self.ends: float | None = None
        for pair, context in zip(plan.certificates, self._contexts, strict=True):
            shown = _leaf(pair)
            if shown is None:
                continue
            self.ends = min(self.ends or shown.ends, shown.ends)
            for name in shown.names:
                self._names.setdefault(name.lower(), context)
        self._first = self._contexts[0]
        self._first.sni_callback = self._choose

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        """Give the library's side of a new connection."""
        return self._first.wrap_bio(incoming, outgoing, server_side=True)

    def name_of(self, connection: ssl.SSLObject) -> str | None:
        """Give the name that a client asked for, once."""
        return self._asked.pop(connection, None)

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if name is None:
            return None
        if len(self._asked) < _MAX_NAMES:
            self._asked[connection] = name
        name = name.lower().removesuffix(".")
        found = self._names.get(name) or self._names.get("*." + name.partition(".")[2])
        if found is not None:
            connection.context = found
        elif self._reject:
            self._asked.pop(connection, None)
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        return None


def _server_context(plan: ListenerTls, pair: CertificatePair, http2: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[plan.min_version]
    context.set_ciphers(_SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(pair.cert, pair.key, _no_password)
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    context.verify_mode = _VERIFY[plan.client_auth]
    if plan.client_ca is not None:
        context.load_verify_locations(plan.client_ca)
    return context


def _leaf(pair: CertificatePair) -> Certificate | None:
    """Give what the first certificate of a file says, None if it cannot be read here."""
    for block in pem_blocks(Path(pair.cert).read_bytes()):
        if block.is_certificate and block.data is not None:
            try:
                return read_certificate(block.data)
            except Malformed:
                return None
    return None


def _no_password() -> str:
    """Stand in for the library's own question, which would wait at the terminal."""
    return ""


class Sessions(dict[str, ssl.SSLSession]):
    """The last session with each host; endpoints come and go, so the oldest give way."""

    def __setitem__(self, host: str, session: ssl.SSLSession) -> None:
        self.pop(host, None)
        if len(self) >= _MAX_SESSIONS:
            del self[next(iter(self))]
        super().__setitem__(host, session)


class ClientTls:
    """How an upstream is spoken to. ``needs`` is the protocol that has to be agreed on, if one has to."""

    def __init__(self, plan: UpstreamTls, protocol: str) -> None:
        self.server_name = plan.server_name
        self.needs = "h2" if protocol == "http2" else None
        context = self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_SUITES)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        offers = {"http1": ["http/1.1"], "http2": ["h2"], "auto": ["h2", "http/1.1"]}
        context.set_alpn_protocols(offers[protocol])
        if not plan.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif plan.ca is not None:
            context.load_verify_locations(plan.ca)
        else:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        if plan.cert is not None:
            context.load_cert_chain(plan.cert, plan.key, _no_password)
        self.sessions = Sessions()

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, host: str) -> ssl.SSLObject:
        """Give the library's side of a new connection to ``host``."""
        name = self.server_name or host
        return self._context.wrap_bio(
            incoming, outgoing, server_hostname=name, session=self.sessions.get(host)
        )


class Watched:
    """The certificates of a listener, made anew when their files change.

    Files are replaced one after the other, and read while that goes on. So what does not fit together is
    tried again each time, though complained of once; and what changed as it was read is not taken.
    """

    def __init__(self, plan: ListenerTls, http2: bool) -> None:
        self._plan = plan
        self._http2 = http2
        self._used = self._told = self._look()

    def refresh(self) -> ServerTls | str | None:
        """Give new settings if a file has changed, a sentence if they cannot be used, None for no change."""
        now = self._look()
        if now == self._used:
            self._told = now
            return None
        found = self._make()
        if now != self._look():
            return None  # the next time will show what becomes of it
        if isinstance(found, ServerTls):
            self._used = self._told = now
        elif now == self._told:
            return None
        self._told = now
        return found

    def _make(self) -> ServerTls | str:
        plan = self._plan
        try:
            for pair in plan.certificates:
                chain, secret = Path(pair.cert).read_bytes(), Path(pair.key).read_bytes()
                bad = check_pair(pair.cert, pair.key, chain, secret)
                if bad is not None:
                    return bad.problem.format(cert=pair.cert, key=pair.key)
            if plan.client_ca is not None:
                bad = check_authorities(plan.client_ca, Path(plan.client_ca).read_bytes())
                if bad is not None:
                    return bad.problem.format(cert=plan.client_ca)
            return ServerTls(plan, self._http2)
        except ssl.SSLError as error:
            return f"the certificates cannot be used: {error.reason or error}"
        except OSError as error:
            return f"`{error.filename or 'a certificate or key'}` cannot be read: {error.strerror}"

    def _look(self) -> list[tuple[int, ...] | None]:
        files = [name for pair in self._plan.certificates for name in (pair.cert, pair.key)]
        return [_stamp(name) for name in (*files, *([self._plan.client_ca] if self._plan.client_ca else []))]


def _stamp(name: str) -> tuple[int, ...] | None:
    """Give what tells one state of a file from another; links are followed, for files are swapped by them."""
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
