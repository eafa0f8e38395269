"""A proxy as a dashboard sees it, made by hand: frames of an edge with seven upstreams on a bad day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from appliance.tui.glyphs import ASCII, UNICODE
from appliance.tui.scene import Link, Scene, Ui
from appliance.tui.state import Model, reduce_all

BORN = 1_795_500_000_000
"""Unix milliseconds of the proxy's start."""
DAY = 3 * 86_400_000 + 4 * 3_600_000
"""Milliseconds that it has run."""
ROWS = (
    # name, balance, endpoints, rps, err, p50, p99, act
    ("payments", "least_conn", 3, 0, 1.0, None, None, 0),
    ("legacy", "round_robin", 2, 1, 0.0, 44, 51, 1),
    ("search", "ewma", 5, 210, 0.041, 18, 640, 22),
    ("catalog", "least_conn", 6, 771, 0.001, 6, 48, 14),
    ("users", "least_conn", 3, 184, 0.0, 9, 61, 4),
    ("static", "round_robin", 2, 118, 0.0, 2, 7, 1),
    ("grpc-inv", "least_conn", 1, 1, 0.0, 3, 3, 0),
)


def hello(boot: str = "b7f0", role: str = "operator", **more: Any) -> dict[str, Any]:
    """Give the first frame."""
    server = {"name": "edge-01", "version": "0.1.0", "pid": 3977, "boot": boot, "started": BORN}
    return {
        "k": "hello", "proto": {"major": 1, "minor": 0}, "server": server, "m": DAY, "t": BORN + DAY,
        "role": role, "eid": 7, **more,
    }  # fmt: skip


def breaker(up: str, **changes: Any) -> dict[str, Any]:
    """Give a closed breaker, but for some fields."""
    return {
        "up": up, "st": "closed", "since": DAY - 1000 * 3600 * 48, "until": None, "try": 0, "cf": 0,
        "cf_max": 5, "er": 0.0, "er_max": 0.5, "n": 100, "n_min": 20, "window": 10.0, "sent": 10,
        "rej": 0, "ask": 10,
        "rej_tot": 0, "last": "o" * 24, "probe": None, "forced": None, "src": None, "trips_1h": 0,
        "trip": None, **changes,
    }  # fmt: skip


def breakers(m: int) -> dict[str, dict[str, Any]]:
    """Give the breakers at a moment: one open, one half-open, one near to opening."""
    rows = {}
    for name, _, count, *_ in ROWS:
        for number in range(count):
            rows[f"{name}/10.0.{len(name)}.{number + 11}:8080"] = breaker(name)
    rows["payments/10.0.8.11:8080"] = breaker(
        "payments", st="open", since=DAY - 11_600, until=DAY + 18_400, cf=5, er=1.0, n=24, ask=31, sent=0,
        rej=31, rej_tot=350, last="oooooooooooooooxoooxxxxx", trips_1h=3, trip="tr-000003",
        src="edge.yaml:92", **{"try": 1},
    )  # fmt: skip
    rows["legacy/10.0.6.11:8080"] = breaker(
        "legacy", st="half_open", since=DAY - 34_000, probe={"ok": 1, "need": 3}, last="xxxxxxxxo", ask=1,
        sent=1, trips_1h=7, trip="tr-000002", **{"try": 2},
    )  # fmt: skip
    rows["search/10.0.6.12:8080"] = breaker(
        "search", cf=3, er=0.041, ask=210, sent=210, last="o" * 21 + "xxx"
    )
    return rows


