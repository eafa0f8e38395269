"""Which proxy a command speaks to: a name, a socket's path, ``host:port``, ``https://host:port`` or ``ssh://``.

    edge-01                NAME.sock in the standard directories
    /run/x.sock  ./x.sock  a path
    127.0.0.1:9901         TCP, with the token in the file that MESHCTL_TOKEN_FILE names
    ssh://box/edge-01      the socket of that name on another machine

Without one: MESHCTL_TARGET, or the only proxy of this machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from appliance.model.text import printable
from appliance.net.reach import Place, local_places


class TargetError(Exception):
    """It is not clear which proxy is meant; the text says what there is. ``absent``: there is none."""

    def __init__(self, text: str, *, absent: bool = False) -> None:
        super().__init__(text)
        self.absent = absent


def resolve(target: str | None, environ: Mapping[str, str], uid: int | None = None) -> Place:
    """Give the place of a target; raises TargetError."""
    target = target or environ.get("MESHCTL_TARGET") or ""
    places = local_places(environ, os.geteuid() if uid is None else uid)
    if not target:
        if len(places) == 1:
            return places[0]
        if not places:
            raise TargetError(
                "no proxy runs here (no socket in the standard directories); name one: TARGET, or -t",
                absent=True,
            )
        names = ", ".join(printable(row.name) for row in places)
        raise TargetError(f"several proxies run here; name one (as TARGET, or by -t): {names}")
    if target.startswith("ssh://"):
        host, _, name = target.removeprefix("ssh://").partition("/")
        if not host or host.startswith("-"):
            raise TargetError(f"{printable(target)}: write ssh://HOST or ssh://HOST/NAME")
        return Place(name, ssh=host)
    if "/" in target and "://" not in target:
        return Place(os.path.basename(target).removesuffix(".sock"), path=target)
    for place in places:
        if place.name == target:
            return place
    found = re.fullmatch(r"(https?://)?(\[[0-9A-Fa-f:.]+\]|[^\[\]:/]+):([0-9]{1,5})/?", target)
    if found is not None and 0 < int(found[3]) < 65536:
        return Place(target, host=found[2].strip("[]"), port=int(found[3]), tls=found[1] == "https://")
    names = ", ".join(printable(row.name) for row in places) or "none"
    raise TargetError(f"there is no proxy {printable(target)} here; running: {names}", absent=True)


def token(environ: Mapping[str, str]) -> str:
    """Give the token for TCP targets, empty without a file; raises TargetError."""
    path = environ.get("MESHCTL_TOKEN_FILE", "")
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise TargetError(f"MESHCTL_TOKEN_FILE {printable(path)}: {reason}") from None
