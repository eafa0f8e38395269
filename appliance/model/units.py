"""Quantities as an operator writes them, and as the proxy computes with them.

A bare number is the commonest way to get a setting wrong by a factor of a thousand, so every
quantity of a profile carries its unit, and each function here accepts one spelling family only:

    duration   250ms  5s  1m30s  2h      float seconds    a bare 0 is fine, other bare numbers are not
    size       512B  64KiB  10MB         int bytes        64K is refused: 1000 or 1024?
    rate       100/s  600/m              float per second
    share      50%  0.1%                 float 0..1       0.5 is refused: 50% or 0.5%?
    status     503                       int
    statuses   503  5xx  500-504         frozenset of int
    address    host:port  unix:/path     Address
    name       edge-01                   str

What is refused raises UnitError, which keeps apart what is wrong and what to write instead: the
caller may hold a secret that must not be echoed, and an editor wants the replacement alone.
Formatting gives back the shortest spelling that reads as the same value.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from .address import Address

AddressKind = Literal["tcp", "unix", "fd", "dns"]

MAX_DURATION = 366 * 24 * 3600.0
"""Longest duration in seconds; beyond a year it is a typing error, and arithmetic stays exact."""

MAX_SIZE = 1 << 50

_DURATION = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9})s)?(?:(\d{1,12})ms)?", re.ASCII)
_SIZE = re.compile(r"(\d{1,16})(B|KiB|MiB|GiB|KB|MB|GB)", re.ASCII)
_RATE = re.compile(r"(\d{1,9})/(s|m|h)", re.ASCII)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)
_STATUS = re.compile(r"[1-5]\d\d", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)

SIZES = {
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
}
_PER = {"s": 1, "m": 60, "h": 3600}


class UnitError(ValueError):
    """A value that does not read as its type.

    ``problem`` completes the sentence that begins with the value; ``instead`` holds what could be
    written in its place, and is a correction rather than a choice when it has one element.
    """

    def __init__(self, text: str, problem: str, *instead: str) -> None:
        self.problem = problem
        self.instead = instead
        advice = f"; write {' or '.join(instead)}" if instead else ""
        super().__init__(f"`{text}` {problem}{advice}")


def duration(text: str) -> float:
    """Read a duration as seconds, whole milliseconds."""
    if text == "0":
        return 0.0
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        raise UnitError(text, *_duration_problem(text))
    h, m, s, ms = (int(part or 0) for part in found.groups())
    total = ((h * 60 + m) * 60 + s) * 1000 + ms
    if total > MAX_DURATION * 1000:
        raise UnitError(text, "is longer than a year, which is surely not meant")
    return total / 1000


def _duration_problem(text: str) -> tuple[str, ...]:
    if text.startswith("-"):
        return ("is negative: a duration is 0 or more",)
    if text.lower() in ("none", "off", "never", "false", "inf", "infinity", "infinite", "unlimited"):
        return ("is not a duration", "0")
    if _NUMBER.fullmatch(text):
        if "." in text:
            return ("is a duration without a unit", f"{round(float(text) * 1000)}ms")
        return ("is a duration without a unit", f"{text}s", f"{text}ms")
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)\s*([A-Za-zµ]+)", text)
    if found:
        number, unit = found.groups()
        seconds = _LOOSE_DURATIONS.get(unit.lower())
        if seconds is not None and float(number) * seconds <= MAX_DURATION:
            return (
                "is not spelled as a duration: whole numbers with ms, s, m or h, such as 250ms, 5s or 1m30s",
                format_duration(float(number) * seconds),
            )
    return ("is not a duration: whole numbers with ms, s, m or h, largest first, such as 250ms, 5s or 1m30s",)


_LOOSE_DURATIONS = {
    **dict.fromkeys(("ms", "msec", "millis", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}


def format_duration(seconds: float) -> str:
    """Give a duration as a profile writes it; finer than a millisecond is rounded."""
    ms = round(seconds * 1000)
    if ms == 0:
        return "0s"
    if ms % 1000 and ms < 10_000:
        return f"{ms}ms"
    whole, ms = divmod(ms, 1000)
    minutes, s = divmod(whole, 60)
    h, m = divmod(minutes, 60)
    return "".join(f"{n}{unit}" for n, unit in ((h, "h"), (m, "m"), (s, "s"), (ms, "ms")) if n)


def size(text: str) -> int:
    """Read a size as bytes."""
    if text == "0":
        return 0
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UnitError(text, *_size_problem(text))
    total = int(found[1]) * SIZES[found[2]]
    if total > MAX_SIZE:
        raise UnitError(text, f"is too large: at most {format_size(MAX_SIZE)}")
    return total


def _size_problem(text: str) -> tuple[str, ...]:
    if text.startswith("-"):
        return ("is negative: a size is 0 or more",)
    if re.fullmatch(r"\d{1,15}", text, re.ASCII):
        return ("is a size without a unit: B, KiB, MiB, GiB, KB, MB or GB", f"{text}B", f"{text}KiB")
    found = re.fullmatch(r"(\d{1,15})\s*([A-Za-z]+)", text, re.ASCII)
    if found:
        number, unit = found[1], found[2].upper()
        if unit in ("K", "M", "G"):
            return ("may count in 1024s (KiB) or in 1000s (KB)", f"{number}{unit}iB", f"{number}{unit}B")
        for known in SIZES:
            if known.upper() == unit:
                return ("is not spelled as a size", f"{number}{known}")
    return ("is not a size: a whole number with B, KiB, MiB, GiB, KB, MB or GB, such as 64KiB",)


def format_size(octets: int) -> str:
    """Give a size in the largest unit that says it exactly, binary before decimal."""
    for unit in ("GiB", "MiB", "KiB", "GB", "MB", "KB"):
        if octets and octets % SIZES[unit] == 0:
            return f"{octets // SIZES[unit]}{unit}"
    return f"{octets}B"


def rate(text: str) -> float:
    """Read a rate as events per second."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise UnitError(text, *_rate_problem(text))
    return int(found[1]) / _PER[found[2]]


