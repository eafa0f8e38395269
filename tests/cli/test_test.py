"""``meshctl test``: a profile's own tests hold or fail with a reason, and the untried routes are named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from appliance.cli import test as command
from appliance.cli.exits import Exit
from appliance.config.load import load

HEAD = """meshctl: 1
listeners: {public: {bind: ":8080"}, plain: {bind: ":8081", redirect: https}}
routes:
  - {name: pay, match: {hosts: [shop.example.com], path_prefix: /pay/, methods: [POST]}, to: payments}
  - {name: paid, match: {path_prefix: /pay/, methods: [POST]}, to: search}
  - {name: search, match: {path: /search}, to: [search, {upstream: payments, weight: 0}]}
  - {name: health, match: {path: /healthz}, respond: {status: 200}}
upstreams:
  payments: {endpoints: [10.0.2.11:8080]}
  search: {endpoints: [10.0.3.1:8080]}
"""


ALL_OK = """\
ok    POST http://shop.example.com:8080/pay/17  pay -> payments                         edge.yaml:12
ok    GET http://x:8080/healthz                 health: 200                             edge.yaml:13
ok    GET http://x:8080/none                    no route: 404                           edge.yaml:14

3 tests, all ok
routes covered 2 of 4; not tried: paid, search
"""
ONE_FAILED = """\
ok    POST http://shop.example.com:8080/pay/17  pay -> payments                         edge.yaml:12
FAIL  GET http://shop.example.com:8080/search   search -> search                        edge.yaml:13
      expected route pay, came route search
      path /search is not under /pay/ · method GET is not POST

2 tests, 1 failed
routes covered 2 of 4; not tried: paid, health
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of the test's own."""
    monkeypatch.chdir(tmp_path)


def written(*tests: str) -> None:
    lines = "".join(f"  - {{{test}}}\n" for test in tests)
    Path("edge.yaml").write_text(HEAD + (f"tests:\n{lines}" if tests else ""))


def request(url: str, expect: str, method: str = "GET") -> str:
    return f"request: {{method: {method}, url: '{url}'}}, expect: {{{expect}}}"


PAY = request("http://shop.example.com:8080/pay/17", "route: pay, upstream: payments", "POST")


def test_tests_that_hold_get_a_line_each_and_the_coverage(capsys: pytest.CaptureFixture[str]) -> None:
    """What became of the request, and where the test stands."""
    written(
        PAY, request("http://x:8080/healthz", "status: 200"), request("http://x:8080/none", "status: 404")
    )
    assert command.test("edge.yaml") == Exit.OK
    assert capsys.readouterr() == (ALL_OK, "")


def test_a_test_that_fails_says_what_came_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    """What kept the request from the route that it should have taken."""
    written(PAY, request("http://shop.example.com:8080/search", "route: pay"))
    assert command.test("edge.yaml") == Exit.CONDITION
    assert capsys.readouterr().out == ONE_FAILED


