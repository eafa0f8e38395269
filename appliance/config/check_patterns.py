"""Whether the paths in a match mean what they look like.

Three kinds of path are told apart by their keys, so the signs that other proxies use for that are
ordinary characters here: a `*` at the end, a `~` in front, a `$1` in what is written in place. And a
regular expression is for the whole path, which always begins with a slash.
"""

from __future__ import annotations

import re
from typing import Any, Final

from appliance.routing.contain import matches

from .diagnostic import Diagnostics
from .nodes import Scalar
from .read import Value, owner
from .source import replacement

_parser: Final[Any] = re._parser  # type: ignore[attr-defined]
_constants: Final[Any] = re._constants  # type: ignore[attr-defined]
_SLASH: Final = ord("/")
_GROUP = re.compile(r"\$\d|\\\d")


def check_patterns(routes: list[Value], diagnostics: Diagnostics) -> None:
    """Tell of paths that no request is likely to have."""
    for route in routes:
        match = route.find("match")
        if match is not None:
            for name in ("path", "path_prefix"):
                _star(route, name, match.find(name), diagnostics)
            _whole(route, match.find("path_regex"), diagnostics)
        for block in (route.find("rewrite"), route.find("redirect")):
            for name in ("path", "path_prefix"):
                _group(route, name, None if block is None else block.find(name), diagnostics)


def _star(route: Value, name: str, value: Value | None, diagnostics: Diagnostics) -> None:
    if value is None or "*" not in value.data:
        return
    shorter = re.fullmatch(r"([^*]*/)\*+", value.data)
    advice, fix = "for patterns there is `path_regex`", ()
    if _foreign(value):
        pass
    elif shorter and name == "path_prefix":
        advice = f"write `{shorter[1]}`, which takes everything below it"
        fix = replacement(value.node, shorter[1])  # type: ignore[arg-type,assignment]
    elif shorter:
        advice = f"for everything below it write `path_prefix: {shorter[1]}`"
    diagnostics.warning(
        "MC520",
        f"the * in `{name}` of {owner(route.path)} is an ordinary character",
        value.span,
        help=advice,
        fix=fix,
        path=value.path,
    )


def _foreign(value: Value) -> bool:
    """Whether part of a value came from the environment or a file and must not be shown."""
    return isinstance(value.node, Scalar) and value.node.foreign


def _whole(route: Value, value: Value | None, diagnostics: Diagnostics) -> None:
    if (
        value is None
        or matches(value.data.encode(), b"*")
        or _may_begin_with_slash(_parser.parse(value.data.encode()))
    ):
        return
    text = value.data.lstrip("~^* ")
    if not text or text == "$" or text.startswith("(?") or "|" in text or _foreign(value):
        advice = "it is for the whole path, from its first slash to its end"
    elif text.startswith("/"):
        advice = f"write `{text}`, which is for the whole path"
    else:
        advice = f"it is for the whole path: write `/{text}`, or `/.*{text}` for any place in it"
    diagnostics.warning(
        "MC520",
        f"no path fits `path_regex` of {owner(route.path)}: every path begins with /",
        value.span,
        help=advice,
        path=value.path,
    )


def _may_begin_with_slash(pattern: Any) -> bool:
    """Whether a text that begins with a slash may match; True where that is not plain to see."""
    for operation, argument in pattern:
        if operation is _constants.AT:
            continue
        if operation is _constants.LITERAL:
            return bool(argument == _SLASH)
        if operation is _constants.IN:
            return _holds_slash(argument)
        if operation in (_constants.SUBPATTERN, _constants.MAX_REPEAT, _constants.MIN_REPEAT):
            least = argument[0] if operation is not _constants.SUBPATTERN else 1
            return not least or not argument[-1].getwidth()[0] or _may_begin_with_slash(argument[-1])
        if operation is _constants.BRANCH:
            return any(not branch.getwidth()[0] or _may_begin_with_slash(branch) for branch in argument[1])
        return True
    return False


def _holds_slash(items: Any) -> bool:
    """Whether a slash is among the characters of a set; True of one that leaves characters out."""
    return any(
        argument == _SLASH
        if operation is _constants.LITERAL
        else argument[0] <= _SLASH <= argument[1]
        if operation is _constants.RANGE
        else operation is _constants.NEGATE or "NOT" in str(argument)
        for operation, argument in items
    )


def _group(route: Value, name: str, value: Value | None, diagnostics: Diagnostics) -> None:
    found = _GROUP.search(value.data) if value is not None else None
    if value is not None and found is not None:
        diagnostics.warning(
            "MC520",
            f"`{'$1' if _foreign(value) else found[0]}` in `{name}` of {owner(route.path)} is ordinary text",
            value.span,
            help="nothing is put into a path from what was matched; only its prefix can be replaced",
            path=value.path,
        )
