"""Where clients of the stats socket come in: the Unix socket, and TCP where the profile asks for it.

What happens here cannot reach the data path: a crash is logged and the entrance opened again a little later.
"""

from __future__ import annotations

import grp
import logging
import os
import pwd
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import trio

from appliance.config.check_certificates import TOKEN_LENGTH
from appliance.config.plan import Plan
from appliance.model.address import Address
from appliance.net.listen import BindError, Socket, bind, bound_address, unbind
from appliance.net.local import (
    bind_private,
    is_local,
    keep_short,
    listener_of,
    peer_address,
    peer_of,
    secure,
    server_context,
    standard_path,
)

from .counter import HANDSHAKE, serve
from .desk import Desk
from .roles import Denied, Peer, judge_browser, judge_local, judge_token

_log = logging.getLogger("meshctl")
_SPARE: Final = 24  # connections beside the websockets
_BAD_TOKEN: Final = f"it is not readable, or has fewer than {TOKEN_LENGTH} characters"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0


@dataclass(frozen=True, slots=True)
class Entrance:
    """A socket that listens; ``tls`` is the context of a TCP one that has certificates."""

    sock: Socket
    address: Address
    tls: Any = None

    @property
    def place(self) -> str:
        """Give where it is, for people."""
        return bound_address(self.sock)


def open_entrances(plan: Plan, environ: Mapping[str, str]) -> list[Entrance]:
    """Bind what the profile asks for; raises BindError, but a standard socket that fails is a warning."""
    stats = plan.stats
    opened: list[Entrance] = []
    with ExitStack() as undo:
        path = stats.socket or standard_path(plan.name, environ, os.geteuid())
        try:
            sock = bind_private(path, _gid(stats.socket_group))
        except BindError as error:
            if stats.socket is not None:
                raise
            _log.warning("no stats socket: %s", error)
        else:
            undo.callback(unbind, sock, Address("unix", path=path))
            opened.append(Entrance(sock, Address("unix", path=path)))
        if stats.listen is not None:
            context = None
            if stats.tls is not None:
                try:
                    context = server_context(stats.tls.cert, stats.tls.key)
                except OSError as error:
                    raise BindError(f"the certificate of stats.tls cannot be used: {error}") from None
            sock = bind(stats.listen, environ)
            opened.append(Entrance(sock, stats.listen, context))
        undo.pop_all()
    return opened


def close_entrances(entrances: list[Entrance]) -> None:
    """Close them, and take away the socket's file."""
    for each in entrances:
        unbind(each.sock, each.address)


class Reception:
    """Lets clients in at all entrances; ``run`` until cancelled."""

    def __init__(self, desk: Desk, entrances: list[Entrance]) -> None:
        self.desk = desk
        self._entrances = entrances
        self._open: Counter[int] = Counter()

    async def run(self) -> None:
        """Serve for ever; whatever goes wrong is logged, and tried again."""
        pause = _FIRST_PAUSE
        while True:
            began = trio.current_time()
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.desk.run)
                    for each in self._entrances:
                        serving = partial(self._serve, each)
                        nursery.start_soon(trio.serve_listeners, serving, [listener_of(each.sock)])
            except Exception:
                _log.exception("the stats socket failed; it opens again in %gs", pause)
            if trio.current_time() - began > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            await trio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _serve(self, entrance: Entrance, stream: trio.SocketStream) -> None:
        place = id(entrance)  # each has its own: strangers at one must not keep operators out of another
        if self._open[place] >= self.desk.plan.max_clients + _SPARE:
            await trio.aclose_forcefully(stream)
            return
        self._open[place] += 1
        try:
            keep_short(stream)
            await self._let_in(entrance, stream)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            return  # gone
        except Exception:
            _log.exception("a client of the stats socket met a bug")
        finally:
            self._open[place] -= 1
            await trio.aclose_forcefully(stream)

    async def _let_in(self, entrance: Entrance, stream: trio.SocketStream) -> None:
        if is_local(stream):
            pid, uid, gid = peer_of(stream)
            group = self.desk.plan.socket_group
            user, member = await trio.to_thread.run_sync(_who, uid, gid, group)  # may ask a directory
            members = frozenset((uid,)) if member else frozenset()
            await serve(stream, self.desk, partial(self._judge_local, Peer(uid, gid, pid, user), members))
            return
        peer = Peer(address=peer_address(stream))
        judge = partial(self._judge_remote, peer)
        if entrance.tls is None:
            await serve(stream, self.desk, judge)
            return
        secured = secure(stream, entrance.tls)
        with trio.move_on_after(HANDSHAKE) as scope:
            await secured.do_handshake()
        if not scope.cancelled_caught:
            await serve(secured, self.desk, judge)

    def _judge_local(self, peer: Peer, members: frozenset[int], headers: Mapping[str, str]) -> Peer | Denied:
        plan = self.desk.plan
        denied = judge_browser(headers, plan, local=True)
        return denied or judge_local(peer, os.geteuid(), members, plan)

    def _judge_remote(self, peer: Peer, headers: Mapping[str, str]) -> Peer | Denied:
        plan = self.desk.plan
        denied = judge_browser(headers, plan, local=False)
        if denied is not None:
            return denied
        try:
            with open(plan.token_file or "", "rb") as file:
                token = file.read(4096).strip()
        except OSError:
            token = b""
        if len(token) < TOKEN_LENGTH:
            return Denied(503, f"the token file of this proxy cannot be used: {_BAD_TOKEN}")
        return judge_token(peer, headers, token, plan)


def _gid(group: str | None) -> int | None:
    if group is None:
        return None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        _log.warning("stats.socket_group: there is no group %s", group)
        return None


def _who(uid: int, gid: int, group: str | None) -> tuple[str, bool]:
    """Give the name of a user, and whether they belong to a group; only about this one user is asked."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = ""
    if group is None:
        return name, False
    try:
        wanted = grp.getgrnam(group).gr_gid
    except KeyError:
        return name, False
    return name, wanted == gid or bool(name and wanted in os.getgrouplist(name, gid))
