"""Who may do what at the stats socket: pure decisions over what a peer has shown.

On the Unix socket the kernel says who it is; elsewhere a token does. Browsers are kept out unless their
origin is listed, and so are names that a rebound DNS entry could lead here.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from appliance.config.plan_policy import StatsPlan

Role = Literal["operator", "observer"]
_LOOPBACK: Final = frozenset(("localhost", "127.0.0.1", "[::1]"))


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is connected: by a Unix socket (``uid`` known) or by TCP. ``user`` is a name for people."""

    uid: int | None = None
    gid: int | None = None
    pid: int | None = None
    user: str = ""
    address: str = ""
    role: Role = "observer"

    @property
    def label(self) -> str:
        """Give who it is, as the audit says it."""
        if self.uid is None:
            return self.user or f"token holder at {self.address}"
        return f"{self.user or 'unknown'} (uid {self.uid})"


@dataclass(frozen=True, slots=True)
class Denied:
    """A request is refused with this HTTP status; the text says why."""

    status: int
    text: str


def judge_local(peer: Peer, own_uid: int, members: Collection[int], plan: StatsPlan) -> Peer | Denied:
    """Say what a peer of the Unix socket may do; ``members`` are the uids of ``socket_group``."""
    if peer.uid is None or (peer.uid not in (0, own_uid) and peer.uid not in members):
        who = f"it is for uid {own_uid}, root and socket_group"
        return Denied(403, f"uid {peer.uid} may not use this socket: {who}")
    return replace(peer, role=_role(plan))


def judge_token(peer: Peer, headers: Mapping[str, str], token: bytes, plan: StatsPlan) -> Peer | Denied:
    """Say what a peer of the TCP listener may do: everything for whoever has the token."""
    given = headers.get("authorization", "")
    scheme, _, secret = given.partition(" ")
    right = hmac.compare_digest(secret.strip().encode("latin-1", "replace"), token)
    if scheme.lower() != "bearer" or not right:
        return Denied(401, "a token is needed: Authorization: Bearer TOKEN (see stats.token_file)")
    return replace(peer, role=_role(plan))


def judge_browser(headers: Mapping[str, str], plan: StatsPlan, *, local: bool) -> Denied | None:
    """Refuse browsers of other origins, and names that do not belong to this place."""
    origin = headers.get("origin")
    if origin is not None and origin not in plan.origins:
        return Denied(403, "requests of browsers are refused, unless stats.origins lists their origin")
    host = headers.get("host", "").lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if not local and name not in _LOOPBACK and name not in plan.hosts and host not in plan.hosts:
        return Denied(421, "this name is not known here; list it in stats.hosts")
    return None


def _role(plan: StatsPlan) -> Role:
    return "operator" if plan.actions == "operator" else "observer"
