"""``meshctl route``: which route takes a request, why the others do not, and what then holds for it.

Nothing is sent and nothing needs to run. The table reads from top to bottom as the proxy does; what
follows it are the policies of the route that was found. A table of thousands of routes would bury the
answer, so then only the nearest misses above it are shown, and the rest is counted.

The exit code says whether a route takes the request, so that a script can ask.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from appliance.config.diagnostic import printable
from appliance.config.load import load
from appliance.config.offline import Asked, Outcome, Router, Row, Unaskable, ask, bucket, header
from appliance.config.plan import Forward, Plan
from appliance.config.plan_policy import RateLimitPlan
from appliance.config.policy_text import Line, policy_lines
from appliance.model.address import Where
from appliance.model.text import counted
from appliance.proxy.trust import client_of, trusts
from appliance.routing.rewrite import Rewrite

from .exits import Exit

if TYPE_CHECKING:
    from .route_live import Running

WIDTH = 100
MAX_ROWS = 30
NEAREST = 10

_VERDICT = 7
_NOT_REACHED = {"later": "first match wins", "unasked": "answered before routing"}
_VERDICTS = {"match": "match", "no": "no", "later": "not reached", "unasked": "not reached"}
_STYLES = {"match": "1;32", "fail": "1;31", "dim": "2"}


def route(  # noqa: PLR0913 (what the command line has)
    profile: str,
    method: str,
    url: str,
    headers: list[str],
    client: str | None = None,
    *,
    fmt: str = "human",
    colour: bool = False,
    live: Running | None = None,
) -> int:
    """Print what becomes of a request; gives the exit code, 0 if a route takes it.

    ``headers`` are written as `name: value`; ``client`` is the address that connects. ``fmt`` is
    ``human`` or ``json``; JSON holds every row, however many there are. ``live`` adds how a proxy that
    runs is just now.
    """
    try:
        for word in (method, url, *headers, client or ""):
            if any(0xD800 <= ord(character) < 0xE000 for character in word):
                raise Unaskable("arguments are text in UTF-8; write other bytes as %XX")
        asked = ask(method, url, [header(line) for line in headers], client)
    except Unaskable as problem:
        print(f"meshctl route: {printable(str(problem))}", file=sys.stderr)
        return Exit.USAGE
    plan = load_plan(profile, colour)
    if plan is None:
        return Exit.INVALID_PROFILE
    router = Router(plan)
    outcome = router.outcome(asked)
    outcome = replace(outcome, asked=_behind_proxies(outcome))
    rows = router.rows(outcome)
    lines = policy_lines(plan, outcome.route, method) if outcome.route is not None else []
    if fmt == "json":
        document = _document(profile, plan, outcome, rows, lines)
        if live is not None:
            document["live"] = live.document(plan, outcome)
        print(json.dumps(document))
    else:
        width, paint = terminal_width(), Paint(colour)
        print("\n".join(_table(rows, width, paint)))
        print()
        told = _answer(plan, outcome, lines) + ([] if live is None else live.lines(plan, outcome))
        print("\n".join(_told(told, width, paint)))
    return Exit.OK if outcome.route is not None else Exit.CONDITION


def load_plan(profile: str, colour: bool) -> Plan | None:
    """Give the plan of a profile (``-`` is stdin); where it has errors, print them to stderr."""
    if profile == "-":
        plan, found = load("<stdin>", text=sys.stdin.buffer.read())
    else:
        plan, found = load(profile)
    if plan is None:
        print(found.render(colour=colour), end="", file=sys.stderr)
    return plan


def terminal_width() -> int:
    """Give the columns to write in: those of the terminal, within reason; else 100."""
    if not sys.stdout.isatty():
        return WIDTH
    return max(60, min(140, shutil.get_terminal_size((WIDTH, 24)).columns))


class Paint:
    """Puts styles around text, or leaves it alone."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def __call__(self, text: str, style: str) -> str:
        """Give ``text`` in a style."""
        code = _STYLES.get(style)
        return f"\x1b[{code}m{text}\x1b[0m" if self._on and code and text else text


def _behind_proxies(outcome: Outcome) -> Asked:
    """Give the request with its client as a listener that trusts whoever connects works it out."""
    asked = outcome.asked
    networks = outcome.listeners[0].trust_forwarded if outcome.listeners else ()
    if asked.client is None or not trusts(networks, asked.client):
        return asked
    return replace(asked, client=client_of(asked.client, list(asked.question.headers), networks))


