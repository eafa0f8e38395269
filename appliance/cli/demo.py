"""``meshctl demo``: three servers, the real proxy in front of them, a gentle load, and a story.

The proxy is a child process: this same program, running ``profiles/demo.yaml``. What is printed about
the servers comes from the proxy's own access log, what is printed about the answers from the client.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trio

from appliance import __version__

from .assets import profile_path
from .demo_origin import Mood, Origin
from .demo_top import Kept, Narrator, close_dashboard, open_dashboard, stats_socket
from .exits import Exit

_CLIENTS = 6
_PAUSE = 0.05  # seconds between the requests of one client
_START_LIMIT = 30.0  # seconds for the proxy to listen
_REQUEST = b"GET / HTTP/1.1\r\nhost: demo\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.I)


@dataclass(frozen=True, slots=True)
class Scene:
    """How long (seconds), bravo's mood, what is said, and what to look at in the dashboard."""

    seconds: float
    mood: Mood
    text: str
    hint: str


_STORY = (
    Scene(4, Mood.WELL, "all three servers are well", "2 shows their breakers, 1 comes back here"),
    Scene(4, Mood.SLOW, "bravo goes slow: 400 ms for each answer, which is no failure",
          "its p99 rises, and its breaker stays closed"),
    Scene(6, Mood.AILING, "bravo ails: two of five answers are 503; retries hide it, its fuse fills",
          "at half of a window it would blow; clients still see no error"),
    Scene(5, Mood.FAILING, "bravo fails: it answers 503; its breaker opens, and clients notice nothing",
          "OPEN: nothing is sent there; ⏎ says why, and counts down to the first probe"),
    Scene(6, Mood.WELL, "bravo has recovered: the next two probes succeed, and its breaker closes",
          "[ goes back to see it again, . comes back to now"),
    Scene(5, Mood.REFUSING, "bravo hangs up on everyone: the same again", "6 shows what has happened so far"),
    Scene(5, Mood.WELL, "bravo has recovered once more", "a curl of your own shows, too; q ends the demo"),
)  # fmt: skip


class Tally:
    """What happened, for one line a second and for the summary."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.total: Counter[str] = Counter()
        self.endpoints: Counter[str] = Counter()
        self.delays: dict[str, list[float]] = {}
        self.bad: Counter[str] = Counter()

    def answer(self, kind: str) -> None:
        """Count what a client got: a status class, or ``lost``."""
        self.answers[kind] += 1
        self.total[kind] += 1

    def record(self, record: dict[str, object]) -> None:
        """Count a line of the proxy's access log."""
        endpoint = str(record.get("endpoint", ""))
        if endpoint:
            self.endpoints[endpoint] += 1
            self.delays.setdefault(endpoint, []).append(float(str(record.get("ms", 0))))
            if int(str(record.get("status", 0))) >= 500:
                self.bad[endpoint] += 1

    def reset(self) -> None:
        """Begin the next second; totals stay."""
        self.answers.clear()
        self.delays.clear()
        self.bad.clear()


def demo(seconds: float, *, dashboard: bool = False) -> int:
    """Run the demo for ``seconds`` (0: until ctrl-c or SIGTERM); returns the exit code.

    With ``dashboard`` that shows it on this terminal, until somebody leaves it; else a line tells of each
    second.
    """
    try:
        return trio.run(_demo, seconds, dashboard)
    except* BrokenPipeError:  # nobody reads any more
        sys.stderr.close()
    return Exit.OK


