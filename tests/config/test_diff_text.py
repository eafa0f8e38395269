"""Changes in words: the line that closes a comparison, and the one that a log gets."""

from __future__ import annotations

import pytest

from appliance.config.diff import diff
from appliance.config.diff_text import as_json, closing, render, told
from appliance.config.load import Loaded, load_profile

PROFILE = """\
meshctl: 1
name: edge
listeners: {web: {bind: ":8080"}}
routes: [{name: all, to: app}]
upstreams: {app: {endpoints: ["127.0.0.1:9001"]}}
"""


def loaded(text: str) -> Loaded:
    """Give a profile."""
    found = load_profile("edge.yaml", text=text.encode())
    assert found.plan is not None
    return found


@pytest.mark.parametrize(
    ("old", "new", "line", "verdict"),
    [
        ("9001", "9002", "2 changes in 1 upstream", "a reload does it all, without a restart"),
        ("name: edge", "name: far", "1 change in name; `name` needs a restart", ""),
        (
            "name: edge",
            "name: far\nstats: {rate: 2/s}",
            "2 changes in name and stats; `name` needs a restart",
            "a reload does the rest",
        ),
    ],
)
def test_counts_and_verdict(old: str, new: str, line: str, verdict: str) -> None:
    """A log says what is left to do, a comparison also what is not."""
    changes = diff(loaded(PROFILE), loaded(PROFILE.replace(old, new)))
    assert told(changes) == line
    assert closing(changes) == f"{line}; {verdict}".removesuffix("; ")


def test_both_forms_tell_every_change() -> None:
    """As lines for people and as rows for programs."""
    changes = diff(loaded(PROFILE), loaded(PROFILE.replace("9001", "9002")))
    text = render(changes, ("a", "b"))
    rows = as_json(changes, ("a", "b"))["changes"]
    assert len(rows) == len(changes) == 2
    assert all(row["path"] in text for row in rows)
