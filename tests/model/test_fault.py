"""The table of faults: its rows say the same in every language they are rendered in."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest

from appliance.model import fault
from appliance.model.fault import BAD_HOST, REASONS, Fault, Grpc, Reason, Side

rows = pytest.mark.parametrize("row", REASONS.values(), ids=REASONS)

# RFC 9209 section 2.3: the error types of Proxy-Status
ERROR_TYPES = {
    *("dns_timeout", "dns_error", "destination_not_found", "destination_unavailable"),
    *(
        "destination_ip_prohibited",
        "destination_ip_unroutable",
        "connection_refused",
        "connection_terminated",
    ),
    *(
        "connection_timeout",
        "connection_read_timeout",
        "connection_write_timeout",
        "connection_limit_reached",
    ),
    *("tls_protocol_error", "tls_certificate_error", "tls_alert_received", "http_request_error"),
    *("http_request_denied", "http_response_incomplete", "http_response_header_section_size"),
    *("http_response_header_size", "http_response_body_size", "http_response_trailer_section_size"),
    *("http_response_trailer_size", "http_response_transfer_coding", "http_response_content_coding"),
    *("http_response_timeout", "http_upgrade_failed", "http_protocol_error", "proxy_internal_response"),
    *("proxy_internal_error", "proxy_configuration_error", "proxy_loop_detected"),
}


def test_every_row_is_in_the_table_under_its_id() -> None:
    """And no two rows share one: ids stand in logs and metrics."""
    all_rows = [value for value in vars(fault).values() if isinstance(value, Reason)]
    assert len(all_rows) == len(REASONS)
    assert all(REASONS[row.id] is row for row in all_rows)


@rows
def test_a_row_is_well_formed(row: Reason) -> None:
    """A short id, one plain sentence, a real status (or 499, which is never sent) and error type."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", row.id)
    assert re.fullmatch(r"[A-Z][^\n\"<>&]+\.", row.sentence)
    assert row.sentence.isascii()
    assert row.status == 499 or HTTPStatus(row.status)
    assert row.error in ERROR_TYPES
    assert row.grpc in {value for name, value in vars(Grpc).items() if name.isupper()}


@rows
def test_the_status_fits_the_side(row: Reason) -> None:
    """What a client did wrong is 4xx, or 501 and 505; what an upstream did is 502 or 504 (RFC 9110 15.6)."""
    if row.side is Side.CLIENT:
        assert 400 <= row.status < 500 or row.status in (501, 505)
    elif row.side is Side.UPSTREAM:
        assert row.status in (502, 504)
    if row.status == 504 and "http_response_timeout" in row.error and row.id != "upstream-idle":
        assert row.grpc == Grpc.DEADLINE_EXCEEDED


def test_a_fault_shows_its_detail_or_else_its_sentence() -> None:
    """As text for the log; the row itself is what code looks at."""
    assert str(Fault(BAD_HOST)) == f"bad-host: {BAD_HOST.sentence}"
    assert str(Fault(BAD_HOST, "2 lines")) == "bad-host: 2 lines"
    assert Fault(BAD_HOST, "2 lines").reason is BAD_HOST
    with pytest.raises(AttributeError):
        BAD_HOST.status = 200  # type: ignore[misc]
