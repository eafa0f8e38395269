"""The profiles that we ship, run as they are: every route gets a request, and servers tell what they got."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from appliance.config.load import load
from tests.kit.peers import ROOT, Meshctl, curl, free_port, meshctl

pytestmark = pytest.mark.live
PROFILES = ROOT / "profiles"
PREFACE = b"PRI * HTTP/2.0\r\n"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
SERVING = b"\0\0\0\0\2\x08\x01"


class Teller(socketserver.StreamRequestHandler):
    """Answers with what it was asked, and by which server; speaks HTTP/1.1 and HTTP/2 without TLS."""

    def handle(self) -> None:
        line = self.rfile.readline()
        if line == PREFACE:
            self._h2(line)
            return
        while line:
            method, target, _ = line.decode().split(" ", 2)
            headers = {}
            while (field := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = field.decode().partition(":")
                headers[name.lower()] = value.strip()
            self.rfile.read(int(headers.get("content-length", 0)))
            body = b"" if method == "HEAD" else self._tell(method, target, headers)
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nserver: teller\r\ngrpc-status: 0\r\ncontent-length: %d\r\n\r\n"
                % len(body)
            )
            self.wfile.write(body)
            line = self.rfile.readline()

    def _tell(self, method: str, target: str, headers: dict[str, str]) -> bytes:
        name = self.server.name
        return json.dumps({"name": name, "method": method, "target": target, "headers": headers}).encode()

    def _h2(self, line: bytes) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        data, asked = line, {}
        while data:
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    asked[event.stream_id] = {name.decode(): value.decode() for name, value in event.headers}
                elif isinstance(event, h2.events.DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    headers = asked.pop(event.stream_id)
                    headers["host"] = headers.pop(":authority", headers.get("host", ""))
                    method, path = headers.pop(":method"), headers.pop(":path")
                    check = path == HEALTH_CHECK and "x-try" not in headers  # the proxy's own
                    body = SERVING if check else self._tell(method, path, headers)
                    connection.send_headers(event.stream_id, [(":status", "200"), ("server", "teller")])
                    connection.send_data(event.stream_id, body)
                    connection.send_headers(event.stream_id, [("grpc-status", "0")], end_stream=True)
            self.wfile.write(connection.data_to_send())
            data = self.rfile.read1(65536)


class Server(socketserver.ThreadingTCPServer):
    """One server with a name."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Teller)
        self.name = name

    def handle_error(self, *_: object) -> None:
        """A connection that the proxy cuts is no error of the server's."""


@contextmanager
def serving(name: str) -> Iterator[str]:
    """Run a server; gives its address."""
    with Server(name) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


class Reply:
    """An answer as curl got it."""

    def __init__(self, raw: str) -> None:
        head, _, self.body = raw.partition("\r\n\r\n")
        first, *fields = head.split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}

    @property
    def told(self) -> dict[str, Any]:
        """What the server behind the proxy says that it got."""
        assert self.status == 200, self.body
        found: dict[str, Any] = json.JSONDecoder().raw_decode(self.body)[0]  # curl shows trailers behind it
        return found


def ask(url: str, *arguments: str, host: str = "shop.example.com") -> Reply:
    done = curl("-i", "-H", f"Host: {host}", *arguments, url)
    assert done.returncode == 0, done.stderr
    return Reply(done.stdout.decode())


@contextmanager
def running(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, *servers: str, text: str = "", **ports: str
) -> Iterator[Meshctl]:
    """Run a shipped profile with a server for each of these variables."""
    for variable, value in ports.items():
        monkeypatch.setenv(variable, value)
    with ExitStack() as stack:
        for variable in servers:
            monkeypatch.setenv(variable, stack.enter_context(serving(variable.lower())))
        text = text or (PROFILES / name).read_text()
        yield stack.enter_context(meshctl(folder, text))


ANY = "127.0.0.1:0"


