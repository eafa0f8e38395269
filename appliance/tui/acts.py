"""What can be done about a thing: the command behind it, what it will mean, how sure one has to be. Pure.

A wish is made when the key is pressed and holds what was seen then; the proxy compares that once more.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from . import facts, numbers
from .state import Model
from .tables import Item
from .text import safe

TIMES: Final = (("1m", 60_000), ("10m", 600_000), ("1h", 3_600_000), ("until cleared", None))
"""For how long something may be set, and in milliseconds."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that somebody wants done.

    ``level`` 0 does it at once, 1 asks for the key again, 2 opens a dialog, 3 wants the name typed. ``lasts``
    is an index of TIMES, -1 where it has no end of its own. ``about`` are lines that say what it means.
    ``number`` is one that the dialog asks for, under this name of ``args``.
    """

    title: str
    name: str
    op: str
    args: Mapping[str, Any]
    level: int
    words: tuple[str, ...]
    about: tuple[str, ...] = ()
    expect: Mapping[str, Any] = field(default_factory=dict)
    lasts: int = -1
    reason: str = ""
    number: str = ""

    def command(self) -> str:
        """Give the same as a command."""
        words = ["meshctl", *self.words, self.name]
        if self.number:
            words.append(str(self.args[self.number]))
        if self.lasts >= 0:
            text, ms = TIMES[self.lasts]
            words += ["--for", text if ms is not None else "ever"]
        if self.reason:
            words += ["--reason", self.reason]
        return shlex.join(words)

    def settled(self, lasts: int, reason: str, number: int | None = None) -> Wish:
        """Give the wish as it was decided in the dialog."""
        args = {**self.args, "reason": reason}
        if self.number and number is not None:
            args[self.number] = number
        if self.lasts >= 0:
            args["ttl"] = TIMES[lasts][1]
        return replace(self, args=args, lasts=lasts if self.lasts >= 0 else -1, reason=reason)


def wish(what: str, model: Model, item: Item) -> Wish | None:
    """Give what is wanted of a thing, None if that cannot be had of it."""
    key = item[0]
    breaker, endpoint = model.things("br").get(key), model.things("ep").get(key)
    if what in ("open", "close", "reset", "clear") and breaker is not None:
        return _breaker(what, model, key, breaker)
    if what in ("drain", "undrain", "weigh", "check") and endpoint is not None:
        return _endpoint(what, model, key, endpoint)
    return None


NAMES: Final = {
    "open": "force OPEN…  o", "close": "force CLOSED…  c", "reset": "reset…  R", "clear": "clear  x",
    "drain": "drain…  d", "undrain": "undrain  u", "weigh": "weigh…  w", "check": "check its health now",
}  # fmt: skip
"""What can be done, and the key for it."""


def fitting(model: Model, item: Item) -> list[str]:
    """Give what can be done about a thing."""
    return [what for what in NAMES if wish(what, model, item) is not None]


def reload(model: Model, digest: str, text: str) -> Wish:
    """Give the wish to go over to the file as it was shown."""
    about = (safe(text), "Effect   requests under way end under the profile that they began with")
    return Wish("Reload profile", model.name, "profile.reload", {}, 2, ("reload", "--yes"), about,
                {"digest": digest})  # fmt: skip


def unfit(what: str) -> str:
    """Say what an action is for."""
    kind = "a breaker" if what in ("open", "close", "reset", "clear") else "an endpoint"
    return f"this is for {kind}: move the cursor to one"


def _breaker(what: str, model: Model, key: str, row: Mapping[str, Any]) -> Wish | None:
    name = safe(key)
    now = f"{facts.WORDS.get(facts.state(row), '?')}, asked {numbers.rate(row.get('ask'))}/s"
    expect = {"st": row.get("st")}
    if what == "clear":
        if not isinstance(row.get("forced"), dict):
            return None
        return Wish(f"Clear breaker {name}", key, "breaker.clear", {"breaker": key}, 1, ("breaker", "clear"))
    if what == "reset":
        about = (f"Now      {now}", "Effect   closed, with empty windows; what was forced is forgotten")
        return Wish(f"Reset breaker {name}", key, "breaker.reset", {"breaker": key}, 2, ("breaker", "reset"),
                    about, expect)  # fmt: skip
    args = {"breaker": key, "state": "open" if what == "open" else "closed"}
    if what == "open":
        ready, total = facts.admitting(model, str(row.get("up")))
        left = max(0, ready - (facts.state(row) != "open"))
        effects = (
            f"Now      {now}",
            "Effect   nothing is sent there; requests go to the others, or get 503 at once",
            f"Left     {left} of {total} endpoints of {safe(row.get('up'))}",
        )
        return Wish(f"Force OPEN breaker {name}", key, "breaker.force", args, 2, ("breaker", "open"), effects,
                    expect, lasts=1)  # fmt: skip
    about = (f"Now      {now}", "Effect   its failures stop nothing any more: the protection is gone")
    return Wish(f"Force CLOSED breaker {name}", key, "breaker.force", args, 3, ("breaker", "close"), about,
                expect, lasts=1)  # fmt: skip


def _endpoint(what: str, model: Model, key: str, row: Mapping[str, Any]) -> Wish | None:
    name = safe(key)
    args: dict[str, Any] = {"endpoint": key}
    if what == "check":
        if row.get("health") is None:
            return None
        return Wish(f"Check endpoint {name}", key, "endpoint.check", args, 0, ("endpoint", "check"))
    if what == "weigh":
        weight = round(facts.number(row, "weight"))
        about = [
            f"Now      {weight}, {numbers.rate(row.get('rps'))} tries/s",
            "Effect   until a reload; 0 takes it out",
        ]
        args["weight"] = weight
        return Wish(f"Weigh endpoint {name}", key, "endpoint.weight", args, 2, ("endpoint", "weight"),
                    tuple(about), {"weight": row.get("weight")}, number="weight")  # fmt: skip
    if what == "undrain":
        if row.get("state") not in ("drained", "draining"):
            return None
        return Wish(f"Undrain endpoint {name}", key, "endpoint.undrain", args, 1, ("undrain",))
    ready, total = facts.admitting(model, str(row.get("up")))
    last = ready - (row.get("state") == "up") <= 0
    about = [
        f"Now      {safe(row.get('state'))}, {facts.number(row, 'act'):.0f} requests in flight",
        "Effect   no new requests; those in flight end",
        f"Left     {max(0, ready - 1)} of {total} endpoints of {safe(row.get('up'))}",
    ]
    words: tuple[str, ...] = ("drain",)
    if last:
        args["last"] = True
        words = ("drain", "--last")
        about.append("This is the LAST usable endpoint: every request will fail")
    return Wish(f"Drain endpoint {name}", key, "endpoint.drain", args, 3 if last else 2, words, tuple(about),
                {"state": row.get("state")}, lasts=3)  # fmt: skip
