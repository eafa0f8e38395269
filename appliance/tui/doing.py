"""Doing something: from a key to a question, to the proxy, and what came of it."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

from . import acts
from .modals import Choice, Confirm
from .moving import Moving
from .text import safe

AGAIN = 3.0
"""Seconds within which the same key again does what is small."""


class Doing(Moving):
    """The part of the application that asks the proxy to do something."""

    def action_act(self, what: str) -> None:
        """Do something about what the cursor is on, after a question."""
        found = self.chosen()
        why = self.scene().acting
        if why:
            self.say(f"actions are off: {why}")
            return
        wish = None if found is None else acts.wish(what, self.model, found)
        if wish is None:
            self.say(acts.unfit(what))
        elif wish.level == 0:
            self.do(wish)
        elif wish.level == 1:
            self._arm(wish)
        else:
            self.ask(wish)

    def ask(self, wish: acts.Wish) -> None:
        """Ask whether something is really wanted, and do it then."""
        self.push_screen(Confirm(wish, self.scene), self._decided)

    def action_menu(self) -> None:
        """Ask what to do about what the cursor is on."""
        found = self.chosen()
        fits = [] if found is None else acts.fitting(self.model, found)
        why = self.scene().acting
        if why:
            self.say(f"actions are off: {why}")
        elif found is None or not fits:
            self.say("nothing can be done about this: move the cursor to a breaker or an endpoint")
        else:
            choices = {what: acts.NAMES[what] for what in fits}
            self.push_screen(
                Choice(safe(found[0]), choices), lambda what: self.action_act(what) if what else None
            )

    def _arm(self, wish: acts.Wish) -> None:
        """Do something small when the key comes again within three seconds."""
        name, until = self._armed
        if name == wish.title and time.monotonic() < until:
            self._armed = ("", 0.0)
            self.do(wish)
        else:
            self._armed = (wish.title, time.monotonic() + AGAIN)
            self.say(f"{wish.title}: the same key again does it  (same as: {wish.command()})")

    def _decided(self, sure: acts.Wish | None) -> None:
        if sure is not None:
            self.do(sure)

    def do(self, wish: acts.Wish) -> None:
        """Have it done, and say what came of it."""
        if self.line is None:
            return
        self.say(f"… {wish.command()}")
        answer = self.line.ask(lambda feed: feed.command(wish.op, wish.args, expect=wish.expect))

        def came(answer: Future[Any]) -> None:
            error = answer.exception()
            result = {} if error is not None else answer.result()
            text = str(error) if error is not None else str(result.get("text"))
            ok = error is None and result.get("ok") is True
            self.call_later(self.told, wish, ok, text)

        answer.add_done_callback(came)

    def told(self, wish: acts.Wish, ok: bool, text: str) -> None:
        """Say what came of an action."""
        mark = self.ui.glyphs.tick if ok else self.ui.glyphs.cross
        self.say(f"{mark} {wish.command()}   {self.ui.glyphs.arrow} {text}")
        if not ok:
            self.notify(text, title="not done", severity="error", timeout=60, markup=False)
