"""The client's end against the real hub: state, events, commands, answers in pieces, and every way to end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import memory_stream_pair

from appliance.config.plan_policy import BreakerPlan
from appliance.control.counter import serve
from appliance.control.roles import Denied, Peer
from appliance.tui.feed import Feed, FeedError, conversation
from tests.kit.desk import ALL, GUEST, ROOT, Office, office
from tests.kit.origin import Origin, sized
from tests.kit.plans import plan, route

BREAKS = plan(route(breaker=BreakerPlan()))


@asynccontextmanager
async def feeding(here: Office, peer: Peer | Denied = ROOT, **options: object) -> AsyncIterator[Feed]:
    """Connect a feed to the desk of an office."""
    near, far = memory_stream_pair()

    async def run() -> None:
        await serve(far, here.desk, lambda _: peer)
        await far.aclose()

    here.nursery.start_soon(run)
    async with conversation(near, "test", **options) as feed:  # type: ignore[arg-type]
        yield feed


async def test_the_state_is_kept(autojump_clock: trio.abc.Clock) -> None:
    """As frames come, it is what the proxy is like; they are acknowledged."""
    async with office() as here, feeding(here) as feed:
        assert (feed.server["name"], feed.role) == ("edge", "operator")
        await feed.subscribe(ALL, 4.0, 0)
        web = here.proxy.connect()
        seen = 0
        async for frame in feed.frames():
            await web.get()
            seen += frame["k"] == "delta"
            if seen == 30:
                break
        assert feed.state["up"]["app"]["tot"] > 20
        assert {each.name for each in here.desk.clients} == {"test"}  # type: ignore[attr-defined]


async def test_commands_and_questions_meanwhile(autojump_clock: trio.abc.Clock) -> None:
    """Each gets its own answer; ids do not come again in another conversation."""
    async with office(Origin(sized(b"x", 503)), BREAKS) as here:
        web = here.proxy.connect()
        for _ in range(6):
            await web.get()
        await trio.sleep(1.1)
        name = {"breaker": "all@app/10.0.0.1:80"}
        async with feeding(here) as feed:
            assert (await feed.command("breaker.reset", name))["text"].startswith("reset")
            assert (await feed.query("trips"))["now"]["trips"][0]["run"] == 5
            assert (await feed.first({"br": True}))["br"][name["breaker"]]["st"] == "closed"
        async with feeding(here) as feed:
            refused = await feed.command("breaker.clear", name, expect={"st": "open"})
            assert (refused["ok"], refused["code"]) == (False, "conflict")
            dry = await feed.command("breaker.force", {**name, "state": "open"}, dry_run=True)
            assert dry["text"].startswith("would force")


async def test_the_past_is_put_together(autojump_clock: trio.abc.Clock) -> None:
    """From all its pieces."""
    async with office() as here, feeding(here) as feed:
        web = here.proxy.connect()
        for _ in range(60):
            await web.get()
            await trio.sleep(1)
        frames = await feed.history(from_=-30_000)
        assert frames[0]["k"] == "snap"
        assert len(frames) > 25


async def test_read_only_is_said_to_the_proxy(autojump_clock: trio.abc.Clock) -> None:
    """Which then refuses."""
    async with office(plan=BREAKS) as here, feeding(here, read_only=True) as feed:
        assert (await feed.command("proxy.stop", {}))["code"] == "denied"
    async with office(plan=BREAKS) as here, feeding(here, GUEST) as feed:
        assert feed.role == "observer"


async def test_a_quiet_client_stays(autojump_clock: trio.abc.Clock) -> None:
    """It shows that it lives, without having subscribed to anything."""
    async with office() as here, feeding(here) as feed:
        await trio.sleep(200)
        assert (await feed.query("clients"))["ok"]


@pytest.mark.parametrize(("status", "denied"), [(401, True), (403, True), (503, False)])
async def test_refusals_are_told(status: int, denied: bool, autojump_clock: trio.abc.Clock) -> None:
    """With what the proxy said, and whether trying again makes sense."""
    async with office() as here:
        with pytest.raises(FeedError, match=f"{status}.*not you") as caught:
            async with feeding(here, Denied(status, "not you")):
                pass
        assert caught.value.denied is denied


async def test_the_end_of_the_proxy_is_told(autojump_clock: trio.abc.Clock) -> None:
    """To whoever reads frames and to whoever waits for an answer."""
    async with office() as here:
        with pytest.raises(FeedError, match="has stopped") as caught:
            async with feeding(here) as feed:
                await feed.subscribe(ALL)
                here.nursery.start_soon(here.desk.say_goodbye)
                async for _ in feed.frames():
                    pass
        assert caught.value.denied is False
        with pytest.raises(FeedError):
            async with feeding(here) as feed:
                await here.desk.say_goodbye()
                await trio.sleep(1)
                await feed.query("trips")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
    ],
    ids=range(4),
)
async def test_whatever_else_listens_there_is_told(raw: bytes, autojump_clock: trio.abc.Clock) -> None:
    """In one exception, also when it says nothing at all."""
    near, far = memory_stream_pair()
    if raw:
        await far.send_all(raw)
    with pytest.raises(FeedError), trio.fail_after(60):
        async with conversation(near, "test"):
            pass
    with pytest.raises(FeedError), trio.fail_after(60):
        near, far = memory_stream_pair()
        await far.aclose()
        async with conversation(near, "test"):
            pass


async def test_what_its_user_raises_comes_out_as_it_is(autojump_clock: trio.abc.Clock) -> None:
    """Not in a group."""
    async with office() as here:
        with pytest.raises(KeyError):
            async with feeding(here):
                raise KeyError("x")
