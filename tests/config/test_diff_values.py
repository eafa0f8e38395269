"""When two values mean the same, and what of a value is shown."""

from __future__ import annotations

import pytest

from appliance.config.diff_values import HIDDEN, Side, default_of, invented, maybe, meaning, side, text_of
from appliance.config.load import load_profile
from appliance.config.read import Value
from appliance.config.schema import key_at
from appliance.config.schema_types import Duration, Object

FRAME = """meshctl: 1
listeners: {{web: {{bind: ":8080"}}}}
routes: [{{name: all, to: app{route}}}]
upstreams: {{app: {{endpoints: [127.0.0.1:1]{upstream}}}}}
{top}
"""


def values(route: str = "", upstream: str = "", top: str = "", **env: str) -> Value:
    loaded = load_profile(
        "a/edge.yaml", text=FRAME.format(route=route, upstream=upstream, top=top).encode(), env=env
    )
    assert loaded.plan is not None, loaded.diagnostics.render()
    assert loaded.merged is not None
    return loaded.merged


def of_route(text: str, *steps: str, **env: str) -> Value:
    found = values(route=f", {text}", **env).data["routes"].data[0].find(*steps)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("one", "other", "steps"),
    [
        ("timeouts: {response: 60s}", "timeouts: {response: 1m}", ("timeouts",)),
        ("match: {hosts: [a, b]}", "match: {hosts: [B, A]}", ("match", "hosts")),
        ("match: {headers: {x: y}}", "match: {headers: {x: {exact: y}}}", ("match",)),
        ("match: {headers: {x: y, z: w}}", "match: {headers: {z: w, X: y}}", ("match",)),
        ("rate_limit: {rate: 60/m}", "rate_limit: {rate: 1/s}", ("rate_limit", "rate")),
        ("breaker: {failures: [5xx]}", "breaker: {failures: [500-598, 599]}", ("breaker", "failures")),
        ("match: {path: /a}", 'match: {"path": "/a"}', ("match", "path")),
    ],
)
def test_spelling_makes_no_difference(one: str, other: str, steps: tuple[str, ...]) -> None:
    """Units, order and case where they do not count."""
    assert meaning(of_route(one, *steps), "a") == meaning(of_route(other, *steps), "a")


@pytest.mark.parametrize(
    ("one", "other", "steps"),
    [
        ("match: {headers: {x: y}}", "match: {headers: {x: {prefix: y}}}", ("match",)),
        ("match: {path: /a}", "match: {path: /A}", ("match", "path")),
        ("timeouts: {response: 1s}", "timeouts: {response: 1001ms}", ("timeouts", "response")),
    ],
)
def test_what_counts_does(one: str, other: str, steps: tuple[str, ...]) -> None:
    """A comparison that finds everything equal would be of no use."""
    assert meaning(of_route(one, *steps), "a") != meaning(of_route(other, *steps), "a")


def test_a_file_is_where_it_lies_from_the_profile() -> None:
    """A candidate beside the live profile may be compared from anywhere, and `./` is nothing."""
    sockets = [values(top=f"stats: {{socket: {path}}}") for path in ("./x.sock", "x.sock", "y.sock")]
    found = [root.find("stats", "socket") for root in sockets]
    one, same, other = (meaning(each, "a/edge.yaml") for each in found if each is not None)
    assert one == same == "x.sock"
    assert other != one


def test_values_are_shown_as_written() -> None:
    """In the words of the file; what cannot stand on a line is quoted."""
    assert text_of(of_route("timeouts: {response: 60s}", "timeouts")) == "{response: 60s}"
    assert text_of(of_route("match: {hosts: [a, B]}", "match")) == "{hosts: [a, B]}"
    assert text_of(of_route('headers: {response: {set: {x: ""}}}', "headers")) == '{response: {set: {x: ""}}}'


def test_what_comes_from_elsewhere_is_shown_as_its_reference() -> None:
    """Not the value, which may be a secret; that of a variable of the profile is no secret."""
    foreign = of_route('match: {hosts: ["${HOST}"]}', "match", "hosts", HOST="a.example")
    assert text_of(foreign) == "[${HOST}]"
    assert side(foreign).hidden
    own = values(route=', match: {hosts: ["${H}.example"]}', top="vars: {H: shop}").data["routes"].data[0]
    assert text_of(own.find("match", "hosts")) == "[shop.example]"
    assert not side(own.find("match", "hosts")).hidden


@pytest.mark.parametrize("name", ["authorization", "cookie", "x-api-key", "x-auth-token"])
def test_secrets_are_not_shown(name: str) -> None:
    """Nor in a block that is told as a whole; but what only asks for one is."""
    shown = text_of(of_route(f"headers: {{request: {{set: {{{name}: hush, x: y}}}}}}", "headers"))
    assert shown == f"{{request: {{set: {{{name}: {HIDDEN}, x: y}}}}}}"
    assert "hush" not in text_of(of_route(f"match: {{headers: {{{name}: {{prefix: hush}}}}}}", "match"))
    asks = of_route(f'headers: {{request: {{set: {{{name}: "${{S}}"}}}}}}', "headers", S="hush")
    assert "${S}" in text_of(asks)
    assert "hush" not in text_of(asks)


def test_a_variable_with_the_name_of_a_secret_keeps_it() -> None:
    """Wherever it is used."""
    root = values(route=', headers: {request: {set: {x-a: "k ${API_TOKEN}"}}}', top="vars: {API_TOKEN: hush}")
    assert text_of(root.data["routes"].data[0].find("headers")) == "{request: {set: {x-a: k ${API_TOKEN}}}}"


def test_a_default_is_a_value_like_any_other() -> None:
    """Read by the schema, it has no place in a file."""
    key = key_at(("upstreams", "app", "timeouts", "connect"))
    assert key is not None
    default = default_of(key)
    assert default is not None
    assert (default.data, side(default, default=True)) == (2.0, Side("2s", None, True, False))
    failures = key_at(("upstreams", "app", "breaker", "failures"))
    assert failures is not None
    listed = default_of(failures)
    assert listed is not None
    assert text_of(listed) == "[5xx, connect, reset, timeout]"
    assert invented(Duration(), "1m").data == 60.0
    with pytest.raises(TypeError):
        invented(Object({}), "x")
    assert maybe(None) is None
