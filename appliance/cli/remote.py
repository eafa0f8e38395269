"""Talking to a running proxy from a command: connect, do one thing, tell what went wrong."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable

import trio

from appliance import __version__
from appliance.model.text import printable
from appliance.net.reach import Place, ReachError, reach
from appliance.tui.feed import Feed, FeedError, conversation

from .exits import Exit
from .target import TargetError, resolve, token

Talk = Callable[[Feed], Awaitable[int]]


def talk(target: str | None, name: str, do: Talk, *, read_only: bool = False) -> int:
    """Run ``do`` over a conversation with the proxy that is meant; gives the exit code.

    ``name`` is what the proxy calls this client.
    """
    try:
        place = resolve(target, os.environ)
        return trio.run(_talk, place, token(os.environ), name, do, read_only)
    except TargetError as error:
        return failed(str(error), Exit.UNREACHABLE if error.absent else Exit.USAGE)
    except ReachError as error:
        return failed(str(error), Exit.REFUSED if error.denied else Exit.UNREACHABLE)
    except FeedError as error:
        return failed(str(error), Exit.REFUSED if error.denied else Exit.UNREACHABLE)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


async def _talk(place: Place, secret: str, name: str, do: Talk, read_only: bool) -> int:
    """Connect and do it, until it is done or a signal comes."""
    stream = await reach(place, os.environ.get("MESHCTL_CA_FILE"))
    host = place.authority
    ended: list[int] = []
    result = -1
    try:
        async with trio.open_nursery() as nursery:
            ended = await nursery.start(_until_told, nursery.cancel_scope)
            result = await _converse(stream, host, secret, name, do, read_only)
            nursery.cancel_scope.cancel()
    except ExceptionGroup as group:
        raise _only(group) from None
    finally:
        await trio.aclose_forcefully(stream)
    if result < 0:  # cancelled
        return Exit.INTERRUPTED if signal.SIGINT in ended else Exit.TERMINATED
    return result


async def _converse(
    stream: trio.abc.Stream, host: str, secret: str, name: str, do: Talk, read_only: bool
) -> int:
    talking = conversation(
        stream, f"meshctl {name}", host=host, token=secret, version=__version__, read_only=read_only
    )
    async with talking as feed:
        return await do(feed)


async def _until_told(scope: trio.CancelScope, *, task_status: trio.TaskStatus[list[int]]) -> None:
    """End everything at the first signal, and keep which it was."""
    heard: list[int] = []
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started(heard)
        async for number in signals:
            heard.append(number)
            scope.cancel()
            return


def _only(group: ExceptionGroup[Exception]) -> BaseException:
    """Give the one exception of a group, the group itself if there are several."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
    return found


def failed(text: str, code: Exit) -> Exit:
    """Say what went wrong on stderr; gives the code."""
    print(f"meshctl: {printable(text)}", file=sys.stderr)
    return code
