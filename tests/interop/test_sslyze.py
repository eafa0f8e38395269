"""sslyze looks at a TLS listener as it is by default, and finds nothing to complain of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sslyze import (
    ScanCommand,
    ScanCommandAttemptStatusEnum,
    Scanner,
    ServerNetworkLocation,
    ServerScanRequest,
    ServerScanResult,
)
from sslyze.mozilla_tls_profile.tls_config_checker import (
    MozillaTlsConfiguration,
    ServerNotCompliantWithTlsConfiguration,
    TlsConfigurationEnum,
    check_server_against_tls_configuration,
)

from tests.kit.certs import certs
from tests.kit.peers import Meshctl, curl, meshctl

# What sslyze's own libraries are warned of is not ours to mend.
pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]

PROFILE = """
meshctl: 1
name: edge
listeners:
  tls: {{bind: "127.0.0.1:0", protocol: https, tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}}}
routes: [{{name: all, respond: {{status: 200}}}}]
"""
OLD = ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1")
OF_THE_TEST = {"maximum_certificate_lifespan", "tls_curves"}
GOOD = {
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meshctl]:
    """A running proxy that answers itself."""
    pair = certs().pair("server")
    with meshctl(tmp_path_factory.mktemp("tls"), PROFILE.format(cert=pair.cert, key=pair.key)) as running:
        yield running
        assert "Traceback" not in running.err


@pytest.fixture(scope="module")
def scan(edge: Meshctl) -> ServerScanResult:
    """All that sslyze has found out."""
    scanner = Scanner()
    location = ServerNetworkLocation("localhost", edge.port, "127.0.0.1")
    scanner.queue_scans([ServerScanRequest(server_location=location)])
    (result,) = scanner.get_results()
    return result


def found(scan: ServerScanResult, name: str) -> Any:
    """Give what one of its looks has found, which must have come to its end."""
    attempt = getattr(scan.scan_result, name)
    assert attempt.status is ScanCommandAttemptStatusEnum.COMPLETED, (name, attempt.error_trace)
    return attempt.result


def test_every_look_came_to_its_end(scan: ServerScanResult) -> None:
    """No scan was cut off or refused: what the others say is founded."""
    for command in ScanCommand:
        assert found(scan, command.value) is not None


def test_only_new_versions_with_good_ciphers(scan: ServerScanResult) -> None:
    """TLS 1.2 and 1.3 alone, each suite with forward secrecy and authenticated encryption."""
    for version in OLD:
        assert not found(scan, f"{version}_cipher_suites").accepted_cipher_suites
    for version, count in (("tls_1_2", 3), ("tls_1_3", 3)):
        accepted = found(scan, f"{version}_cipher_suites").accepted_cipher_suites
        names = {each.cipher_suite.name for each in accepted}
        assert len(names) == count
        assert names <= GOOD


def test_no_known_hole(scan: ServerScanResult) -> None:
    """Heartbleed, CCS, ROBOT, renegotiation by the client, compression, early data: none of them."""
    assert not found(scan, "heartbleed").is_vulnerable_to_heartbleed
    assert not found(scan, "openssl_ccs_injection").is_vulnerable_to_ccs_injection
    assert "NOT_VULNERABLE" in found(scan, "robot").robot_result.name
    assert not found(scan, "session_renegotiation").is_vulnerable_to_client_renegotiation_dos
    assert found(scan, "session_renegotiation").supports_secure_renegotiation
    assert not found(scan, "tls_compression").supports_compression
    assert not found(scan, "tls_1_3_early_data").supports_early_data
    assert found(scan, "tls_extended_master_secret").supports_ems_extension


def test_sessions_are_taken_up_again(scan: ServerScanResult) -> None:
    """Every attempt to resume a session succeeds, by ticket as by name."""
    resumed = found(scan, "session_resumption")
    assert resumed.session_id_successful_resumptions_count == resumed.session_id_attempted_resumptions_count
    assert resumed.tls_ticket_resumption_result.name == "FULLY_SUPPORTED"


def test_mozillas_intermediate_configuration(scan: ServerScanResult) -> None:
    """Nothing differs but what is the test certificate's, and two curves that are stronger than need be."""
    wanted = MozillaTlsConfiguration.get(TlsConfigurationEnum.MOZILLA_INTERMEDIATE)
    try:
        check_server_against_tls_configuration(scan, wanted)
        issues: dict[str, str] = {}
    except ServerNotCompliantWithTlsConfiguration as error:
        issues = error.issues
    assert {name for name in issues if not name.startswith("certificate")} <= OF_THE_TEST, issues
    curves = {curve.name for curve in found(scan, "elliptic_curves").supported_curves}
    assert curves - wanted.tls_curves <= {"X448", "secp521r1"}


def test_it_serves_on(edge: Meshctl, scan: ServerScanResult) -> None:
    """After some two hundred odd handshakes the next client is served."""
    done = curl("--cacert", certs().ca, "-w", "%{http_code}", f"https://localhost:{edge.port}/")
    assert (scan.scan_result is not None, done.stdout) == (True, b"200")
