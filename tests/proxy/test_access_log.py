"""One line an exchange: what stands in it, which are left out, and what a stuck reader costs."""

from __future__ import annotations

import gc
import io
import json
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from appliance.config.plan import LOG_FIELDS, AccessLogPlan
from appliance.model.exchange import Exchange
from appliance.model.fault import UPSTREAM_CUT, Fault
from appliance.model.message import Request
from appliance.proxy import access_log
from appliance.proxy.access_log import AccessLog, facts, open_log
from tests.kit.origin import Origin, reset, sized
from tests.kit.proxy import running

WALL = 1_700_000_000.0  # 2023-11-14T22:13:20Z


def exchange(path: bytes = b"/a", status: int = 200, fault: Fault | None = None) -> Exchange:
    headers = [(b"authorization", b"Bearer hunter2"), (b"cookie", b"hunter2")]
    request = Request(b"GET", b"http", b"a.example", path, b"token=hunter2", headers)
    made = Exchange("id1", SimpleNamespace(request=request, sent=5), "web", "192.0.2.7", 10.0)
    made.status, made.fault, made.head_at, made.route = status, fault, 10.25, "all"
    return made


def lines(plan: AccessLogPlan, *exchanges: Exchange) -> list[str]:
    """Write records and give the lines that come out."""
    sink = io.StringIO()
    log = AccessLog(plan, sink, WALL, 0.0)
    for made in exchanges:
        log.record(made, made.started + 1.5)
    log.close()
    return sink.getvalue().splitlines()


def test_a_json_line() -> None:
    """Every fact that is known, and nothing for those that are not."""
    (line,) = lines(AccessLogPlan(), exchange())
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:30.000Z",
        "id": "id1",
        "listener": "web",
        "client": "192.0.2.7",
        "method": "GET",
        "host": "a.example",
        "path": "/a",
        "protocol": "HTTP/1.1",
        "status": 200,
        "route": "all",
        "tries": 0,
        "bytes": 5,
        "ms": 1500.0,
        "head_ms": 250.0,
    }


def test_a_text_line() -> None:
    """For people: the same facts, with a reason where something failed."""
    fault = Fault(UPSTREAM_CUT, "5 bytes short")
    good, bad = lines(AccessLogPlan(format="text"), exchange(), exchange(status=502, fault=fault))
    assert good == "2023-11-14T22:13:30.000Z 192.0.2.7 GET a.example/a 200 1500.0ms all - id1"
    assert bad.endswith("a.example/a 502 1500.0ms all - id1 upstream-cut: 5 bytes short")


def test_a_format_of_ones_own() -> None:
    """Any fact, by its name; a dash for what is not known."""
    own = AccessLogPlan(format="{time} {client} {path} {status:04d} {ms:.0f} {fault}")
    assert lines(own, exchange()) == ["2023-11-14T22:13:30.000Z 192.0.2.7 /a 0200 1500 -"]


@pytest.mark.parametrize("format", ["json", "text", "{method} {path} {why}"])
def test_nothing_secret_is_written(format: str) -> None:
    """Neither header values nor the query, where tokens travel."""
    written = lines(AccessLogPlan(format=format), exchange(fault=Fault(UPSTREAM_CUT)))
    assert "hunter2" not in "".join(written)


@pytest.mark.parametrize("format", ["json", "text", "{path}"])
@pytest.mark.parametrize(
    "path",
    [
        b"/\x1b[2J",
        b"/\r\nfake line",
        b"/\x00\x7f\x9b",
        "/\u202eexe.txt".encode(),
        "/\u2028x".encode(),
        b"/\xff",
    ],
)
def test_a_path_cannot_rewrite_the_log(path: bytes, format: str) -> None:
    """Control characters and marks of direction are shown, not sent, whoever let them in."""
    (line,) = lines(AccessLogPlan(format=format), exchange(path))
    assert line.isprintable()


def test_sampling_spares_errors() -> None:
    """Of the answers that went well a share is kept, evenly; all that did not is kept."""
    good = [exchange() for _ in range(100)]
    assert len(lines(AccessLogPlan(sample=0.25), *good)) == 25
    assert len(lines(AccessLogPlan(sample=0.0), *good)) == 0
    bad = [exchange(status=500), exchange(fault=Fault(UPSTREAM_CUT))]
    assert len(lines(AccessLogPlan(sample=0.0), *good, *bad)) == 2


class Stuck(io.StringIO):
    """A sink whose first write waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.go = threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        assert self.go.wait(10)
        return super().write(text)


def test_a_stuck_reader_costs_lines_not_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound lines are dropped and counted, and the count is told when there is room."""
    monkeypatch.setattr(access_log, "QUEUE", 50)
    sink = Stuck()
    log = AccessLog(AccessLogPlan(), sink, WALL, 0.0)
    log.record(exchange(), 11.0)
    assert sink.entered.wait(10)
    for _ in range(80):
        log.record(exchange(), 11.0)
    sink.go.set()
    log.close()
    written = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert len(written) == 1 + 50 + 1
    assert written[-1]["dropped"] == 30


def test_a_reader_that_has_gone_costs_lines_not_requests() -> None:
    """A broken pipe ends nothing but the log."""

    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    log = AccessLog(AccessLogPlan(), Broken(), WALL, 0.0)
    log.record(exchange(), 11.0)
    log.close()


def test_the_sink_is_chosen_by_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nowhere, standard output or error, or a file, which is appended to and closed."""
    assert open_log(AccessLogPlan(to=None), WALL, 0.0) is None
    for name in ("stdout", "stderr"):
        log = open_log(AccessLogPlan(to=name), WALL, 0.0)
        log.record(exchange(), 11.0)
        log.close()
        assert '"id1"' in getattr(capsys.readouterr(), name[3:])
    path = tmp_path / "access.log"
    path.write_text("before\n")
    log = open_log(AccessLogPlan(to=str(path)), WALL, 0.0)
    log.record(exchange(), 11.0)
    log.close()
    assert len(path.read_text().splitlines()) == 2
    del log
    gc.collect()


async def test_facts_of_real_exchanges(autojump_clock: object) -> None:
    """What a record says of an answer and of a failure."""
    async with running(Origin(sized(b"12345"), reset())) as proxy:
        client = proxy.connect()
        await client.get(b"/one?secret=1")
        await client.send(b"POST /two HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.answer()
        await proxy.settle()
        one, two = proxy.journal.records
        assert (one["path"], one["status"], one["bytes"], one["tries"]) == ("/one", 200, 5, 1)
        assert (two["status"], two["fault"], two["endpoint"]) == (502, "upstream-reset", "10.0.0.1:80")
        assert facts(proxy.journal.exchanges[0], 99.0, 0.0)["ms"] == 99_000


def test_a_record_has_the_fields_that_a_format_may_name() -> None:
    """The list that profiles are checked against is the list of the record."""
    assert tuple(facts(exchange(), 1.0, 0.0)) == LOG_FIELDS
