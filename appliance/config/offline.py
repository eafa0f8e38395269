"""A request put through a plan without sending it: what `meshctl route` and `meshctl test` have in common.

The request is written as a client's: a method, a URL, perhaps some header fields. It is read here as
the proxy would read it off the wire: the host in lower case, without its port and the dot of a fully
qualified name; the path in its one spelling; fields that belong to the connection taken out, and
``Host``, where one is given, put in place of the URL's authority. What a proxy would refuse before
routing, such as an escaped slash, is refused here, in the same words.

A URL says where a client connects, and a listener may answer by itself: one with `redirect: https`
never routes. So the listeners that could take the request are worked out first. Those with the
URL's scheme and port come before those with the scheme alone, since a port is often mapped by
something in front; and if nobody speaks the scheme, because TLS ends in front, those that route. Then
the scheme that the proxy sees is its listener's, as a redirect shows.

Which route takes the request is asked of the same table that the proxy runs on. Values of query
parameters with a secret's name are blanked in whatever is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal
from urllib.parse import unquote_plus

from appliance.model.fault import NO_ROUTE
from appliance.model.network import network_of
from appliance.routing.explain import Question, explain
from appliance.routing.match import Match
from appliance.routing.path import BadPath, normalise, written
from appliance.routing.rewrite import Redirect
from appliance.routing.table import RouteTable

from . import schema_types as t
from .plan import Forward, ListenerPlan, Plan, Respond, RoutePlan
from .plan_policy import RateLimitPlan
from .read_scalar import Unreadable, read_scalar
from .secrets import HIDDEN, is_secret_name

_URL = re.compile(r"(https?)://([^/?#\\]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE | re.DOTALL)
_PORTS: Final = {"http": 80, "https": 443}
_TO_HTTPS: Final = Redirect(status=308, scheme="https", port=443)
_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"te", b"trailer")
    + (b"http2-settings", b"proxy-authenticate", b"proxy-authorization", b"content-length")
)
_not_in_a_query = re.compile(rb"[^\x21-\x7e]").sub


class Unaskable(ValueError):
    """A request that cannot be put, or that the proxy refuses unrouted; the text says what to write."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the proxy reads it; ``port`` is where the client connects."""

    method: str
    scheme: Literal["http", "https"]
    authority: str
    port: int
    question: Question
    client: str | None = None

    @property
    def host(self) -> str:
        """The host that routes are chosen by; IPv6 in brackets."""
        return self.question.host.decode("latin-1")

    @property
    def query(self) -> bytes:
        """The query as it may be shown."""
        return _shown_query(self.question.query)

    @property
    def url(self) -> str:
        """The URL as it may be shown."""
        query = self.query.decode("latin-1")
        path = self.question.path.decode("latin-1")
        return f"{self.scheme}://{self.authority}{path}{'?' if query else ''}{query}"


@dataclass(frozen=True, slots=True)
class Share:
    """One upstream with its weight and its part of the requests, 0 to 1."""

    upstream: str
    weight: int
    part: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a request.

    ``listeners`` could take it; ``redirected`` is the one that answers before routing. ``scheme`` is
    what the proxy sees. ``status`` is None if an upstream gives the answer: then ``shares`` says which,
    and ``target`` and ``host`` what it is asked for. ``location`` is where a redirect leads.
    """

    asked: Asked
    listeners: tuple[ListenerPlan, ...]
    scheme: Literal["http", "https"]
    route: RoutePlan | None = None
    redirected: ListenerPlan | None = None
    status: int | None = None
    location: str = ""
    shares: tuple[Share, ...] = ()
    target: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One route and what it makes of a request; ``later`` would take it, but one above does."""

    route: RoutePlan
    verdict: Literal["match", "no", "later", "unasked"]
    reasons: tuple[str, ...]
    near: int