def _rate_problem(text: str) -> tuple[str, ...]:
    found = re.fullmatch(
        r"(\d{1,9})\s*(?:rps|rpm|/\s*(?:sec|second|min|minute|hour)s?)?", text, re.ASCII | re.I
    )
    if found:
        loose = text.lower()
        if loose == found[1]:
            return ("is a rate without a period", f"{found[1]}/s", f"{found[1]}/m")
        unit = "m" if loose.endswith("rpm") or "min" in loose else "h" if "hour" in loose else "s"
        return ("is not spelled as a rate", f"{found[1]}/{unit}")
    return ("is not a rate: a whole number per s, m or h, such as 100/s or 600/m",)


def format_rate(per_second: float) -> str:
    """Give a rate in the shortest period in which it is a whole number."""
    for unit, seconds in _PER.items():
        count = per_second * seconds
        if abs(count - round(count)) < 1e-6:
            return f"{round(count)}/{unit}"
    return f"{per_second:g}/s"


def share(text: str) -> float:
    """Read a share as a number from 0 to 1."""
    found = _SHARE.fullmatch(text)
    if found is None:
        raise UnitError(text, *_share_problem(text))
    if float(found[1]) > 100:
        raise UnitError(text, "is more than the whole: a share is 0% to 100%")
    return float(found[1]) / 100


def _share_problem(text: str) -> tuple[str, ...]:
    if _NUMBER.fullmatch(text):
        number = float(text)
        if 0 < number < 1:
            return ("may mean a fraction or a percentage", f"{number * 100:g}%", f"{number:g}%")
        return (
            ("is a share without its %", f"{number:g}%")
            if number <= 100
            else ("is not a share: 0% to 100%, written with the %",)
        )
    return ("is not a share: 0% to 100%, written with the %, such as 50% or 0.1%",)


def format_share(part: float) -> str:
    """Give a share as a percentage."""
    return f"{part * 100:.6f}".rstrip("0").rstrip(".") + "%"


def status(text: str) -> int:
    """Read one HTTP status."""
    if not _STATUS.fullmatch(text):
        raise UnitError(text, "is not an HTTP status: three digits from 100 to 599")
    return int(text)


def statuses(text: str) -> frozenset[int]:
    """Read one status, a class such as ``5xx``, or an inclusive range such as ``500-504``."""
    if re.fullmatch(r"[1-5]xx", text):
        first = int(text[0]) * 100
        return frozenset(range(first, first + 100))
    low, dash, high = text.partition("-")
    if dash and _STATUS.fullmatch(low) and _STATUS.fullmatch(high):
        if int(low) > int(high):
            raise UnitError(text, "runs backwards", f"{high}-{low}")
        return frozenset(range(int(low), int(high) + 1))
    if not dash and _STATUS.fullmatch(text):
        return frozenset((int(text),))
    if re.fullmatch(r"[1-5]XX", text):
        raise UnitError(text, "is not spelled as a class of statuses", text.lower())
    raise UnitError(text, "is not a status (503), a class (5xx) or a range (500-504), from 100 to 599")


def format_statuses(codes: Collection[int]) -> str:
    """Give a set of statuses as classes, ranges and single ones, joined by ``, ``."""
    parts: list[str] = []
    ordered = sorted(set(codes))
    while ordered:
        run = 1
        while run < len(ordered) and ordered[run] == ordered[0] + run:
            run += 1
        first = ordered[0]
        if first % 100 == 0 and run >= 100:
            parts.append(f"{first // 100}xx")
            run = 100
        else:
            run = min(run, 100 - first % 100) if run > 100 - first % 100 + 99 else run
            parts.append(f"{first}-{first + run - 1}" if run > 1 else str(first))
        del ordered[:run]
    return ", ".join(parts)


