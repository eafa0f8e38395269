"""Whether the machine has what the profile names: files, ports, addresses, names, places, groups.

Only what cannot be mended without touching the profile or its files is an error: a file that
cannot be read, a pair that cannot be used, a certificate out of its time. What depends on who asks,
where and when is a warning, since a profile is often checked by another user than the one that runs
it, or on another machine: rights to ports and places, addresses, names, limits, groups.

An unknown group is among these: the stats socket then stays with its owner, so nothing is opened
that should not be, and a proxy should carry its traffic all the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import ip_address

from appliance.model.address import Address

from .check_certificates import check_certificates
from .compile_policy import file_of
from .diagnostic import Diagnostics
from .machine import Machine
from .read import Value


def check_machine(merged: Value, machine: Machine, diagnostics: Diagnostics) -> None:
    """Tell what the machine lacks; ``merged`` is the profile with `defaults` copied under."""
    check_certificates(merged, machine, diagnostics)
    for what, bind in _binds(merged):
        _port(what, bind, machine, diagnostics)
        _address(what, bind, machine, diagnostics)
    _connections(merged.find("process", "max_connections"), machine, diagnostics)
    _names(merged, machine, diagnostics)
    _places(merged, machine, diagnostics)
    _group(merged.find("stats", "socket_group"), machine, diagnostics)


def _entries(root: Value, name: str) -> list[tuple[str, Value]]:
    found = root.find(name)
    return list(found.items()) if found is not None else []


def _binds(root: Value) -> Iterator[tuple[str, Value]]:
    """Give every address that is listened on, with the name of who does."""
    for name, listener in _entries(root, "listeners"):
        bind = listener.find("bind")
        if bind is not None:
            yield f"listener `{name}`", bind
    listen = root.find("stats", "listen")
    if listen is not None:
        yield "`stats`", listen


def _port(what: str, bind: Value, machine: Machine, diagnostics: Diagnostics) -> None:
    address: Address = bind.data
    lowest = machine.unprivileged_port()
    if address.kind != "tcp" or not 0 < address.port < lowest:
        return
    advice = "choose a higher port, or give the service the capability CAP_NET_BIND_SERVICE"
    if not bind.path.startswith("stats"):
        advice += ", or let it pass the socket: `bind: fd:NAME`"
    diagnostics.warning(
        "MC610",
        f"{what} binds `{bind.shown}`, but ports below {lowest} take a privilege that this process lacks",
        bind.span,
        help=advice,
        path=bind.path,
    )


def _address(what: str, bind: Value, machine: Machine, diagnostics: Diagnostics) -> None:
    address: Address = bind.data
    if address.kind != "tcp" or not address.host:
        return
    if not _is_ip(address.host):
        problem, missing = "a name that does not resolve here", bool(machine.unresolved((address.host,)))
    else:
        every = ip_address(address.host).is_unspecified
        problem, missing = (
            "an address that this machine does not have",
            not every and not machine.has_address(address.host),
        )
    if not missing:
        return
    diagnostics.warning(
        "MC611",
        f"{what} binds `{bind.shown}`, {problem}",
        bind.span,
        help="name an address of this machine, or leave the host out to listen on all of them",
        path=bind.path,
    )


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _connections(value: Value | None, machine: Machine, diagnostics: Diagnostics) -> None:
    """A connection takes one descriptor on each side."""
    if value is None:
        return
    limit = machine.file_limit()
    if limit is None or 2 * value.data <= limit:
        return
    diagnostics.warning(
        "MC612",
        f"`max_connections` is {value.shown}, at two open files each, but this process may open only {limit}",
        value.span,
        help=f"raise the limit (LimitNOFILE= of a service, or ulimit -n), or write {limit // 2} at most",
        path=value.path,
    )


def _names(root: Value, machine: Machine, diagnostics: Diagnostics) -> None:
    """Look up the names of all endpoints together; each is told once, where it stands first."""
    first: dict[str, tuple[str, Value]] = {}
    for name, upstream in _entries(root, "upstreams"):
        for item in upstream.get("endpoints") or ():
            address = item.find("address") if isinstance(item.data, dict) else item
            if address is not None and address.data.kind in ("tcp", "dns") and not _is_ip(address.data.host):
                first.setdefault(address.data.host, (name, address))
    if not first:
        return
    unresolved = machine.unresolved(list(first))
    for host, (name, address) in first.items():
        if host in unresolved:
            diagnostics.warning(
                "MC613",
                f"the host of endpoint `{address.shown}` of upstream `{name}` does not resolve here",
                address.span,
                help="check its spelling; requests to it fail until it resolves",
                path=address.path,
            )


def _places(root: Value, machine: Machine, diagnostics: Diagnostics) -> None:
    """Whether the files can be made that a running proxy makes: its log and its sockets."""
    log = root.find("access_log", "to")
    if log is not None and log.data not in (None, "stdout", "stderr"):
        reason = machine.unwritable_file(file_of(log))
        _unwritable("the access log cannot be written", log, reason, diagnostics)
    for what, bind in _binds(root):
        if bind.data.kind == "unix":
            reason = machine.unwritable_directory(os.path.dirname(bind.data.path))
            _unwritable(f"{what} cannot make its socket", bind, reason, diagnostics)
    socket = root.find("stats", "socket")
    if socket is not None:
        reason = machine.unwritable_directory(os.path.dirname(file_of(socket)) or ".")
        _unwritable("`stats` cannot make its socket", socket, reason, diagnostics)


def _unwritable(what: str, value: Value, reason: str, diagnostics: Diagnostics) -> None:
    if reason:
        diagnostics.warning(
            "MC614",
            f"{what} at `{value.shown}`: {reason}",
            value.span,
            help="make the directory and give it to the user of the proxy, or choose another place",
            path=value.path,
        )


def _group(value: Value | None, machine: Machine, diagnostics: Diagnostics) -> None:
    if value is not None and not machine.group_exists(value.data):
        diagnostics.warning(
            "MC615",
            f"this machine has no group `{value.shown}`, so nobody but its owner could use the stats socket",
            value.span,
            help="correct the name, or make the group: groupadd --system NAME",
            path=value.path,
        )
