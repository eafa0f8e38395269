"""What is kept in files: the profile on the proxy's disk, and what somebody writes down of the dashboard."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from . import acts
from .modals import Choice
from .render import screen
from .rows import plain
from .tapping import Tapping

LOOK_EVERY = 10.0
"""Seconds after which the file is looked at again while its view is shown."""
FORMATS = {
    "txt": "the picture, as text",
    "svg": "the picture, as it looks",
    "json": "what is known, for programs",
}


class Keeping(Tapping):
    """The part of the application that deals with files."""

    _looked = 0.0

    def action_view(self, number: int) -> None:
        """Show another view; for the profile its file is read."""
        super().action_view(number)
        if self.ui.view == 7:
            self.look_at_disk()

    def tick(self) -> None:
        """Look at the file again now and then."""
        if self.ui.view == 7 and self.line is not None and time.monotonic() - self._looked > LOOK_EVERY:
            self.look_at_disk()
        super().tick()

    def look_at_disk(self) -> None:
        """Ask the proxy what its file says now, and what a reload would change."""
        self._looked = time.monotonic()
        if self.line is None or self.replaying:
            self.disk = {"ok": True, "text": "a recording does not know what was in the file"}
            return

        def came(answer: Future[Any]) -> None:
            error = answer.exception()
            result = {"text": str(error)} if error is not None else answer.result()
            now = result.get("now")
            self.disk = {
                **(now if isinstance(now, dict) else {}),
                "ok": result.get("ok"),
                "text": result.get("text"),
            }

        self.line.ask(lambda feed: feed.command("profile.diff", {})).add_done_callback(came)

    def action_reload(self) -> None:
        """Load the file as it was shown, after a question; without a connection, connect now."""
        if self.link.status == "disconnected" and self.line is not None:
            self.line.again()
            return
        disk, why = self.disk or {}, self.scene().acting
        if self.ui.view != 7:
            self.action_view(7)
            self.say("this is what a reload would change: r again loads it")
        elif why:
            self.say(f"actions are off: {why}")
        elif disk.get("ok") is not True or not disk.get("changes"):
            self.say(f"nothing is to be loaded: {disk.get('text') or 'the file is being read'}")
        else:
            self.ask(acts.reload(self.model, str(disk.get("digest")), str(disk.get("text"))))

    def told(self, wish: acts.Wish, ok: bool, text: str) -> None:
        """Say what came of an action; after a reload the file is another matter."""
        super().told(wish, ok, text)
        if wish.op == "profile.reload":
            self.look_at_disk()

    def move(self, step: int, *, to: int | None = None) -> None:
        """Move the cursor, or in a text the text."""
        if self.ui.view != 7:
            super().move(step, to=to)
            return
        place = self.ui.offset.get(7, 0) + step
        self.ui.offset[7] = max(0, place) if to is None else 0 if to == 0 else 1_000_000
        self.draw()

    def action_export(self) -> None:
        """Write what is shown into a file of this directory, in one of several forms."""
        self.push_screen(Choice("write", FORMATS), self.export)

    def export(self, form: str | None) -> None:
        """Write it; an existing file is left alone."""
        if form is None:
            return
        scene = self.scene()
        when = time.strftime("%Y%m%d-%H%M%S", time.gmtime((scene.paused or self.model.t) / 1000))
        name = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in self.model.name)
        path = Path(f"meshctl-{name}-{when}.{form}")
        model = scene.model
        if form == "json":
            text = json.dumps(
                {"schema": "meshctl.stats/1", "m": model.m, "t": model.t, **model.state}, indent=1
            )
        elif form == "svg":
            text = self.export_screenshot(title=f"meshctl top {self.model.name}")
        else:
            size = self.canvas.size
            text = "\n".join(plain(row).rstrip() for row in screen(scene, size.width, size.height)) + "\n"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            self.say(f"{self.ui.glyphs.cross} {path}: {error.strerror}")
        else:
            self.say(f"{self.ui.glyphs.tick} written: {path.absolute()}")

    def action_copy(self) -> None:
        """Copy the name of what the cursor is on (OSC 52), and show it."""
        found = self.chosen()
        if found is not None:
            self.copy_to_clipboard(found[0])
            self.say(f"copied, if the terminal lets: {found[0]}")
