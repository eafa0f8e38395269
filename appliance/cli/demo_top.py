"""The dashboard of the demo: `meshctl top` as a child, which is told the story line by line."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import trio

_STATS = re.compile(r"  stats: (\S+)")
_TAIL = 2000  # characters of what the proxy said


class Narrator:
    """Writes the story into the pipe that the dashboard reads; nobody may be there any more."""

    def __init__(self, write_end: int) -> None:
        os.set_blocking(write_end, False)
        self._fd = write_end

    def tell(self, sentence: str, hint: str) -> None:
        """Put two lines under the picture: what happens, and what to do about it."""
        try:
            os.write(self._fd, f"{sentence}\t{hint}\n".encode())
        except (BrokenPipeError, BlockingIOError):
            pass

    def close(self) -> None:
        """There is nothing more to tell."""
        os.close(self._fd)


def stats_socket(start_line: str) -> str:
    """Give the socket that a proxy's first line names, empty if it names none."""
    found = _STATS.search(start_line)
    return found[1].removeprefix("unix:") if found and "/" in found[1] else ""


async def open_dashboard(
    command: Sequence[str], environ: dict[str, str], target: str
) -> tuple[trio.Process, Narrator]:
    """Start the dashboard on this terminal, in this process group."""
    read_end, write_end = os.pipe()
    try:
        process = await trio.lowlevel.open_process(
            [*command, "top", target, "--story", str(read_end)], env=environ, pass_fds=(read_end,)
        )
    finally:
        os.close(read_end)
    return process, Narrator(write_end)


async def close_dashboard(process: trio.Process) -> None:
    """End it, so that it gives the terminal back as it was."""
    if process.poll() is None:
        process.terminate()
    with trio.move_on_after(5):
        await process.wait()
        return
    process.kill()
    await process.wait()


class Kept:
    """The end of what a proxy says on stderr, for when it matters."""

    def __init__(self) -> None:
        self.text = ""

    async def read(self, proxy: trio.Process) -> None:
        """Take it for as long as there is some."""
        if proxy.stderr is not None:
            async for piece in proxy.stderr:
                self.text = (self.text + piece.decode(errors="replace"))[-_TAIL:]
