"""The state of the proxy as clients see it, made anew at each tick from what the data path has counted.

The data path knows nothing of this: it adds to cells, and the tick takes out what they hold. A thing that has
not changed is the same object as before, so that telling what differs costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import nsmallest

from appliance.metrics.cell import Tally
from appliance.metrics.flow import Flow, Meter
from appliance.metrics.heat import Heat
from appliance.model.exchange import Exchange
from appliance.proxy.door import Door
from appliance.proxy.worker import Worker
from appliance.upstream.breakers import Fuse
from appliance.upstream.cluster import Cluster
from appliance.upstream.endpoint import Endpoint
from appliance.wire.delta import Fields, State, Things

from . import things

NO_ROUTE = "(none)"
_LIVE = 50
_HOUR = 3600.0
Overrides = Callable[[Endpoint], Fields]


class Board:
    """Makes the state. ``boot`` is the moment (seconds) from which clients count milliseconds.

    ``others`` gives fields of the set ``proxy`` that somebody else knows, ``overrides`` what operators have
    set on an endpoint. ``want_live`` says whether anybody looks at the requests under way.
    """

    def __init__(self, worker: Worker, now: Callable[[], float]) -> None:
        self._worker = worker
        self._now = now
        self.boot = now()
        self.state: State = {}
        self.others: Callable[[float], Fields] = lambda _: {}
        self.overrides: Overrides = lambda _: {}
        self.want_live: Callable[[], bool] = lambda: False
        self.flows: dict[tuple[str, str], Flow] = {}
        self.heat: dict[tuple[str, str], Heat] = {}
        self.fuses: dict[str, tuple[Fuse, Cluster]] = {}
        self._rejections: dict[str, Meter] = {}
        self._meters: dict[str, Meter] = {}
        self._cells: dict[str, tuple[str, Endpoint]] = {}
        self._hits: dict[str, int] = {}
        self._quiet: dict[str, tuple[object, ...]] = {}
        self._still: dict[str, tuple[object, ...]] = {}

    def moment(self, at: float) -> int:
        """Give a time of the worker's clock in milliseconds since the start."""
        return round((at - self.boot) * 1000)

    def tick(self) -> State:
        """Give the state of now."""
        now = self._now()
        snapshot = self._worker.current()
        clusters = snapshot.clusters
        routes, listeners, whole = self._count(now)
        self.flows = {key: flow for key, flow in self.flows.items() if self._goes_on(key, clusters, routes)}
        self.heat = {key: heat for key, heat in self.heat.items() if key in self.flows}
        state: State = {"proxy": {"": self._proxy(now, whole)}}
        state["ls"] = {door.plan.name: self._listener(now, door, listeners) for door in self._worker.doors}
        state["rt"] = self._routes(now, routes)
        state["ep"], ups = self._endpoints(now, clusters)
        state["up"] = {}
        for name, cluster in clusters.items():
            state["up"][name] = things.upstream(cluster, self._flow(now, "up", name, ups), now)
        state["br"] = self._breakers(now)
        if self.want_live():
            state["live"] = self._live()
        self.state = {name: self._kept(name, made) for name, made in state.items()}
        return self.state

    def breaker(self, name: str) -> Fields | None:
        """Give what a breaker is like right now, None if there is none of the name."""
        known = self.fuses.get(name)
        if known is None:
            return None
        fuse, cluster = known
        return things.breaker(fuse, cluster.name, (0.0, 0.0), self._now(), self.moment)

    def refresh(self) -> None:
        """Look anew at which breakers there are: a reload may have changed that since the last tick."""
        self.fuses = self._find_fuses()

    def _find_fuses(self) -> dict[str, tuple[Fuse, Cluster]]:
        fuses: dict[str, tuple[Fuse, Cluster]] = {}
        for cluster in self._worker.current().clusters.values():
            for group in (cluster.fuses, *cluster.own.values()):
                for each in cluster.endpoints:
                    group.of(each.name)
                fuses |= {fuse.name: (fuse, cluster) for fuse in group.all()}
        return fuses

    def _count(self, now: float) -> tuple[dict[str, Tally], dict[str, Tally], Tally]:
        """Take out what has been counted, by route, by listener, and in all."""
        routes: dict[str, Tally] = {}
        listeners: dict[str, Tally] = {}
        whole = Tally()
        for (listener, route), cell in list(self._worker.ending.cells.items()):
            news = cell.take()
            if news is None:
                continue
            self._hits[route or NO_ROUTE] = self.moment(now)
            routes.setdefault(route or NO_ROUTE, Tally()).add(news)
            listeners.setdefault(listener, Tally()).add(news)
            whole.add(news)
        return routes, listeners, whole

    def _flow(self, now: float, kind: str, name: str, news: Mapping[str, Tally]) -> Flow:
        flow = self.flows.get((kind, name))
        if flow is None:
            flow = self.flows[kind, name] = Flow(now, keep_times=kind in ("rt", "ls"))
        tally = news.get(name)
        flow.tick(now, tally)
        if tally is not None and kind in ("up", "rt"):
            heat = self.heat.get((kind, name))
            if heat is None:
                heat = self.heat[kind, name] = Heat()
            heat.add(now, tally.times)
        return flow

    def _goes_on(
        self, key: tuple[str, str], clusters: Mapping[str, Cluster], news: Mapping[str, Tally]
    ) -> bool:
        """Say whether there is still what a flow is of."""
        kind, name = key
        plan = self._worker.plan
        if kind == "rt":
            return name == NO_ROUTE or name in news or any(row.name == name for row in plan.routes)
        if kind == "ls":
            return any(row.name == name for row in plan.listeners)
        if kind == "up":
            return name in clusters
        return True

    def _proxy(self, now: float, whole: Tally) -> Fields:
        worker = self._worker
        flow = self._flow(now, "proxy", "", {"": whole} if whole.total else {})
        return {
            **things.flowing(flow),
            "max": things.longest(flow),
            "rej": things.digits(flow.refusals),
            "act": len(worker.ending.live),
            "conns": sum(door.open for door in worker.doors),
            "in": things.digits(self._rate(now, "in", flow.total.received), 2),
            "out": things.digits(self._rate(now, "out", flow.total.sent), 2),
            "retry_s": things.digits(flow.retries, 2),
            "gen": worker.current().generation,
            "digest": worker.plan.digest,
            "file": worker.plan.file,
            "drain": worker.draining,
            "mem": things.digits(worker.pressure.share, 2),
            **self.others(now),
        }

    def _listener(self, now: float, door: Door, news: Mapping[str, Tally]) -> Fields:
        name = door.plan.name
        rates = (
            self._rate(now, f"accepted {name}", door.accepted),
            self._rate(now, f"secured {name}", sum(door.secured.values())),
        )
        return things.listener(door, self._flow(now, "ls", name, news), rates)

    def _rate(self, now: float, name: str, total: float) -> float:
        """Give how fast a count grows, per second."""
        meter = self._meters.get(name)
        if meter is None:
            if len(self._meters) > 2 * len(self._worker.doors) + 2:  # listeners have come and gone
                self._meters.clear()
            meter = self._meters[name] = Meter(now, total)
        return meter.tick(now, total)

    def _routes(self, now: float, news: dict[str, Tally]) -> Things:
        limits = self._worker.current().limits.all
        rows: Things = {}
        for place, plan in enumerate(self._worker.plan.routes):
            limit = limits.get(plan.name)
            refused = 0 if limit is None else limit.refused
            flow = self._flow(now, "rt", plan.name, news)
            row = things.route(plan, flow, refused, self._hits.get(plan.name))
            rows[plan.name] = {"pos": place, **row}
        if NO_ROUTE in self._hits:
            flow = self._flow(now, "rt", NO_ROUTE, news)
            rows[NO_ROUTE] = {
                "pos": len(rows),
                "match": "no route took it",
                "to": "-",
                **things.flowing(flow),
                "last_hit": self._hits[NO_ROUTE],
            }
        return rows

    def _endpoints(self, now: float, clusters: Mapping[str, Cluster]) -> tuple[Things, dict[str, Tally]]:
        """Give the endpoints, and what came to the upstreams through them."""
        rows: Things = {}
        ups: dict[str, Tally] = {}
        old = self.state.get("ep", {})
        alive = set()
        for name, cluster in clusters.items():
            for each in cluster.endpoints:
                key = f"{name}/{each.name}"
                alive.add(key)
                self._cells[key] = (name, each)
                news = each.cell.take()
                if news is not None:
                    ups.setdefault(name, Tally()).add(news)
                flow = self._flow(now, "ep", key, {} if news is None else {key: news})
                fuse = cluster.fuses.of(each.name)
                word = things.endpoint_state(each, fuse, now)
                rows[key] = self._endpoint(key, each, cluster, flow, word, old.get(key))
        for key in self._cells.keys() - alive:  # gone, though tries may still be under way
            name, each = self._cells[key]
            news = each.cell.take()
            if news is not None:
                ups.setdefault(name, Tally()).add(news)
            if not each.in_flight:
                del self._cells[key]
        for kind, key in [key for key in self.flows if key[0] == "ep" and key[1] not in alive]:
            del self.flows[kind, key]
            self._quiet.pop(key, None)
        return rows, ups

    def _endpoint(
        self, key: str, each: Endpoint, cluster: Cluster, flow: Flow, word: str, old: Fields | None
    ) -> Fields:
        """Give one endpoint; of one that nobody asks, what there was before."""
        health = each.health
        told = self.overrides(each)
        sign = (
            word,
            each.in_flight,
            len(each.idle),
            each.weight,
            each.shared and len(each.shared.connections),
            cluster.plan.limits.max_connections,
            flow.total.total,
            None if health is None else (health.healthy, health.why, health.streak),
            tuple(told.values()),
        )
        if old is not None and flow.quiet and old["p50"] is None and self._quiet.get(key) == sign:
            return old
        self._quiet[key] = sign if flow.quiet else ()
        return {**things.endpoint(each, cluster, flow, self._now()), **told}

    def _breakers(self, now: float) -> Things:
        bulletin = self._worker.bulletin
        fuses = self._find_fuses()
        self.fuses = fuses
        self._rejections = {name: meter for name, meter in self._rejections.items() if name in fuses}
        self._still = {name: sign for name, sign in self._still.items() if name in fuses}
        trips: dict[str, list[str]] = {}
        for trip, told in bulletin.trips.items():
            if told["at"] >= now - _HOUR:
                trips.setdefault(told["breaker"], []).append(trip)
        rows: Things = {}
        old = self.state.get("br", {})
        for name, (fuse, cluster) in fuses.items():
            meter = self._rejections.get(name)
            if meter is None:
                meter = self._rejections[name] = Meter(now, fuse.refused)
            refused = meter.tick(now, fuse.refused)
            sent, tripped = self._sent(name, cluster), trips.get(name, ())
            was = old.get(name)
            own = fuse.breaker
            sign = (fuse.rules, own.state, own.since, own.oks, own.run, own.successes, own.forced, tripped)
            still = not sent and not refused and own.forced is None
            if was is not None and still and not was["n"] and self._still.get(name) == sign:
                rows[name] = was
                continue
            self._still[name] = sign if still else ()
            row = things.breaker(fuse, cluster.name, (sent, refused), now, self.moment)
            row["trips_1h"] = len(tripped)
            row["trip"] = tripped[-1] if tripped else None
            rows[name] = row
        return rows

    def _sent(self, name: str, cluster: Cluster) -> float:
        """Give how many requests a second go through a breaker: those of its endpoint, or of all of them."""
        own = name.partition("@")[2] or name
        flow = self.flows.get(("ep", own)) or self.flows.get(("up", cluster.name))
        return 0.0 if flow is None or flow.quiet else flow.rate

    def _live(self) -> Things:
        """Give the requests that are under way for longest."""
        oldest = nsmallest(_LIVE, self._worker.ending.live, key=lambda each: each.started)
        return {each.id: self._under_way(each) for each in oldest}

    def _under_way(self, each: Exchange) -> Fields:
        attempt = each.attempt
        phase = "wait" if not each.head_at else "body"
        if attempt is None or attempt.ended:
            phase = "queue" if not each.head_at else "answer"
        return {
            "me": _text(each.request.method)[:40],
            "path": _text(each.path)[:200],
            "rt": each.route,
            "up": each.upstream,
            "ep": None if attempt is None else attempt.endpoint.name,
            "began": self.moment(each.started),
            "ph": phase,
            "try": each.tries,
        }

    def _kept(self, name: str, made: Things) -> Things:
        """Give what was made, with the things of before where they are equal."""
        old = self.state.get(name, {})
        for key, thing in made.items():
            was = old.get(key)
            if was is not None and was is not thing and was == thing:
                made[key] = was
        return made


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
