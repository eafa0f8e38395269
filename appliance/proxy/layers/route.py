"""Choose the route by host, path, method, headers and query; each route has a stack of its own.

It stands below what must be cheap for everybody (a refused client costs no routing) and above all that
a route configures.
"""

from __future__ import annotations

from collections.abc import Awaitable

from appliance.config.plan import RoutePlan
from appliance.model.exchange import Exchange
from appliance.model.fault import NO_ROUTE, Fault
from appliance.model.message import Response, hostname
from appliance.model.service import Service
from appliance.routing.table import RouteTable

IDLE = 60.0
IDLE_STREAMING = 300.0

Bound = tuple[RoutePlan, Service]
_Row = tuple[str, float, float, float, Service]
"""Name, seconds until a head, seconds of silence, the same for streams, and the route's stack."""


def route(rows: list[Bound]) -> Service:
    """Give the service that sends each exchange to the first route that matches; Fault(NO_ROUTE) else."""
    table: RouteTable[_Row] = RouteTable([(plan.match, _row(plan, service)) for plan, service in rows])

    def choose(exchange: Exchange) -> Awaitable[Response]:
        request = exchange.request
        found = table.find(
            hostname(request.authority), request.path, request.method, request.headers, request.query
        )
        if found is None:
            raise Fault(NO_ROUTE)
        exchange.route, exchange.response_limit, exchange.idle, exchange.long_idle, service = found
        if request.method == b"POST" and exchange.grpc:
            exchange.wait_patiently()
        return service(exchange)

    return choose


def _row(plan: RoutePlan, service: Service) -> _Row:
    idle = plan.timeouts.idle
    short, long = (IDLE, IDLE_STREAMING) if idle is None else (idle, idle)
    return plan.name, plan.timeouts.response, short, long, service