def _table(rows: list[Row], width: int, paint: Paint) -> list[str]:
    shown = rows if len(rows) <= MAX_ROWS else _nearest(rows)
    names = min(24, max((len(row.route.name) for row in shown), default=0))
    places = [place(row.route.where, width // 3) for row in shown]
    room = max(20, width - names - _VERDICT - 4 - max(map(len, places), default=0))
    lines = []
    for row, where in zip(shown, places, strict=True):
        name = f"{row.route.name:<{names}}"
        verdict, reasons = _said(row, room)
        gap = " " * max(2, width - len(name) - 2 - len(verdict) - len(reasons[0]) - len(where))
        if row.verdict == "match":
            verdict = paint(verdict, "match")
        text = f"{name}  {verdict}{reasons[0]}"
        lines.append(
            (paint(text, "dim") if row.verdict in _NOT_REACHED else text) + gap + paint(where, "dim")
        )
        lines += [f"{'':<{names + 2 + _VERDICT}}{more}" for more in reasons[1:]]
    return lines + _uncounted(rows, shown, paint)


def _said(row: Row, room: int) -> tuple[str, list[str]]:
    """Give the verdict, padded where reasons follow, and the reasons as lines of at most ``room``."""
    if row.verdict in _NOT_REACHED:
        return f"not reached ({_NOT_REACHED[row.verdict]})", [""]
    reasons = wrapped([printable(reason) for reason in row.reasons], room)
    return f"{'MATCH' if row.verdict == 'match' else 'no':<{_VERDICT}}", reasons


def wrapped(parts: list[str], room: int) -> list[str]:
    """Join parts by a dot into lines of at most ``room`` columns; a part that is longer has its own."""
    lines = [parts[0]]
    for part in parts[1:]:
        joined = f"{lines[-1]} · {part}"
        if len(joined) <= room:
            lines[-1] = joined
        else:
            lines.append(part)
    return lines


def place(where: Where, most: int) -> str:
    """Give file and line; of a path that would take more than ``most`` columns only the name."""
    text = f"{where.file}:{where.line}"
    return printable(text if len(text) <= most else f"{os.path.basename(where.file)}:{where.line}")


def _nearest(rows: list[Row]) -> list[Row]:
    """Give the row that matches, and above it those that came nearest: by host and path, then by misses."""
    end = next((n for n, row in enumerate(rows) if row.verdict == "match"), len(rows))
    order = sorted(range(end), key=lambda n: (-rows[n].near, len(rows[n].reasons), end - n))
    return [rows[n] for n in sorted(order[:NEAREST])] + rows[end : end + 1]


def _uncounted(rows: list[Row], shown: list[Row], paint: Paint) -> list[str]:
    """Say how many rows are not shown, if any."""
    if len(shown) == len(rows):
        return []
    end = next((n for n, row in enumerate(rows) if row.verdict == "match"), len(rows))
    above = end - sum(row.verdict == "no" for row in shown)
    below = len(rows) - end - 1
    parts = []
    if above:
        parts.append(f"{counted(above, 'route')} {'above ' if below >= 0 else ''}that came less near")
    if below > 0:
        parts.append(f"{counted(below, 'route')} below")
    return [paint(f"not shown: {', '.join(parts)} (all: --format json)", "dim")]


def _answer(plan: Plan, outcome: Outcome, policies: list[Line]) -> list[Line]:
    """Give what is to be said about the answer: who gives it, what is asked for, under which policies."""
    lines = _listener(plan, outcome)
    if outcome.redirected is not None:
        redirected = f"308 before routing: listener `{outcome.redirected.name}` sends http to https"
        return [*lines, Line("answer", redirected), Line("location", outcome.location)]
    if outcome.route is None:
        return [*lines, Line("answer", "404, as no route matches")]
    changed = _rewritten(outcome)
    if changed:
        lines.append(Line("rewrite", changed))
    limits = [limit for limit in (plan.rate_limit, outcome.route.rate_limit) if limit is not None]
    for line in policies:
        key = _bucket(limits.pop(0), outcome) if line.label == "rate limit" else ""
        lines.append(Line(line.label, line.text + key))
    if outcome.location:
        lines.append(Line("location", outcome.location))
    unbuilt = _unbuilt(plan, outcome)
    if unbuilt:
        lines.append(Line("not yet", f"this version does not act on {', '.join(unbuilt)}"))
    return lines


def _listener(plan: Plan, outcome: Outcome) -> list[Line]:
    """Say which listener takes the request, where that is not plain."""
    asked, found = outcome.asked, outcome.listeners
    names = ", ".join(f"{listener.name} ({listener.protocol} {listener.bind})" for listener in found)
    if all(listener.protocol != asked.scheme for listener in found):
        return [Line("listener", f"{names}; none speaks {asked.scheme}, so TLS must end in front of it")]
    if len(plan.listeners) == 1 or outcome.redirected is not None:
        return []
    return [Line("listener", names)]


def _rewritten(outcome: Outcome) -> str:
    """Say what the upstream is asked for, where that differs from what the client asks for."""
    route = outcome.route
    if route is None or route.rewrite == Rewrite() or not isinstance(route.action, Forward):
        return ""
    asked = outcome.asked
    path, query = asked.question.path.decode("latin-1"), asked.query.decode("latin-1")
    parts = []
    came = f"{path}?{query}" if query else path
    if outcome.target != came:
        parts.append(f"{came} becomes {outcome.target}")
    if outcome.host != asked.authority:
        parts.append(f"host becomes {outcome.host}")
    return " · ".join(parts)


def _bucket(limit: RateLimitPlan, outcome: Outcome) -> str:
    key = bucket(limit, outcome)
    if key is not None:
        return f"; here {key}"
    if limit.key == "client_ip":
        return "; --client IP shows whose"
    return f"; this request has no {limit.key.partition(':')[2]}" if ":" in limit.key else ""


def _unbuilt(plan: Plan, outcome: Outcome) -> list[str]:
    """Give the keys that bear on this request and that this version reads but does not act on."""
    if outcome.route is None:
        return []
    inside = [f"routes.{outcome.route.name}.", "rate_limit", "defaults."]
    inside += [f"upstreams.{share.upstream}." for share in outcome.shares]
    return [key.path for key in plan.unbuilt if key.path.startswith(tuple(inside))]


def _told(lines: list[Line], width: int, paint: Paint) -> list[str]:
    """Give labelled lines, wrapped at their separators; a label that repeats is written once."""
    told = []
    last = ""
    label_room = max((len(line.label) for line in lines), default=0) + 2
    for line in lines:
        label = "" if line.label == last else line.label
        last = line.label
        for text in _folded(printable(line.text), width - label_room):
            told.append(f"{paint(f'{label:<{label_room}}', 'dim')}{text}")
            label = ""
    return told


def _folded(text: str, room: int) -> list[str]:
    """Break a text between its clauses; a clause that is too long in itself, between words."""
    lines: list[str] = []
    for clause in re.split(r"(?<=;) ", text):
        if lines and len(lines[-1]) + 1 + len(clause) <= room:
            lines[-1] += f" {clause}"
        else:
            lines += textwrap.wrap(clause, room, break_long_words=False, break_on_hyphens=False)
    return lines or [""]


def _document(
    profile: str, plan: Plan, outcome: Outcome, rows: list[Row], lines: list[Line]
) -> dict[str, Any]:
    asked = outcome.asked
    limits = [limit for limit in (plan.rate_limit, outcome.route and outcome.route.rate_limit) if limit]
    return {
        "schema": "meshctl.route/1",
        "profile": profile,
        "request": {
            "method": asked.question.method.decode(),
            "url": asked.url,
            "host": asked.host,
            "client": asked.client,
        },
        "listeners": [listener.name for listener in outcome.listeners],
        "route": None if outcome.route is None else outcome.route.name,
        "redirected_by": None if outcome.redirected is None else outcome.redirected.name,
        "status": outcome.status,
        "location": outcome.location,
        "upstreams": [
            {"name": share.upstream, "weight": share.weight, "share": share.part} for share in outcome.shares
        ],
        "upstream_request": None
        if outcome.target is None
        else {"target": outcome.target, "host": outcome.host},
        "buckets": [{"key": limit.key, "bucket": bucket(limit, outcome)} for limit in limits],
        "routes": [_row(row) for row in rows],
        "policies": [{"name": line.label, "text": line.text} for line in lines],
        "not_acted_on": _unbuilt(plan, outcome),
    }


def _row(row: Row) -> dict[str, Any]:
    where = row.route.where
    return {
        "name": row.route.name,
        "verdict": _VERDICTS[row.verdict],
        "reasons": list(row.reasons),
        "file": where.file,
        "line": where.line,
    }
