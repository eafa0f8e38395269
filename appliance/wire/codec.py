"""How frames are written and read: JSON objects, one for each message, with ``k`` for their kind.

The set ``proxy`` has one thing, whose fields stand in the frame directly. Receivers ignore kinds and fields
that they do not know, so a minor version may add some; a major one has another name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from .delta import Delta, State, Things

MAJOR: Final = 1
MINOR: Final = 0
PROTOCOL: Final = f"meshctl.stats.v{MAJOR}+json"
STREAM: Final = f"/v{MAJOR}/stream"
MAX_FRAME: Final = 4 << 20
"""Bytes of a frame to a client."""
MAX_MESSAGE: Final = 64 << 10
"""Bytes of a message from a client."""
SETS: Final = ("proxy", "ls", "rt", "up", "br", "ep", "live")
_ALONE: Final = "proxy"
_DEPTH: Final = 16

Frame = dict[str, Any]


class FrameError(ValueError):
    """A message is not what the protocol says; the text says what is wrong with it."""


def encode(frame: Mapping[str, Any]) -> str:
    """Write a frame, as short as can be; what JSON has no number for is null, what UTF-8 lacks is ``?``."""
    try:
        text = json.dumps(frame, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(frame), separators=(",", ":"), ensure_ascii=False)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def decode(text: str | bytes) -> Frame:
    """Read a frame; raises FrameError for anything but an object with a kind."""
    if isinstance(text, bytes):
        raise FrameError("messages are text")
    frame = read_json(text)
    if not isinstance(frame, dict) or not isinstance(frame.get("k"), str):
        raise FrameError('a message is an object with a kind: {"k": ...}')
    return frame


def read_json(text: str) -> Any:
    """Read JSON that is not nested beyond what any message needs; raises FrameError."""
    if _too_deep(text):
        raise FrameError("a message is nested too deeply")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise FrameError("a message is no JSON") from None


def state_out(state: Mapping[str, Things]) -> Frame:
    """Give the sets of a state as they stand in a frame."""
    return {name: things.get("", {}) if name == _ALONE else things for name, things in state.items()}


def state_in(frame: Mapping[str, Any]) -> State:
    """Give the sets that stand in a frame as a state; what is no set of things is left out."""
    state: State = {}
    for name in SETS:
        value = frame.get(name)
        if not isinstance(value, dict):
            continue
        if name == _ALONE:
            state[name] = {"": value}
        else:
            state[name] = {key: thing for key, thing in value.items() if isinstance(thing, dict)}
    return state


def delta_out(delta: Delta) -> Frame:
    """Give a difference as it stands in a frame."""
    return {"set": state_out(delta.set), "del": delta.gone}


def delta_in(frame: Mapping[str, Any]) -> Delta:
    """Give the difference that stands in a frame."""
    changed, gone = frame.get("set"), frame.get("del")
    return Delta(
        state_in(changed) if isinstance(changed, dict) else {},
        {name: list(keys) for name, keys in gone.items() if isinstance(keys, list)}
        if isinstance(gone, dict)
        else {},
    )


def _finite(value: Any) -> Any:
    if isinstance(value, float) and value - value != 0:
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return value


def _too_deep(text: str) -> bool:
    """Say whether brackets are nested beyond what any message needs."""
    if text.count("[") + text.count("{") <= _DEPTH:
        return False
    depth = 0
    quoted = escaped = False
    for sign in text:
        if quoted:
            if escaped:
                escaped = False
            elif sign == "\\":
                escaped = True
            elif sign == '"':
                quoted = False
        elif sign == '"':
            quoted = True
        elif sign in "[{":
            depth += 1
            if depth > _DEPTH:
                return True
        elif sign in "]}":
            depth -= 1
    return False
