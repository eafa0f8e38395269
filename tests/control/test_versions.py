"""Old clients with this server, and this client with old servers: from conversations that were frozen once.

``frozen/*.jsonl`` holds, for each released minor version, what both sides said in one scripted conversation.
A field or a kind may be added, never taken away or given another type. ``UPDATE_GOLDEN=1`` writes that of the
present version anew; those of earlier ones stay as they are.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import memory_stream_pair
from trio_websocket import wrap_server_stream

from appliance.config.plan_policy import BreakerPlan
from appliance.tui.feed import conversation
from appliance.wire.codec import MAJOR, MINOR, PROTOCOL, SETS, encode
from tests.kit.desk import Client, Office, office
from tests.kit.origin import Origin, sized
from tests.kit.plans import plan, route

FROZEN = Path(__file__).parent / "frozen"
PRESENT = FROZEN / f"{MAJOR}.{MINOR}.jsonl"
NAME = "all@app/10.0.0.1:80"
SAYS: list[dict[str, Any]] = [
    {"k": "hello", "client": {"name": "frozen", "version": "0.1.0"}, "read_only": False},
    {"k": "sub", "id": "s1", "rate": 4, "sets": dict.fromkeys(SETS, True), "events_after": 0},
    {"k": "cmd", "id": "c1", "op": "tap.start", "args": {"match": "status>=500", "id": "t1"}},
    {"k": "traffic"},
    {"k": "query", "id": "q1", "what": "trips"},
    {"k": "query", "id": "q2", "what": "histogram", "set": "up", "key": "app"},
    {"k": "query", "id": "q3", "what": "history", "from": -60000, "to": 0},
    {"k": "query", "id": "q4", "what": "clients"},
    {"k": "cmd", "id": "c2", "op": "breaker.force", "args": {"breaker": NAME, "state": "open", "ttl": 60000}},
    {"k": "cmd", "id": "c3", "op": "breaker.reset", "args": {"breaker": NAME}, "expect": {"st": "closed"}},
    {"k": "cmd", "id": "c4", "op": "endpoint.weight", "args": {"endpoint": "app/10.0.0.1:80", "weight": 2}},
    {"k": "ping", "id": "p1"},
]


async def talk(here: Office, says: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say all that a client said; give what the proxy answered."""
    client = Client(here.desk)
    here.nursery.start_soon(client.run)
    web = here.proxy.connect()
    await trio.sleep(1.1)
    for frame in says:
        if frame["k"] == "traffic":
            for _ in range(8):
                await web.get(b"/x")
        elif frame["k"] != "ack":
            client.raw(json.dumps(frame))
        await trio.sleep(1.1)
    here.desk.worker.bulletin.add("x", "info", "y", "the last")
    await trio.sleep(1.1)
    await here.desk.say_goodbye()
    await trio.sleep(1.1)
    return client.frames


def shape(value: object, path: str = "") -> set[tuple[str, str]]:
    """Give every field with the type of its value; names of things and of nothing are left out."""
    if isinstance(value, dict):
        found = set()
        for key, each in value.items():
            name = "*" if path in NAMED else key
            found |= shape(each, f"{path}.{name}")
        return found
    if isinstance(value, list):
        return {row for each in value for row in shape(each, f"{path}[]")} or {(path, "list")}
    kind = (
        "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__
    )
    return {(path, kind)}


NAMED = {f".{name}" for name in SETS if name != "proxy"} | {
    f".set.{name}" for name in SETS if name != "proxy"
}
NAMED |= {f".frames[]{path}" for path in list(NAMED)} | {".rt.*.mix", ".set.rt.*.mix"}


def shapes(frames: list[dict[str, Any]]) -> dict[str, set[tuple[str, str]]]:
    """Give the fields of each kind of frame, over all of them."""
    found: dict[str, set[tuple[str, str]]] = {}
    for frame in frames:
        kind = frame["k"] + (f" {frame['id']}" if frame["k"] in ("result", "hist") else "")
        for name, sort in shape(frame):
            inner = name.removeprefix(".frames[]") if name.startswith(".frames[]") else name
            path = inner.removeprefix(".set")
            what = "state" if path.split(".")[1].rstrip("[]") in SETS else kind
            found.setdefault(what, set()).add((path, sort))  # which field is told when is a matter of chance
    return found


def conversation_of(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Give what the client said and what the proxy said."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row["client"] for row in rows if "client" in row], [
        row["proxy"] for row in rows if "proxy" in row
    ]


def setting() -> tuple[Origin, Any]:
    return Origin(sized(b"x", 503)), plan(route(breaker=BreakerPlan()))


async def test_the_present_conversation_is_frozen(autojump_clock: trio.abc.Clock) -> None:
    """What is said today has the shape of what was frozen for this version."""
    origin, profile = setting()
    async with office(origin, profile) as here:
        frames = await talk(here, SAYS)
    if os.environ.get("UPDATE_GOLDEN"):
        rows = [{"client": frame} for frame in SAYS] + [{"proxy": frame} for frame in frames]
        PRESENT.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said, answered = conversation_of(PRESENT)
    assert said == SAYS
    assert set(shapes(frames)) == set(shapes(answered))


@pytest.mark.parametrize("path", sorted(FROZEN.glob("*.jsonl")), ids=lambda path: path.stem)
async def test_old_clients_find_what_they_know(path: Path, autojump_clock: trio.abc.Clock) -> None:
    """Each field that their proxy told is told by this one, with the same type (or nothing)."""
    said, answered = conversation_of(path)
    origin, profile = setting()
    async with office(origin, profile) as here:
        now = shapes(await talk(here, said))
    for kind, fields in shapes(answered).items():
        known: dict[str, set[str]] = {}
        for name, sort in now[kind]:
            known.setdefault(name, set()).add(sort)
        for name, sort in fields:
            if sort == "NoneType":
                assert any(each == name or each.startswith(f"{name}.") for each in known), (kind, name)
            elif not any(each.startswith((f"{name}.", f"{name}[]")) for each in known):
                assert known.get(name, set()) & {sort, "NoneType"}, (kind, name, sort)


@pytest.mark.parametrize("path", sorted(FROZEN.glob("*.jsonl")), ids=lambda path: path.stem)
@pytest.mark.parametrize("newer", [False, True])
async def test_this_client_understands_old_proxies(
    path: Path, newer: bool, autojump_clock: trio.abc.Clock
) -> None:
    """And newer ones: what it does not know it leaves alone."""
    _, frames = conversation_of(path)
    near, far = memory_stream_pair()

    async def proxy() -> None:
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, far)
            socket = await request.accept(subprotocol=PROTOCOL)
            for frame in frames:
                if newer and frame["k"] != "hello":
                    frame = {**frame, "unknown": {"deep": [1]}}  # noqa: PLW2901
                    await socket.send_message(encode({"k": "a new kind", "set": {"up": 7}}))
                if frame["k"] not in ("result", "hist"):
                    await socket.send_message(json.dumps(frame))
            await socket.aclose()
            nursery.cancel_scope.cancel()

    kinds = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(proxy)
        async with conversation(near, "test") as feed:
            async for frame in feed.frames():
                kinds.append(frame["k"])
                if frame["k"] == "bye":
                    break
            assert feed.server["name"] == "edge"
            assert feed.state["br"][NAME]["st"] in ("open", "closed", "forced_open")
            assert feed.state["up"]["app"]["tot"] == 5
        nursery.cancel_scope.cancel()
    assert {"snap", "delta", "events", "tap", "bye"} <= set(kinds)
