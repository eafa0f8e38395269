"""The stage of the dashboard: takes what comes over the link, and draws the picture of now.

What is drawn is worked out by pure functions (``render``), what is known by a pure reducer (``state``).
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, TextIO

from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widgets import Input

from .canvas import Canvas
from .glyphs import ASCII, UNICODE
from .link import Heard, Line
from .narrow import narrowed
from .past import Past
from .render import screen
from .scene import Link, Scene, Ui
from .state import Model, reduce
from .tapped import Tapped

FPS = 4.0


@dataclass(frozen=True, slots=True)
class Options:
    """How the dashboard begins."""

    view: int = 1
    filter: str = ""
    theme: str = "dark"
    ascii: bool = False
    low: bool = False
    read_only: bool = False
    utc: bool = False
    mouse: bool = True


class Stage(App[int]):
    """What all of the application stands on; ``line`` brings what it shows, and is started with it."""

    def __init__(self, options: Options, model: Model | None = None) -> None:
        super().__init__(ansi_color=options.theme in ("ansi", "mono"))
        self.options = options
        self.line: Line | None = None
        self.ui = Ui(
            view=options.view, glyphs=ASCII if options.ascii else UNICODE, ascii=options.ascii,
            theme=options.theme, utc=options.utc, low=options.low, read_only=options.read_only,
        )  # fmt: skip
        if options.filter:
            self.ui.filters[options.view] = options.filter
        self.model = model or Model()
        self.link = Link()
        self.trips: dict[str, Mapping[str, Any]] = {}
        self.kept: str = ""
        self._heard: deque[Heard] = deque()
        self._asked: set[str] = set()
        self.past = Past()
        self.tap = Tapped()
        self.disk: Mapping[str, Any] | None = None
        self.at: int | None = None
        self.speed = 0.0
        self.replaying = False
        self._played = time.monotonic()
        self._held: tuple[int, Model] | None = None
        self._offset: float | None = None
        self._armed: tuple[str, float] = ("", 0.0)

    def compose(self) -> ComposeResult:
        """Place what there is."""
        yield Canvas(self.options.theme)
        yield Input(id="filter", placeholder="name=payments*  err>1%  state=open")
        yield Input(id="goto", placeholder="12:00:41   -90s   trip payments")

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        """Send what is to be drawn."""
        super()._display(screen, narrowed(renderable))

    def on_mount(self) -> None:
        """Begin to listen and to draw."""
        self.canvas = self.query_one(Canvas)
        self.canvas.focus()
        self.set_interval(1.0 if self.ui.low else 1 / FPS, self.tick)
        loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):  # leave the terminal as it was
                loop.add_signal_handler(number, self.exit, 128 + number)
        if self.line is not None:
            self.line.start()

    def on_resize(self) -> None:
        """Draw for another size."""
        self.call_after_refresh(self.draw)

    def on_unmount(self) -> None:
        """Let the connection go."""
        if self.line is not None:
            self.line.stop()

    def hear(self, heard: Heard) -> None:
        """Take something from the link; may be called by its thread."""
        self._heard.append(heard)

    def tick(self) -> None:
        """Take what has come since the last time, and draw; end when there is no terminal any more."""
        if not self.is_headless and hung_up(sys.__stdin__):
            self.exit(128 + signal.SIGHUP)
            return
        self.take()
        self.play()
        self.draw()

    def take(self) -> None:
        """Take what has come since the last time."""
        while self._heard:
            heard = self._heard.popleft()
            if heard.link is not None:
                if heard.link.status != "live" and self.tap.runs:  # it ended with its connection
                    self.tap = replace(self.tap, until=0.0)
                if heard.link.status == "live" and self.link.status != "live":
                    self._offset = None
                    self.fetch_trips()
                self.link = heard.link
            if heard.frame is not None:
                before = self.model
                self.model = reduce(before, heard.frame)
                if self.model.gaps != before.gaps:  # another life: its clock began anew
                    self.past, self.at = Past(), None
                self.past.add(heard.frame, before)
                if heard.frame.get("k") == "tap":
                    self.tap = self.tap.take(heard.frame)
                if heard.frame.get("k") in ("snap", "delta"):
                    near = time.monotonic() - self.model.m / 1000
                    self._offset = near if self._offset is None else min(self._offset, near)
        for row in self.model.things("br").values():
            trip = row.get("trip")
            if isinstance(trip, str) and trip not in self._asked:
                self.fetch_trip(trip)
        if self.ui.view == 6:
            self.ui.seen_event = self.model.eid

    def fetch_trips(self) -> None:
        """Ask for the reports of all trips."""
        if self.line is not None:
            self.line.ask(lambda feed: feed.trips()).add_done_callback(self._trips_came)

    def _trips_came(self, answer: Future[Any]) -> None:
        if answer.exception() is None:
            for trip in answer.result():
                name = str(trip.get("trip"))
                self.trips[name] = trip
                self._asked.add(name)

    def fetch_trip(self, trip: str) -> None:
        """Ask for the report of one."""
        self._asked.add(trip)
        if self.line is None:
            return

        def came(answer: Future[Any]) -> None:
            if answer.exception() is None and answer.result().get("ok") is True:
                self.trips[trip] = answer.result()["now"]

        self.line.ask(lambda feed: feed.query("trip", trip=trip)).add_done_callback(came)

    def scene(self) -> Scene:
        """Give the picture of now."""
        now = time.monotonic()
        held = self.held()
        if held is not None:
            span = (self.model.wall_now(self.past.first), self.model.wall_now(self.past.last))
            return Scene(
                held, self.link, self.ui, now, self.at or held.m, held.wall_now(self.at or held.m),
                dict(self.trips), self.tap, span, self.speed, self.disk,
            )  # fmt: skip
        m = self.model.m
        if self._offset is not None and self.link.status == "live":
            m = max(m, min(m + 3000, round((now - self._offset) * 1000)))
        return Scene(self.model, self.link, self.ui, now, m, None, dict(self.trips), self.tap, disk=self.disk)

    def held(self) -> Model | None:
        """Give the model of the moment that is shown instead of now."""
        if self.at is None:
            self._held = None
            return None
        if self._held is None or self._held[0] != self.at:
            self._held = (self.at, self.past.at(self.at) or self.model)
        return self._held[1]

    def play(self) -> None:
        """Go on in the past, if it runs."""

    def draw(self) -> None:
        """Draw what differs."""
        size = self.canvas.size
        if size.width and size.height:
            with self.batch_update():
                self.canvas.show(screen(self.scene(), size.width, size.height))

    def say(self, text: str) -> None:
        """Put something on the line above the keys."""
        self.ui.echo = text
        self.draw()


def hung_up(terminal: TextIO | None) -> bool:
    """Say whether a terminal is gone; not each that goes sends SIGHUP to whoever used it."""
    return terminal is None or terminal.closed or not terminal.isatty()
