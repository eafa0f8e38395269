"""Reaching a stats socket: which there are, and what is said when it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from appliance.net.local import bind_private, listener_of, secure, server_context
from appliance.net.reach import Place, ReachError, local_places, reach
from tests.kit.certs import certs
from tests.kit.sockets import open_descriptors


def test_local_sockets_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names of their files, in the standard directories; whether anybody listens is not asked."""
    monkeypatch.setattr("appliance.net.reach.standard_directory", lambda environ, uid: f"{tmp_path}/{uid}")
    for uid, name in (("7", "b"), ("7", "a"), ("0", "a"), ("0", "c")):
        (tmp_path / uid).mkdir(exist_ok=True)
        (tmp_path / uid / f"{name}.sock").touch()
    (tmp_path / "7" / "x.pid").touch()
    assert [(row.name, row.path) for row in local_places({}, 7)] == [
        ("a", f"{tmp_path}/7/a.sock"),
        ("b", f"{tmp_path}/7/b.sock"),
        ("c", f"{tmp_path}/0/c.sock"),
    ]
    assert local_places({}, 8)[0].path == f"{tmp_path}/0/a.sock"


def test_the_host_of_requests() -> None:
    """An IPv6 address stands in brackets (RFC 3986 section 3.2.2)."""
    assert Place("x", host="::1", port=9901).authority == "[::1]:9901"
    assert Place("x", host="127.0.0.1", port=9901).authority == "127.0.0.1:9901"
    assert Place("x", path="/x.sock").authority == Place("x", ssh="box").authority == "localhost"


async def test_what_cannot_be_reached_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such socket, nobody listens, not for us, no such program."""
    with pytest.raises(ReachError, match="is the proxy running"):
        await reach(Place("x", path=str(tmp_path / "none.sock")))
    path = str(tmp_path / "stale.sock")
    bind_private(path, None).close()
    with pytest.raises(ReachError, match="nobody listens"):
        await reach(Place("x", path=path))
    with pytest.raises(ReachError, match=r"cannot be reached|nobody listens"):
        await reach(Place("x", host="127.0.0.1", port=1))

    async def denied(path: str) -> trio.SocketStream:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(trio, "open_unix_socket", denied)
    with pytest.raises(ReachError, match="is not for uid") as caught:
        await reach(Place("x", path=path))
    assert caught.value.denied
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReachError, match="ssh is not installed"):
        await reach(Place("x", ssh="box"))


async def test_ssh_runs_the_bridge_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what we send as its input; names are quoted for the shell of the other machine."""
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\necho "$@"\ncat\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    stream = await reach(Place("a b;c", ssh="box"))
    await stream.send_all(b"hello\n")
    told = b""
    with trio.fail_after(10):
        while not told.endswith(b"hello\n"):
            told += await stream.receive_some()
    assert told == b"-oBatchMode=yes -- box meshctl stats --stdio 'a b;c'\nhello\n"
    await stream.aclose()


async def test_tls_is_checked() -> None:
    """By the authority that is named; without it the certificate is of nobody we know."""
    pair = certs().pair("server")
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    place = Place("x", host="localhost", port=listener.socket.getsockname()[1], tls=True)

    async def serve(stream: trio.SocketStream) -> None:
        try:
            await secure(stream, server_context(pair.cert, pair.key)).send_all(b"hi")
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        stream = await reach(place, certs().ca)
        assert await stream.receive_some() == b"hi"
        await trio.aclose_forcefully(stream)
        before = open_descriptors()
        with pytest.raises(ReachError, match=r"cannot be reached: .*"):
            await reach(place)
        await trio.testing.wait_all_tasks_blocked()
        assert open_descriptors() <= before
        nursery.cancel_scope.cancel()


async def test_listeners_of_trio_take_our_sockets(tmp_path: Path) -> None:
    """And serve them."""
    path = str(tmp_path / "x.sock")
    sock = bind_private(path, None)
    listener = listener_of(sock)

    async def serve(stream: trio.SocketStream) -> None:
        await stream.send_all(b"hi")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        async with await reach(Place("x", path=path)) as stream:
            assert await stream.receive_some() == b"hi"
        nursery.cancel_scope.cancel()
    sock.close()