def name(text: str) -> str:
    """Read a name: lower-case letters, digits and dashes, not beginning with a dash, at most 63."""
    if not _NAME.fullmatch(text):
        better = re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")[:63]
        problem = (
            "is not a name: lower-case letters, digits and -, at most 63, beginning with a letter or digit"
        )
        raise UnitError(text, problem, *([better] if better else []))
    return text


_TCP: tuple[AddressKind, ...] = ("tcp",)


def address(text: str, kinds: Collection[AddressKind] = _TCP, *, bind: bool = False) -> Address:
    """Read an address of one of these kinds.

    ``bind`` is for what we listen on: the host may be left out (every local address), and port 0
    lets the system choose. Elsewhere both are required.
    """
    for kind in ("unix", "fd", "dns"):
        prefix = f"{kind}:"
        if text.startswith(prefix):
            rest = text.removeprefix(prefix)
            if kind not in kinds:
                raise UnitError(text, f"cannot be a {prefix} address here: {_kinds(kinds, bind)}")
            if kind == "dns":
                host, port = _host_port(text, rest, bind=False)
                return Address("dns", host=host, port=port)
            if not rest or "\0" in rest or (kind == "unix" and len(rest.encode()) > 107):
                problem = "names no path" if not rest else "is too long for a socket path: at most 107 bytes"
                raise UnitError(text, problem if kind == "unix" else "names no descriptor: fd:NAME")
            if kind == "unix" and not rest.startswith("/"):
                raise UnitError(text, "is not an absolute path: write unix:/run/NAME.sock")
            return Address("unix", path=rest) if kind == "unix" else Address("fd", path=rest)
    if "tcp" not in kinds:
        raise UnitError(text, f"is not an address for this place: {_kinds(kinds, bind)}")
    host, port = _host_port(text, text, bind=bind)
    return Address("tcp", host=host, port=port)


def _kinds(kinds: Collection[AddressKind], bind: bool) -> str:
    spelled = {
        "tcp": "host:port or :port" if bind else "host:port",
        "unix": "unix:/path",
        "fd": "fd:NAME",
        "dns": "dns:host:port",
    }
    return "write " + ", ".join(text for kind, text in spelled.items() if kind in kinds)


def _host_port(whole: str, text: str, *, bind: bool) -> tuple[str, int]:
    """Part and check ``host:port``; ``whole`` is what the message shows."""
    scheme = _SCHEME.fullmatch(text)
    if scheme:
        bare = scheme[2].split("/")[0].rpartition("@")[2]
        if bare and not bind and scheme[1].lower() in ("https", "grpcs", "wss"):
            problem = f"has a scheme: write {bare}, and `tls: {{}}` for the upstream to speak TLS"
            raise UnitError(whole, problem)
        raise UnitError(
            whole, f"has a scheme ({scheme[1]}://), but an address is host:port", *([bare] if bare else [])
        )
    if text.startswith("[") and text.endswith("]"):
        inner, _, last = text[1:-1].rpartition(":")
        better = f"[{inner}]:{last}" if _is_ipv6(inner) and re.fullmatch(r"\d{2,5}", last, re.ASCII) else ""
        raise UnitError(whole, "has no port behind its brackets", *([better] if better else []))
    host, colon, port = text.rpartition(":")
    if not colon:
        if re.fullmatch(r"\d{1,5}", text, re.ASCII):
            raise UnitError(whole, "is only a port", f":{text}" if bind else f"127.0.0.1:{text}")
        raise UnitError(whole, "has no port: an address is host:port")
    if "/" in port:
        raise UnitError(whole, "has a path, but an address is host:port", f"{host}:{port.split('/')[0]}")
    if not re.fullmatch(r"\d{1,6}", port, re.ASCII) or int(port) > 65535 or (int(port) == 0 and not bind):
        raise UnitError(whole, f"has the port `{port}`, but ports are {0 if bind else 1} to 65535")
    return _checked_host(whole, host, port, bind=bind), int(port)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _checked_host(whole: str, host: str, port: str, *, bind: bool) -> str:
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(IPv6Address(host[1:-1]))
        except ValueError:
            raise UnitError(whole, f"has `{host}` in brackets, which is not an IPv6 address") from None
    if not host:
        if bind:
            return ""
        raise UnitError(whole, "has no host", f"127.0.0.1:{port}")
    if ":" in host:
        raise UnitError(
            whole, "has more than one colon; IPv6 addresses stand in brackets", f"[{host}]:{port}"
        )
    if host == "*" and bind:
        raise UnitError(
            whole, "has * for the host; leave the host out to listen on every address", f":{port}"
        )
    if re.fullmatch(r"[\d.]+", host, re.ASCII):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise UnitError(whole, f"has the host `{host}`, which is not an IPv4 address") from None
    if not _HOST.fullmatch(host):
        raise UnitError(whole, f"has the host `{host}`, which is neither a host name nor an IP address")
    return host.lower()
