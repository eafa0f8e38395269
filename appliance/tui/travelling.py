"""Going back in time, and on again: by steps, by events, to a moment, at a speed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

from textual.widgets import Input

from appliance.model.units import UnitError, duration
from appliance.wire.codec import Frame

from .doing import Doing
from .numbers import is_number
from .past import KEEP, Past
from .scene import Link
from .state import Model, reduce

STEP = 5_000
"""Milliseconds of a step."""
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


class Travelling(Doing):
    """The part of the application that chooses the moment that is shown."""

    def go(self, m: int) -> None:
        """Show a moment; the present when it is not in the past."""
        if not self.replaying and m >= self.past.last and self.speed == 0:
            self.action_live()
            return
        self.at = max(self.past.first, min(self.past.last, m))
        if m < self.past.first and not self.past.reaches_back:
            self.fetch_past(m)
        self.draw()

    def moment(self) -> int:
        """Give the moment that is shown."""
        return self.past.last if self.at is None else self.at

    def fetch_past(self, wanted: int) -> None:
        """Ask the proxy for what it remembers, then show the moment that was wanted."""
        if self.line is None:
            return
        self.past.reaches_back = True  # once is enough
        self.say("the proxy is asked for what it remembers")

        def came(answer: Future[Any]) -> None:
            self.call_later(self.past_came, [] if answer.exception() is not None else answer.result(), wanted)

        self.line.ask(lambda feed: feed.history(from_=-KEEP)).add_done_callback(came)

    def past_came(self, frames: list[Frame], wanted: int) -> None:
        """Take what the proxy remembers."""
        start = reduce(Model(), {"k": "hello", "server": dict(self.model.server), "role": self.model.role})
        self.past.put_in_front(frames, start)
        minutes = (self.past.last - self.past.first) / 60_000
        self.say(f"the past reaches back {minutes:.0f} min")
        self.at = max(self.past.first, wanted)
        self.draw()

    def action_pause(self) -> None:
        """Hold the picture, or go on; what comes meanwhile is kept."""
        if self.at is None:
            self.at = self.past.last
        elif self.replaying:
            self.speed = 0.0 if self.speed else 1.0
        else:
            self.action_live()
        self.draw()

    def action_live(self) -> None:
        """Show now; in a recording, its end."""
        self.speed = 0.0
        self.at = self.past.last if self.replaying else None
        self.draw()

    def action_step(self, steps: int) -> None:
        """Go back or forth by five seconds each."""
        self.speed = 0.0
        self.go(self.moment() + steps * STEP)

    def action_frame(self) -> None:
        """Go back by one frame."""
        self.speed = 0.0
        self.go(self.past.frame_before(self.moment()))

    def action_event(self, way: int) -> None:
        """Go to the event before, or to the next."""
        here = self.moment()
        found = [int(row["m"]) for row in self.model.events if is_number(row.get("m"))]
        beyond = [m for m in found if (m < here if way < 0 else m > here)]
        self.speed = 0.0
        if beyond:
            self.go(max(beyond) if way < 0 else min(beyond))
        elif way > 0:
            self.go(self.past.last)
        else:
            self.say("no earlier event is known")

    def action_play(self) -> None:
        """Let the past run, or hold it."""
        if self.at is not None:
            self.speed = 0.0 if self.speed else 1.0
            self._played = time.monotonic()
            self.draw()

    def action_speed(self, way: int) -> None:
        """Let it run faster or slower."""
        if self.at is None:
            return
        place = SPEEDS.index(self.speed) if self.speed in SPEEDS else SPEEDS.index(1.0) - way
        self.speed = SPEEDS[max(0, min(len(SPEEDS) - 1, place + way))]
        self._played = time.monotonic()
        self.say(f"{self.speed:g} times as fast as it was")

    def play(self) -> None:
        """Go on by as much as has passed since the last time."""
        now = time.monotonic()
        if self.speed and self.at is not None:
            self.at += round((now - self._played) * 1000 * self.speed)
            if self.at >= self.past.last:
                self.action_live()
        self._played = now

    def action_goto(self) -> None:
        """Ask for a moment."""
        field = self.query_one("#goto", Input)
        field.value = ""
        field.add_class("shown")
        field.focus()

    def goto(self, text: str) -> None:
        """Show the moment that somebody wrote."""
        m = parse(text, self.model, self.past)
        if m is None:
            self.say(f"{text}: write a time such as 12:00:41, -90s, or trip NAME")
        else:
            self.speed = 0.0
            self.go(m)

    def load(self, name: str, frames: Iterable[Frame]) -> None:
        """Show a recording instead of a proxy."""
        self.replaying = True
        for frame in frames:
            trip = frame.get("trip")
            if frame.get("k") == "trip" and isinstance(trip, dict):
                self.trips[str(trip.get("trip"))] = trip
            before = self.model
            self.model = reduce(before, frame)
            self.past.add(frame, before)
        self.past.reaches_back = True
        self.link = Link("replay", text=name)
        self.at, self.speed, self._played = self.past.first, 1.0, time.monotonic()


def parse(text: str, model: Model, past: Past) -> int | None:
    """Give the moment that is meant: a time of day, so long ago, or the last trip of a breaker."""
    text = text.strip()
    if text.startswith("-"):
        try:
            return past.last - round(duration(text[1:]) * 1000)
        except UnitError:
            return None
    found = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", text)
    if found is not None:
        hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
        if hour > 23 or minute > 59 or second > 59:
            return None
        day = datetime.fromtimestamp(model.t / 1000, UTC).astimezone()
        wanted = day.replace(hour=hour, minute=minute, second=second, microsecond=0).timestamp() * 1000
        if wanted > model.t:
            wanted -= 86_400_000
        return round(model.m - (model.t - wanted))
    name = text.removeprefix("trip ").strip()
    for event in reversed(model.events):
        if (
            event.get("to") == "open"
            and name
            and name in str(event.get("subj"))
            and is_number(event.get("m"))
        ):
            return int(event["m"])
    return None
