"""A shop to be drawn: ten small servers, the real proxy in front of them, clients, and one bad minute.

``record`` runs it and writes what the proxy tells, with a tap, into a recording.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

import trio

from appliance.tui.feed import Feed, conversation
from appliance.wire.codec import SETS, state_out
from appliance.wire.recording import Writer

ROOT = Path(__file__).resolve().parents[2]
BEFORE, AFTER = 62.0, 34.0
"""Seconds of the recording before a server begins to fail, and after."""

_SERVERS = {  # upstream: last numbers of its servers' addresses, and how long an answer takes (median ms)
    "payments": ([11, 12, 13], 9),
    "search": ([21, 22, 23], 18),
    "catalog": ([31, 32], 5),
    "accounts": ([41, 42], 7),
}
_ASKED = [  # method, path, how often
    ("POST", "/pay/checkout", 12), ("GET", "/pay/methods", 10), ("GET", "/search?q=blue+lamp", 22),
    ("GET", "/search?q=oak+desk&page=2", 9), ("GET", "/items/4711", 26), ("GET", "/items/9", 12),
    ("POST", "/login", 5), ("GET", "/hello", 2),
]  # fmt: skip
_CLIENTS = 12
_CHANCE = Random(7)  # noqa: S311 - nothing is to be kept secret here
_PROFILE = """\
meshctl: 1
name: edge-01
listeners:
  public: {{bind: "127.0.0.1:{port}"}}
routes:
  - {{name: checkout, match: {{path_prefix: /pay}}, to: payments}}
  - {{name: search, match: {{path_prefix: /search}}, to: search}}
  - {{name: items, match: {{path_prefix: /items}}, to: catalog}}
  - {{name: login, match: {{path: /login, methods: [POST]}}, to: accounts}}
  - {{name: hello, match: {{path: /hello}}, respond: {{status: 200, body: hello}}}}
upstreams:
{upstreams}
stats: {{socket: {socket}}}
access_log: {{to: false}}
"""


class Server:
    """One server; what makes it ill is set from outside."""

    def __init__(self, number: int, millis: float) -> None:
        self.address = f"127.0.3.{number}"
        self.millis = millis
        self.ill = False
        self.slow = 1.0

    async def serve(self, stream: trio.SocketStream) -> None:
        """Answer for as long as somebody asks."""
        data = b""
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    more = await stream.receive_some()
                    if not more:
                        return
                    data += more
                _, _, data = data.partition(b"\r\n\r\n")
                took = _CHANCE.lognormvariate(0, 0.5) * self.millis * self.slow
                await trio.sleep((took if _CHANCE.random() > 0.01 else 8 * took) / 1000)
                status, size = (b"503 Service Unavailable", 20) if self.ill else (b"200 OK", 400)
                await stream.send_all(
                    b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, size, b"x" * size)
                )
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


async def _ask(port: int, number: int) -> None:
    """Be one client."""
    choices = [(method, path) for method, path, often in _ASKED for _ in range(often)]
    stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=f"127.0.9.{number}")
    while True:
        method, path = _CHANCE.choice(choices)
        head = f"{method} {path} HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 0\r\n\r\n"
        await stream.send_all(head.encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive_some()
        head, _, body = data.partition(b"\r\n\r\n")
        left = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) - len(body)
        while left > 0:
            left -= len(await stream.receive_some())
        await trio.sleep(_CHANCE.expovariate(25))


async def _tell(feed: Feed, writer: Writer) -> None:
    """Write all that the proxy tells."""
    await feed.subscribe(dict.fromkeys(SETS, True), 4.0, 0)
    whole_at = feed.m
    async for frame in feed.frames():
        writer.add(frame)
        if frame["k"] == "delta" and feed.m - whole_at >= 30_000:
            whole_at = feed.m
            writer.add({"k": "snap", "seq": feed.seq, "m": feed.m, "t": frame["t"], **state_out(feed.state)})
            writer.flush()
        for row in frame.get("items", ()) if frame["k"] == "events" else ():
            if row.get("trip"):
                answer = await feed.query("trip", trip=row["trip"])
                writer.add({"k": "trip", "trip": answer["now"]})


async def _happen(feed: Feed, servers: dict[str, list[Server]]) -> None:
    """Let the minute go by: search grows slow, one server of payments fails, an operator drains another."""
    await trio.sleep(BEFORE - 30)
    servers["search"][1].slow = 6
    await trio.sleep(10)
    await feed.command(
        "endpoint.drain", {"endpoint": "accounts/127.0.3.42:8080", "reason": "new kernel", "ttl": 600_000}
    )
    await trio.sleep(20)
    await feed.command(
        "tap.start", {"match": 'status>=500 or dur>60ms or upstream="payments"', "ttl": 60_000}
    )
    servers["payments"][1].ill = True
    await trio.sleep(AFTER)


async def _record(path: Path) -> None:
    servers = {
        name: [Server(number, millis) for number in numbers] for name, (numbers, millis) in _SERVERS.items()
    }
    async with trio.open_nursery() as nursery:
        for row in servers.values():
            for each in row:
                await nursery.start(_serve, each)
        with tempfile.TemporaryDirectory() as home:
            await _run(nursery, servers, Path(home), path)
        nursery.cancel_scope.cancel()


async def _serve(server: Server, *, task_status: trio.TaskStatus[None]) -> None:
    listeners = await trio.open_tcp_listeners(8080, host=server.address)
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, server.serve, listeners)
        task_status.started()


async def _run(nursery: trio.Nursery, servers: dict[str, list[Server]], home: Path, path: Path) -> None:
    port = 18080
    upstreams = "\n".join(
        f"  {name}: {{endpoints: [{', '.join(f'{each.address}:8080' for each in row)}]}}"
        for name, row in servers.items()
    )
    profile = home / "edge-01.yaml"
    profile.write_text(_PROFILE.format(port=port, upstreams=upstreams, socket=home / "edge-01.sock"))
    proxy = await trio.lowlevel.open_process(
        [sys.executable, "-m", "appliance", "run", profile.name], cwd=home, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        while not (home / "edge-01.sock").exists():  # noqa: ASYNC110 - another process makes it
            await trio.sleep(0.1)
        for number in range(1, _CLIENTS + 1):
            nursery.start_soon(_ask, port, number)
        stream = await trio.open_unix_socket(str(home / "edge-01.sock"))
        async with conversation(stream, "meshctl pictures") as feed:
            with path.open("wb") as file:
                writer = Writer(file, feed.hello)
                async with trio.open_nursery() as telling:
                    telling.start_soon(_tell, feed, writer)
                    await _happen(feed, servers)
                    telling.cancel_scope.cancel()
                writer.close()
    finally:
        proxy.terminate()
        with trio.CancelScope(shield=True):
            await proxy.wait()


def record(path: Path) -> None:
    """Run the shop, and write the recording."""
    trio.run(_record, path)
