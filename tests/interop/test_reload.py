"""Fifty random reloads while HTTP/1.1, HTTP/2, gRPC and WebSocket go on: nobody notices any of them.

``MESHCTL_RELOADS=500 pytest tests/interop/test_reload.py`` does more of them, and prints what was served.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import grpc
import pytest
from wsproto import events

from tests.kit.peers import Meshctl, curl, end, free_port, meshctl, need, nginx
from tests.kit.websockets import H2WebSocket, echo_server

pytestmark = pytest.mark.live
RELOADS = int(os.environ.get("MESHCTL_RELOADS", "50"))
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
PROFILE = """
meshctl: 1
name: edge
listeners: {{ {listeners} }}
routes:
  - {{name: calls, match: {{path_prefix: /t/}}, to: calls}}
  - {{name: sockets, match: {{path: /socket}}, to: sockets}}
  - {{name: all, to: app, headers: {{response: {{set: {{x-generation: "{number}"}}}}}} }}
upstreams:
  app: {{endpoints: [{endpoints}]{app}}}
  calls: {{protocol: http2, endpoints: ["127.0.0.1:{calls}"]{other}}}
  sockets: {{endpoints: ["127.0.0.1:{sockets}"]}}
  spare: {{endpoints: ["127.0.0.1:{spare}"]}}
{more}
access_log: {{to: {log}}}
"""
SERVER = """
  location = /hello { return 200 "hello\\n"; }
  location = /big { try_files /big =404; }
"""


class Echo(grpc.GenericRpcHandler):
    """Echoes one message, or all of a stream."""

    def service(self, details: grpc.HandlerCallDetails) -> object:
        """Give what serves a method."""
        if details.method == "/t/Both":
            return grpc.stream_stream_rpc_method_handler(lambda messages, _: messages)
        return grpc.unary_unary_rpc_method_handler(lambda message, _: message)


Again = Callable[[], None]


class Load:
    """Clients in threads of their own, until it is over; ``errors`` are what they have noticed."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.errors: list[str] = []
        self.served: dict[str, int] = {}

    def run(self, name: str, begin: Callable[[int], AbstractContextManager[Again]], port: int) -> None:
        """Begin, then do again and again what that gives."""
        self.served[name] = 0
        try:
            with begin(port) as again:
                while not self.over.is_set():
                    again()
                    self.served[name] += 1
        except Exception as error:
            self.errors.append(f"{name} after {self.served[name]}: {error!r}")


@contextmanager
def calls(port: int) -> Iterator[Again]:
    """Make unary calls on one channel."""
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
        unary = channel.unary_unary("/t/Unary")

        def again() -> None:
            assert unary(b"hello", timeout=10) == b"hello"

        yield again


@contextmanager
def stream(port: int) -> Iterator[Again]:
    """Send message after message on one call."""
    turn = threading.Semaphore(0)

    def messages() -> Iterator[bytes]:
        while turn.acquire(timeout=20):
            yield b"message"

    with grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
        answers = channel.stream_stream("/t/Both")(messages())

        def again() -> None:
            turn.release()
            assert next(answers) == b"message"

        yield again
        answers.cancel()


@contextmanager
def socket(port: int) -> Iterator[Again]:
    """Send message after message on one WebSocket in HTTP/2."""
    with closing(H2WebSocket(port)) as client:
        id = client.connect("/socket")

        def again() -> None:
            client.send(id, events.TextMessage("hello"))
            assert client.next(id) == events.TextMessage("hello")

        yield again


@contextmanager
def download(port: int) -> Iterator[Again]:
    """Load a file of 8 MiB, slowly enough for a few reloads to happen."""

    def again() -> None:
        found = curl(
            "--limit-rate", "20M", "-o", "/dev/null", "-w", "%{size_download}", f"http://127.0.0.1:{port}/big"
        )
        assert found.stdout == b"8388608", found.stderr

    yield again


