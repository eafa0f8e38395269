"""Health checks against a real gRPC server: what the reference implementation says is understood.

Needs grpcio and grpcio-health-checking; without them these tests fail, as nothing else would notice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from appliance.config.plan_policy import HealthPlan
from appliance.model.address import Address
from appliance.net.dial import dial
from appliance.net.park import Lot
from appliance.net.poller import Poller
from appliance.upstream.probe import check
from tests.kit.peers import free_port
from tests.kit.plans import address
from tests.kit.sockets import open_descriptors

pytestmark = pytest.mark.live
PLAN = HealthPlan(protocol="grpc", timeout=5.0)


@contextmanager
def serving(servicer: Any = None) -> Iterator[tuple[Any, int]]:
    """Run a gRPC server on loopback, with a health service if one is given; gives it and its port."""
    import grpc
    from grpc_health.v1 import health_pb2_grpc

    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        if servicer is not None:
            health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield server, port
        finally:
            server.stop(None).wait(10)


async def ask(port: int, plan: HealthPlan = PLAN, times: int = 1) -> str:
    """Check over real sockets; give the reason, the same each time."""
    poller = Poller(Lot(trio.current_time))

    async def connect(to: Address, timeout: float) -> Any:
        return await dial(poller, to, timeout)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        found = {await check(connect, address(f"127.0.0.1:{port}"), b"localhost", plan) for _ in range(times)}
        nursery.cancel_scope.cancel()
    poller.close()
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("SERVING", ""),
        ("NOT_SERVING", "health is NOT_SERVING, expected SERVING"),
        ("UNKNOWN", "health is UNKNOWN, expected SERVING"),
    ],
)
async def test_what_the_health_service_says(status: str, why: str) -> None:
    """The status of the server as a whole, under the empty name."""
    from grpc_health.v1 import health, health_pb2

    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.ServingStatus.Value(status))
    with serving(servicer) as (_, port):
        assert await ask(port) == why


async def test_a_server_without_the_service() -> None:
    """It is not known to be well."""
    with serving() as (_, port):
        assert await ask(port) == "gRPC status UNIMPLEMENTED, expected OK"


async def test_a_service_that_does_not_know_the_whole() -> None:
    """A servicer of one's own may refuse the empty name."""
    import grpc
    from grpc_health.v1 import health_pb2_grpc

    class Refuses(health_pb2_grpc.HealthServicer):
        def Check(self, request: Any, context: Any) -> Any:
            assert request.service == ""
            context.abort(grpc.StatusCode.NOT_FOUND, "no such service")

    with serving(Refuses()) as (_, port):
        assert await ask(port) == "gRPC status NOT_FOUND, expected OK"


async def test_a_server_that_shuts_down_in_order_finishes_the_check() -> None:
    """Its GOAWAY comes while the call runs, and the answer still comes after it."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    called, go_on = threading.Event(), threading.Event()

    class Slow(health_pb2_grpc.HealthServicer):
        def Check(self, request: Any, context: Any) -> Any:
            called.set()
            assert go_on.wait(10)
            return health_pb2.HealthCheckResponse(status=1)

    def stop(server: Any) -> None:
        assert called.wait(10)
        server.stop(10)
        assert not go_on.wait(0.3)  # long enough for the GOAWAY to be on its way
        go_on.set()

    with serving(Slow()) as (server, port):
        thread = threading.Thread(target=stop, args=(server,))
        thread.start()
        assert await ask(port) == ""
        thread.join()


async def test_a_service_that_is_stuck() -> None:
    """The check ends when its time is over."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    go_on = threading.Event()

    class Stuck(health_pb2_grpc.HealthServicer):
        def Check(self, request: Any, context: Any) -> Any:
            go_on.wait(10)
            return health_pb2.HealthCheckResponse(status=1)

    with serving(Stuck()) as (_, port):
        assert await ask(port, HealthPlan(protocol="grpc", timeout=0.3)) == "no answer within 0.3 s"
        go_on.set()


async def test_nobody_listens() -> None:
    """The kernel's own word for it."""
    assert await ask(free_port()) == "connection refused"


async def test_the_wrong_protocol_for_the_server() -> None:
    """An HTTP/1.1 check of a gRPC server fails at once and says so; a connect is fine."""
    with serving() as (_, port):
        assert await ask(port, HealthPlan(timeout=5.0)) == "the answer is not HTTP/1"
        assert await ask(port, HealthPlan(protocol="tcp")) == ""


async def test_checks_leave_no_descriptor() -> None:
    """However many there were."""
    from grpc_health.v1 import health

    with serving(health.HealthServicer()) as (_, port):
        assert await ask(port) == ""
        before = open_descriptors()
        assert await ask(port, times=200) == ""
        with trio.fail_after(5):  # the server closes its ends in its own time
            while open_descriptors() > before:  # noqa: ASYNC110 - nobody tells
                await trio.sleep(0.01)
