"""What can be done about a thing, and how sure one has to be."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from appliance.cli.main import app
from appliance.tui import acts
from tests.kit.dashboards import breaker, edge

EDGE = edge()
OPEN = "payments/10.0.8.11:8080"


def wish(what: str, key: str, **changes: Any) -> acts.Wish:
    row = {**(EDGE.things("br").get(key) or EDGE.things("ep").get(key) or {}), **changes}
    known = EDGE
    if changes:
        kind = (
            "br" if key in EDGE.things("br") and what not in ("drain", "undrain", "check", "weigh") else "ep"
        )
        known = edge()
        known.state[kind][key] = row
    found = acts.wish(what, known, (key, row))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("what", "level", "op"),
    [("open", 2, "breaker.force"), ("close", 3, "breaker.force"), ("reset", 2, "breaker.reset"),
     ("drain", 2, "endpoint.drain")],
)  # fmt: skip
def test_levels(what: str, level: int, op: str) -> None:
    """The more harm, the more is asked."""
    found = wish(what, "users/10.0.5.11:8080")
    assert (found.level, found.op) == (level, op)


def test_the_last_usable_endpoint_wants_its_name() -> None:
    """It says why, and the proxy is told that it is meant."""
    found = wish("drain", "grpc-inv/10.0.8.11:8080")
    assert found.level == 3
    assert "LAST" in found.about[-1]
    assert found.args["last"] is True
    assert "--last" in found.command()


def test_what_does_not_fit_is_no_wish() -> None:
    """To clear what is not forced, to undrain what is not drained, to drain a breaker's upstream."""
    assert acts.wish("clear", EDGE, (OPEN, EDGE.things("br")[OPEN])) is None
    assert acts.wish("undrain", EDGE, (OPEN, {})) is None
    assert acts.wish("open", EDGE, ("payments", {})) is None
    assert "breaker" in acts.unfit("open")
    assert "endpoint" in acts.unfit("drain")
    assert wish("clear", OPEN, forced={"by": "x"}).level == 1
    assert wish("undrain", "legacy/10.0.6.12:8080").level == 1


def test_the_command_is_one_that_exists() -> None:
    """Word for word as it would be typed, reason and time included."""
    found = wish("open", OPEN).settled(1, "it's ill")
    assert (
        found.command() == "meshctl breaker open payments/10.0.8.11:8080 --for 10m --reason 'it'\"'\"'s ill'"
    )
    assert found.args == {"breaker": OPEN, "state": "open", "ttl": 600_000, "reason": "it's ill"}
    assert found.settled(3, "").command().endswith("--for ever")
    assert found.settled(3, "").args["ttl"] is None
    assert found.expect == {"st": "open"}


@pytest.mark.parametrize("what", ["open", "close", "reset", "drain"])
def test_the_command_line_understands_it(what: str) -> None:
    """Parsed by the real parser, to the end."""
    import typer.main

    words = shlex.split(wish(what, "users/10.0.5.11:8080").settled(0, "why not").command())[1:]
    command: Any = typer.main.get_command(app)
    while hasattr(command, "resolve_command"):
        context = command.context_class(command)
        name, command, words = command.resolve_command(context, words)
    made = command.make_context(name, [*words, "--dry-run"])
    assert made.params["name"] == "users/10.0.5.11:8080"
    assert made.params["reason"] == "why not"


def test_what_fits_a_thing() -> None:
    """A breaker of an endpoint has the actions of both."""
    key = "users/10.0.5.11:8080"
    found = acts.fitting(EDGE, (key, EDGE.things("ep")[key]))
    assert found[:3] == ["open", "close", "reset"]
    assert {"drain", "weigh"} <= set(found)
    assert "clear" not in found
    assert acts.fitting(EDGE, ("users", EDGE.things("up")["users"])) == []
    assert wish("check", key, health={"ok": True}).level == 0
    assert acts.wish("check", EDGE, (key, {})) is None or EDGE.things("ep")[key].get("health") is not None


def test_hostile_names_are_harmless() -> None:
    """In titles and in what it will mean."""
    found = acts.wish("open", EDGE, ("a\x1b", breaker("a\x1b")))
    assert found is None  # not a breaker of this proxy
    known = edge()
    known.state["br"]["a\x1b"] = breaker("u\x1b")
    found = acts.wish("open", known, ("a\x1b", known.things("br")["a\x1b"]))
    assert found is not None
    assert "\x1b" not in found.title + "".join(found.about)
