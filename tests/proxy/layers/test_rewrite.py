"""What the upstream is asked in place of what the client asked for."""

from __future__ import annotations

import pytest

from appliance.routing.match import Match
from appliance.routing.rewrite import Rewrite
from tests.kit.origin import Origin
from tests.kit.plans import plan, route
from tests.kit.proxy import running

PAY = Match(path_prefix="/pay")


@pytest.mark.parametrize(
    ("rule", "match", "asked", "target", "host"),
    [
        (Rewrite(path_prefix="/"), PAY, b"/pay/17?x=1", b"/17?x=1", b"a.example"),
        (Rewrite(path_prefix="/v2"), PAY, b"/pay", b"/v2", b"a.example"),
        (Rewrite(path="/one"), Match(), b"/any?q", b"/one?q", b"a.example"),
        (Rewrite(host="inner:81"), Match(), b"/any", b"/any", b"inner:81"),
        (Rewrite(path="/one", host="inner"), Match(), b"/any", b"/one", b"inner"),
    ],
)
async def test_path_and_host_are_changed_for_the_upstream(
    rule: Rewrite, match: Match, asked: bytes, target: bytes, host: bytes, autojump_clock: object
) -> None:
    """The query stays the client's; the forwarding fields and the log tell what the client asked."""
    origin = Origin()
    async with running(origin, plan(route(match=match, rewrite=rule))) as proxy:
        await proxy.connect().get(asked)
        seen = origin.requests[0]
        assert (seen.target, seen.get(b"host")) == (target, host)
        assert seen.get(b"x-forwarded-host") == b"a.example"
        await proxy.settle()
        assert proxy.journal.records[0]["path"] == asked.partition(b"?")[0].decode()


async def test_the_asterisk_of_options_has_no_path_to_rewrite(autojump_clock: object) -> None:
    """It asks about the server as a whole."""
    origin = Origin()
    async with running(origin, plan(route(rewrite=Rewrite(path="/one")))) as proxy:
        client = proxy.connect()
        await client.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer()).status == 200
        assert origin.requests[0].target == b"*"
