"""What differs is found, at its place and in its words; what is only written otherwise is not."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.config import schema_types as t
from appliance.config.diff import Change, diff
from appliance.config.load import Loaded, load_profile
from appliance.config.nodes import Scalar
from appliance.config.plan import Plan
from appliance.config.read import Value
from appliance.model.address import Where

GOOD = Path(__file__).parent / "corpus" / "good"
EVERYTHING = (GOOD / "everything.yaml").read_text()
BASE = """meshctl: 1
name: edge
listeners: {web: {bind: ":8080"}}
routes:
  - {name: a, match: {path: /a}, to: app}
  - {name: b, match: {path: /b}, to: app}
  - {name: c, to: [{upstream: app, weight: 95}, {upstream: next, weight: 5}]}
upstreams:
  app: {endpoints: [127.0.0.1:1, 127.0.0.1:2]}
  next: {endpoints: [127.0.0.1:3]}
"""


def loaded(text: str, **env: str) -> Loaded:
    found = load_profile(str(GOOD / "a.yaml"), text=text.encode(), env=env)
    assert found.plan is not None, found.diagnostics.render()
    return found


def changes(before: str, after: str) -> tuple[Change, ...]:
    return diff(loaded(before), loaded(after))


def told(before: str, after: str) -> list[str]:
    signs = {"added": "+", "removed": "-", "changed": "~", "moved": "^"}
    return [
        f"{signs[c.kind]} {c.path}: "
        + " → ".join(f"{s.text}{' (default)' if s.default else ''}" for s in (c.before, c.after) if s)
        for c in changes(before, after)
    ]


def edited(*pairs: tuple[str, str], base: str = BASE) -> str:
    for old, new in pairs:
        assert old in base, old
        base = base.replace(old, new)
    return base


@pytest.mark.parametrize("name", sorted(path.name for path in GOOD.glob("*.yaml")))
def test_a_profile_does_not_differ_from_itself(name: str) -> None:
    """Whatever it contains."""
    one, two = (load_profile(str(GOOD / name), env={}) for _ in range(2))
    assert diff(one, two) == ()


def test_writing_makes_no_difference() -> None:
    """Comments, order of maps, units, variables, defaults written out, short and long forms."""
    other = """# the same in other words
upstreams:
  next: {endpoints: [{address: "127.0.0.1:3", weight: 100}], timeouts: {connect: 2000ms}}
  app:
    breaker: {open_for: "${OPEN}", max_open_for: 30s, failures: [timeout, reset, connect, 500-599]}
    retry: {budget: {ratio: 20.0%}, methods: [DELETE, PUT, TRACE, OPTIONS, HEAD, GET]}
    endpoints: ["127.0.0.1:2", "127.0.0.1:1"]
routes:
  - {to: [app], name: a, match: {path: "/a"}, headers: {request: {set: {}, remove: []}}}
  - {name: b, match: {path: /b}, to: [{upstream: app}], retry: {max_retries: 2}}
  - {name: c, to: [{upstream: next, weight: 5}, {weight: 95, upstream: app}]}
