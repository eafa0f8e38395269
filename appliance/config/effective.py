"""A profile with nothing left to know by heart: every value that counts, with where it comes from.

What is printed is a profile again, one setting a line, `defaults` copied under and the format's own
defaults written out; loaded, it means the same. Behind each value stands its origin: a place in a
file, `defaults` and its place, or `default` for what nobody wrote. What came from the environment or
a file stays the `${...}` that asked for it, and a secret stays unseen.

A block that is off until somebody writes it (health checks, TLS, a rate limit) is not written out,
nor is a route's breaker or retry, which would give it breakers of its own. The profile's tests
change nothing and are left out.

Behind it, as comments, stands what this profile allows at worst: how many tries one request may
become, and how much memory the buffers may take at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from appliance.model.units import format_rate, format_share, format_size

from . import schema_types as t
from .diagnostic import Span, printable
from .nodes import Listing, Mapping, Scalar
from .plan import Forward, Plan
from .read import Value
from .schema import PROFILE
from .secrets import HIDDEN, without_credentials

STREAM_BUFFER: Final = 64 * 1024
"""Bytes held for each direction of one exchange."""

_LEFT_OUT: Final = frozenset({"defaults", "vars", "include", "tests"})
_WRITTEN_OUT: Final = frozenset(
    {"process", "memory", "limits", "timeouts", "breaker", "retry", "backoff", "budget"}
    | {"access_log", "tracing", "stats", "tap", "recorder"}
)
_PLAIN: Final = re.compile(
    r"[A-Za-z/.][\w./-]*|[1-9]\d*(?:ms|s|m|h|[KMG]i?B|B|%|/s|/m|/h)?|0(?:s|%)?", re.ASCII
)
_WORDS: Final = frozenset({"null", "yes", "no", "on", "off", "y", "n"})
_ORIGIN_COLUMN: Final = 60

Line = tuple[str, str]


def effective(merged: Value, plan: Plan | None) -> str:
    """Give the text; ``merged`` is the profile with ``defaults`` copied under, ``plan`` its plan if known."""
    lines = list(_object(PROFILE, merged, "", ""))
    text = "".join(_joined(line, origin) for line, origin in lines)
    return text if plan is None else text + "".join(f"# {line}\n" for line in worst_case(plan))


def _joined(line: str, origin: str) -> str:
    if not origin:
        return f"{printable(line)}\n"
    return f"{printable(line):<{_ORIGIN_COLUMN}}  # {printable(origin)}\n"


def _object(kind: t.Object, value: Value | None, indent: str, path: str) -> Iterator[Line]:
    for name, key in kind.keys.items():
        if not path and name in _LEFT_OUT:
            continue
        child = value.find(name) if value is not None else None
        inner = key.type.mapping if isinstance(key.type, t.ByShape) else key.type
        unread = None if child is not None or value is None else _unread(value, name)
        if child is not None:
            yield from _entry(f"{indent}{name}:", child, indent, f"{path}.{name}")
        elif unread is not None:
            yield f"{indent}{name}: {_foreign(unread)}", _place(unread.span)
        elif key.default is not None:
            yield f"{indent}{name}: {_default(key.default)}", "default"
        elif isinstance(inner, t.Object) and name in _WRITTEN_OUT and not _a_routes_own(path, name):
            block = list(_object(inner, None, indent + "  ", f"{path}.{name}"))
            if block:
                yield f"{indent}{name}:", ""
                yield from block


def _a_routes_own(path: str, name: str) -> bool:
    return path.startswith(".routes") and name in ("breaker", "retry")


def _entry(head: str, value: Value, indent: str, path: str) -> Iterator[Line]:
    """Give one key with its value, in as many lines as it takes."""
    if isinstance(value.data, dict):
        inner = list(_inside(value, indent + "  ", path))
        yield (head, "") if inner else (f"{head} {{}}", _origin(value))
        yield from inner
    elif isinstance(value.data, list) and any(isinstance(item.data, dict) for item in value.data):
        yield head, ""
        for item in _items(value):
            yield from _item(item, indent + "  ", path)
    elif isinstance(value.data, list):
        yield f"{head} [{', '.join(_scalar(item) for item in _items(value))}]", _origin(value)
    else:
        yield f"{head} {_scalar(value)}", _origin(value)


def _inside(value: Value, indent: str, path: str) -> Iterator[Line]:
    if isinstance(value.type, t.Object):
        if path.startswith(".routes") and {"breaker", "retry"} & set(path.split(".")):
            for name, child in value.items():
                yield from _entry(f"{indent}{name}:", child, indent, f"{path}.{name}")
        else:
            yield from _object(value.type, value, indent, path)
        return
    for name, child in value.items():
        yield from _entry(f"{indent}{_quoted(name)}:", child, indent, f"{path}.{name}")
    for key, node in value.node.entries if isinstance(value.node, Mapping) else ():
        if isinstance(node, Scalar) and node.unknown:
            yield f"{indent}{_quoted(key.value)}: {_foreign(node)}", _place(key.span)


def _unread(value: Value, name: str) -> Scalar | None:
    """Give what is written under a key where nobody here knows what it stands for."""
    node = value.node.get(name) if isinstance(value.node, Mapping) else None
    return node if isinstance(node, Scalar) and node.unknown else None


def _items(value: Value) -> Iterator[Value | Scalar]:
    """Give the items of a list, those that could not be read as they are written."""
    known = {id(item.node): item for item in value.data}
    for node in value.node.items if isinstance(value.node, Listing) else ():
        if id(node) in known:
            yield known[id(node)]
        elif isinstance(node, Scalar):
            yield node


def _item(value: Value | Scalar, indent: str, path: str) -> Iterator[Line]:
    if isinstance(value, Scalar):
        yield f"{indent}- {_scalar(value)}", _place(value.span)
        return
    if not isinstance(value.data, dict):
        yield f"{indent}- {_scalar(value)}", _origin(value)
        return
    lines = list(_inside(value, indent + "  ", f"{path}[]"))
    for number, (line, origin) in enumerate(lines):
        yield (f"{indent}- {line[len(indent) + 2 :]}" if number == 0 else line), origin


def _scalar(value: Value | Scalar) -> str:
    node = value if isinstance(value, Scalar) else value.node
    if not isinstance(node, Scalar):
        return json.dumps(str(value.data)) if isinstance(value, Value) else ""
    if node.secret or node.foreign:
        return _foreign(node)
    text = without_credentials(node.value)
    return _quoted(text.replace("${", "$${"))


def _foreign(node: Scalar) -> str:
    text = node.written if node.asked is None else node.asked
    return json.dumps(HIDDEN if node.secret else without_credentials(text), ensure_ascii=False)


def _quoted(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


def _default(default: Any) -> str:
    if isinstance(default, list):
        return f"[{', '.join(_quoted(item) for item in default)}]"
    return _quoted(default)


def _origin(value: Value) -> str:
    place = _place(value.head)
    return f"defaults, {place}" if value.path.startswith("defaults.") else place


def _place(span: Span) -> str:
    return f"{span.file}:{span.line}"


def worst_case(plan: Plan) -> list[str]:
    """Give the sentences about what this plan allows at worst, under a heading."""
    lines = ["at worst"]
    for route in plan.routes:
        for to in route.action.to if isinstance(route.action, Forward) else ():
            tries = to.retry.max_retries + 1
            if tries > 1 and to.weight:
                budget = (
                    f"{format_share(to.retry.budget.ratio)} more, or {format_rate(to.retry.budget.floor)}"
                )
                lines.append(
                    f"  route {route.name}: one request becomes up to {tries} to {to.upstream}; "
                    f"all together at most {budget}"
                )
    total = 0
    for upstream in plan.upstreams:
        each = upstream.retry.buffer * (upstream.retry.max_retries > 0) + 2 * STREAM_BUFFER
        most = upstream.limits.max_requests * each
        total += most
        lines.append(
            f"  upstream {upstream.name}: {upstream.limits.max_requests} requests x "
            f"{format_size(each)} of buffers = {_about(most)}"
        )
    for listener in plan.listeners:
        most = listener.limits.max_connections * listener.limits.max_header_size
        total += most
        lines.append(
            f"  listener {listener.name}: {listener.limits.max_connections} connections x "
            f"{format_size(listener.limits.max_header_size)} of head = {_about(most)}"
        )
    lines.append(f"  memory of all buffers together: {_about(total)}")
    return lines


def _about(octets: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if octets >= size:
            return f"{octets / size:.3g} {unit}"
    return f"{octets} B"
