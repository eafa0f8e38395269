"""The stats socket by real sockets: Unix, TCP and TLS; who gets in, and that a crash is survived."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from appliance.config.plan_policy import CertificatePair, StatsPlan
from appliance.control.desk import Desk
from appliance.control.entrances import Reception, close_entrances, open_entrances
from appliance.model.address import Address
from appliance.net.listen import BindError
from appliance.net.reach import Place, reach
from appliance.proxy.worker import Worker
from appliance.tui.feed import Feed, FeedError, conversation
from tests.kit.certs import certs
from tests.kit.plans import plan

TOKEN = "t" * 40


class Open:
    """Entrances that serve; ``places`` are where."""

    def __init__(self, desk: Desk, places: Sequence[Place]) -> None:
        self.desk, self.places = desk, places


@asynccontextmanager
async def opened(home: Path, **stats: object) -> AsyncIterator[Open]:
    """Run a worker and its stats socket, with a token file where TCP is asked for."""
    (home / "token").write_text(TOKEN + "\n")
    rules = StatsPlan(socket=str(home / "edge.sock"), token_file=str(home / "token"), **stats)  # type: ignore[arg-type]
    profile = replace(plan(listeners=()), stats=rules)
    worker = Worker(profile, [], None, 100, trio.current_time)
    desk = Desk(worker, None, trio.current_time, lambda: 1e9 + trio.current_time())
    entrances = open_entrances(profile, {})
    places = [Place("edge", path=str(home / "edge.sock"))]
    for each in entrances[1:]:
        port = each.sock.getsockname()[1]
        host = "127.0.0.1" if each.tls is None else "localhost"
        places.append(Place("edge", host=host, port=port, tls=each.tls is not None))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(lambda task_status: worker.run(task_status=task_status))
            nursery.start_soon(Reception(desk, entrances).run)
            yield Open(desk, places)
            worker.stop()
            nursery.cancel_scope.cancel()
    close_entrances(entrances)
    assert not (home / "edge.sock").exists()


async def get(place: Place, path: str = "/healthz", *fields: str) -> int:
    """Give the status of an answer."""
    stream = await reach(place, certs().ca)
    host = "" if any(field.lower().startswith("host:") for field in fields) else "Host: localhost\r\n"
    head = "".join(f"{field}\r\n" for field in fields)
    await stream.send_all(f"GET {path} HTTP/1.1\r\n{host}{head}\r\n".encode())
    answer = b""
    try:
        while data := await stream.receive_some(65536):
            answer += data
    except trio.BrokenResourceError:
        pass
    await trio.aclose_forcefully(stream)
    return int(answer.split()[1])


@asynccontextmanager
async def talking(place: Place, token: str = "") -> AsyncIterator[Feed]:
    """Talk to a place, and close the connection."""
    stream = await reach(place, certs().ca)
    try:
        async with conversation(stream, "test", token=token) as feed:
            yield feed
    finally:
        await trio.aclose_forcefully(stream)


TCP = {"listen": Address("tcp", host="127.0.0.1", port=0)}


@pytest.mark.parametrize("secure", [False, True])
async def test_the_matrix_of_who_gets_in(secure: bool, tmp_path: Path) -> None:
    """By uid on the Unix socket, by the token on TCP, with TLS and without; browsers nowhere."""
    pair = certs().pair("server")
    tls = {"tls": CertificatePair(pair.cert, pair.key)} if secure else {}
    async with opened(tmp_path, **TCP, **tls) as here:
        local, remote = here.places
        bearer = f"Authorization: Bearer {TOKEN}"
        assert await get(local) == 200
        assert await get(local, "/healthz", "Host: whatever.example") == 200
        assert await get(local, "/healthz", "Origin: https://evil.example") == 403
        assert await get(remote) == 401
        assert await get(remote, "/metrics") == 401
        assert await get(remote, "/healthz", bearer) == 200
        assert await get(remote, "/healthz", bearer + "x") == 401
        assert await get(remote, "/healthz", bearer, "Origin: https://evil.example") == 403
        assert await get(remote, "/healthz", bearer, "Host: rebound.example") == 421
        async with talking(remote, TOKEN) as feed:
            assert feed.role == "operator"
            assert (await feed.query("clients"))["now"]["clients"][0]["who"].startswith("token holder at 127")
        with pytest.raises(FeedError, match="token is needed") as caught:
            async with talking(remote, "wrong"):
                pass
        assert caught.value.denied
        async with talking(local) as feed:
            assert feed.hello["peer"]["uid"] == os.geteuid()


async def test_another_user_is_refused_before_the_upgrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel says who it is; here it says somebody else."""
    async with opened(tmp_path) as here:
        monkeypatch.setattr("appliance.control.entrances.peer_of", lambda stream: (1, 65534, 65534))
        assert await get(here.places[0]) == 403
        with pytest.raises(FeedError, match="uid 65534 may not"):
            async with talking(here.places[0]):
                pass
        assert not here.desk.clients