vars: {OPEN: 30000ms}
defaults: {route: {timeouts: {response: 15s, request: 0}}}
listeners: {web: {bind: ":8080", http2: true, trust_forwarded: []}}
process: {workers: 1, drain_timeout: 30s}
access_log: {}
stats: {tap: {max_time: 300s}}
name: edge
meshctl: 1
"""
    assert told(BASE, other) == []


def test_an_include_is_part_of_the_profile(tmp_path: Path) -> None:
    """Moving routes to another file changes nothing."""
    routes = re.search(r"routes:\n(?:  .*\n)+", BASE)
    assert routes is not None
    (tmp_path / "routes.yaml").write_text(routes[0])
    whole, parts = tmp_path / "whole.yaml", tmp_path / "parts.yaml"
    whole.write_text(BASE)
    parts.write_text(BASE.replace(routes[0], "include: routes.yaml\n"))
    one, two = (load_profile(str(path), env={}) for path in (whole, parts))
    assert two.plan is not None
    assert diff(one, two) == ()


def test_only_profiles_without_errors_are_compared() -> None:
    """There is no meaning to compare otherwise."""
    bad = load_profile("a.yaml", text=b"meshctl: 1", env={})
    with pytest.raises(ValueError, match="without errors"):
        diff(bad, loaded(BASE))


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("name: edge", "name: other")], ["~ name: edge → other"]),
        ([('bind: ":8080"', 'bind: ":8081"')], ["~ listeners.web.bind: :8080 → :8081"]),
        (
            [("{web:", '{new: {bind: ":9", redirect: https, limits: {max_headers: 9}}, web:')],
            ["+ listeners.new: bind: :9, redirect: https"],
        ),
        ([("path: /a}", "path: /A}")], ["~ routes.a.match.path: /a → /A"]),
        ([("match: {path: /b}", "match: {path_prefix: /b}")], None),
        (
            [("to: app}\n  - {name: c", "to: next}\n  - {name: c")],
            ["~ routes.b.to: app → next"],
        ),
        (
            [("weight: 95", "weight: 90"), ("weight: 5}", "weight: 10}")],
            ["~ routes.c.to[app].weight: 95 → 90", "~ routes.c.to[next].weight: 5 → 10"],
        ),
        (
            [("[127.0.0.1:1, 127.0.0.1:2]", "[{address: 127.0.0.1:1, weight: 50}, 127.0.0.1:4]")],
            [
                "~ upstreams.app.endpoints[127.0.0.1:1].weight: 100 (default) → 50",
                "- upstreams.app.endpoints[127.0.0.1:2]: weight 100 (default)",
                "+ upstreams.app.endpoints[127.0.0.1:4]: weight 100 (default)",
            ],
        ),
        (
            [("127.0.0.1:3]", "127.0.0.1:3], breaker: {open_for: 10s}")],
            ["~ upstreams.next.breaker.open_for: 30s (default) → 10s"],
        ),
        (
            [("127.0.0.1:3]", "127.0.0.1:3], breaker: {max_open_for: 2m}")],
            ["~ upstreams.next.breaker.max_open_for: 30s (default) → 2m"],
        ),
        (
            [("127.0.0.1:3]", "127.0.0.1:3], breaker: false")],
            ["~ upstreams.next.breaker: on (default) → false"],
        ),
        (
            [("127.0.0.1:3]", "127.0.0.1:3], health: {path: /up}")],
            ["+ upstreams.next.health: {path: /up}"],
        ),
        (
            [("path: /b}, to: app", "path: /b}, to: app, timeouts: {idle: 60s}")],
            ["~ routes.b.timeouts.idle: default (default) → 60s"],
        ),
        (
            [("path: /b}, to: app", "path: /b}, to: app, breaker: {failure_threshold: 5}")],
            ["+ routes.b.breaker: {failure_threshold: 5}"],
        ),
        (
            [("path: /b}, to: app", "path: /b}, to: app, retry: {max_retries: 0}")],
            ["~ routes.b.retry.max_retries: 2 (default) → 0"],
        ),
        (
            [("path: /b}, to: app", "path: /b}, respond: {status: 204}")],
            ["- routes.b.to: app", "+ routes.b.respond: {status: 204}"],
        ),
        ([("  - {name: b, match: {path: /b}, to: app}\n", "")], ["- routes.b: match: {path: /b}, to: app"]),
        (
            [("  - {name: c", "  - {name: d, match: {path: /d}, to: next}\n  - {name: c")],
            ["+ routes.d: match: {path: /d}, to: next, ahead of `c`"],
        ),
    ],
)
def test_each_kind_of_change(pairs: list[tuple[str, str]], expected: list[str] | None) -> None:
    """In the words of the profile, with the default where nothing is written."""
    found = told(BASE, edited(*pairs))
    if expected is None:
        expected = ["- routes.b.match.path: /b", "+ routes.b.match.path_prefix: /b"]
    assert found == expected


def test_the_other_way_round_everything_is_turned_round() -> None:
    """What was added is removed; the places change sides."""
    other = edited(("127.0.0.1:3]", "127.0.0.1:3], health: {path: /up}, breaker: {open_for: 9s}"))
    forth, back = changes(BASE, other), changes(other, BASE)
    assert [(c.path, c.before, c.after) for c in forth] == [(c.path, c.after, c.before) for c in back]
    assert {c.kind for c in forth} == {"added", "changed"}
    assert {c.kind for c in back} == {"removed", "changed"}


def test_a_route_that_moved_is_told_once() -> None:
    """The two that it passed have not moved."""
    lines = BASE.splitlines(keepends=True)
    lines[4:6] = [lines[5], lines[4]]
    found = told(BASE, "".join(lines))
    assert len(found) == 1
    assert found[0].startswith("^ routes.")
    after = edited(("  - {name: a", "  - {name: z, match: {path: /z}, to: app}\n  - {name: a"))
    assert [line[0] for line in told(BASE, after)] == ["+"]


def test_a_route_over_several_upstreams_is_compared_with_each() -> None:
    """Where they differ, what it did not say cannot be told by one value."""
    over = ("weight: 5}]}", "weight: 5}], retry: {max_retries: 1}}")
    assert told(BASE, edited(over)) == ["~ routes.c.retry.max_retries: 2 (default) → 1"]
    differ = edited(("127.0.0.1:3]", "127.0.0.1:3], retry: {max_retries: 0}"))
    assert told(differ, edited(over, base=differ)) == [
        "~ routes.c.retry.max_retries: the upstream's (default) → 1"
    ]


def test_what_a_route_repeats_of_its_upstream_is_no_change() -> None:
    """However deep it stands."""
    base = edited(("127.0.0.1:2]", "127.0.0.1:2], retry: {backoff: {base: 10ms}, budget: {floor: 9/s}}"))
    for block in ("{backoff: {base: 10ms}}", "{budget: {floor: 9/s, ratio: 20%}, max_retries: 2}"):
        again = edited(("path: /b}, to: app", f"path: /b}}, to: app, retry: {block}"), base=base)
        assert told(base, again) == []
    less = edited(("path: /b}, to: app", "path: /b}, to: app, retry: {backoff: {base: 5ms}}"), base=base)
    assert told(base, less) == ["~ routes.b.retry.backoff.base: 10ms (default) → 5ms"]


def test_the_breaker_of_a_route() -> None:
    """Its rules count over those of its upstream; it can be off, and on again."""
    base = edited(("127.0.0.1:2]", "127.0.0.1:2], breaker: {open_for: 9s}"))
    own, off, more = (
        edited(("path: /b}, to: app", f"path: /b}}, to: app, breaker: {block}"), base=base)
        for block in ("{window: 5s}", "false", "{window: 5s, open_for: 9s, max_open_for: 9000ms}")
    )
    assert told(base, own) == ["+ routes.b.breaker: {window: 5s}"]
    assert told(own, off) == ["~ routes.b.breaker: {window: 5s} → false"]
    assert told(own, more) == []


def test_places_are_in_both_files() -> None:
    """At the key; a default has none."""
    (change,) = changes(edited(("127.0.0.1:3]", "127.0.0.1:3], timeouts: {connect: 1s}")), BASE)
    assert change.before is not None
    assert change.after is not None
    assert change.before.where is not None
    assert (change.before.where.line, change.before.where.column) == (10, 47)
    assert change.after.where is None


def test_secrets_differ_without_being_shown() -> None:
    """Neither side, nor the line they stand on."""
    base = "path: /b}, to: app"
    sides = [
        edited((base, f"{base}, headers: {{request: {{set: {{authorization: Bearer {word}}}}}}}"))
        for word in ("hush", "hash")
    ]
    (change,) = changes(*sides)
    assert change.path == "routes.b.headers.request.set.authorization"
    assert change.before is not None
    assert (change.before.text, change.before.hidden) == ("***", True)
    assert not re.search("hush|hash", repr(change))


def test_what_the_environment_gave_is_shown_as_its_reference() -> None:
    """And compared by its value."""
    text = edited(("127.0.0.1:3]", '"127.0.0.1:${P}"]'))
    assert diff(loaded(text, P="3"), loaded(BASE)) == ()
    found = diff(loaded(BASE), loaded(text, P="4"))
    assert [c.path for c in found] == [f"upstreams.next.endpoints[127.0.0.1:{p}]" for p in ("3", "${P}")]


def _leaves(value: Value, steps: str = "") -> Iterator[tuple[str, Value]]:
    """Every scalar that is written, with the path at which a change of it is to be told."""
    if isinstance(value.data, dict):
        if "name" in value.data and steps == "routes":
            steps = f"routes.{value.get('name')}"
        elif steps.endswith((".endpoints", ".to")):
            steps = f"{steps}[{value.get('address') or value.get('upstream')}]"
        for name, child in value.items():
            yield from _leaves(child, f"{steps}.{name}" if steps else name)
    elif isinstance(value.data, list):
        for child in value.values():
            yield from _leaves(child, steps)
    else:
        yield steps, value


_OTHER = {
    t.Duration: "77s",
    t.Size: "77KiB",
    t.Rate: "77/s",
    t.Share: "77%",
    t.Status: "477",
    t.Statuses: "407",
    t.Integer: "77",
    t.HeaderName: "x-77",
    t.HeaderValue: "v77",
    t.Text: "t77",
    t.Target: "t77",
    t.Host: "h77.example",
    t.UrlPath: "/p77",
    t.Method: "M77",
    t.Network: "77.0.0.0/8",
    t.Url: "http://u77/",
    t.Regex: "r77",
    t.Selector: "host",
}


def _other(value: Value) -> str | None:
    if isinstance(value.type, t.Boolean):
        return "false" if value.data else "true"
    if isinstance(value.type, t.Choice):
        return next((word for word in value.type.words if word != value.data), None)
    return _OTHER.get(type(value.type))


def _mutations() -> list[tuple[str, str]]:
    """Change each value that can be another, where the profile stays right with it."""
    root = load_profile(str(GOOD / "everything.yaml"), env={}).written
    assert root is not None
    found = []
    lines = EVERYTHING.split("\n")
    for path, value in _leaves(root):
        other = _other(value)
        span = value.span
        if other is None or path.startswith(("vars", "include")) or not isinstance(value.node, Scalar):
            continue
        line = lines[span.line - 1]
        changed = f'{line[: span.column - 1]}"{other}"{line[span.end_column - 1 :]}'
        text = "\n".join([*lines[: span.line - 1], changed, *lines[span.line :]])
        if load_profile(str(GOOD / "a.yaml"), text=text.encode(), env={}).plan is not None:
            found.append((path, text))
    return found


MUTATIONS = [pytest.param(*m, id=f"{i}-{m[0]}") for i, m in enumerate(_mutations())]


@pytest.mark.parametrize(("path", "text"), MUTATIONS)
def test_every_changed_value_is_told_where_it_is(path: str, text: str) -> None:
    """One value of a profile that uses every key, changed: its path is told, and no other section."""
    after = load_profile(str(GOOD / "a.yaml"), text=text.encode(), env={})
    before = loaded(EVERYTHING)
    found = diff(before, after)
    if path.startswith("tests"):
        assert [c.path for c in found] == ["tests"]
    elif path.startswith("defaults."):
        _, kind, rest = path.split(".", 2)
        assert found
        assert all(c.path.startswith(f"{kind}s.") and c.path.endswith(f".{rest}") for c in found)
    else:
        stem = (
            re.sub(r"\.(exact|prefix|contains|regex|present|cert|key)$", "", path)
            if "match" in path
            else path
        )
        assert found, path
        assert all(c.path.startswith(stem) or stem.startswith(c.path) for c in found), found


def _bare(value: Any) -> Any:
    """A plan without what is no part of its meaning."""
    if isinstance(value, Where):
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        silent = {"digest", "unbuilt", "tests", "places", "where", "file"}
        fields = {
            f.name: _bare(getattr(value, f.name)) for f in dataclasses.fields(value) if f.name not in silent
        }
        return type(value).__name__, fields
    if isinstance(value, tuple):
        return [_bare(each) for each in value]
    return value


def _same_plan(one: Plan | None, other: Plan | None) -> bool:
    return bool(_bare(one) == _bare(other))


@pytest.mark.parametrize(("path", "text"), MUTATIONS)
def test_nothing_is_told_if_and_only_if_the_plans_are_the_same(path: str, text: str) -> None:
    """The plan is what runs: a difference there that is not told would be a lie, and so would the reverse."""
    after = load_profile(str(GOOD / "a.yaml"), text=text.encode(), env={})
    before = loaded(EVERYTHING)
    found = [c for c in diff(before, after) if c.path != "tests"]
    assert bool(found) != _same_plan(before.plan, after.plan)
