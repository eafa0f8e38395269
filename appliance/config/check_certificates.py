"""Whether the certificates, keys and tokens that a profile names can be used, and will be for a while.

Each file is read once, bounded, and never waited for: a path may lead to a pipe or a device. What
is in it is then looked at in two ways. The TLS library loads the pair just as it will when the proxy
runs, so nothing passes here that fails there; when it refuses, the reason is told in words of our
own, found by looking at the file. Dates and names come from ``certificate``, which may know less
than the library: then nothing is said about them.

An expired certificate at the head of a file is an error, for every handshake would fail. Behind
it, among those that signed it, it is a warning: some clients know another way. A list of
authorities may hold old ones as long as one of them is valid.

Private keys and tokens are not for other users of the machine. What their group may read is left to
whoever made the group; what it may write is told.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address

from .certificate import Certificate, Malformed, covers, pem_blocks, read_certificate
from .compile_policy import file_of
from .diagnostic import Diagnostics, Related
from .machine import Machine
from .nodes import Scalar
from .read import Value, owner
from .substitute import reason_of
from .tls_files import Unusable, check_authorities, check_chain, check_pair

MAX_FILE = 1 << 20
DAY = 86_400.0
SOON = 14 * DAY

_OTHERS = stat.S_IROTH | stat.S_IWOTH
_DATE = "%Y-%m-%d"


def check_certificates(merged: Value, machine: Machine, diagnostics: Diagnostics) -> None:
    """Tell what is wrong with the files of TLS and tokens; ``merged`` has `defaults` copied under."""
    files = _Files(machine, diagnostics)
    served: list[tuple[Value, Certificate | None]] = []
    for _, listener in _entries(merged, "listeners"):
        pairs = [
            (pair.find("cert"), files.pair(pair.find("cert"), pair.find("key")))
            for pair in listener.get("tls", "certificates") or ()
        ]
        files.authorities(listener.find("tls", "client_ca"))
        if listener.get("protocol") == "https":
            served += [(cert, found[0] if found else None) for cert, found in pairs if cert is not None]
    for _, upstream in _entries(merged, "upstreams"):
        files.authorities(upstream.find("tls", "ca"))
        files.pair(upstream.find("tls", "cert"), upstream.find("tls", "key"))
    files.pair(merged.find("stats", "tls", "cert"), merged.find("stats", "tls", "key"))
    files.token(merged.find("stats", "token_file"))
    if served and not _serves_in_the_clear(merged):
        _hosts(merged, served, diagnostics)


def _entries(root: Value, name: str) -> list[tuple[str, Value]]:
    found = root.find(name)
    return list(found.items()) if found is not None else []


TOKEN_LENGTH = 32
"""Characters that a token has at least."""


class _Files:
    """The files of one profile; each is read, and each pair loaded, only once."""

    def __init__(self, machine: Machine, diagnostics: Diagnostics) -> None:
        self._machine = machine
        self._now = machine.now()
        self._diagnostics = diagnostics
        self._contents: dict[str, bytes | str] = {}
        self._verdicts: dict[tuple[str, ...], Unusable | None] = {}
        self._open: set[str] = set()

    def pair(self, cert: Value | None, key: Value | None) -> Sequence[Certificate | None]:
        """Check a certificate with its key; gives what is known of each in the file, none if it is no use."""
        chain = None if cert is None else self._read(cert)
        secret = None if key is None else self._read(key)
        if key is not None and secret is not None:
            self._rights(key, "private key")
        if cert is None or chain is None:
            return ()
        paths = file_of(cert), file_of(key) if key is not None and secret is not None else ""
        if paths not in self._verdicts:
            self._verdicts[paths] = (
                check_chain(chain) if secret is None else check_pair(*paths, chain, secret)
            )
        verdict = self._verdicts[paths]
        if verdict is not None:
            self._unusable(verdict, cert, key)
            return ()
        found = _certificates(chain)
        for number, certificate in enumerate(found, 1):
            if certificate is not None:
                what = (
                    f"certificate `{cert.shown}`"
                    if number == 1
                    else f"certificate {number} of `{cert.shown}`"
                )
                self._dates(cert, what, certificate, usable=number > 1)
        return found

    def authorities(self, value: Value | None) -> None:
        """Check a file of authorities."""
        content = None if value is None else self._read(value)
        if value is None or content is None:
            return
        path = file_of(value)
        if (path,) not in self._verdicts:
            self._verdicts[path,] = check_authorities(path, content)
        verdict = self._verdicts[path,]
        if verdict is not None:
            self._unusable(verdict, value, None)
            return
        found = _certificates(content)
        known = [certificate for certificate in found if certificate is not None]
        if len(known) == len(found):
            valid = [each for each in known if each.begins <= self._now <= each.ends]
            last = max(valid or known, key=lambda each: each.ends)
            what = (
                f"authority `{value.shown}`" if len(found) == 1 else f"the last authority of `{value.shown}`"
            )
            self._dates(value, what, last, usable=False)

    def token(self, value: Value | None) -> None:
        """Check the file of a token."""
        content = None if value is None else self._read(value)
        if value is None or content is None:
            return
        self._rights(value, "token file")
        length = len(content.strip())
        if length < TOKEN_LENGTH:
            what = f"has {length} characters, and a token at least {TOKEN_LENGTH}"
            self._diagnostics.error(
                "MC604",
                f"`{value.shown}` {what if length else 'is empty: it holds no token'}",
                value.span,
                help=f"make one: openssl rand -hex 32 > {value.shown}",
                path=value.path,
            )

    def _read(self, value: Value) -> bytes | None:
        path = file_of(value)
        if path not in self._contents:
            self._contents[path] = _content(path)
        content = self._contents[path]
        if isinstance(content, bytes):
            return content
        relative = not os.path.isabs(value.data)
        self._diagnostics.error(
            "MC604",
            f"cannot read `{value.shown}`: {content}",
            value.span,
            help="the path is relative to the profile's directory" if relative else "",
            path=value.path,
        )
        return None

    def _rights(self, value: Value, what: str) -> None:
        path = file_of(value)
        rights = self._machine.rights(path)
        if rights is None or path in self._open:
            return
        if rights & _OTHERS:
            who = "every user of this machine"
        elif rights & stat.S_IWGRP:
            who = "every user of its group"
        else:
            return
        self._open.add(path)
        verb = "read" if rights & stat.S_IROTH else "changed"
        self._diagnostics.warning(
            "MC609",
            f"{what} `{value.shown}` can be {verb} by {who} (mode {rights:04o})",
            value.span,
            help=f"take the right away: chmod 600 {_argument(value)}",
            path=value.path,
        )

    def _unusable(self, verdict: Unusable, cert: Value, key: Value | None) -> None:
        files = (("cert", cert), ("key", cert if key is None else key))
        texts = {name: value.shown for name, value in files}
        texts |= {f"{name}_file": _argument(value) for name, value in files}
        at = cert if verdict.at == "cert" or key is None else key
        self._diagnostics.error(
            "MC605",
            verdict.problem.format(**texts),
            at.span,
            help=verdict.help.format(**texts),
            related=(Related("the certificate", cert.span),) if verdict.with_cert else (),
            path=at.path,
        )

    def _dates(self, value: Value, what: str, certificate: Certificate, *, usable: bool) -> None:
        """Compare a certificate with the clock; ``usable`` says that the rest may do without it."""
        now, begins, ends = self._now, certificate.begins, certificate.ends
        if begins <= now <= ends:
            # One that is made for days rather than months would always be close to its end.
            soon = SOON if ends - begins > SOON else (ends - begins) / 3
            if ends - now < soon:
                message = f"{what} expires in {_span(ends - now)}, on {_when(ends, _DATE)}"
                advice = "renew it; what renews certificates by itself would have done so by now"
                self._diagnostics.warning("MC607", message, value.span, help=advice, path=value.path)
            return
        if now > ends:
            message = f"{what} expired {_span(now - ends)} ago, on {_when(ends, _DATE)}"
            advice = "renew it" if usable else "renew it: whoever checks it refuses it"
        else:
            message = f"{what} is not valid before {_when(begins, f'{_DATE} %H:%M UTC')}"
            advice = f"the clock of this machine says {_when(now, f'{_DATE} %H:%M UTC')}"
        tell = self._diagnostics.warning if usable else self._diagnostics.error
        tell("MC606", message, value.span, help=advice, path=value.path)


def _content(path: str) -> bytes | str:
    """Read a file, or give the reason why that cannot be done; never waits for a writer."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as problem:
        return reason_of(problem)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            return "it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file"
        content = b""
        while len(content) <= MAX_FILE and (more := os.read(descriptor, MAX_FILE + 1)):
            content += more
    except OSError as problem:
        return reason_of(problem)
    finally:
        os.close(descriptor)
    return content if len(content) <= MAX_FILE else f"it is larger than {MAX_FILE >> 20} MiB"


