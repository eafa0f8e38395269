"""Floods: the largest files there may be, each of one thing that might cost too much, and what it costs.

Run as a program with names of floods: each is loaded and reported on in a process of its own, and a
line of JSON tells what that took. So one that explodes harms none of the others, and memory is that
of one load, without a test runner around it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from math import ceil
from typing import Any, Final

from appliance.config.load import load_profile

MOST: Final = 1 << 20
CPU_GUARD: Final = 6
"""Seconds of processor time after which a load is ended, more on a core that is slow just now."""
MEMORY_GUARD: Final = 1 << 30
_TOP: Final = 'meshctl: 1\nlisteners: {web: {bind: ":8080"}}\n'
_ROUTE: Final = "routes: [{name: a, to: app}]\n"
_APP: Final = 'upstreams: {app: {endpoints: ["h:1"]}}\n'
_CLASS: Final = r"[\w\d\s]"
_WHOLE: Final = _TOP + _ROUTE + _APP


def of(piece: str | Callable[[int], str], head: str = "", tail: str = "", most: int = MOST) -> str:
    """Give a text of as many pieces as fit between head and tail."""
    parts, size, number = [head], len((head + tail).encode()), 0
    while True:
        part = piece if isinstance(piece, str) else piece(number)
        size += len(part.encode())
        if size > most:
            return "".join((*parts, tail))
        parts.append(part)
        number += 1


def routes(match: Callable[[int], str], rest: str = "to: app", most: int = MOST) -> str:
    """Give a profile of routes with these `match` blocks."""
    return of(
        lambda n: f"- {{name: r{n}, match: {{{match(n)}}}, {rest}}}\n", f"{_TOP}{_APP}routes:\n", most=most
    )


def long_hosts() -> str:
    """Give a profile of many prefixes one below the other, and routes below them all with many long hosts."""
    above = "".join(
        f"- {{name: p{n}, match: {{path_prefix: {'/a' * n}}}, to: app}}\n" for n in range(300, 0, -1)
    )
    hosts = f"&h [{', '.join('a.' * 60 + f'h{n}' for n in range(78))}]"
    below = "".join(
        f"- {{name: q{n}, match: {{hosts: {'*h' if n else hosts}, path: {'/a' * 301}/{n}}}, to: app}}\n"
        for n in range(40)
    )
    return f"{_TOP}{_APP}routes:\n{above}{below}"


FLOODS: Final[dict[str, tuple[str, Callable[[], str]]]] = {
    # What YAML itself can be made to do.
    "brackets": ("MC116", lambda: "[" * MOST),
    "braces": ("MC116", lambda: "{" * MOST),
    "dashes": ("MC116", lambda: "- " * (MOST // 2)),
    "items": ("MC201", lambda: "-\n" * (MOST // 2)),
    "question marks": ("MC116", lambda: "? " * (MOST // 2)),
    "double quotes": ("", lambda: '"' * MOST),
    "single quotes": ("", lambda: "'" * MOST),
    "anchors": ("", lambda: "&a " * (MOST // 3)),
    "aliases": ("MC115", lambda: of("*a ")),
    "aliases of one": ("MC115", lambda: of("- *a\n", "- &a b\n")),
    "aliases of aliases": (
        "MC115",
        lambda: "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 30)),
    ),
    "tags": ("MC113", lambda: "!" * MOST),
    "comments": ("", lambda: of("#\n", _WHOLE)),
    "one line": ("MC201", lambda: "a" * MOST),
    "colons": ("", lambda: "a: " * (MOST // 3)),
    "steps": ("MC116", lambda: "".join(" " * n + "a:\n" for n in range(1400))),
    "block": (
        "",
        lambda: of("    x\n", _TOP + "routes:\n- name: a\n  respond:\n   status: 200\n   body: |\n"),
    ),
    # What the search for traps can be made to do by a line without end.
    "spaces between colons": ("", lambda: of(" ", "a: b: ", "x\n")),
    "escaped quotes": ("", lambda: of('\\"', 'a: %x "', "\n")),
    "brackets behind a mark": ("", lambda: of("[", "a: %x ", "\n")),
    "spaces behind a secret": ("", lambda: of(" ", "a: %b # token:", "\n")),
    # What names and values can be made to do.
    "unknown keys": ("MC203", lambda: of(lambda n: f"{n}:\n")),
    "duplicate keys": ("MC112", lambda: of("a: b\n")),
    "secrets on a line": ("MC203", lambda: of(lambda n: f"password{n}: ab, ", "{", "}\n")),
    "one long word of secrets": ("MC106", lambda: "a: b: " + "token" * (MOST // 5 - 2)),
    "one long parameter": ("", lambda: of("token", f'{_WHOLE}stats: {{listen: "x=?', '"}\n')),
    "keys below a long key": (
        "MC203",
        lambda: of(lambda n: f"   a{n}: 1\n", f"{_TOP}upstreams:\n  ? {'x' * (MOST // 2)}\n  :\n"),
    ),
    "keys below a long name": (
        "MC203",
        lambda: of(lambda n: f" a{n}: 1,", f"{_TOP}routes:\n- name: {'x' * (MOST // 2)}\n  match: {{", "}\n"),
    ),
    "open substitutions": ("MC121", lambda: of("${", _WHOLE + 'vars: {A: "', '"}')),
    "unset variables": ("MC404", lambda: of(lambda n: f"${{a{n}}}", _WHOLE + 'name: "', '"')),
    "one variable in one value": (
        "",
        lambda: of("${A}", f'{_WHOLE}vars: {{A: "{"x" * (MOST // 2)}"}}\nname: "', '"'),
    ),
    "one variable in many values": (
        "",
        lambda: of("- ${A}\n", f'{_WHOLE}vars: {{A: "{"x" * (MOST // 2)}"}}\ntests:\n'),
    ),
    # What routes and upstreams can be made to do.
    "20,000 routes, all wrong": (
        "MC309",
        lambda: _TOP + "routes:\n" + "".join(f"- {{name: R{n}, to: x, matc: 1}}\n" for n in range(20_000)),
    ),
    "5,000 routes, all alike": (
        "MC403",
        lambda: f"{_TOP}routes:\n" + "".join(f"- {{name: r{n}, to: app}}\n" for n in range(5000)) + _APP,
    ),
    "5,000 routes of one name": (
        "MC401",
        lambda: f"{_TOP}routes:\n" + "- {name: r, match: {path: /a}, to: app}\n" * 5000 + _APP,
    ),
    "names that are nearly right": (
        "MC402",
        lambda: (
            _TOP
            + "upstreams:\n"
            + "".join(f' app-{n:05}: {{endpoints: ["h:1"]}}\n' for n in range(5000))
            + "routes:\n"
            + "".join(f"- {{name: r{n}, match: {{path: /{n}}}, to: ap-{n:05}}}\n" for n in range(5000))
        ),
    ),
    "tests of routes": (
        "MC408",
        lambda: of(
            lambda n: f'- {{request: {{url: "http://h/"}}, expect: {{route: b{n}}}}}\n',
            routes(lambda n: f"path: /{n}", most=MOST // 2) + "tests:\n",
        ),
    ),
    "listeners and endpoints": (
        "",
        lambda: of(
            lambda n: f' l{n}: {{bind: "10.0.{n >> 8}.{n & 255}:80"}}\n',
            f"meshctl: 1\n{_ROUTE}upstreams: {{app: {{endpoints: ["
            + ", ".join(f'"127.0.0.1:{n + 1}"' for n in range(20_000))
            + "]}}\nlisteners:\n",
        ),
    ),
    "long hosts below many prefixes": ("", long_hosts),
    "hosts times methods": (
        "",
        lambda: (
            _TOP
            + _APP
            + "routes:\n"
            + "".join(
                f"- {{name: a{n}, to: app, match: {{hosts: [{', '.join(f'h{m}' for m in range(20_000))}], "
                f"methods: [{', '.join(f'M{m}' for m in range(20_000))}]}}}}\n"
                for n in range(2)
            )
        ),
    ),
    "destinations": (
        "",
        lambda: of("{upstream: app}, ", f"{_TOP}{_APP}routes: [{{name: a, to: [", "]}]\n"),
    ),
    "expressions of choices": ("", lambda: routes(lambda n: f'path_regex: "/{n}{"(a|b|c)" * 140}"')),
    "expressions of classes": ("", lambda: routes(lambda n: f"path_regex: '/{n}{_CLASS * 120}'")),
    "expressions of brackets": ("", lambda: routes(lambda n: f'path_regex: "/{n}{"(" * 90}a{"b)*c" * 90}"')),
    # Expressions that take for ever, each met by the path of the route below it.
    "optional letters": ("MC312", lambda: _hard("a?" * 30 + "a" * 30, "a" * 29 + "b")),
    "unclear choices": ("MC312", lambda: _hard("(a|aa)" * 30, "a" * 45 + "b")),
    "short loops": ("MC312", lambda: _hard("a{0,9}" * 12, "a" * 90 + "b")),
}
"""By name: the code that must be among what is told (if one must), and the text."""


def _hard(pattern: str, path: str) -> str:
    return (
        f'{_TOP}{_APP}routes:\n- {{name: a, match: {{path_regex: "/{pattern}"}}, to: app}}\n'
        f"- {{name: b, match: {{path: /{path}}}, to: app}}\n"
    )


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def speed() -> float:
    """Give how many times slower than usual the machine is just now; at least 1."""
    began = time.process_time()
    for _ in range(40):
        words = {str(number): [number] for number in range(5000)}
        assert sum(len(key) + len(value) for key, value in words.items()) > 0
    return max(1.0, (time.process_time() - began) / USUAL)


USUAL: Final = 0.048
"""Seconds that the loop of ``speed`` takes on an idle core of the slow kind."""


def _measured(name: str) -> dict[str, Any]:
    data = FLOODS[name][1]().encode()
    assert len(data) <= MOST
    slow = speed()
    began = _used()
    loaded = load_profile("flood.yaml", text=data, env={})
    found = loaded.diagnostics
    text = found.render()
    document = json.dumps(found.as_json("flood.yaml"))
    return {
        "cpu": _used() - began,
        "slow": max(slow, speed()),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "codes": sorted({each.code for each in found}),
        "told": max(len(text), len(document)),
        "errors": found.errors,
        "plan": loaded.plan is not None,
    }


def main(names: list[str]) -> None:
    """Print one line for each flood; one that had to be ended has no more than its name."""
    guard = ceil(CPU_GUARD * speed())
    for name in names:
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            resource.setrlimit(resource.RLIMIT_CPU, (guard, guard))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_GUARD, MEMORY_GUARD))
            try:
                os.write(theirs, json.dumps(_measured(name)).encode())
            finally:
                os._exit(0)
        os.close(theirs)
        with open(ours, "rb") as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        print(json.dumps({"name": name, **json.loads(told or "{}")}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
