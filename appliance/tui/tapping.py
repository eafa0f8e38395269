"""Tapping: from a key to requests on the screen, until they stop by themselves."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from .tapped import LASTS, RATE, Tapped, match_for, wrong
from .travelling import Travelling

TAP = "top"
"""The id of the dashboard's only tap."""
_KINDS = {2: "br", 4: "rt"}


class Tapping(Travelling):
    """The part of the application that shows requests."""

    def action_tap(self) -> None:
        """Show the requests of what the cursor is on; in the view itself begin again, or stop."""
        view = self.ui.view
        if view == 5:
            if self.tap.runs:
                self.stop_tap()
            else:
                self.start_tap(self.tap.match)
            return
        found = self.chosen()
        kind = _KINDS.get(view) or (str(found[1].get("kind")) if found is not None else "")
        match = "" if found is None else match_for(kind, found[0], found[1])
        self.action_view(5)
        self.start_tap(match)

    def start_tap(self, match: str) -> None:
        """Begin, in place of the one before."""
        why = wrong(match)
        if why or self.line is None or self.replaying:
            self.say(why or "a recording holds no requests")
            return
        self.tap = Tapped(match, self.tap.sample, until=time.monotonic() + LASTS, why="")
        args = {"id": TAP, "match": match, "rate": RATE, "ttl": LASTS * 1000, "sample": self.tap.sample}

        async def begin(feed: Any) -> Any:
            await feed.command("tap.stop", {"id": TAP})
            return await feed.command("tap.start", args)

        def came(answer: Future[Any]) -> None:
            error = answer.exception()
            result = {"text": str(error)} if error is not None else answer.result()
            if result.get("ok") is not True:
                self.call_later(self.tap_failed, str(result.get("text")))

        self.line.ask(begin).add_done_callback(came)
        self.draw()

    def tap_failed(self, why: str) -> None:
        """Say why it could not begin."""
        self.tap = replace(self.tap, until=0.0, why=why)
        self.draw()

    def stop_tap(self) -> None:
        """End it; what was shown stays."""
        self.tap = replace(self.tap, until=0.0)
        if self.line is not None:
            self.line.ask(lambda feed: feed.command("tap.stop", {"id": TAP}))
        self.say("the tap has stopped: t begins again")

    def action_clear_tap(self) -> None:
        """Forget what was shown."""
        self.tap = self.tap.cleared()
        self.draw()

    def action_sample(self) -> None:
        """Show one of so many: 1, 10, 100."""
        if self.ui.view == 5:
            self.tap = replace(self.tap, sample={1: 10, 10: 100}.get(self.tap.sample, 1))
            if self.tap.runs:
                self.start_tap(self.tap.match)
            self.draw()

    def action_play(self) -> None:
        """Hold the list of requests still, or let it go on; elsewhere as in the past."""
        if self.ui.view == 5:
            self.tap = self.tap.hold()
            self.draw()
        else:
            super().action_play()
