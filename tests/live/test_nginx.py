"""The whole program in front of a real nginx, asked by curl and wrk."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.peers import Meshctl, curl, end, meshctl, need, nginx

pytestmark = pytest.mark.live

PROFILE = """
meshctl: 1
name: edge
process: {{drain_timeout: 5s}}
listeners:
  web: {{bind: "127.0.0.1:0"}}
routes:
  - {{name: health, match: {{path: /healthz}}, respond: {{status: 200, body: "ok\\n"}}}}
  - {{name: old, match: {{path_prefix: /old/}}, redirect: {{status: 308, path_prefix: /new/}}}}
  - {{name: api, match: {{path_prefix: /api/}}, to: app, rewrite: {{path_prefix: /}}}}
  - {{name: dead, match: {{path: /dead}}, to: nowhere, retry: {{max_retries: 0}}}}
  - {{name: all, to: app}}
upstreams:
  app: {{endpoints: ["127.0.0.1:{port}"]}}
  nowhere: {{endpoints: ["127.0.0.1:1"]}}
"""

SERVER = """
  location = /hello { return 200 "hello\\n"; }
  location = /echo { add_header x-seen "$http_x_forwarded_for|$http_x_forwarded_proto|$http_host" always;
                     return 200 "$request_uri\\n"; }
  location = /take { proxy_pass http://$server_addr:$server_port/hello; }
  location = /slow { limit_rate 20k; try_files /blob =404; }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that nginx serves."""
    folder = tmp_path_factory.mktemp("live")
    (folder / "www").mkdir()
    (folder / "www" / "big").write_bytes(os.urandom(1 << 20) * 20)
    (folder / "www" / "blob").write_bytes(bytes(40_000))
    return folder


@pytest.fixture(scope="module")
def origin(folder: Path) -> Iterator[int]:
    """The port of a running nginx."""
    with nginx(folder, SERVER) as port:
        yield port


@pytest.fixture
def edge(tmp_path: Path, origin: int) -> Iterator[Meshctl]:
    """A running proxy in front of it."""
    with meshctl(tmp_path, PROFILE.format(port=origin)) as running:
        yield running


def test_a_get_comes_through_with_the_headers_of_a_proxy(edge: Meshctl) -> None:
    """The answer is the origin's, with Via; the origin saw who asked and for what."""
    answer = curl("-i", f"{edge.url}/echo").stdout.decode()
    assert answer.startswith("HTTP/1.1 200 OK\r\n")
    assert "via: 1.1 edge" in answer
    assert f"x-seen: 127.0.0.1|http|127.0.0.1:{edge.port}" in answer.lower()


def test_routes_answer_redirect_and_rewrite(edge: Meshctl) -> None:
    """Each kind of route does what it says."""
    assert curl(f"{edge.url}/healthz").stdout == b"ok\n"
    moved = curl("-i", f"{edge.url}/old/a?b=c").stdout.decode()
    assert "308" in moved.splitlines()[0]
    assert f"location: http://127.0.0.1:{edge.port}/new/a?b=c" in moved
    assert curl(f"{edge.url}/api/hello").stdout == b"hello\n"


def test_a_large_body_arrives_whole(edge: Meshctl, folder: Path) -> None:
    """20 MiB down, by HTTP/1.1 and HTTP/1.0, and as a range, are the file's bytes."""
    want = (folder / "www" / "big").read_bytes()
    for version in ("--http1.1", "--http1.0"):
        got = curl(version, f"{edge.url}/big").stdout
        assert hashlib.sha256(got).digest() == hashlib.sha256(want).digest()
    assert curl("-r", "100-199", f"{edge.url}/big").stdout == want[100:200]


def test_uploads_arrive_whole(tmp_path: Path, edge: Meshctl) -> None:
    """A long upload, sized and chunked, is taken to its end and the connection stays usable."""
    path = tmp_path / "upload"
    path.write_bytes(bytes(8 << 20))
    for extra in ([], ["-H", "Transfer-Encoding: chunked"]):
        done = curl(
            "-o", os.devnull, "-w", "%{http_code} %{size_upload} ", *extra, "--data-binary", f"@{path}",
            f"{edge.url}/take", "--next", "-sS", "-o", os.devnull, "-w", "%{http_code}", f"{edge.url}/hello",
        )  # fmt: skip
        first, size, second = done.stdout.decode().split()
        assert (first, second) == ("200", "200")
        assert int(size) >= 8 << 20  # curl counts the chunk lines, too


def test_a_dead_upstream_is_a_502_that_names_itself(edge: Meshctl) -> None:
    """The client gets the status, a stable id and a sentence; JSON when it asks; no traceback anywhere."""
    answer = curl("-i", f"{edge.url}/dead").stdout.decode()
    assert answer.startswith("HTTP/1.1 502 ")
    assert "connect-failed" in answer
    assert 'proxy-status: edge; error=connection_refused; details="connect-failed"' in answer
    body = json.loads(curl("-H", "accept: application/json", f"{edge.url}/dead").stdout)
    assert body["error"] == "connect-failed"
    assert "Traceback" not in edge.err


def test_the_access_log_has_a_json_line_for_each_request(edge: Meshctl) -> None:
    """Route, endpoint, status and times of answered and refused requests are written down."""
    curl(f"{edge.url}/hello")
    curl(f"{edge.url}/dead")
    end(edge.process)
    lines = [json.loads(line) for line in edge.out.splitlines()]
    assert [(line["route"], line["status"]) for line in lines] == [("all", 200), ("dead", 502)]
    assert lines[1]["fault"] == "connect-failed"
    assert lines[0]["bytes"] == 6


def test_wrk_sees_no_error(edge: Meshctl) -> None:
    """Thirty-two busy connections for two seconds get nothing but answers."""
    need("wrk")
    done = subprocess.run(
        ["wrk", "-c32", "-t1", "-d2", f"{edge.url}/hello"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "Socket errors" not in done.stdout
    assert "Non-2xx" not in done.stdout
    count = re.search(r"(\d+) requests in", done.stdout)
    assert count and int(count[1]) > 500


def test_sigterm_drains(edge: Meshctl) -> None:
    """What is in flight ends whole, idle connections close at once, and the exit code is 0."""
    idle = socket.create_connection(("127.0.0.1", edge.port))
    slow = socket.create_connection(("127.0.0.1", edge.port))
    for sock in (idle, slow):
        sock.settimeout(20)
    idle.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"hello" in idle.recv(4096)
    slow.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    got = slow.recv(65536)
    edge.process.send_signal(signal.SIGTERM)
    assert idle.recv(4096) == b""
    while piece := slow.recv(65536):
        got += piece
    assert len(got.partition(b"\r\n\r\n")[2]) == 40_000
    assert edge.process.wait(10) == 0
    assert "none cut off" in edge.err
    idle.close()
    slow.close()


def test_a_second_signal_ends_at_once(edge: Meshctl) -> None:
    """Nobody waits for a drain that the operator does not want; the exit code says what was lost."""
    slow = socket.create_connection(("127.0.0.1", edge.port))
    slow.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    assert slow.recv(1024)
    edge.process.send_signal(signal.SIGTERM)
    pause = threading.Event()
    for _ in range(200):
        if "draining" in edge.err:
            break
        pause.wait(0.02)
    edge.process.send_signal(signal.SIGTERM)
    assert edge.process.wait(3) == 7
    assert "1 requests cut off" in edge.err or "1 request cut off" in edge.err
    slow.close()


def test_descriptors_running_out_stops_nothing(tmp_path: Path, origin: int) -> None:
    """With 64 descriptors and 100 clients the proxy still answers once clients have left."""
    profile = PROFILE.format(port=origin) + "access_log: {to: false}\n"
    profile = profile.replace("drain_timeout: 5s", "drain_timeout: 1s, max_connections: 1000")
    with meshctl(tmp_path, profile, nofile=64) as edge:
        crowd = [socket.create_connection(("127.0.0.1", edge.port)) for _ in range(100)]
        pause = threading.Event()
        for _ in range(200):
            if "cannot accept" in edge.err:
                break
            pause.wait(0.02)
        assert "cannot accept" in edge.err
        for sock in crowd:
            sock.close()
        assert curl(f"{edge.url}/healthz").stdout == b"ok\n"
        assert curl(f"{edge.url}/hello").stdout == b"hello\n"
        assert "Traceback" not in edge.err


def test_a_slow_reader_costs_bounded_memory(edge: Meshctl) -> None:
    """Twenty clients that ask for 20 MiB and read nothing grow the proxy by less than 16 MiB."""
    curl(f"{edge.url}/big", "-o", os.devnull)
    before = edge.rss()
    readers = []
    for _ in range(20):
        sock = socket.create_connection(("127.0.0.1", edge.port))
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        readers.append(sock)
    for sock in readers:
        assert sock.recv(1, socket.MSG_PEEK)
    assert curl(f"{edge.url}/hello").stdout == b"hello\n"
    assert edge.rss() - before < 16 << 20
    for sock in readers:
        sock.close()


def test_a_unix_socket_listens_too(tmp_path: Path, origin: int) -> None:
    """A listener on a Unix socket serves, and its file is gone afterwards."""
    path = tmp_path / "s"
    profile = PROFILE.format(port=origin).replace('"127.0.0.1:0"', f'"unix:{path}"')
    with meshctl(tmp_path, profile) as edge:
        got = curl("--unix-socket", str(path), "http://any/hello").stdout
        assert got == b"hello\n"
        end(edge.process)
    assert not path.exists()
