"""``meshctl diff``: what is printed, and how it ends."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from appliance.cli.diff import diff
from appliance.cli.exits import Exit

BEFORE = """meshctl: 1
name: edge
listeners: {web: {bind: ":8080"}}
defaults: {upstream: {timeouts: {connect: 2s}}}
routes:
  - {name: api, match: {path_prefix: /api/}, to: app, timeouts: {response: 10s}}
  - {name: beta, match: {headers: {x-beta: {present: true}}}, to: next}
  - {name: all, to: app}
upstreams:
  app: {endpoints: [127.0.0.1:9001]}
  next: {endpoints: [127.0.0.1:9002]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one good profile."""
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(BEFORE)
    return tmp_path


def edit(*pairs: tuple[str, str]) -> None:
    """Write b.yaml: a.yaml with these changes."""
    text = BEFORE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    Path("b.yaml").write_text(text)


def test_the_whole_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Grouped by what a reload does, in the order of the format, a restart last; then the count."""
    edit(
        ("name: edge", "name: edge\nprocess: {workers: 4}"),
        ("response: 10s", "response: 12s"),
        ("connect: 2s", "connect: 1s"),
        ("next: {endpoints: [127.0.0.1:9002]}", "next: {endpoints: [127.0.0.1:9003], breaker: {window: 5s}}"),
    )
    assert diff("a.yaml", "b.yaml") == Exit.OK
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (
        "a.yaml → b.yaml\n"
        "\n"
        "counts for requests from then on; those in flight keep the old rules\n"
        "  ~ routes.api.timeouts.response              10s → 12s                                  line 7\n"
        "  ~ upstreams.{app, next}.timeouts.connect    2s → 1s                                    line 5\n"
        "\n"
        "gets no new requests; finishes those it has, then closes\n"
        "  - upstreams.next.endpoints[127.0.0.1:9002]  weight 100 (default)                       "
        "was line 11\n"
        "\n"
        "gets its share of the requests from then on\n"
        "  + upstreams.next.endpoints[127.0.0.1:9003]  weight 100 (default)                       line 12\n"
        "\n"
        "the breakers keep their state; the new rules count from then on\n"
        "  ~ upstreams.next.breaker.window             10s (default) → 5s                         line 12\n"
        "\n"
        "needs a restart\n"
        "  ~ process.workers                           1 (default) → 4                            line 3\n"
        "\n"
        "7 changes in process, 1 route and 2 upstreams\n"
        "`process.workers` needs a restart; a reload does the rest\n"
    )


def test_no_line_is_longer_than_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Values are cut, paths get a line of their own; JSON has them whole."""
    hosts = ", ".join(f"host-number-{i}.example.com" for i in range(9))
    name = "a-route-with-a-name-that-is-rather-long-and-longer"
    edit(
        ("path_prefix: /api/", f"path_prefix: /api/, hosts: [{hosts}]"),
        ("  - {name: all", f"  - {{name: {name}, match: {{hosts: [{hosts}]}}, to: app}}\n  - {{name: all"),
    )
    diff("a.yaml", "b.yaml")
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert "..." in out
    assert f"  + routes.{name}\n" in out
    diff("a.yaml", "b.yaml", "json")
    assert json.loads(capsys.readouterr().out)["changes"][0]["after"]["text"] == f"[{hosts}]"


def test_nothing_differs(capsys: pytest.CaptureFixture[str]) -> None:
    """Which is worth a line."""
    edit(("response: 10s", "response: 10000ms"))
    assert diff("a.yaml", "b.yaml") == Exit.OK
    expected = "a.yaml and b.yaml say the same: a reload would change nothing\n"
    assert capsys.readouterr() == (expected, "")


@pytest.mark.parametrize(
    ("pairs", "last"),
    [
        ([("response: 10s", "response: 9s")], "1 change in 1 route; a reload does it all, without a restart"),
        ([("name: edge", "name: other")], "1 change in name; `name` needs a restart"),
        (
            [("name: edge", "name: other\nstats: {socket: x.sock}")],
            "2 changes in name and stats; `name` and `stats.socket` need a restart",
        ),
    ],
)
def test_the_closing_line(
    pairs: list[tuple[str, str]], last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many changes in what, and whether a reload is enough."""
    edit(*pairs)
    diff("a.yaml", "b.yaml")
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Each change with both sides, their places, and what it takes."""
    edit(("name: edge", "name: edge\nprocess: {workers: 4}"), ("response: 10s", "response: 9s"))
    assert diff("a.yaml", "b.yaml", "json") == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["before"], found["after"]) == ("meshctl.diff/1", "a.yaml", "b.yaml")
    assert (found["same"], found["restart"]) == (False, ["process.workers"])
    workers, response = found["changes"]
    assert workers["before"] == {"text": "1", "default": True, "hidden": False, "where": None}
    assert response["kind"] == "changed"
    assert response["path"] == "routes.api.timeouts.response"
    assert response["before"]["where"] == {"file": "a.yaml", "line": 6, "col": 66}
    assert response["after"]["text"] == "9s"
    assert (workers["takes"], response["takes"]) == ("restart", "reload")
    diff("a.yaml", "a.yaml", "json")
    assert json.loads(capsys.readouterr().out)["same"] is True


def test_a_profile_with_errors_is_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever of the two it is; nothing is compared."""
    edit(("to: app}\nup", "to: ap}\nup"))
    for pair in (("a.yaml", "b.yaml"), ("b.yaml", "a.yaml")):
        assert diff(*pair) == Exit.INVALID_PROFILE
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error[MC402]")
    assert diff("a.yaml", "gone.yaml", "json") == Exit.INVALID_PROFILE
    assert capsys.readouterr().out == ""


def test_one_side_may_be_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """But not both."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(BEFORE.replace("10s", "9s").encode())))
    assert diff("a.yaml", "-") == Exit.OK
    assert "a.yaml → <stdin>\n" in capsys.readouterr().out
    assert diff("-", "-") == Exit.USAGE
    assert "only one" in capsys.readouterr().err


def test_secrets_stay_secret(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In either format: one that is written, and one that the environment gave."""
    monkeypatch.setenv("PEER", "hash.example")
    header = "headers: {request: {set: {authorization: Bearer hush}}}"
    edit(
        ("to: app, timeouts", f"to: app, {header}, timeouts"),
        ("path_prefix: /api/", 'path_prefix: /api/, hosts: ["${PEER}"]'),
    )
    for fmt in ("human", "json"):
        diff("a.yaml", "b.yaml", fmt)
        out = capsys.readouterr().out
        assert "authorization" in out
        assert "${PEER}" in out
        assert not re.search("hush|hash", out)


def test_a_secret_that_differs_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Or the two sides would look the same."""
    route = "to: app, headers: {request: {set: {authorization: Bearer %s}}}, timeouts"
    edit(("to: app, timeouts", route % "one"))
    Path("b.yaml").rename("c.yaml")
    edit(("to: app, timeouts", route % "two"))
    diff("c.yaml", "b.yaml")
    assert "*** (its value differs)" in capsys.readouterr().out


def test_colour_is_only_added(capsys: pytest.CaptureFixture[str]) -> None:
    """Without it, the text is the same; an escape in a profile reaches no terminal."""
    edit(("path_prefix: /api/", 'path_prefix: /api/, headers: {x-a: "\\x9b31m"}'))
    diff("a.yaml", "b.yaml")
    plain = capsys.readouterr().out
    diff("a.yaml", "b.yaml", colour=True)
    painted = capsys.readouterr().out
    assert "\x1b[" not in plain
    assert "\x9b" not in plain
    assert re.sub(r"\x1b\[\d*m", "", painted) == plain != painted
