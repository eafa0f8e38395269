"""The state in the text format of Prometheus, by its own library: names, labels and units as it wants them.

Labels are names of the profile and addresses of endpoints, of which there are few; nothing of a request is
ever a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from appliance import __version__
from appliance.metrics.flow import Flow
from appliance.metrics.histogram import bounds

from .desk import Desk

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds; a time of a bucket of ours that lies across one counts as over it."""
_CODES: Final = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")
_STATES: Final = ("closed", "open", "half_open", "forced_open", "forced_closed")


def expose(desk: Desk) -> bytes:
    """Give what Prometheus scrapes."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(desk))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterable[Metric]:
        desk = self._desk
        yield InfoMetricFamily("meshctl_build", "Which meshctl this is.", value={"version": __version__})
        yield from _proxy(desk)
        yield from _requests(desk.board.flows, "route", "rt")
        yield from _requests(desk.board.flows, "listener", "ls")
        yield from _upstreams(desk)
        yield from _breakers(desk)


def _gauge(name: str, text: str, value: float | None) -> Iterator[Metric]:
    if value is not None:
        yield GaugeMetricFamily(f"meshctl_{name}", text, value=value)


def _proxy(desk: Desk) -> Iterator[Metric]:
    proxy = desk.moment.state.get("proxy", {}).get("", {})
    worker = desk.worker
    yield from _gauge("start_time_seconds", "When the proxy began, Unix time.", desk.started)
    yield from _gauge("profile_generation", "How many profiles have run since the start.", proxy.get("gen"))
    yield from _gauge("draining", "1 while the proxy drains.", float(worker.draining))
    yield from _gauge("requests_in_flight", "Requests under way.", float(len(worker.ending.live)))
    yield from _gauge("resident_memory_bytes", "Memory of the process.", proxy.get("rss"))
    yield from _gauge("open_fds", "Open descriptors.", proxy.get("fds"))
    late = proxy.get("lag99")
    text = "How late the event loop came back, 99th percentile."
    yield from _gauge("loop_lag_seconds", text, None if late is None else late / 1000)
    cpu = CounterMetricFamily("meshctl_cpu_seconds", "CPU time of the process.")
    cpu.add_metric([], desk.vitals.cpu_seconds)
    yield cpu
    conns = GaugeMetricFamily("meshctl_connections", "Open client connections.", labels=["listener"])
    accepted = CounterMetricFamily(
        "meshctl_accepted_connections", "Client connections so far.", labels=["listener"]
    )
    secured = CounterMetricFamily(
        "meshctl_tls_handshakes", "Handshakes with clients.", labels=["listener", "version"]
    )
    ends = GaugeMetricFamily(
        "meshctl_certificate_expiry_time_seconds",
        "When the first certificate of a listener ends, Unix time.",
        labels=["listener"],
    )
    for door in worker.doors:
        conns.add_metric([door.plan.name], door.open)
        accepted.add_metric([door.plan.name], door.accepted)
        for version, number in sorted(door.secured.items()):
            secured.add_metric([door.plan.name, version], number)
        tls = door.settings.tls
        if tls is not None and tls.ends is not None:
            ends.add_metric([door.plan.name], tls.ends)
    yield from (conns, accepted, secured, ends)
    floods = CounterMetricFamily(
        "meshctl_floods", "Connections ended for what their client did.", labels=["listener", "kind"]
    )
    for (listener, kind), count in sorted(worker.floods.counts.items()):
        floods.add_metric([listener, kind], count)
    yield floods
    limited = CounterMetricFamily(
        "meshctl_rate_limited", "Requests over a rate limit, by its route.", labels=["route"]
    )
    for route, limit in worker.current().limits.all.items():  # "" is that of the whole proxy
        limited.add_metric([route], limit.refused)
    yield limited


def _requests(flows: dict[tuple[str, str], Flow], label: str, kind: str) -> Iterator[Metric]:
    """Give counts by status, and times, of everything of one kind."""
    count = CounterMetricFamily(f"meshctl_{label}_requests", f"Requests by {label}.", labels=[label, "code"])
    sent = CounterMetricFamily(
        f"meshctl_{label}_response_body_bytes", f"Bytes of bodies sent, by {label}.", labels=[label]
    )
    received = CounterMetricFamily(
        f"meshctl_{label}_request_body_bytes", f"Bytes of bodies received, by {label}.", labels=[label]
    )
    retries = CounterMetricFamily(
        f"meshctl_{label}_retries", f"Tries beyond the first, by {label}.", labels=[label]
    )
    took = HistogramMetricFamily(
        f"meshctl_{label}_request_duration_seconds",
        f"Time until the head of the answer, by {label}.",
        labels=[label],
    )
    for (sort, name), flow in sorted(flows.items()):
        if sort != kind:
            continue
        for code, number in zip(_CODES, flow.total.classes, strict=True):
            if number:
                count.add_metric([name, code], number)
        sent.add_metric([name], flow.total.sent)
        received.add_metric([name], flow.total.received)
        retries.add_metric([name], flow.total.retries)
        buckets, total = cumulative(flow.total.times)
        took.add_metric([name], buckets=buckets, sum_value=total)
    yield count
    yield sent
    yield received
    yield retries
    yield took


def cumulative(times: dict[int, int]) -> tuple[list[tuple[str, float]], float]:
    """Give counts up to each bound, and the sum of all times in seconds, to within 3 %."""
    rows = sorted(times.items())
    found: list[tuple[str, float]] = []
    at = within = 0
    for bound in BUCKETS:
        while at < len(rows) and bounds(rows[at][0])[1] - 1 <= bound * 1e6:
            within += rows[at][1]
            at += 1
        found.append((str(bound), within))
    found.append(("+Inf", sum(count for _, count in rows)))
    total = sum(sum(bounds(index)) / 2 * count for index, count in rows) / 1e6
    return found, total


def _upstreams(desk: Desk) -> Iterator[Metric]:
    labels = ["upstream", "endpoint"]
    tries = CounterMetricFamily("meshctl_endpoint_tries", "Tries by endpoint.", labels=[*labels, "code"])
    failed = CounterMetricFamily("meshctl_endpoint_failures", "Tries that failed.", labels=labels)
    up = GaugeMetricFamily("meshctl_endpoint_up", "1 where an endpoint may have requests.", labels=labels)
    act = GaugeMetricFamily("meshctl_endpoint_in_flight", "Tries under way.", labels=labels)
    pending = GaugeMetricFamily("meshctl_upstream_waiting", "Requests in the queue.", labels=["upstream"])
    full = CounterMetricFamily("meshctl_upstream_overflow", "Requests over the cap.", labels=["upstream"])
    state: dict[str, Any] = desk.moment.state.get("ep", {})
    for name, cluster in desk.worker.current().clusters.items():
        pending.add_metric([name], cluster.crowd.waiting)
        full.add_metric([name], cluster.crowd.refused)
        for each in cluster.endpoints:
            key = f"{name}/{each.name}"
            flow = desk.board.flows.get(("ep", key))
            up.add_metric([name, each.name], float(state.get(key, {}).get("state") == "up"))
            act.add_metric([name, each.name], each.in_flight)
            if flow is None:
                continue
            failed.add_metric([name, each.name], flow.total.failed)
            for code, number in zip(_CODES, flow.total.classes, strict=True):
                if number:
                    tries.add_metric([name, each.name, code], number)
    yield from (tries, failed, up, act, pending, full)


def _breakers(desk: Desk) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "meshctl_breaker_state", "1 for the state that a breaker is in.", labels=["breaker", "state"]
    )
    refused = CounterMetricFamily(
        "meshctl_breaker_rejected_requests",
        "Requests that a breaker let through to nobody.",
        labels=["breaker"],
    )
    trips = CounterMetricFamily("meshctl_breaker_trips", "How often breakers have opened.")
    trips.add_metric([], desk.worker.bulletin.trip_count)
    for name, row in sorted(desk.moment.state.get("br", {}).items()):
        refused.add_metric([name], row["rej_tot"])
        for word in _STATES:
            state.add_metric([name, word], float(row["st"] == word))
    yield from (state, refused, trips)