def _certificates(text: bytes) -> list[Certificate | None]:
    return [
        None if block.data is None else _certificate(block.data)
        for block in pem_blocks(text)
        if block.is_certificate
    ]


def _certificate(der: bytes) -> Certificate | None:
    try:
        return read_certificate(der)
    except Malformed:
        return None


def _argument(value: Value) -> str:
    """Give the path of a file as an argument of a command, or FILE if it is not to be shown."""
    if isinstance(value.node, Scalar) and value.node.foreign:
        return "FILE"
    return shlex.quote(file_of(value))


def _span(seconds: float) -> str:
    for unit, length in (("day", DAY), ("hour", 3600.0), ("minute", 60.0)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


def _when(moment: float, form: str) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime(form)


def _serves_in_the_clear(root: Value) -> bool:
    """Whether routes can be reached without TLS, so that a host may do without a certificate."""
    return any(
        listener.get("protocol") != "https" and listener.find("redirect") is None
        for _, listener in _entries(root, "listeners")
    )


def _named(root: Value) -> Iterator[tuple[Value, Value]]:
    """Give each host with the first route that names it."""
    seen: set[str] = set()
    for route in root.get("routes") or ():
        for host in route.get("match", "hosts") or ():
            if host.data not in seen:
                seen.add(host.data)
                yield route, host


def _hosts(root: Value, served: list[tuple[Value, Certificate | None]], diagnostics: Diagnostics) -> None:
    """Find hosts of routes that no certificate is valid for; nothing is said unless all could be read."""
    known = [certificate for _, certificate in served if certificate is not None]
    if len(known) < len(served):
        return
    names = [name for certificate in known for name in certificate.names]
    names += [str(ip_address(octets)) for certificate in known for octets in certificate.addresses]
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    for route, host in _named(root):
        if any(covers(certificate, host.data) for certificate in known):
            continue
        what = "the certificate is" if len(known) == 1 else "the certificates are"
        diagnostics.warning(
            "MC608",
            f"{owner(route.path)} takes requests for `{host.shown}`, which no certificate covers",
            host.span,
            help="what counts are subject alternative names; `*` in one stands for a single label",
            related=(Related(f"{what} for {listed or 'no host at all'}", served[0][0].span),),
            path=host.path,
        )
