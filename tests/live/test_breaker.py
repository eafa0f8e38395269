"""A breaker before real servers: one nginx that is well, one that fails while a file says so."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median

import pytest

from tests.kit.peers import Meshctl, meshctl, nginx

pytestmark = pytest.mark.live

PROFILE = """
meshctl: 1
name: edge
listeners: {{web: {{bind: "127.0.0.1:0"}}}}
routes:
  - {{name: lone, match: {{path_prefix: /lone}}, to: lone}}
  - {{name: pair, to: pair}}
upstreams:
  lone: {{endpoints: ["127.0.0.1:{ill}"], breaker: {{open_for: 1s}}, retry: {{max_retries: 0}}}}
  pair: {{endpoints: ["127.0.0.1:{well}", "127.0.0.1:{ill}"], breaker: {{open_for: 1s}}}}
access_log: {{to: false}}
"""
LIMIT = 15.0


class Servers:
    """Two servers; the second one answers 503 while it is ``ill``, and writes down what it is asked."""

    def __init__(self, folder: Path, well: int, ill: int) -> None:
        self.well, self.ill = well, ill
        self._switch = folder / "fail"
        self._seen = folder / "seen.log"

    def fail(self, on: bool) -> None:
        """Turn the trouble on or off."""
        self._switch.touch() if on else self._switch.unlink()

    def asked(self, path: str) -> int:
        """Give how many requests for ``path`` the second one has had."""
        return sum(f"GET {path} " in line for line in self._seen.read_text().splitlines())


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Two running nginx."""
    folder = tmp_path / "ill"
    (tmp_path / "well").mkdir()
    folder.mkdir()
    block = f"""
      access_log {folder}/seen.log;
      location / {{ if (-f {folder}/fail) {{ return 503; }} return 200 "ill\\n"; }}
    """
    with (
        nginx(tmp_path / "well", 'location / { return 200 "well\\n"; }') as well,
        nginx(folder, block) as ill,
    ):
        yield Servers(folder, well, ill)


@pytest.fixture
def edge(tmp_path: Path, servers: Servers) -> Iterator[Meshctl]:
    """A running proxy in front of them."""
    with meshctl(tmp_path, PROFILE.format(well=servers.well, ill=servers.ill)) as running:
        yield running


class Client:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)

    def get(self, path: str) -> tuple[int, str, float]:
        """Give status, body, and how many seconds it took."""
        began = time.monotonic()
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read().decode()
        return answer.status, body, time.monotonic() - began

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def until_asked(client: Client, path: str, unless: str) -> int:
    """Ask until the proxy lets one through; give its status."""
    pause = threading.Event()
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        status, body, _ = client.get(path)
        if unless not in body:
            return status
        pause.wait(0.02)
    raise AssertionError("the breaker has never let anybody through")


def test_it_opens_probes_and_closes(edge: Meshctl, servers: Servers) -> None:
    """Five failures open it; then nobody waits and nobody asks; probes go one at a time; two close it."""
    servers.fail(True)
    with closing(Client(edge.port)) as client:
        assert [client.get("/lone")[0] for _ in range(5)] == [503] * 5
        refused = [client.get("/lone") for _ in range(50)]
        assert all("no-endpoint" in body for _, body, _ in refused)
        wait_for(lambda: servers.asked("/lone") == 5)
        assert median(took for *_, took in refused) < 0.005
        assert until_asked(client, "/lone", "no-endpoint") == 503  # the first probe, in vain
        wait_for(lambda: servers.asked("/lone") == 6)  # nginx writes it down after it has answered
        servers.fail(False)
        assert until_asked(client, "/lone", "no-endpoint") == 200
        assert [client.get("/lone")[0] for _ in range(20)] == [200] * 20
    moves = [line for line in edge.err.splitlines() if " breaker lone/" in line]
    assert [line.split()[3].rstrip(":") for line in moves] == [
        "open",
        "half-open",
        "open",
        "half-open",
        "closed",
    ]
    assert "5 failures in a row (failure_threshold: 5, default); GET /lone 503 (5 times)" in moves[0]
    assert "open again for 1s: a probe failed: GET /lone 503" in moves[2]
    assert "(open_for: 1s, " in moves[1]
    assert "edge.yaml:9)" in moves[1]


def test_a_crowd_at_half_open_is_one_probe(edge: Meshctl, servers: Servers) -> None:
    """Forty at once, again and again: between two failures the server sees one of them."""
    servers.fail(True)
    with closing(Client(edge.port)) as client:
        for _ in range(5):
            client.get("/lone")

    def knock(number: int) -> list[str]:
        with closing(Client(edge.port)) as client:
            deadline = time.monotonic() + 2.5
            seen = []
            while time.monotonic() < deadline:
                seen.append(client.get(f"/lone?{number}")[1])
            return seen

    with ThreadPoolExecutor(8) as pool:
        answers = [body for row in pool.map(knock, range(8)) for body in row]
    let_in = [body for body in answers if "no-endpoint" not in body]
    assert 1 <= len(let_in) <= 3  # one for each second that has begun
    assert len(answers) > 100


def test_the_healthy_one_never_misses_a_request(edge: Meshctl, servers: Servers) -> None:
    """While the other fails, opens, is probed and comes back, every client gets its 200."""
    stop = threading.Event()

    def ask() -> list[int]:
        with closing(Client(edge.port)) as client:
            seen = []
            while not stop.is_set():
                seen.append(client.get("/pair")[0])
            return seen

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        servers.fail(True)
        wait_for(lambda: "half-open" in edge.err)
        servers.fail(False)
        wait_for(lambda: " closed: " in edge.err)
        stop.set()
        statuses = [status for each in asking for status in each.result()]
    assert set(statuses) == {200}
    assert len(statuses) > 100


def wait_for(what: object) -> None:
    """Wait until ``what()`` holds."""
    pause = threading.Event()
    deadline = time.monotonic() + LIMIT
    while not what():  # type: ignore[operator]
        assert time.monotonic() < deadline
        pause.wait(0.02)