@pytest.mark.parametrize(
    ("url", "expect", "method", "says"),
    [
        (
            "http://x:8080/search",
            "upstream: payments",
            "GET",
            "expected upstream payments, came upstream search",
        ),
        ("http://x:8080/search", "status: 200", "GET", "expected status 200, came upstream search"),
        (
            "http://x:8080/healthz",
            "upstream: search",
            "GET",
            "expected upstream search, came 200 from the proxy itself",
        ),
        ("http://x:8080/healthz", "status: 204", "GET", "expected status 204, came status 200"),
        (
            "http://x:8080/none",
            "route: health",
            "GET",
            "expected route health, came no route (404)\n      path /none is not /healthz",
        ),
        ("http://x:8080/none", "", "GET", "expected some route, came no route (404)"),
        (
            "http://shop.example.com:8080/pay/1",
            "route: paid",
            "POST",
            "expected route paid, came route pay\n      pay stands above it, line 4: the first match wins",
        ),
        (
            "http://x:8081/search",
            "route: search",
            "GET",
            "expected route search, came 308 from listener plain, before routing",
        ),
        (
            "http://x:8080/a%2fb",
            "status: 404",
            "GET",
            "expected a request that can be routed, came the proxy answers 400 to this path",
        ),
    ],
)
def test_what_was_expected_and_what_came(
    url: str, expect: str, method: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words, for each kind of expectation."""
    written(request(url, expect, method))
    assert command.test("edge.yaml") == Exit.CONDITION
    assert f"      {says}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("url", "expect"),
    [
        ("http://x:8080/search", ""),
        ("http://x:8080/search", "upstream: search"),
        ("http://x:8080/healthz", "route: health, status: 200"),
        ("http://x:8081/search", "status: 308"),
        ("http://x:8080/none", "status: 404"),
    ],
)
def test_expectations_that_hold(url: str, expect: str) -> None:
    """What is not written is not looked at; without anything, some route must take the request."""
    written(request(url, expect))
    assert command.test("edge.yaml") == Exit.OK


def test_headers_of_a_test_count() -> None:
    """Host, too."""
    headers = "headers: {host: shop.example.com}"
    written(
        f"request: {{method: POST, url: 'http://10.0.0.1:8080/pay/1', {headers}}}, expect: {{route: pay}}"
    )
    assert command.test("edge.yaml") == Exit.OK


def test_all_covered_is_said_without_names(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is left to name."""
    written(
        PAY,
        request("http://x:8080/pay/1", "", "POST"),
        request("http://x:8080/search", ""),
        request("http://x:8080/healthz", ""),
    )
    command.test("edge.yaml")
    assert capsys.readouterr().out.endswith("4 tests, all ok\nroutes covered 4 of 4\n")


def test_a_profile_without_tests_learns_how_to_write_one(capsys: pytest.CaptureFixture[str]) -> None:
    """The example can be copied, is valid, and nothing has failed."""
    written()
    assert command.test("edge.yaml") == Exit.OK
    out = capsys.readouterr().out
    assert out.startswith("edge.yaml has no tests. ")
    example = out[out.index("tests:") : out.index("\n\nexpect")]
    plan, found = load("edge.yaml", text=f"{HEAD}{example}\n".encode(), env={})
    assert found.errors == 0
    assert plan is not None
    assert (plan.tests[0].route, plan.tests[0].url) == ("pay", "http://shop.example.com/")


def test_a_profile_with_errors_gets_its_diagnostics(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, with 3."""
    written(request("http://x/", "route: nobody"))
    assert command.test("edge.yaml") == Exit.INVALID_PROFILE
    out, err = capsys.readouterr()
    assert out == ""
    assert "error[MC408]:" in err


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """With every test, what came, and the routes that none tried."""
    written(PAY, request("http://x:8080/search?token=hunter2", "route: pay"))
    assert command.test("edge.yaml", "json") == Exit.CONDITION
    out = capsys.readouterr().out
    assert "hunter2" not in out
    document = json.loads(out)
    assert (document["schema"], document["ok"]) == ("meshctl.test/1", False)
    assert document["summary"] == {"tests": 2, "failed": 1, "routes": 4, "covered": 2}
    assert document["not_tried"] == ["paid", "health"]
    assert [each["ok"] for each in document["tests"]] == [True, False]
    failed = document["tests"][1]
    assert failed["wrong"] == [{"expected": "route pay", "came": "route search"}]
    assert failed["expect"] == {"route": "pay"}
    assert failed["why"][0] == "host x is not shop.example.com"
    assert (failed["route"], failed["upstreams"], failed["line"]) == ("search", ["search"], 13)


def test_colours_add_nothing_to_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Green for what holds, red for what does not."""
    written(PAY, request("http://x:8080/search", "route: pay"))
    command.test("edge.yaml")
    plain = capsys.readouterr().out
    command.test("edge.yaml", colour=True)
    coloured = capsys.readouterr().out
    assert "\x1b[1;32mok" in coloured
    assert "\x1b[1;31mFAIL" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain


def test_a_url_that_could_not_be_read_is_shown_without_its_query(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is known about what is secret in it."""
    written(request("http://x:8080/%zz?token=hunter2", ""))
    assert command.test("edge.yaml") == Exit.CONDITION
    assert "hunter2" not in capsys.readouterr().out