def snap(m: int = DAY, seq: int = 100) -> dict[str, Any]:
    """Give the whole state at a moment."""
    ups, ends, routes = {}, {}, {}
    for name, balance, count, rps, err, p50, p99, act in ROWS:
        ready = count - (name in ("payments", "legacy", "search"))
        ups[name] = {
            "lb": balance, "proto": "http1", "eps": count, "up_n": ready, "down_n": int(name == "search"),
            "open_n": int(name == "payments"), "drain_n": 0, "pass": False, "act": act, "max": 192, "pend": 0,
            "full_tot": 0, "rps": rps, "err": err, "p50": p50, "p90": p99, "p99": p99,
            "tot": 1000 * (rps + 1),
        }  # fmt: skip
        for number in range(count):
            key = f"{name}/10.0.{len(name)}.{number + 11}:8080"
            state = {"payments/10.0.8.11:8080": "open", "search/10.0.6.15:8080": "down",
                     "legacy/10.0.6.12:8080": "drained"}.get(key, "up")  # fmt: skip
            drained = state == "drained"
            ends[key] = {
                "up": name, "addr": key.partition("/")[2], "state": state, "weight": 100, "share": 1,
                "health": {"ok": state != "down", "why": "refused" if state == "down" else "", "streak": 0},
                "act": act // count, "max": 64, "conns": 2, "rps": rps // count, "err": err, "p50": p50,
                "p90": p99, "p99": p99, "tot": 500, "by": "admin (uid 1000)" if drained else None,
                "reason": "disk swap" if drained else None, "until": m + 1_289_000 if drained else None,
            }  # fmt: skip
        routes[name[:8]] = {
            "match": f"* *.example.com/{name}/*", "to": name, "rps": rps, "err": err, "p50": p50, "p90": p99,
            "p99": p99, "tot": 1000, "rej": 1.0 if name == "payments" else 0, "retry_s": 0.2, "try_err": err,
            "rl_rej": 0, "mix": {"5xx": 1.0} if name == "payments" else {"2xx": 0.96, "4xx": 0.04},
            "last_hit": m - 400, "src": "edge.yaml:63",
        }  # fmt: skip
    return {
        "k": "snap", "seq": seq, "m": m, "t": BORN + m, "gen": 7,
        "proxy": {
            "rps": 1284, "err": 0.021, "p50": 8, "p90": 41, "p99": 212, "max": 1900, "act": 36, "conns": 611,
            "cpu": 0.23, "rss": 88080384, "lag50": 0.2, "lag99": 3.1, "in": 2202009, "out": 18874368,
            "gen": 7,
            "fds": 412, "gc": 1.2, "clients": 2, "taps": 0, "tick_ms": 1, "file": "/etc/edge.yaml",
            "drain": False, "rej": 0.02, "retry_s": 3.0, "rec": {"s": 900, "kb": 9318}, "digest": "a1b2c3",
        },
        "ls": {
            "public": {"bind": "0.0.0.0:8443", "proto": "https", "conns": 588, "max": 10000, "state": "open",
                       "tls": True, "tls_ver": {"TLSv1.2": 0.03, "TLSv1.3": 0.97},
                       "cert_until": BORN + m + 13 * 86_400_000, "accept_s": 91, "tls_s": 22, "rps": 1200},
            "plain": {"bind": ":8080", "proto": "http", "conns": 23, "max": 10000, "state": "open",
                      "tls": False, "accept_s": 2, "tls_s": 0, "rps": 84},
        },
        "rt": routes, "up": ups, "ep": ends, "br": breakers(m),
    }  # fmt: skip


def event(eid: int, before: int, kind: str, subject: str, text: str, **more: Any) -> dict[str, Any]:
    """Give an event of so many milliseconds ago."""
    return {"eid": eid, "m": DAY - before, "t": BORN + DAY - before, "kind": kind, "sev": "info",
            "subj": subject, "text": text, **more}  # fmt: skip


def events() -> dict[str, Any]:
    """Give what has happened."""
    a, b = "payments/10.0.8.11:8080", "legacy/10.0.6.11:8080"
    rows = [
        event(1, 522_000, "audit", "legacy/10.0.6.12:8080", 'admin: endpoint.drain: drained "disk swap"'),
        event(2, 520_000, "reload", "profile", "reloaded edge.yaml (9f00d1 to a1b2c3): 1 change in 1 route"),
        event(3, 193_000, "health", "search/10.0.6.15:8080",
              "endpoint search/10.0.6.15:8080 is unhealthy: refused", sev="warning", healthy=False),
        event(4, 64_000, "breaker", b, f"breaker {b} open again for 30s: a probe failed: GET /old 503",
              sev="error", to="open", rule="probe", trip="tr-000002"),
        event(5, 34_000, "breaker", b, f"breaker {b} half-open after 30s: one probe at a time",
              to="half_open"),
        event(6, 17_000, "flood", "public", "listener public: a connection of 192.0.2.1 was ended: pings",
              sev="warning", peer="192.0.2.1"),
        event(7, 11_600, "breaker", a, f"breaker {a} open for 30s: 5 failures in a row (failure_threshold)",
              sev="error", to="open", rule="failure_threshold", trip="tr-000003"),
    ]  # fmt: skip
    return {"k": "events", "from": 1, "lost": 0, "items": rows}


