"""The HTTP of the stats socket: what is answered, what is refused, and what strange clients get."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
import trio
from trio.testing import memory_stream_pair

from appliance.config.plan_policy import BreakerPlan
from appliance.control.counter import _BURST, _PACE, _Replayed, serve
from appliance.control.roles import Denied, Peer
from tests.kit.desk import GUEST, ROOT, Office, office
from tests.kit.plans import plan, route

BREAKS = plan(route(breaker=BreakerPlan()))


async def exchange(here: Office, raw: bytes, peer: Peer | Denied = ROOT, *, end: bool = False) -> bytes:
    """Send bytes, give all that comes."""
    near, far = memory_stream_pair()

    async def run() -> None:
        await serve(far, here.desk, lambda _: peer)
        await far.aclose()

    here.nursery.start_soon(run)
    await near.send_all(raw)
    if end:
        await near.send_eof()
    answer = b""
    with trio.fail_after(60):
        while data := await near.receive_some():
            answer += data
    return answer


async def ask(
    here: Office, line: str, body: object = None, peer: Peer | Denied = ROOT, kind: str = "application/json"
) -> tuple[int, bytes]:
    raw = b"" if body is None else json.dumps(body).encode()
    head = f"{line} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(raw)}\r\n\r\n"
    answer = await exchange(here, head.encode() + raw, peer)
    status, _, rest = answer.partition(b"\r\n\r\n")
    assert b"cache-control: no-store" in status.lower()
    return int(status.split()[1]), rest


async def test_what_can_be_looked_at(autojump_clock: trio.abc.Clock) -> None:
    """The state, events, health, readiness, metrics."""
    async with office(plan=BREAKS) as here:
        await here.proxy.connect().get()
        await trio.sleep(1.1)
        here.desk.worker.bulletin.add("x", "info", "y", "one")
        here.desk.worker.bulletin.add("x", "info", "y", "two")
        status, body = await ask(here, "GET /v1/snapshot")
        assert (status, json.loads(body)["up"]["app"]["tot"]) == (200, 1)
        status, body = await ask(here, "GET /v1/events?after=1&limit=5")
        assert [item["text"] for item in json.loads(body)["items"]] == ["two"]
        assert (await ask(here, "GET /v1/events?after=x"))[0] == 400
        assert await ask(here, "GET /healthz") == (200, b"ok\n")
        assert await ask(here, "GET http://x/healthz?y") == (200, b"ok\n")
        assert await ask(here, "HEAD /readyz") == (200, b"")
        status, body = await ask(here, "GET /metrics")
        assert (status, b"meshctl_build_info" in body) == (200, True)
        assert (await ask(here, "GET /nowhere"))[0] == 404
        assert (await ask(here, "DELETE /metrics"))[0] == 405
        here.desk.worker.draining = True
        assert await ask(here, "GET /readyz") == (503, b"draining\n")
        assert (await ask(here, "GET /healthz"))[0] == 200


async def test_actions_by_post(autojump_clock: trio.abc.Clock) -> None:
    """Never by GET, never as a form; codes become statuses."""
    async with office(plan=BREAKS) as here:
        await trio.sleep(1.1)
        line = "/v1/actions/breaker.force"
        args = {"breaker": "all@app/10.0.0.1:80", "state": "open"}
        assert (await ask(here, f"GET {line}"))[0] == 405
        assert (await ask(here, f"POST {line}", {"args": args}, kind="text/plain"))[0] == 415
        assert (await ask(here, f"POST {line}", [1]))[0] == 400
        status, body = await ask(here, f"POST {line}", {"args": args, "dry_run": True})
        assert (status, json.loads(body)["text"][:11]) == (200, "would force")
        status, body = await ask(here, f"POST {line}", {"args": args, "id": "one"})
        assert (status, json.loads(body)["id"], json.loads(body)["ok"]) == (200, "one", True)
        assert (await ask(here, f"POST {line}", {"args": {"breaker": "x", "state": "open"}}))[0] == 404
        assert (await ask(here, f"POST {line}", {"args": args, "expect": {"st": "closed"}}))[0] == 409
        assert (await ask(here, f"POST {line}", {"args": args}, GUEST))[0] == 403
        assert (await ask(here, "POST /v1/actions/nonsense", {}))[0] == 404
        assert (await here.proxy.connect().get()).status == 503


async def test_nobody_is_answered_before_being_judged(autojump_clock: trio.abc.Clock) -> None:
    """With the head alone; the answer comes although a body was announced."""
    async with office() as here:
        for denied in (Denied(401, "a token is needed"), Denied(403, "no")):
            raw = b"POST /v1/actions/proxy.stop HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
            answer = await exchange(here, raw, denied)
            assert int(answer.split()[1]) == denied.status
            assert answer.endswith(denied.text.encode() + b"\n")
            assert (b"www-authenticate" in answer.lower()) == (denied.status == 401)
        assert not here.desk.worker.draining


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", 408),
        (b"POST /v1/actions/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", 408),
        (b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n" + b"a" * 70_000, 413),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 3 + b"\r\n\r\n", 400),
    ],
    ids=range(7),
)
async def test_strange_clients(raw: bytes, status: int, autojump_clock: trio.abc.Clock) -> None:
    """Each is answered within the time for a request, and gone."""
    async with office() as here:
        began = trio.current_time()
        answer = await exchange(here, raw)
        assert int(answer.split()[1]) == status
        assert trio.current_time() - began <= 5.1


@pytest.mark.parametrize(
    "raw", [b"", b"GET / HTT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"], ids=range(3)
)
async def test_who_leaves_in_the_middle_is_let_go(raw: bytes, autojump_clock: trio.abc.Clock) -> None:
    """With at most an answer that nobody reads."""
    async with office() as here:
        with trio.fail_after(10):
            await exchange(here, raw or b"G", end=True)


async def test_as_many_dashboards_as_may_be(autojump_clock: trio.abc.Clock) -> None:
    """One more is told so."""
    stats = replace(BREAKS.stats, max_clients=1)
    async with office(plan=replace(BREAKS, stats=stats)) as here:
        here.client()
        await trio.sleep(0.1)
        fields: Mapping[str, str] = {
            "Host": "x", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }  # fmt: skip
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        answer = await exchange(here, f"GET /v1/stream HTTP/1.1\r\n{head}\r\n".encode())
        assert b"503" in answer.split(b"\r\n")[0]
        assert b"max_clients" in answer


@pytest.mark.parametrize("target", ["//[", "http://[", "*", "/metrics#x", "/%00", "?"])
async def test_odd_targets_are_not_found(target: str, autojump_clock: trio.abc.Clock) -> None:
    """They are answered."""
    async with office(plan=BREAKS) as here:
        answer = await exchange(here, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert answer.split(b" ")[1] in (b"400", b"404")


@pytest.mark.parametrize(
    "body", [b"[" * 495 + b"NaN" + b"]" * 495, b'{"args":' * 30 + b"1" + b"}" * 30, b"\xff", b"[1]", b"{"]
)
async def test_odd_bodies_of_actions_are_refused(body: bytes, autojump_clock: trio.abc.Clock) -> None:
    """Before anybody keeps something of them."""
    async with office(plan=BREAKS) as here:
        raw = b'{"args":{"reason":' + body + b"}}" if body[:1] == b"[" else body
        head = f"POST /v1/actions/breaker.reset HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
Content-Length: {len(raw)}\r\n\r\n"
        answer = await exchange(here, head.encode() + raw, GUEST)
        assert answer.split(b" ")[1] in (b"400", b"403")
        await trio.sleep(2)
        assert (await ask(here, "GET /v1/events"))[0] == 200


async def test_a_websocket_is_read_at_a_bounded_pace(autojump_clock: trio.abc.Clock) -> None:
    """Whatever it is made of: a flood of pings waits in the sender's own buffer."""
    near, far = memory_stream_pair()
    paced = _Replayed(far, b"")
    await near.send_all(b"x" * (_BURST + 10 * _PACE))
    began = trio.current_time()
    read = 0
    while read < _BURST + 10 * _PACE:
        read += len(await paced.receive_some(4096))
    assert trio.current_time() - began == pytest.approx(10, abs=1)
