"""What counts, written out: a profile again that means the same, each value with its origin."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from appliance.config.diff import diff
from appliance.config.effective import effective
from appliance.config.load import Loaded, load_profile
from appliance.config.secrets import HIDDEN

GOOD = Path(__file__).parent / "corpus" / "good"
SHIPPED = Path(__file__).parents[2] / "profiles"
FILES = sorted([*GOOD.glob("*.yaml"), *SHIPPED.glob("*.yaml")])

PROFILE = """meshctl: 1
name: edge
vars: {PORT: "9001"}
defaults: {upstream: {timeouts: {connect: 1s}}}
listeners: {web: {bind: ":8080"}}
routes:
  - {name: all, to: app, headers: {request: {set: {authorization: Bearer sesame, x-b: "${B}"}}}}
upstreams: {app: {endpoints: ["127.0.0.1:${PORT}"], breaker: {open_for: 5s}}}
"""


def shown(text: str, **env: str) -> tuple[str, Loaded]:
    loaded = load_profile("edge.yaml", text=text.encode(), env=env)
    assert loaded.merged is not None, loaded.diagnostics.render()
    return effective(loaded.merged, loaded.plan), loaded


def revealed(text: str) -> str:
    """Give a text with another word for each value that is not shown."""
    numbers = itertools.count()
    return re.sub(re.escape(HIDDEN), lambda _: f"hidden{next(numbers)}", text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_means_the_same(path: Path) -> None:
    """Loaded again, nothing differs; writing it out once more changes nothing either."""
    first = load_profile(str(path), env={})
    assert first.merged is not None
    text = revealed(effective(first.merged, first.plan))
    second = load_profile(str(path), text=text.encode(), env={})
    assert second.merged is not None, second.diagnostics.render()
    assert second.plan is not None, second.diagnostics.render()
    found = [change for change in diff(first, second) if change.steps != ("tests",)]
    assert all(HIDDEN in str(change.before) for change in found)
    assert len(found) <= text.count("hidden")
    again = revealed(effective(second.merged, second.plan))
    assert [line.split("  #")[0].rstrip() for line in again.splitlines()] == [
        line.split("  #")[0].rstrip() for line in text.splitlines()
    ]


def test_every_value_has_its_origin() -> None:
    """The file and line, `defaults`, or the format itself."""
    text, _ = shown(PROFILE, B="value of b")
    origin = {line.split(":")[0].strip(): line.rpartition("#")[2].strip() for line in text.splitlines()}
    assert origin["bind"] == "edge.yaml:5"
    assert origin["connect"] == "defaults, edge.yaml:4"
    assert origin["open_for"] == "edge.yaml:8"
    assert origin["failure_threshold"] == "default"
    assert 'endpoints: ["127.0.0.1:9001"]' in text


def test_nothing_secret_is_written_out() -> None:
    """A literal credential is blanked, a foreign value stays its substitution."""
    text, _ = shown(PROFILE, B="value of b")
    assert "sesame" not in text
    assert 'authorization: "***"' in text
    assert "value of b" not in text
    assert 'x-b: "${B}"' in text


def test_the_worst_case_is_worked_out() -> None:
    """Tries of one request; requests times buffers, connections times heads."""
    text, _ = shown(PROFILE.replace("open_for: 5s}", "open_for: 5s}, limits: {max_requests: 10}"), B="b")
    assert "# at worst\n" in text
    assert "route all: one request becomes up to 3 to app; all together at most 20% more, or 3/s\n" in text
    assert "upstream app: 10 requests x 192KiB of buffers = 1.88 MiB\n" in text
    assert "listener web: 10000 connections x 32KiB of head = 312 MiB\n" in text
    assert "memory of all buffers together: 314 MiB\n" in text
    none, _ = shown(PROFILE.replace("to: app", "to: app, retry: {max_retries: 0}"), B="b")
    assert "route all" not in none


def test_what_is_not_known_here_stays_as_it_is_written() -> None:
    """No default takes its place, and no item of a list goes missing."""
    text = """meshctl: 1
listeners: {web: {bind: ":8080", limits: {max_connections: "${N}"}}}
defaults: {upstream: {timeouts: {connect: 1s}}}
routes:
  - {name: all, to: app, match: {hosts: [a.test, "${H}"]}, headers: {request: {set: {x-b: "${B}", x-c: c}}}}
upstreams:
  app: {endpoints: ["${E}:1", {address: "h:1", weight: 3}], timeouts: {connect: "${C:-}"}}
"""
    loaded = load_profile("edge.yaml", text=text.encode(), env=None)
    assert loaded.merged is not None
    printed = [" ".join(line.split()) for line in effective(loaded.merged, None).splitlines()]
    assert 'max_connections: "${N}" # edge.yaml:2' in printed
    assert 'hosts: [a.test, "${H}"] # edge.yaml:5' in printed
    assert 'x-b: "${B}" # edge.yaml:5' in printed
    assert '- "${E}:1" # edge.yaml:7' in printed
    assert "weight: 3 # edge.yaml:7" in printed
    assert 'connect: "" # edge.yaml:7' not in printed


def test_values_from_elsewhere_keep_their_meaning() -> None:
    """Whatever way they are written in: the text before substitution, not the bytes in the file."""
    text = """meshctl: 1
listeners: {web: {bind: ":8080"}}
routes:
  - name: a
    respond:
      status: 200
      body: |
        one ${A}
        two
      headers: {x-a: "tab\\tand ${A}", x-b: 'it''s ${A}'}
"""
    first = load_profile("edge.yaml", text=text.encode(), env={"A": "x"})
    assert first.merged is not None
    printed = effective(first.merged, first.plan)
    second = load_profile("edge.yaml", text=printed.encode(), env={"A": "x"})
    assert "${A}" in printed
    assert diff(first, second) == ()


def test_a_routes_own_block_stays_as_partial_as_it_is() -> None:
    """What it does not say is the upstream's to say, not the format's."""
    text = """meshctl: 1
listeners: {web: {bind: ":8080"}}
routes: [{name: all, to: app, retry: {budget: {ratio: 10%}}, breaker: {open_for: 5s}}]
upstreams: {app: {endpoints: ["h:1"], retry: {budget: {floor: 9/s}}, breaker: {failure_threshold: 9}}}
"""
    first = load_profile("edge.yaml", text=text.encode(), env={})
    assert first.merged is not None
    second = load_profile("edge.yaml", text=effective(first.merged, first.plan).encode(), env={})
    assert diff(first, second) == ()