def test_quickstart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two servers take turns."""
    text = (PROFILES / "quickstart.yaml").read_text().replace("127.0.0.1:8080", ANY, 2)
    text = text.replace("127.0.0.1:9001", '"${A}"').replace("127.0.0.1:9002", '"${B}"')
    with running(tmp_path, "", monkeypatch, "A", "B", text=text.replace(f"/{ANY}", "/")) as proxy:
        assert {ask(proxy.url).told["name"] for _ in range(4)} == {"a", "b"}


def test_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each route does what the profile says of it."""
    servers = ("STABLE_A", "STABLE_B", "NEXT", "API")
    with running(tmp_path, "canary.yaml", monkeypatch, *servers, WEB_BIND=ANY) as proxy:
        health = ask(f"{proxy.url}/healthz")
        assert (health.status, health.body, health.headers["cache-control"]) == (200, "ok\n", "no-store")
        moved = ask(f"{proxy.url}/old/page?a=1")
        assert moved.status == 308
        assert moved.headers["location"] == "http://shop.example.com/new/page?a=1"
        api = ask(f"{proxy.url}/api/items/7", "-X", "PUT", "-d", "x", "-H", "x-debug: 1")
        told = api.told
        assert (told["name"], told["method"], told["target"]) == ("api", "PUT", "/v1/items/7")
        assert (told["headers"]["host"], told["headers"]["x-edge"]) == ("api.internal", "canary")
        assert "x-debug" not in told["headers"]
        assert api.headers.get("server") != "teller"
        asked = ask(f"{proxy.url}/cart", "-H", "x-canary: 1")
        assert (asked.told["name"], asked.headers["x-version"]) == ("next", "next")
        assert "x-canary" not in asked.told["headers"]
        link = ask(f"{proxy.url}/?version=next")
        assert (link.told["name"], link.headers["x-version"]) == ("next", "next")
        some = [ask(f"{proxy.url}/").told["name"] for _ in range(12)]
        assert {"stable_a", "stable_b"} <= set(some) <= {"stable_a", "stable_b", "next"}
        assert some.count("stable_a") > some.count("next")
        assert "warning" not in proxy.err


def test_sidecar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inwards to the service, outwards by the name that it asks for, and nowhere else."""
    servers = ("SERVICE", "PAYMENTS_A", "PAYMENTS_B", "STOCK")
    out = f"127.0.0.1:{free_port()}"
    with running(tmp_path, "sidecar.yaml", monkeypatch, *servers, INBOUND=ANY, OUTBOUND=out) as proxy:
        outbound = f"http://{out}"
        for url in (proxy.url, outbound):
            assert ask(f"{url}/healthz", host="localhost").body == "ok\n"
        for host in ("orders.internal", "localhost", "127.0.0.1:8081"):
            assert ask(f"{proxy.url}/orders/17", host=host).told["name"] == "service"
        assert ask(f"{proxy.url}/orders", "-d", "x", host="orders.internal").told["method"] == "POST"
        for arguments in ((), ("-d", "x")):
            told = ask(f"{outbound}/pay", *arguments, host="payments.internal").told
            assert told["name"] in ("payments_a", "payments_b")
        assert ask(f"{outbound}/items/3", host="stock.internal").told["name"] == "stock"
        assert ask(outbound, host="elsewhere.internal").status == 421


def test_sidecar_over_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As its comments offer: a socket for what goes out."""
    path = tmp_path / "out.sock"
    servers = ("SERVICE", "PAYMENTS_A", "PAYMENTS_B", "STOCK")
    with running(tmp_path, "sidecar.yaml", monkeypatch, *servers, INBOUND=ANY, OUTBOUND=f"unix:{path}"):
        found = ask("http://stock.internal/items/3", "--unix-socket", str(path), host="stock.internal")
        assert found.told["name"] == "stock"


