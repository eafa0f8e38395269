"""What is kept of a field section is what reading it again would give, and nobody's changes show in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.http import h2_known
from appliance.http.h2_head import to_request, to_response, to_trailers
from appliance.http.h2_hpack import Section
from appliance.http.h2_known import request_of, response_of, trailers_of
from appliance.model.fault import BAD_TRAILER, UPSTREAM_BAD, Fault
from appliance.model.message import Request

ASKED = [
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":authority", b"a.example"),
    (b":path", b"/x?y=1"),
    (b"accept", b"*/*"),
    (b"te", b"trailers"),
]
ANSWERED = [(b":status", b"200"), (b"content-length", b"5"), (b"x-one", b"1")]
TRAILERS = [(b"grpc-status", b"0")]


def same(one: Request, two: Request) -> bool:
    """Compare what a request asks for."""
    parts = ("method", "scheme", "authority", "path", "query", "headers", "version", "upgrade")
    return all(getattr(one, part) == getattr(two, part) for part in parts)


@pytest.mark.parametrize("reading", ["request", "response", "trailers"])
def test_the_second_time_nothing_is_read(reading: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules run once for a section."""
    calls = []
    for name, rule in (
        ("to_request", to_request),
        ("to_response", to_response),
        ("to_trailers", to_trailers),
    ):

        def counted(*args: object, rule: object = rule, name: str = name, **named: object) -> object:
            calls.append(name)
            return rule(*args, **named)  # type: ignore[operator]

        monkeypatch.setattr(h2_known, name, counted)
    section = Section({"request": ASKED, "response": ANSWERED, "trailers": TRAILERS}[reading], 0)
    for _ in range(3):
        if reading == "request":
            request_of(section, end=True)
        elif reading == "response":
            response_of(section, b"GET", end=False)
        else:
            trailers_of(section, UPSTREAM_BAD)
    assert calls == [f"to_{reading}"]


def test_every_request_is_its_own() -> None:
    """Headers added to one, and a body put behind it, are not found in the next."""
    section = Section(list(ASKED), 0)
    for _ in range(3):
        request, length = request_of(section, end=True)
        assert same(request, to_request(ASKED, whole=True)[0])
        assert length is None
        request.headers.append((b"x-request-id", b"1"))
        request.path, request.authority = b"/other", b"b.example"


def test_every_answer_is_its_own() -> None:
    """Headers added to one answer, or to its trailers, are not found in the next."""
    head, tail = Section(list(ANSWERED), 0), Section(list(TRAILERS), 0)
    for _ in range(3):
        status, headers, length = response_of(head, b"GET", end=False)
        assert (status, headers, length) == to_response(ANSWERED, b"GET", whole=False)
        headers.clear()
        trailers = trailers_of(tail, UPSTREAM_BAD)
        assert trailers == TRAILERS
        trailers.clear()


@given(
    st.lists(
        st.tuples(st.sampled_from(["request", "get", "head", "trailers", "connect"]), st.booleans()),
        max_size=12,
    ),
    st.sampled_from([ASKED, ANSWERED, TRAILERS, [(b":status", b"101")], [(b"X", b"y")]]),
)
def test_it_matters_what_a_section_is_read_as(
    uses: list[tuple[str, bool]], fields: list[tuple[bytes, bytes]]
) -> None:
    """The same bytes as head and as trailers, with and without a body, of any method: as if read anew."""
    section = Section(list(fields), 0)

    def outcome(kept: bool, use: str, end: bool) -> object:
        source = section if kept else Section(list(fields), 0)
        try:
            if use == "request":
                request, length = request_of(source, end=end)
                return request.headers, request.target, length
            if use == "trailers":
                return trailers_of(source, BAD_TRAILER)
            return response_of(source, use.upper().encode(), end=end)
        except Fault as fault:
            return fault.reason, fault.detail

    for use, end in uses:
        assert outcome(True, use, end) == outcome(False, use, end)
