"""The handshake of TLS, on either side, and why it came to nothing: in words that name the setting.

A client that cannot be served is told by an alert, or in plain HTTP if that is what it sent; the log has why.
With an upstream it is a fault like a refused connection: nothing was sent, and any request may go elsewhere.
"""

from __future__ import annotations

import ssl
from functools import partial
from math import inf
from typing import Final

from appliance.model.fault import HANDSHAKE_TIMEOUT, UPSTREAM_CERT, UPSTREAM_TLS, Fault

from .tls import TlsTransport, plain
from .tls_context import ClientTls, ServerTls
from .transport import PeerGone, Transport

_PLAIN_TEXT: Final = b"This port speaks TLS; ask for https:// URLs.\n"
_PLAIN_ANSWER: Final = (
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"
    b"content-type: text/plain\r\ncontent-length: %d\r\n\r\n%b" % (len(_PLAIN_TEXT), _PLAIN_TEXT)
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
    """A client's handshake that came to nothing; the text says why, for the log.

    ``silent``: it sent nothing at all, as do checks whether a port is open.
    """

    def __init__(self, why: str, *, silent: bool = False) -> None:
        super().__init__(why)
        self.silent = silent


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
        raise Refused(_SERVER_WORDS.get(reason) or plain(error)) from None
    except PeerGone as gone:
        raise Refused(str(gone), silent=not transport.heard) from None
    except Fault as fault:
        raise Refused(
            f"no handshake within {limit:g} s" if fault.reason is HANDSHAKE_TIMEOUT else str(fault)
        ) from None
    finally:
        inner.rx.due = inf
        transport.server_name = tls.name_of(transport.obj)
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
                    UPSTREAM_TLS, f"{name}: {_CLIENT_WORDS.get(error.reason or '') or plain(error)}"
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
    why = error.verify_message.rstrip(".")
    if error.verify_code in (18, 19, 20, 21):  # self-signed, or an issuer that is not known
        why += "; name its authority in the upstream's tls.ca"
    elif "match" in why:
        why += "; tls.server_name is the name that is expected"
    return f"the certificate of {name}: {why}"
