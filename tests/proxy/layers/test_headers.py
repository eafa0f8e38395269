"""Who forwards for whom: what is added, what is believed, what a route changes."""

from __future__ import annotations

import re

import pytest

from appliance.config.plan import Plan
from appliance.model.headers import HeaderEdits
from tests.kit.origin import Origin, Seen, raw, sized_bytes
from tests.kit.plans import listener, plan, route
from tests.kit.proxy import Answer, running

CLAIMS = (
    b"X-Forwarded-For: 203.0.113.9",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Host: shop.example",
    b"Forwarded: for=203.0.113.9;proto=https",
)


async def passed(*lines: bytes, peer: str = "192.0.2.7", profile: Plan | None = None) -> tuple[Seen, Answer]:
    """Send one GET with these header lines; give what the origin saw and what the client got."""
    origin = Origin(
        raw(sized_bytes(b"", headers=[(b"X-Up", b"1"), (b"Server", b"up"), (b"Via", b"1.0 far")]))
    )
    async with running(origin, profile or plan()) as proxy:
        answer = await proxy.connect(peer=peer).get(b"/", *lines)
        return origin.requests[0], answer


async def test_the_upstream_learns_who_asked(autojump_clock: object) -> None:
    """Peer, scheme and host, in both spellings, and a request id."""
    seen, _ = await passed()
    assert seen.get(b"x-forwarded-for") == b"192.0.2.7"
    assert seen.get(b"x-forwarded-proto") == b"http"
    assert seen.get(b"x-forwarded-host") == b"a.example"
    assert seen.get(b"forwarded") == b'for=192.0.2.7;host="a.example";proto=http'
    assert re.fullmatch(rb"[0-9a-f]{20}", seen.get(b"x-request-id"))


@pytest.mark.parametrize(
    ("peer", "node", "plain"),
    [("2001:db8::1", b'for="[2001:db8::1]"', b"2001:db8::1"), ("unix", b"for=unknown", b"unknown")],
)
async def test_peers_are_written_as_the_standard_wants(
    peer: str, node: bytes, plain: bytes, autojump_clock: object
) -> None:
    """IPv6 in brackets and quotes, a Unix socket as unknown (RFC 7239 section 6)."""
    seen, _ = await passed(peer=peer)
    assert seen.get(b"forwarded").startswith(node + b";")
    assert seen.get(b"x-forwarded-for") == plain


async def test_what_an_untrusted_client_claims_is_dropped(autojump_clock: object) -> None:
    """Nobody becomes somebody else by saying so."""
    claimed, _ = await passed(*CLAIMS, *CLAIMS)
    plain, _ = await passed()
    without = [pair for pair in claimed.headers if pair[0] != b"x-request-id"]
    assert without == [pair for pair in plain.headers if pair[0] != b"x-request-id"]


async def test_a_trusted_peers_chain_is_continued(autojump_clock: object) -> None:
    """What it says is kept, and it is added itself."""
    trusting = plan(listeners=(listener(trust=("192.0.2.0/24",)),))
    seen, _ = await passed(*CLAIMS, b"X-Forwarded-For: 198.51.100.1", profile=trusting)
    assert seen.get(b"x-forwarded-for") == b"203.0.113.9, 198.51.100.1, 192.0.2.7"
    assert seen.get(b"x-forwarded-proto") == b"https"
    assert seen.get(b"x-forwarded-host") == b"shop.example"
    own = b'for=192.0.2.7;host="a.example";proto=http'
    assert seen.get(b"forwarded") == b"for=203.0.113.9;proto=https, " + own


async def test_trust_is_of_the_peer_not_of_the_claim(autojump_clock: object) -> None:
    """A trusted network helps nobody outside of it."""
    trusting = plan(listeners=(listener(trust=("10.0.0.0/8",)),))
    seen, _ = await passed(*CLAIMS, profile=trusting)
    assert seen.get(b"x-forwarded-for") == b"192.0.2.7"
    assert seen.get(b"x-forwarded-proto") == b"http"


async def test_a_request_id_is_kept(autojump_clock: object) -> None:
    """It may tie together more than this proxy knows of."""
    seen, _ = await passed(b"X-Request-Id: mine")
    assert seen.get(b"x-request-id") == b"mine"


async def test_via_is_added_in_both_directions(autojump_clock: object) -> None:
    """After those of others (RFC 9110 section 7.6.3)."""
    seen, answer = await passed(b"Via: 1.1 near")
    assert [value for name, value in seen.headers if name == b"via"] == [b"1.1 near", b"1.1 edge"]
    assert [value for name, value in answer.headers if name == b"via"] == [b"1.0 far", b"1.1 edge"]


async def test_a_route_edits_requests(autojump_clock: object) -> None:
    """Removed, set and added; what the proxy adds can be edited, too."""
    edits = HeaderEdits(
        remove=(b"x-gone", b"forwarded"), set=((b"x-set", b"ours"),), add=((b"x-add", b"2"), (b"x-add", b"3"))
    )
    seen, _ = await passed(
        b"X-Gone: 1", b"X-Set: theirs", b"X-Add: 1", profile=plan(route(request_headers=edits))
    )
    assert seen.get(b"x-gone") is None
    assert seen.get(b"forwarded") is None
    assert seen.get(b"x-set") == b"ours"
    assert [value for name, value in seen.headers if name == b"x-add"] == [b"1", b"2", b"3"]


async def test_a_route_edits_answers(autojump_clock: object) -> None:
    """So that an upstream's banner need not be seen."""
    edits = HeaderEdits(remove=(b"server", b"via"), set=((b"x-up", b"2"),), add=((b"x-frame", b"deny"),))
    _, answer = await passed(profile=plan(route(response_headers=edits)))
    assert answer.get(b"server") is None
    assert answer.get(b"via") is None
    assert answer.get(b"x-up") == b"2"
    assert answer.get(b"x-frame") == b"deny"
    again, _ = await passed()
    assert again.get(b"x-frame") is None


@pytest.mark.parametrize("name", [b"X_Forwarded_For", b"x-forwarded_proto", b"X_FORWARDED-HOST"])
async def test_no_claim_passes_in_disguise(name: bytes, autojump_clock: object) -> None:
    """CGI and WSGI read underscores and hyphens alike: what is dropped in one spelling is in all."""
    seen, _ = await passed(name + b": 6.6.6.6")
    assert seen.get(name.lower()) is None