async def _demo(seconds: float, dashboard: bool) -> int:
    origins = [Origin("alpha"), Origin("bravo"), Origin("charlie")]
    tally = Tally()
    async with trio.open_nursery() as nursery:
        for origin in origins:
            await nursery.start(origin.run)
        ports = {origin.name.upper(): str(origin.port) for origin in origins}
        profile = profile_path("demo.yaml")
        proxy = await trio.lowlevel.open_process(
            [*_myself(), "run", profile.name],  # so named in everything that is told of it
            cwd=profile.parent,
            env={**os.environ, **_importable(), **ports, "PORT": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,  # a ctrl-c is for the demo, which then ends the proxy in order
        )
        started = time.monotonic()
        try:
            said = await _wait_listening(proxy)
            if said is None:
                nursery.cancel_scope.cancel()
                return Exit.CANNOT_START
            port, line = said
            socket = stats_socket(line) if dashboard else ""
            nursery.start_soon(_read_log, proxy, tally)
            _introduce(port, origins, profile)
            if not socket:
                nursery.start_soon(_echo, proxy, origins)
            started = time.monotonic()
            async with trio.open_nursery() as load:  # ends before the proxy does: it loses no answer
                for _ in range(_CLIENTS):
                    load.start_soon(_client, port, tally)
                with trio.move_on_after(seconds or float("inf")) as story:
                    nursery.start_soon(_end_on_signal, story)
                    if socket:
                        await _show(origins, proxy, socket)
                    else:
                        await _tell(origins, tally, started, proxy)
                load.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                code = await _stop(proxy)
        nursery.cancel_scope.cancel()
    return summary(tally, origins, time.monotonic() - started, code)


async def _end_on_signal(story: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            story.cancel()


def _myself() -> list[str]:
    """Give the command that runs this program again: the zipapp, or the package."""
    archive = Path(sys.argv[0])
    if archive.is_file() and zipfile.is_zipfile(archive):
        return [sys.executable, str(archive.absolute())]
    return [sys.executable, "-m", "appliance"]


def _importable() -> dict[str, str]:
    """Give what lets the package be found from another directory, if this is a checkout."""
    root = str(Path(__file__).parents[2])
    return {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}


async def _wait_listening(proxy: trio.Process) -> tuple[int, str] | None:
    """Read the proxy's start line, with its port; None, with what it said, when it does not start."""
    text = b""
    if proxy.stderr is None:
        return None
    with trio.move_on_after(_START_LIMIT):
        async for piece in proxy.stderr:
            text += piece
            found = re.search(rb"http://127\.0\.0\.1:(\d+).*\n", text)
            if found:
                return int(found[1]), text.decode(errors="replace")
    print(f"the proxy did not start:\n{text.decode(errors='replace')}", file=sys.stderr)
    return None


def _introduce(port: int, origins: list[Origin], profile: Path) -> None:
    servers = ", ".join(f"{origin.name} :{origin.port}" for origin in origins)
    print(f"meshctl {__version__} demo")
    print(f"  servers   {servers}")
    print(f"  proxy     http://127.0.0.1:{port}/   profile {profile}")
    print(f"  load      {_CLIENTS} clients, about {_CLIENTS / _PAUSE:.0f} requests/s; try your own: ", end="")
    print(f"curl -i http://127.0.0.1:{port}/\n", flush=True)


async def _tell(origins: list[Origin], tally: Tally, started: float, proxy: trio.Process) -> None:
    bravo = origins[1]
    for scene in scenes():
        bravo.mood = scene.mood
        print(f"{_clock(started)}  -- {scene.text}", flush=True)
        for _ in range(int(scene.seconds)):
            await trio.sleep(1)
            if proxy.poll() is not None:
                print("the proxy has ended", file=sys.stderr)
                return
            print(f"{_clock(started)}  {line(origins, tally)}", flush=True)
            tally.reset()


async def _show(origins: list[Origin], proxy: trio.Process, socket: str) -> None:
    """Let the dashboard show the story until somebody leaves it, or the proxy ends."""
    kept = Kept()
    process, narrator = await open_dashboard(_myself(), {**os.environ, **_importable()}, socket)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kept.read, proxy)
            nursery.start_soon(_narrate, origins[1], narrator)
            nursery.start_soon(_end_with, proxy, nursery.cancel_scope)
            await process.wait()
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await close_dashboard(process)
        narrator.close()
    if proxy.poll() is not None:
        print(f"the proxy has ended:\n{kept.text}", file=sys.stderr)


async def _end_with(process: trio.Process, scope: trio.CancelScope) -> None:
    await process.wait()
    scope.cancel()


async def _narrate(bravo: Origin, narrator: Narrator) -> None:
    for scene in scenes():
        bravo.mood = scene.mood
        narrator.tell(scene.text, scene.hint)
        await trio.sleep(scene.seconds)


def scenes() -> Iterator[Scene]:
    """Give the scenes of the story for ever."""
    while True:
        yield from _STORY


def _clock(started: float) -> str:
    return f"{time.monotonic() - started:6.1f}s"


def line(origins: list[Origin], tally: Tally) -> str:
    """Give what the last second brought, server by server and as the clients saw it."""
    parts = []
    for origin in origins:
        name = f"127.0.0.1:{origin.port}"
        delays = sorted(tally.delays.get(name, []))
        if delays:
            failed = f" {tally.bad[name]} failed" if tally.bad[name] else ""
            parts.append(f"{origin.name} {len(delays):3}/s {delays[len(delays) // 2]:6.1f}ms{failed}")
        else:
            parts.append(f"{origin.name}   0/s")
    answers = "  ".join(f"{kind} {count}" for kind, count in sorted(tally.answers.items()))
    return f"{'   '.join(parts)}   | clients saw  {answers}"


async def _client(port: int, tally: Tally) -> None:
    """Ask again and again on one connection; connect anew when it ends."""
    while True:
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
        except OSError:
            await trio.sleep(_PAUSE)
            continue
        async with stream:
            try:
                while True:
                    if not await _ask(stream, tally):
                        break
                    await trio.sleep(_PAUSE)
            except trio.BrokenResourceError:
                tally.answer("lost")


async def _ask(stream: trio.SocketStream, tally: Tally) -> bool:
    await stream.send_all(_REQUEST)
    data = b""
    while True:
        more = await stream.receive_some()
        if not more:
            tally.answer("lost")
            return False
        data += more
        head, found, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if found and length and len(body) >= int(length[1]):
            tally.answer(f"{data[9:10].decode()}xx")
            return b"\r\nconnection: close" not in head.lower()


async def _read_log(proxy: trio.Process, tally: Tally) -> None:
    rest = b""
    if proxy.stdout is None:
        return
    async for piece in proxy.stdout:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            tally.record(json.loads(line))


async def _echo(proxy: trio.Process, origins: list[Origin]) -> None:
    """Show what the proxy has to say."""
    if proxy.stderr is not None:
        async for piece in proxy.stderr:
            for text in piece.decode(errors="replace").splitlines():
                print(f"         proxy: {_named(text, origins)}", flush=True)


def _named(text: str, origins: list[Origin]) -> str:
    """Give a message of the proxy with the servers called by their names."""
    for origin in origins:
        text = text.replace(f"127.0.0.1:{origin.port}", origin.name)
    return text


async def _stop(proxy: trio.Process) -> int:
    if proxy.poll() is None:
        proxy.terminate()
    with trio.move_on_after(10):
        return await proxy.wait()
    proxy.kill()
    return await proxy.wait()


def summary(tally: Tally, origins: list[Origin], took: float, code: int) -> int:
    """Print how it went; give the exit code: well if the proxy ended well and somebody was served."""
    sent = sum(tally.total.values())
    print(f"\n{took:.0f} s, {sent} requests: ", end="")
    print(", ".join(f"{count} {kind}" for kind, count in sorted(tally.total.items())) or "none")
    for origin in origins:
        share = tally.endpoints[f"127.0.0.1:{origin.port}"]
        print(f"  {origin.name:8} was asked {share} times by the proxy, and served {origin.served}")
    print(f"the proxy ended with {code}")
    return Exit.OK if code == 0 and tally.total["2xx"] else Exit.FAILED