def trip() -> dict[str, Any]:
    """Give the report of the last trip."""
    causes = (
        (1900, "503", 14),
        (1600, "503", 12),
        (1200, "timeout", 2000),
        (400, "503", 11),
        (0, "timeout", 2000),
    )
    requests = [
        {"rid": f"604631945ab6000000{number:02x}", "me": "POST", "path": f"/pay/17{number}",
         "ep": "10.0.8.11:8080", "how": how, "before": before, "ms": ms, "overload": False}
        for number, (before, how, ms) in enumerate(causes)
    ]  # fmt: skip
    ends = [{"ep": "10.0.8.11:8080", "st": "open", "act": 64, "healthy": True, "drained": False}]
    return {
        "trip": "tr-000003", "breaker": "payments/10.0.8.11:8080", "at": (DAY - 11_600) / 1000,
        "m": DAY - 11_600, "t": BORN + DAY - 11_600, "until": DAY + 18_400, "rule": "failure_threshold",
        "limit": 5, "src": "edge.yaml:92", "run": 5, "failed": 24, "total": 24, "requests": requests,
        "endpoints": ends, "rej_tot": 350,
    }  # fmt: skip


def story() -> Iterator[dict[str, Any]]:
    """Give the frames of the last minute and a half, events in their places."""
    yield hello()
    told = events()
    rows = told["items"]
    for second in range(90, 0, -1):
        m = DAY - second * 1000
        early = [row for row in rows if row["m"] < m]
        if early:
            yield {**told, "items": early}
            rows = rows[len(early) :]
        frame = snap(m, 1000 - second)
        frame["proxy"] |= {"rps": 1284 + 30 * (second % 7), "err": 0.002 if second > 12 else 0.02}
        frame["up"]["payments"]["rps"] = 31 if second > 12 else 0
        for name, row in frame["br"].items():
            if name.startswith("payments") and second > 12:
                row |= {"st": "closed", "until": None, "since": m - 5_000_000, "cf": 0, "er": 0.0}
            if name.startswith("legacy") and row["st"] == "half_open" and second > 34:
                row |= {"st": "open", "probe": None, "until": DAY - 34_000, "since": DAY - 64_000}
        yield frame
    yield snap()


def edge() -> Model:
    """Give the proxy as it is known after all that."""
    return reduce_all(Model(), story())


DISK: dict[str, Any] = {
    "ok": True, "text": "would reload: 2 changes", "digest": "0123456789ab", "problems": "",
    "changes": [{"path": "upstreams.payments.breaker.open_for"}, {"path": "routes.old"}],
    "diff": "running → on disk\n\ncounts for requests from then on\n"
    "  ~ upstreams.payments.breaker.open_for  30s (default) → 10s  line 92\n"
    "  - routes.old                           to: legacy           was line 70\n\n2 changes",
}  # fmt: skip
"""What a proxy says of the file of its profile."""


def scene(view: int = 1, model: Model | None = None, mode: str = "normal", **more: Any) -> Scene:
    """Give a picture: ``mode`` is normal, ascii or mono; ``more`` are fields of the scene or of ``ui``."""
    known = edge() if model is None else model
    ui = Ui(view=view, utc=True, ascii=mode == "ascii", theme="mono" if mode == "mono" else "dark",
            glyphs=ASCII if mode == "ascii" else UNICODE)  # fmt: skip
    for name in [name for name in more if name in Ui.__slots__]:
        setattr(ui, name, more.pop(name))
    link = more.pop("link", Link("live", since=0.0, heard=100.0, lag=0.011))
    report = trip()
    more.setdefault("disk", DISK)
    return Scene(known, link, ui, now=more.pop("now", 100.0), m=more.pop("m", known.m),
                 trips={"tr-000003": report}, **more)  # fmt: skip
