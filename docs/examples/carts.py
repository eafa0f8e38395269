"""A gRPC service and its client, to try profiles/grpc.yaml with; needs grpcio and grpcio-health-checking.

    python carts.py serve 9001               answers calls
    python carts.py serve 9002 --ill 20      answers UNAVAILABLE for 20 s, though its health check passes
    python carts.py call                     calls through the proxy, ten times a second, and says each second what came back
"""

import itertools
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


class Carts(grpc.GenericRpcHandler):
    """Serves /shop.v1.Carts/GetCart: bytes in, bytes out."""

    def __init__(self, port, well_at):
        self.name = f"cart from {port}".encode()
        self.well_at = well_at

    def service(self, details):
        if details.method == "/shop.v1.Carts/GetCart":
            return grpc.unary_unary_rpc_method_handler(self.get_cart)

    def get_cart(self, request, context):
        if time.monotonic() < self.well_at:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the database is away")
        return self.name


def serve(port, ill=0.0):
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers([Carts(port, time.monotonic() + ill)])
    checks = health.HealthServicer()
    checks.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def call():
    options = [("grpc.default_authority", "carts.example.com")]
    get_cart = grpc.insecure_channel("127.0.0.1:8080", options).unary_unary("/shop.v1.Carts/GetCart")
    for second in itertools.count(1):
        told = Counter()
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