def test_grpc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each method takes its route; plain probes are answered by the proxy."""
    with running(tmp_path, "grpc.yaml", monkeypatch, "CARTS_A", "CARTS_B", GRPC_BIND=ANY) as proxy:
        assert ask(f"{proxy.url}/healthz").body == "ok\n"
        methods = {
            "shop.v1.Carts/Watch": "watch",
            "shop.v1.Carts/GetCart": "read",
            "shop.v1.Carts/AddItem": "carts",
            "grpc.health.v1.Health/Check": "health",
        }
        for path in methods:
            call = ("-H", "content-type: application/grpc", "-H", "x-try: 1", "-d", "x")
            told = ask(f"{proxy.url}/{path}", *call).told
            assert (told["method"], told["target"]) == ("POST", f"/{path}")
            assert told["name"] in ("carts_a", "carts_b")
        unknown = ask(f"{proxy.url}/shop.v1.Other/Get", "-H", "content-type: application/grpc", "-d", "x")
        assert unknown.headers["grpc-status"] == "12"
    routes = [json.loads(line).get("route") for line in proxy.out.splitlines()]
    assert routes == ["probe", *methods.values(), None]


GATEWAY = ("API_A", "API_B", "SHOP", "SHOP_NEXT")


def test_gateway_speaks_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the certificate beside it, HTTP/2 included; plain HTTP is sent there."""
    ports = {"HTTPS_BIND": ANY, "HTTP_BIND": f"127.0.0.1:{free_port()}"}
    text = (PROFILES / "gateway.yaml").read_text().replace("tls/", f"{PROFILES}/tls/")
    with running(tmp_path, "", monkeypatch, *GATEWAY, text=text, **ports) as proxy:
        trust = ("--cacert", str(PROFILES / "tls" / "example.crt"))
        answer = ask(f"https://localhost:{proxy.port}/healthz", *trust, host="localhost")
        assert (answer.status, answer.body) == (200, "ok\n")


def test_gateway_routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a listener without TLS, where curl needs no names."""
    text = (PROFILES / "gateway.yaml").read_text()
    plain, found = re.subn(r"    protocol: https\n    tls:\n(?: {6}.*\n)+", "", text)
    assert found == 1
    other = f"127.0.0.1:{free_port()}"
    ports = {"HTTPS_BIND": ANY, "HTTP_BIND": other}
    with running(tmp_path, "", monkeypatch, *GATEWAY, text=plain, **ports) as proxy:
        assert ask(f"{proxy.url}/healthz", host="localhost").body == "ok\n"
        moved = ask(f"{proxy.url}/old/page")
        assert (moved.status, moved.headers["location"]) == (308, "http://shop.example.com/new/page")
        names = set()
        for host in ("shop.example.com", "de.shop.example.com", "shop.example.com"):
            told = ask(f"{proxy.url}/api/items", "-H", "x-debug: 1", host=host).told
            names.add(told["name"])
            assert (told["target"], told["headers"]["host"]) == ("/v1/items", "api.internal")
            assert told["headers"]["x-edge"] == "gateway"
            assert "x-debug" not in told["headers"]
        assert names == {"api_a", "api_b"}
        assert ask(f"{proxy.url}/cart", "-H", "x-beta: 1").told["name"] == "shop_next"
        shop = ask(f"{proxy.url}/apis")
        assert shop.told["name"] in ("shop", "shop_next")
        assert shop.headers.get("server") != "teller"
        nothing = ask(f"{proxy.url}/", host="elsewhere.example.com")
        assert (nothing.status, nothing.body) == (404, "no such site\n")
        away = ask(f"http://{other}/cart?a=1")
        assert (away.status, away.headers["location"]) == (308, "https://shop.example.com/cart?a=1")


@pytest.mark.parametrize("name", sorted(path.name for path in PROFILES.glob("*.yaml")))
def test_the_profiles_speak_for_themselves(name: str) -> None:
    """A comment at the top says how to start it and how to try it, and all of it fits on three screens."""
    text = (PROFILES / name).read_text()
    lines = text.splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 120
    assert f"{name}\n" in text or f"{name} " in text
    if name not in ("quickstart.yaml", "demo.yaml"):
        plan, _ = load(str(PROFILES / name), env={})
        assert plan is not None
        assert {test.route for test in plan.tests} == {route.name for route in plan.routes}
