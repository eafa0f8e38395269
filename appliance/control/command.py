"""One command of an operator as it came, what may be asked of it, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from appliance.model.text import PRINTABLE

from .roles import Peer

REASON: Final = 200
"""Characters of a reason that are kept."""
_LONGEST: Final = 7 * 86400.0
_PAST: Final = {
    "force": "forced", "reset": "reset", "clear": "cleared", "drain": "drained", "undrain": "undrained",
    "weigh": "weighed", "cancel": "cancelled", "log": "logging", "stop": "stopping",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an action. ``code`` is ok, or why not; ``now`` is what is so at present."""

    code: str
    text: str
    now: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Say whether it was done."""
        return self.code == "ok"

    def frame(self, id: str) -> dict[str, Any]:
        """Give it as a frame."""
        return {"k": "result", "id": id, "ok": self.ok, "code": self.code, "text": self.text, "now": self.now}


class Refused(Exception):
    """A command is not done; ``result`` says why."""

    def __init__(self, code: str, text: str, now: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.result = Result(code, text, now or {})


@dataclass(frozen=True, slots=True)
class Order:
    """One command, read. ``ttl`` is seconds, inf for no end."""

    args: Mapping[str, Any]
    expect: Mapping[str, Any]
    dry_run: bool
    peer: Peer

    def word(self, name: str) -> str:
        """Give an argument that is a text; refuses when it is none."""
        value = self.args.get(name)
        if not isinstance(value, str) or not value:
            raise Refused("invalid", f"args.{name} is a text")
        return value

    def ttl(self, usual: float) -> float:
        """Give for how long (args.ttl is milliseconds, null is for ever)."""
        value = self.args.get("ttl", usual * 1000)
        if value is None:
            return inf
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _LONGEST * 1000:
            raise Refused("invalid", "args.ttl is milliseconds, at most a week; null for no end")
        return value / 1000

    @property
    def reason(self) -> str:
        """Give the reason that the operator wrote."""
        value = self.args.get("reason", "")
        return value[:REASON].translate(PRINTABLE) if isinstance(value, str) else ""


def done(order: Order, plan: str) -> str:
    """Say what was done, or would be, of a plan that begins with its verb."""
    verb, _, rest = plan.partition(" ")
    return f"would {plan}" if order.dry_run else f"{_PAST[verb]} {rest}"


def expected(order: Order, now: Mapping[str, Any], fields: tuple[str, ...], name: str) -> None:
    """Refuse where one of the fields is not what the operator saw."""
    for key in fields:
        if key in order.expect and order.expect[key] != now.get(key):
            text = f"{name} has changed: {key} is {now.get(key)}, not {str(order.expect[key])[:50]}"
            raise Refused("conflict", text, now)
