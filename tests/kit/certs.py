"""Certificates for tests: one authority, and what it has signed, as files made once for each run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import trustme

from appliance.config.plan_policy import CertificatePair, ListenerTls, UpstreamTls


@dataclass(frozen=True)
class Certs:
    """Where the files lie; ``ca`` has signed all but those of ``stranger``."""

    home: Path
    ca: str

    def pair(self, name: str) -> CertificatePair:
        """Give the files of a certificate."""
        return CertificatePair(str(self.home / f"{name}.crt"), str(self.home / f"{name}.key"))

    def listener(self, *names: str, **rest: object) -> ListenerTls:
        """Give the TLS block of a listener."""
        return ListenerTls(tuple(self.pair(name) for name in names or ("server",)), **rest)  # type: ignore[arg-type]

    def upstream(self, **rest: object) -> UpstreamTls:
        """Give the TLS block of an upstream that trusts the authority."""
        return UpstreamTls(**{"ca": self.ca, **rest})  # type: ignore[arg-type]


def write(home: Path, name: str, made: trustme.LeafCert) -> None:
    """Write chain and key as a pair of files."""
    (home / f"{name}.crt").write_bytes(b"".join(part.bytes() for part in made.cert_chain_pems))
    made.private_key_pem.write_to_path(home / f"{name}.key")


@lru_cache(maxsize=1)
def certs() -> Certs:
    """Make the certificates: server, wild, client, expired, and server2 of an authority nobody trusts."""
    home = Path(mkdtemp(prefix="meshctl-certs-"))
    ca, stranger = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(home / "ca.pem")
    write(home, "server", ca.issue_cert("a.example", "10.0.0.1", "localhost"))
    write(home, "wild", ca.issue_cert("*.w.example"))
    write(home, "client", ca.issue_cert("edge@a.example", common_name="edge, one", organization_name="Edge"))
    write(home, "strange", stranger.issue_cert("a.example"))
    past = datetime.now(UTC) - timedelta(days=2)
    write(home, "expired", ca.issue_cert("a.example", not_before=past - timedelta(days=1), not_after=past))
    return Certs(home, str(home / "ca.pem"))
