"""The walk by the schema: typed values, and every problem at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import source
from appliance.config.diagnostic import Diagnostic, Diagnostics
from appliance.config.read import Reader, Value, owner
from appliance.config.schema import PROFILE


def read(text: str) -> tuple[Value | None, list[Diagnostic]]:
    found = Diagnostics()
    node = source.parse(text.encode(), "a.yaml", found)
    assert node is not None
    value = Reader(found).read(PROFILE, node)
    return value, list(found)


def test_values_are_found_by_their_keys() -> None:
    """With type, place and path."""
    value, _ = read('listeners: {web: {bind: ":80", limits: {max_headers: 7}}}')
    assert value is not None
    limit = value.find("listeners", "web", "limits", "max_headers")
    assert limit is not None
    assert (limit.data, limit.path, limit.shown) == (7, "listeners.web.limits.max_headers", "7")
    assert (limit.head.column, limit.span.column) == (41, 54)
    assert value.get("listeners", "web", "timeouts", "header") is None


def test_routes_are_named_in_paths_by_their_names() -> None:
    """And by their index where they have none."""
    _, found = read("routes: [{name: a, x: 1}, {y: 1}]")
    assert {"routes.a.x", "routes[1].y"} <= {d.path for d in found}


def test_everything_is_told_at_once() -> None:
    """A problem does not hide the next."""
    _, found = read(
        "meshctl: 2\nname: A\nlisteners: {web: {bind: 1, x: 1}}\nroutes: {}\nupstreams: []\nzzz: 1"
    )
    assert [d.code for d in found] == ["MC205", "MC309", "MC307", "MC203", "MC201", "MC201", "MC203"]


@pytest.mark.parametrize(
    ("text", "code", "fix"),
    [
        ("nam: a", "MC203", "name"),
        ("upstreams: {a: {endpoints: 10.0.0.1:80}}", "MC201", "[10.0.0.1:80]"),
        ("process: {drain_timeout: 1.5s}", "MC303", "1500ms"),
        ("listeners: {a: {bind: '*:80'}}", "MC307", '":80"'),
    ],
)
def test_corrections_are_edits(text: str, code: str, fix: str) -> None:
    """Where there is one answer, an editor can make it."""
    _, found = read(text)
    edits = [edit for d in found if d.code == code for edit in d.fix]
    assert [edit.text for edit in edits] == [fix]


def test_two_possible_corrections_are_no_edit() -> None:
    """A choice is the operator's."""
    _, found = read("process: {drain_timeout: 5}")
    assert next(d for d in found if d.code == "MC303").fix == ()


def test_a_key_one_level_too_high_is_sent_down() -> None:
    """The block that it belongs to is named."""
    _, found = read("upstreams: {a: {endpoints: [10.0.0.1:80], pool_idle: 1s}}")
    assert "`pool_idle` belongs under `timeouts`" in [d.help for d in found]


def test_headers_are_one_whatever_their_case() -> None:
    """Two spellings of one header are the same key."""
    _, found = read("routes: [{name: a, to: b, match: {headers: {X-A: 1, x-a: 2}}}]")
    assert "MC112" in [d.code for d in found]


def test_owners_are_named() -> None:
    """For messages."""
    paths = ("upstreams.a.limits", "routes.b", "routes[3].x", "stats.tap", "")
    assert [owner(path) for path in paths] == [
        "upstream `a`",
        "route `b`",
        "`routes[3]`",
        "`stats.tap`",
        "the profile",
    ]


LEAF = st.sampled_from(
    ["a", "1", "5s", "true", "", "~", ":80", "/x", "10.0.0.1:80", "${X}", "*", "50%", "(", "dns:a:1"]
)
WORDS = """meshctl name vars include process defaults listeners routes upstreams upstream route match to
respond redirect rewrite headers request response set add remove endpoints address weight timeouts breaker
retry health tls stats tests hosts path path_prefix path_regex methods query bind web app limits a"""
KEY = st.sampled_from(WORDS.split())
TREE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=4), max_leaves=25
)


def flow(tree: object) -> str:
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key}: {flow(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(flow(value) for value in tree) + "]"
    return f'"{tree}"' if tree not in ("", "~") else str(tree)


@given(st.dictionaries(KEY, TREE, max_size=6))
def test_any_tree_gives_a_plan_or_diagnostics(tree: dict[str, object]) -> None:
    """Never an exception, and a plan if and only if there are no errors."""
    from appliance.config.load import load

    plan, found = load("a.yaml", text=flow(tree).encode(), env={})
    assert (plan is None) == (found.errors > 0)
    found.render()
