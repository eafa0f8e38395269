"""``meshctl top``: the dashboard in a terminal; on anything else what `watch` tells."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from threading import Thread

import trio

from appliance.net.reach import Place, ReachError, reach
from appliance.tui.app import Top
from appliance.tui.feed import FeedError
from appliance.tui.link import Line, Target
from appliance.tui.stage import Options
from appliance.wire.recording import RecordingError, read

from .exits import Exit
from .remote import failed
from .target import TargetError, resolve, token


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the dashboard is to begin; ``theme`` empty for what suits the terminal."""

    view: str = "overview"
    filter: str = ""
    rate: float = 4.0
    theme: str = ""
    ascii: bool = False
    low: bool = False
    read_only: bool = False
    utc: bool = False
    mouse: bool = True
    replay: str = ""
    story: int = -1
    """A file descriptor that a story comes from, line by line; -1 for none."""


VIEWS = ("overview", "breakers", "upstreams", "routes", "tap", "events", "profile", "system")


def top(name: str | None, wanted: Wanted) -> int:
    """Show the dashboard until it is left; gives the exit code."""
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    app = Top(_options(wanted))
    try:
        if wanted.replay:
            with open(wanted.replay, "rb") as file:
                app.load(os.path.basename(wanted.replay), read(file))
        else:
            target = reached(resolve(name, os.environ), token(os.environ))
            app.line = Line(
                target,
                app.hear,
                read_only=wanted.read_only,
                rate=min(wanted.rate, 1.0) if wanted.low else wanted.rate,
            )
    except TargetError as error:
        return failed(str(error), Exit.UNREACHABLE if error.absent else Exit.USAGE)
    except RecordingError as error:
        return failed(f"{wanted.replay}: {error}", Exit.FAILED)
    except OSError as error:
        return failed(f"{wanted.replay}: {error.strerror}", Exit.FAILED)
    if wanted.story >= 0:
        Thread(target=_listen, args=(wanted.story, app), daemon=True).start()
    code = app.run(mouse=wanted.mouse)
    if app.kept:
        print(app.kept)
    return Exit.OK if code is None else code


def _listen(story: int, app: Top) -> None:
    """Give the application the story as it comes: what is said, a tab, what to do about it."""
    with open(story, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            text, _, hint = line.rstrip("\n").partition("\t")
            app.ui.story = (text, hint)


def _options(wanted: Wanted) -> Options:
    return Options(
        view=VIEWS.index(wanted.view) + 1,
        filter=wanted.filter,
        theme=wanted.theme or theme(os.environ),
        ascii=wanted.ascii or not _unicode(),
        low=wanted.low,
        read_only=wanted.read_only,
        utc=wanted.utc,
        mouse=wanted.mouse,
    )


def reached(place: Place, secret: str) -> Target:
    """Give a place as the dashboard wants it."""

    async def connect() -> trio.abc.Stream:
        try:
            return await reach(place, os.environ.get("MESHCTL_CA_FILE"))
        except ReachError as error:
            raise FeedError(str(error), denied=error.denied) from None

    return Target(str(place), connect, place.authority, secret)


def theme(environ: dict[str, str] | os._Environ[str]) -> str:
    """Give the theme that suits the terminal."""
    if environ.get("NO_COLOR"):
        return "mono"
    if environ.get("TERM") in ("linux", "vt100", "ansi", "xterm"):
        return "ansi"
    return "dark"


def _unicode() -> bool:
    """Say whether the terminal shows more than ASCII."""
    if os.environ.get("TERM") == "linux":
        return False
    encoding = (getattr(sys.stderr, "encoding", None) or "").lower().replace("-", "")
    return encoding.startswith("utf")