@contextmanager
def h2load(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run h2load until its time is over; it says itself whether a request has failed."""
    process = subprocess.Popen(["h2load", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with process:
        try:
            yield process
        finally:
            end(process, signal.SIGKILL)


def variant(chance: random.Random, number: int, ports: dict[str, int], folder: Path) -> str:
    """Give a profile in which whatever may be different is, by lot."""
    pick = chance.choice
    endpoints = [f"127.0.0.1:{ports['app']}", f"127.0.0.1:{ports['app2']}"]
    chosen = pick([endpoints, endpoints[::-1], endpoints[:1], endpoints[1:]])
    rows = [f'{{address: "{each}", weight: {pick([1, 5, 100])}}}' for each in chosen]
    app = pick(["", ", timeouts: {per_try: 9s}", ", health: {path: /hello, interval: 500ms, timeout: 300ms}"])
    app += pick(["", ", breaker: {scope: upstream}", ", breaker: {failure_threshold: 3}", ", breaker: false"])
    app += pick(["", ", slow_start: 2s", ", limits: {max_connections: 600}"])
    app += f", balance: {pick(['round_robin', 'least_conn', 'ewma', 'random', 'weighted'])}"
    listeners = [f'web: {{bind: "127.0.0.1:{ports["web"]}"{pick(["", ", timeouts: {keepalive: 50s}"])}}}']
    listeners += pick([[], [f'second: {{bind: "127.0.0.1:{ports["second"]}"}}']])
    return PROFILE.format(
        listeners=", ".join(listeners),
        number=number,
        endpoints=", ".join(rows),
        app=app,
        other=pick(
            ["", ", timeouts: {connect: 3s}", ", health: {protocol: tcp, interval: 500ms, timeout: 300ms}"]
        ),
        more=pick(["", "rate_limit: {rate: 1000000/s, burst: 1000000}", "process: {drain_timeout: 20s}"]),
        log=pick(["false", str(folder / "one.log"), str(folder / "two.log")]),
        calls=ports["calls"],
        sockets=ports["sockets"],
        spare=pick([ports["app"], ports["app2"]]),
    )


def reload(edge: Meshctl, path: Path, text: str) -> None:
    """Put a profile in place and have it loaded."""
    known = len(edge.err)
    path.write_text(text)
    edge.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 20
    while not (said := re.search(r"reloaded|not reloaded|runs already", edge.err[known:])):
        assert time.monotonic() < until, edge.err[known:]
        threading.Event().wait(0.01)
    assert "not reloaded" not in edge.err[known:], edge.err[known:]
    assert said


def test_nobody_notices(tmp_path: Path) -> None:
    """Not one request fails, no stream and no WebSocket breaks, and the last profile counts."""
    need("h2load", "curl", "nginx")
    chance = random.Random(RELOADS)
    for name in ("a", "b"):
        (tmp_path / name / "www").mkdir(parents=True)
        (tmp_path / name / "www" / "big").write_bytes(bytes(8 << 20))
    load = Load()
    with (
        nginx(tmp_path / "a", SERVER) as app,
        nginx(tmp_path / "b", SERVER) as app2,
        echo_server() as sockets,
        ThreadPoolExecutor(16) as pool,
    ):
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((Echo(),))
        ports = {
            "app": app,
            "app2": app2,
            "sockets": sockets,
            "calls": server.add_insecure_port("127.0.0.1:0"),
            "web": free_port(),
            "second": free_port(),
        }
        server.start()
        with meshctl(tmp_path, variant(chance, 0, ports, tmp_path)) as edge:
            web = ports["web"]
            url = f"http://127.0.0.1:{web}/hello"
            begins = {"unary": calls, "stream": stream, "socket": socket, "download": download}
            threads = [
                threading.Thread(target=load.run, args=(name, begin, web)) for name, begin in begins.items()
            ]
            count = str(RELOADS * 300)
            with (
                h2load("--h1", "-n", count, "-c", "8", "--rps", "150", url) as old,
                h2load("-n", count, "-c", "4", "-m", "4", "--rps", "300", url) as new,
            ):
                for thread in threads:
                    thread.start()
                try:
                    for number in range(1, RELOADS + 1):
                        reload(edge, tmp_path / "edge.yaml", variant(chance, number, ports, tmp_path))
                        threading.Event().wait(chance.uniform(0, 0.2))
                    said = curl("-i", url).stdout.decode()
                finally:
                    load.over.set()
                    for thread in threads:
                        thread.join(30)
                assert f"x-generation: {RELOADS}\r\n" in said
                assert load.errors == []
                for process in (old, new):
                    output = process.communicate(timeout=120)[0].decode()
                    assert re.search(rf"{count} succeeded, 0 failed, 0 errored, 0 timeout", output), output
            print(load.served)
            assert min(load.served.values()) > 0
            assert "Traceback" not in edge.err
        server.stop(None).wait(10)