class Router:
    """Answers for one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._table: RouteTable[RoutePlan] = RouteTable([(route.match, route) for route in plan.routes])

    def outcome(self, asked: Asked) -> Outcome:
        """Give what becomes of a request."""
        listeners, scheme = _listeners(self._plan, asked)
        question = asked.question
        authority, path = asked.authority.encode(), question.path
        if scheme == "http" and all(listener.redirect_https for listener in listeners) and listeners:
            to = _TO_HTTPS.location(b"http", authority, path, asked.query, Match()).decode("latin-1")
            return Outcome(
                asked, listeners, scheme, redirected=listeners[0], status=_TO_HTTPS.status, location=to
            )
        route = self._table.find(question.host, path, question.method, list(question.headers), question.query)
        if route is None:
            return Outcome(asked, listeners, scheme, status=NO_ROUTE.status)
        action = route.action
        if isinstance(action, Respond):
            return Outcome(asked, listeners, scheme, route, status=action.status)
        if isinstance(action, Forward):
            return Outcome(
                asked,
                listeners,
                scheme,
                route,
                shares=_shares(action),
                target=route.rewrite.apply(path, asked.query, route.match).decode("latin-1"),
                host=asked.authority if route.rewrite.host is None else route.rewrite.host,
            )
        location = action.location(scheme.encode(), authority, path, asked.query, route.match)
        return Outcome(
            asked, listeners, scheme, route, status=action.status, location=location.decode("latin-1")
        )

    def rows(self, outcome: Outcome) -> list[Row]:
        """Give every route of the plan with its reasons, in written order."""
        rows: list[Row] = []
        decided = outcome.redirected is not None
        for route in self._plan.routes:
            verdict = explain(route.match, outcome.asked.question, is_secret_name)
            kind: Literal["match", "no", "later", "unasked"] = "no"
            if verdict.matches:
                kind = "unasked" if outcome.redirected else "later" if decided else "match"
                decided = True
            rows.append(Row(route, kind, verdict.reasons, verdict.near))
        return rows


def ask(
    method: str, url: str, headers: Iterable[tuple[bytes, bytes]] = (), client: str | None = None
) -> Asked:
    """Read a request as the proxy would; raises Unaskable."""
    try:
        read_scalar(t.Method(), method)
    except Unreadable as problem:
        raise Unaskable(_sentence(method, problem)) from None
    found = _URL.fullmatch(url)
    if found is None:
        raise Unaskable(_no_url(url))
    scheme: Literal["http", "https"] = "https" if found[1].lower() == "https" else "http"
    host, port = _host_and_port(found[2], "the URL")
    authority = host if port in (None, _PORTS[scheme]) else f"{host}:{port}"
    kept = []
    options: dict[bytes, set[bytes]] = {b"connection": set(), b"te": set()}
    for name, value in headers:
        if name == b"host":
            named, number = _host_and_port(value.decode("latin-1"), "the Host header")
            authority = named if number is None else f"{named}:{number}"
            host = named
        elif name in (b"connection", b"te"):
            options[name] |= {option.strip().lower() for option in value.split(b",")}
        elif name not in _HOP:
            kept.append((name, value))
    kept = [pair for pair in kept if pair[0] not in options[b"connection"]]
    if b"trailers" in options[b"te"]:
        kept.append((b"te", b"trailers"))
    question = Question(
        host.encode(),
        _path(found[3]),
        method.encode(),
        tuple(kept),
        _not_in_a_query(_escaped, (found[4] or "").encode()),
    )
    return Asked(method, scheme, authority, port or _PORTS[scheme], question, _client(client))


def header(line: str) -> tuple[bytes, bytes]:
    """Read a header field as `name: value`; raises Unaskable, without repeating the value."""
    name, colon, value = line.partition(":")
    if not colon:
        raise Unaskable("a header is written as 'name: value', with a colon")
    try:
        name = read_scalar(t.HeaderName(), name.strip())
    except Unreadable:
        raise Unaskable("a header is written as 'name: value'; a name has letters, digits and -") from None
    try:
        return name.encode(), read_scalar(t.HeaderValue(), value.strip(" \t")).encode()
    except Unreadable:
        raise Unaskable(f"the header {name} holds a line break or another control character") from None


def bucket(limit: RateLimitPlan, outcome: Outcome) -> str | None:
    """Give the key of the bucket that a request counts against; None if it is not known.

    IPv6 clients are counted by /64, what a single subscriber is given.
    """
    kind, _, name = limit.key.partition(":")
    if kind == "client_ip":
        return None if outcome.asked.client is None else network_of(outcome.asked.client)
    if kind == "host":
        return outcome.asked.host
    if kind == "route":
        return None if outcome.route is None else outcome.route.name
    lines = [value for key, value in outcome.asked.question.headers if key.decode("latin-1") == name]
    if not lines:
        return None
    return HIDDEN if is_secret_name(name) else b", ".join(lines).decode("utf-8", "backslashreplace")


def _listeners(plan: Plan, asked: Asked) -> tuple[tuple[ListenerPlan, ...], Literal["http", "https"]]:
    """Give the listeners that could take a request, and the scheme that they see."""
    speaking = tuple(listener for listener in plan.listeners if listener.protocol == asked.scheme)
    there = tuple(listener for listener in speaking if listener.bind.port == asked.port)
    routing = tuple(listener for listener in plan.listeners if not listener.redirect_https)
    found = there or speaking or routing or plan.listeners
    return found, asked.scheme if speaking or not found else found[0].protocol


def _shares(action: Forward) -> tuple[Share, ...]:
    total = sum(to.weight for to in action.to)
    return tuple(Share(to.upstream, to.weight, to.weight / total if total else 0.0) for to in action.to)


def _no_url(url: str) -> str:
    url = re.split(r"[?#]", url, maxsplit=1)[0]  # what follows may be secret, and is not the problem
    if url.startswith("/"):
        return "the URL must be whole, as a client asks for it: write https://HOST" + _cut(url)
    if "://" in url:
        return f"`{_cut(url.partition('://')[0])}` is not a scheme of this proxy: write http or https"
    return f"the URL has no scheme: write https://{_cut(_without_user(url))}"


def _without_user(url: str) -> str:
    return url.rpartition("@")[2]


def _host_and_port(authority: str, what: str) -> tuple[str, int | None]:
    if "@" in authority:
        raise Unaskable(f"{what} holds a user name or password; leave out everything up to the @")
    bare, port = authority, ""
    found = re.fullmatch(r"(.*):(\d*)", authority, re.ASCII | re.DOTALL)
    if found and not (authority.startswith("[") and authority.endswith("]")):
        bare, port = found.groups()
    if port and (len(port) > 5 or not 1 <= int(port) <= 65535):
        raise Unaskable(f"{what} has the port {_cut(port)}, but ports are 1 to 65535")
    if not bare:
        raise Unaskable(f"{what} names no host: write https://HOST/path")
    try:
        ascii_name = bare if bare.isascii() else bare.encode("idna").decode()
        host: str = read_scalar(t.Host(), ascii_name)
    except (Unreadable, UnicodeError):
        raise Unaskable(
            f"{what} has the host `{_cut(bare)}`, which is neither a host name nor an IP address"
        ) from None
    return host, int(port) if port else None


def _path(text: str) -> bytes:
    try:
        return normalise(written(text or "/"))
    except BadPath as problem:
        raise Unaskable(f"the proxy answers 400 to this path, unrouted: {problem}") from None


def _client(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        raise Unaskable(f"`{_cut(text)}` is not an IP address: write 192.0.2.7 or 2001:db8::7") from None


def _sentence(text: str, problem: Unreadable) -> str:
    instead = f"; write {problem.instead[0]}" if problem.instead else ""
    return f"`{_cut(text)}` {problem.problem}{instead}"


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _shown_query(query: bytes) -> bytes:
    """Give a query with the values of secret parameters blanked."""
    pieces = []
    for piece in query.split(b"&"):
        name, equals, _ = piece.partition(b"=")
        hidden = equals and is_secret_name(unquote_plus(name.decode("latin-1")))
        pieces.append(b"%b=%b" % (name, HIDDEN.encode()) if hidden else piece)
    return b"&".join(pieces)


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]
