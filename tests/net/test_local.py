"""The private socket: who may enter, whose directory it is, and what is refused."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
import trio

from appliance.net.listen import BindError
from appliance.net.local import (
    LONGEST_PATH,
    bind_private,
    is_local,
    keep_short,
    listener_of,
    peer_address,
    peer_of,
    server_context,
    standard_directory,
    standard_path,
)
from appliance.net.reach import Place, reach


def test_where_sockets_are() -> None:
    """Root's, the user's runtime directory, else a private one under the temporary directory."""
    assert standard_path("edge", {"XDG_RUNTIME_DIR": "/run/user/7"}, 0) == "/run/meshctl/edge.sock"
    assert standard_path("edge", {"XDG_RUNTIME_DIR": "/run/user/7"}, 7) == "/run/user/7/meshctl/edge.sock"
    assert standard_directory({}, 7).endswith("/meshctl-7")


def test_only_its_owner_may_enter(tmp_path: Path) -> None:
    """Directory 0700, socket 0600, whatever the umask is; the umask is left as it was."""
    before = os.umask(0)
    try:
        path = tmp_path / "m" / "edge.sock"
        with bind_private(str(path), None):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert os.umask(0) == 0
    finally:
        os.umask(before)


def test_a_group_may_enter_if_it_is_named(tmp_path: Path) -> None:
    """0750 and 0660."""
    path = tmp_path / "m" / "edge.sock"
    with bind_private(str(path), os.getegid()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_a_stale_socket_is_replaced_a_living_one_is_not(tmp_path: Path) -> None:
    """Proof is a connect that fails."""
    path = str(tmp_path / "edge.sock")
    bind_private(path, None).close()
    with bind_private(path, None), pytest.raises(BindError, match="Another process"):
        bind_private(path, None)


def test_what_is_not_private_is_refused(tmp_path: Path) -> None:
    """A path that is too long, a link, a file, a directory that others may write to, none at all."""
    with pytest.raises(BindError, match="bytes"):
        bind_private(str(tmp_path / ("x" * LONGEST_PATH)), None)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(BindError, match="not a directory"):
        bind_private(str(tmp_path / "link" / "edge.sock"), None)
    (tmp_path / "file").touch()
    with pytest.raises(BindError, match="not a directory"):
        bind_private(str(tmp_path / "file" / "edge.sock"), None)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(BindError, match="go-w"):
        bind_private(str(tmp_path / "open" / "edge.sock"), None)
    with pytest.raises(BindError, match="cannot make"):
        bind_private(str(tmp_path / "no" / "such" / "edge.sock"), None)


async def test_the_kernel_says_who_it_is(tmp_path: Path) -> None:
    """By the socket, not by what the client claims."""
    path = str(tmp_path / "edge.sock")
    sock = bind_private(path, None)
    listener = listener_of(sock)
    client = await reach(Place("edge", path=path))
    stream = await listener.accept()
    assert peer_of(stream) == (os.getpid(), os.geteuid(), os.getegid())
    assert is_local(stream)
    keep_short(stream)
    assert stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * 64 * 1024
    for each in (client, stream, listener):
        await each.aclose()
    sock.close()


async def test_addresses_of_others() -> None:
    """Empty when they have gone."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
    stream = await listener.accept()
    assert (peer_address(stream), is_local(stream)) == ("127.0.0.1", False)
    await stream.aclose()
    assert peer_address(stream) == ""
    await client.aclose()
    await listener.aclose()


def test_certificates_that_are_none(tmp_path: Path) -> None:
    """Are an OSError, as ssl has it."""
    (tmp_path / "c").write_text("nonsense")
    with pytest.raises(OSError):
        server_context(str(tmp_path / "c"), str(tmp_path / "c"))