async def test_read_only_profiles_make_observers(tmp_path: Path) -> None:
    """Whoever it is."""
    async with opened(tmp_path, actions="false", **TCP) as here:
        for place in here.places:
            async with talking(place, TOKEN) as feed:
                assert feed.role == "observer"
                assert (await feed.command("proxy.stop", {}))["code"] == "denied"


async def test_a_token_file_that_is_gone_lets_nobody_in(tmp_path: Path) -> None:
    """Nor one that is too short; the next one counts at once."""
    async with opened(tmp_path, **TCP) as here:
        token = tmp_path / "token"
        for text in ("", "short"):
            token.write_text(text)
            assert await get(here.places[1], "/healthz", f"Authorization: Bearer {text}") == 503
        token.unlink()
        assert await get(here.places[1], "/healthz", "Authorization: Bearer ") == 503
        token.write_text("n" * 40)
        assert await get(here.places[1], "/healthz", f"Authorization: Bearer {'n' * 40}") == 200


async def test_a_crash_is_logged_and_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The entrances open again; the data path never knew."""
    async with opened(tmp_path) as here:
        assert await get(here.places[0]) == 200

        def crash() -> None:
            monkeypatch.undo()
            raise ValueError("a bug")

        monkeypatch.setattr(here.desk, "tick", crash)
        here.desk.hurry()
        await trio.sleep(0.6)
        assert "the stats socket failed" in caplog.text
        assert await get(here.places[0]) == 200


async def test_many_connections_that_say_nothing_are_bounded(tmp_path: Path) -> None:
    """Beyond a number they are closed at once."""
    async with opened(tmp_path) as here:
        streams = [await reach(here.places[0]) for _ in range(60)]
        closed = 0
        for each in streams:
            with trio.move_on_after(0.05):
                closed += await each.receive_some() == b""
        assert closed >= 60 - here.desk.plan.max_clients - 24
        for each in streams:
            await trio.aclose_forcefully(each)


def test_what_cannot_be_opened_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A place that the profile names stops the start, the standard one does not."""
    asked = replace(plan(), stats=StatsPlan(socket=str(tmp_path / "no" / "where" / "x.sock")))
    with pytest.raises(BindError):
        open_entrances(asked, {})
    usual = replace(plan(), name="x" * 200)
    assert open_entrances(usual, {"XDG_RUNTIME_DIR": str(tmp_path)}) == []
    assert "no stats socket" in caplog.text
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        stats = StatsPlan(
            socket=str(tmp_path / "a.sock"),
            listen=Address("tcp", host="127.0.0.1", port=taken.getsockname()[1]),
        )
        with pytest.raises(BindError):
            open_entrances(replace(plan(), stats=stats), {})
    assert not (tmp_path / "a.sock").exists()
    (tmp_path / "c").write_text("nonsense")
    pair = CertificatePair(str(tmp_path / "c"), str(tmp_path / "c"))
    stats = StatsPlan(
        socket=str(tmp_path / "a.sock"), listen=Address("tcp", host="127.0.0.1", port=0), tls=pair
    )
    with pytest.raises(BindError, match="certificate"):
        open_entrances(replace(plan(), stats=stats), {})
