"""A gRPC service and its client, to try profiles/grpc.yaml with; needs grpcio and grpcio-health-checking.

python carts.py serve 9001              answers calls
python carts.py serve 9002 --ill 20     answers UNAVAILABLE for 20 s, though its health check passes
python carts.py call                    calls through the proxy ten times a second, and says what came back
"""

from __future__ import annotations

import itertools
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

METHOD = "/shop.v1.Carts/GetCart"


class Carts(grpc.GenericRpcHandler):
    """Serves one method, with bytes for messages."""

    def __init__(self, port: str, well_at: float) -> None:
        self.cart = f"cart from {port}".encode()
        self.well_at = well_at

    def service(self, details: Any) -> Any:
        """Give what serves a method."""
        return grpc.unary_unary_rpc_method_handler(self.get_cart) if details.method == METHOD else None

    def get_cart(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer, or complain."""
        if time.monotonic() < self.well_at:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the database is away")
        return self.cart


def serve(port: str, ill: float = 0.0) -> None:
    """Serve until ctrl-c."""
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers([Carts(port, time.monotonic() + ill)])
    checks = health.HealthServicer()
    checks.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def call() -> None:
    """Call until ctrl-c, with a line for each second."""
    options = [("grpc.default_authority", "carts.example.com")]
    get_cart = grpc.insecure_channel("127.0.0.1:8080", options).unary_unary(METHOD)
    for second in itertools.count(1):
        told: Counter[str] = Counter()
        for _ in range(10):
            try:
                told[get_cart(b"7", timeout=2).decode()] += 1
            except grpc.RpcError as error:
                told[f"{error.code().name}: {error.details()}"] += 1
            time.sleep(0.1)
        said = ", ".join(f"{count} x {what}" for what, count in sorted(told.items()))
        print(f"{second:3} s  {said}", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", port]:
            serve(port)
        case ["serve", port, "--ill", seconds]:
            serve(port, float(seconds))
        case ["call"]:
            call()
        case _:
            sys.exit(__doc__)
