"""Draws the dashboard from a recording: each picture is a view, a size, a moment and some keys."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import resvg_py

from appliance.tui.app import Top
from appliance.tui.scene import Link
from appliance.tui.stage import Options
from appliance.tui.state import reduce
from appliance.wire.codec import Frame
from appliance.wire.recording import read


@dataclass(frozen=True, slots=True)
class Picture:
    """``after`` is the moment: seconds after the first breaker opened."""

    name: str
    view: int
    size: tuple[int, int] = (120, 36)
    after: float = 9.0
    keys: tuple[str, ...] = ()
    theme: str = "dark"


PICTURES = (
    Picture("overview", 1),
    Picture("breakers", 2),
    Picture("upstreams", 3),
    Picture("tap", 5),
    Picture("small", 1, (80, 24)),
)


def draw(recording: Path, folder: Path) -> None:
    """Write a PNG for each picture."""
    with recording.open("rb") as file:
        frames = list(read(file))
    opened = min(row["m"] for frame in frames for row in _events(frame) if row.get("trip"))
    for picture in PICTURES:
        svg = asyncio.run(_svg(picture, frames, opened + round(picture.after * 1000)))
        data = resvg_py.svg_to_bytes(
            svg_string=svg, font_dirs=["/usr/share/fonts"], monospace_family="Fira Code"
        )
        (folder / f"{picture.name}.png").write_bytes(bytes(data))


def _events(frame: Frame) -> list[Frame]:
    return frame["items"] if frame["k"] == "events" else []


async def _svg(picture: Picture, frames: list[Frame], until: int) -> str:
    app = Top(Options(view=picture.view, theme=picture.theme, utc=True))
    async with app.run_test(size=picture.size) as pilot:
        for frame in frames:
            if frame["k"] in ("snap", "delta") and frame["m"] > until:
                break
            if frame["k"] == "trip":
                app.trips[frame["trip"]["trip"]] = frame["trip"]
            elif frame["k"] == "tap":
                app.tap = app.tap.take(frame)
            before = app.model
            app.model = reduce(before, frame)
            app.past.add(frame, before)
        app.link = Link("live", heard=time.monotonic() + 60)
        app.draw()
        for key in picture.keys:
            await pilot.press(key)
        await pilot.pause(0.3)
        return app.export_screenshot(title="meshctl top")
