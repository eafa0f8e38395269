"""The link in its thread, to a real proxy: it connects, comes back, asks, and ends."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.cli.top import reached
from appliance.net.reach import Place
from appliance.tui.feed import FeedError
from appliance.tui.link import Heard, Line
from appliance.tui.state import Model, reduce
from tests.kit.running import edge


class Ear:
    """Keeps what the link told."""

    def __init__(self) -> None:
        self.model = Model()
        self.states: list[str] = []
        self.text = ""
        self._news = threading.Condition()

    def __call__(self, heard: Heard) -> None:
        with self._news:
            if heard.frame is not None:
                self.model = reduce(self.model, heard.frame)
            if heard.link is not None:
                self.text = heard.link.text
                if not self.states or self.states[-1] != heard.link.status:
                    self.states.append(heard.link.status)
            self._news.notify_all()

    def wait(self, true: Callable[[], Any]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + 30
        with self._news:
            while not true():
                assert self._news.wait(end - time.monotonic()), (self.states, self.text)


def test_it_tells_what_the_proxy_tells(tmp_path: Path) -> None:
    """History first, then what is new; questions are answered meanwhile."""
    with edge(tmp_path) as running:
        running.get("/ill", 12)
        ear = Ear()
        line = Line(reached(Place("edge", path=running.socket), ""), ear)
        line.start()
        try:
            ear.wait(lambda: ear.model.things("br") and ear.model.events)
            assert ear.model.name == "edge"
            assert ear.states[-1] == "live"
            ear.wait(lambda: all(row["st"] == "open" for row in ear.model.things("br").values()))
            trips = line.ask(lambda feed: feed.trips()).result(20)
            assert len(trips) == 2
            done = line.ask(lambda feed: feed.command("log.level", {"level": "info"})).result(20)
            assert done["ok"]
        finally:
            line.stop()
        with pytest.raises(FeedError):
            line.ask(lambda feed: feed.trips()).result(20)


def test_it_comes_back(tmp_path: Path) -> None:
    """When the proxy does; another process behind the name is told."""
    ear = Ear()
    line = Line(reached(Place("edge", path=str(tmp_path / "edge.sock")), ""), ear)
    line.start()
    try:
        ear.wait(lambda: "disconnected" in ear.states)
        with edge(tmp_path) as running:
            line.again()
            ear.wait(lambda: "live" in ear.states and ear.model.things("up"))
            first = ear.model.server["boot"]
            running.process.send_signal(signal.SIGTERM)
            running.process.wait(30)
            ear.wait(lambda: ear.states[-1] == "disconnected")
        with edge(tmp_path):
            ear.wait(lambda: ear.states[-1] == "live" and ear.model.server["boot"] != first)
            assert ear.model.gaps == 1
    finally:
        line.stop()


def test_a_refusal_is_final(tmp_path: Path) -> None:
    """Whoever shows the wrong token is not asked again and again."""
    (tmp_path / "token").write_text("t" * 40)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with edge(tmp_path, f', listen: "127.0.0.1:{port}", token_file: {tmp_path / "token"}'):
        ear = Ear()
        line = Line(reached(Place("edge", host="127.0.0.1", port=port), "wrong" * 9), ear)
        line.start()
        ear.wait(lambda: "denied" in ear.states)
        assert "token" in ear.text
        line.stop()
