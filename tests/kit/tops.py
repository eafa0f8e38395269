"""The dashboard in tests: with a hand-made proxy behind it, and keys pressed without a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from textual.pilot import Pilot

from appliance.tui.app import Top
from appliance.tui.link import Heard
from appliance.tui.rows import plain
from appliance.tui.stage import Options

from .dashboards import story, trip


class FakeLine:
    """Takes the place of the link: keeps what is asked, answers at once."""

    def __init__(self, result: dict[str, Any] | None = None) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.result = {"ok": True, "code": "ok", "text": "done", "now": {}} if result is None else result
        self.started = self.stopped = False
        self.hurried = 0

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.stopped = True

    def again(self) -> None:
        self.hurried += 1

    def ask(self, do: Callable[[Any], Awaitable[Any]]) -> Future[Any]:
        """Run it against ourselves."""
        answer: Future[Any] = Future()
        work = do(self)
        try:
            work.send(None)  # type: ignore[attr-defined]
        except StopIteration as end:
            answer.set_result(end.value)
        return answer

    async def trips(self) -> list[dict[str, Any]]:
        return [trip()]

    async def query(self, what: str, **more: Any) -> dict[str, Any]:
        self.asked.append((what, more))
        return {"ok": False}

    async def command(self, op: str, args: Any, **more: Any) -> dict[str, Any]:
        self.asked.append((op, dict(args)))
        return self.result


class Desk:
    """A running dashboard: ``press`` keys, look at ``text``."""

    def __init__(self, app: Top, pilot: Pilot[Any], line: FakeLine) -> None:
        self.app, self.pilot, self.line = app, pilot, line

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    @property
    def text(self) -> str:
        """What is on the screen, dialogs left out."""
        return "\n".join(plain(row) for row in self.app.canvas._rows)

    def hear(self, *frames: dict[str, Any], **link: Any) -> None:
        """Let frames come, or the link change."""
        for frame in frames:
            self.app.hear(Heard(frame=frame))
        if link:
            self.app.hear(Heard(link=replace(self.app.link, **link)))
        self.app.tick()


def at_the_dashboard(
    do: Callable[[Desk], Awaitable[None]], size: tuple[int, int] = (120, 36), line: FakeLine | None = None,
    **options: Any,
) -> FakeLine:  # fmt: skip
    """Run the dashboard with a bad day behind it, and do something at it."""
    fake = FakeLine() if line is None else line

    async def run() -> None:
        app = Top(Options(utc=True, **options))
        app.line = fake  # type: ignore[assignment]
        async with app.run_test(size=size) as pilot:
            desk = Desk(app, pilot, fake)
            import time

            desk.hear(*story(), status="live", heard=time.monotonic() + 1000)
            await pilot.pause()
            await do(desk)

    asyncio.run(run())
    return fake
