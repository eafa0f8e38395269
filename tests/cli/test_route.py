"""``meshctl route``: what is printed, and how it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli.exits import Exit
from appliance.cli.route import MAX_ROWS, NEAREST, Paint, place, route, terminal_width, wrapped
from appliance.model.address import Where

EDGE = """meshctl: 1
listeners: {public: {bind: ":8080", trust_forwarded: [10.0.0.0/8]}, plain: {bind: ":8081", redirect: https}}
rate_limit: {rate: 1000/s, burst: 2000, key: client_ip}
routes:
  - name: pay
    match: {hosts: [shop.example.com], path_prefix: /pay/, methods: [POST]}
    to: payments
    rewrite: {path_prefix: /, host: payments.internal}
    rate_limit: {rate: 100/s, burst: 200, key: client_ip}
    retry: {max_retries: 0}
    breaker: {failure_threshold: 3}
  - {name: search, match: {path: /search, headers: {authorization: {prefix: Basic}}}, to: search}
  - {name: health, match: {path: /healthz}, respond: {status: 200, body: "ok\\n"}}
  - {name: old, match: {path_prefix: /old/}, redirect: {status: 308, path_prefix: /new/}}
  - {name: everything-else, match: {hosts: ["*.example.com"]}, to: search}
upstreams:
  payments: {endpoints: [10.0.2.11:8080, 10.0.2.12:8080, 10.0.2.13:8080]}
  search: {endpoints: [10.0.3.1:8080]}
"""
WHOLE = """\
pay              MATCH  host shop.example.com · path /pay/17 under /pay/ · method POST   edge.yaml:5
search           no     path /pay/17 is not /search · header authorization is absent    edge.yaml:12
health           no     path /pay/17 is not /healthz                                    edge.yaml:13
old              no     path /pay/17 is not under /old/                                 edge.yaml:14
everything-else  not reached (first match wins)                                         edge.yaml:15

listener    public (http :8080)
rewrite     /pay/17 becomes /17 · host becomes payments.internal
rate limit  1000/s burst 2000 by client_ip, before routing; here 2001:db8:1:2::/64
            100/s burst 200 by client_ip; here 2001:db8:1:2::/64
upstream    payments, round_robin over 3 endpoints
tries       1 (retry.max_retries: 0)
timeouts    response 15s · idle 60s (streams 5m) · connect 2s · per try 5s
breaker     its own, on each endpoint: 3 failures in a row, or 50% of >= 20 in 10s;
            open 30s, then 2 probes
"""
PAY = "http://shop.example.com:8080/pay/17"


@pytest.fixture(autouse=True)
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile in the current directory."""
    monkeypatch.chdir(tmp_path)
    path = Path("edge.yaml")
    path.write_text(EDGE)
    return path


def asked(
    capsys: pytest.CaptureFixture[str], method: str, url: str, *headers: str, **more: object
) -> list[str]:
    """Give the lines that are printed about a request that a route takes."""
    assert route("edge.yaml", method, url, list(headers), **more) == Exit.OK  # type: ignore[arg-type]
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


def test_the_whole_answer_is_a_table_and_the_policies(capsys: pytest.CaptureFixture[str]) -> None:
    """Word for word, in 100 columns."""
    lines = asked(capsys, "POST", PAY, client="2001:db8:1:2::7")
    unbuilt = next((n for n, line in enumerate(lines) if line.startswith("not yet")), len(lines))
    assert "\n".join(lines[:unbuilt]) + "\n" == WHOLE


def test_no_route_is_told_with_all_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    """The answer would be 404; a script sees it by the exit code."""
    assert route("edge.yaml", "GET", "http://other:8080/x", []) == Exit.CONDITION
    out = capsys.readouterr().out
    assert "answer    404, as no route matches\n" in out
    assert "path /x is not under /pay/" in out
    assert "MATCH" not in out


def test_a_listener_that_redirects_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """It answers before any route is asked."""
    assert route("edge.yaml", "GET", "http://shop.example.com:8081/old/x", []) == Exit.CONDITION
    out = capsys.readouterr().out
    assert "old              not reached (answered before routing)" in out
    assert "answer    308 before routing: listener `plain` sends http to https\n" in out
    assert "location  https://shop.example.com/old/x\n" in out


def test_redirects_and_fixed_answers_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of upstreams then."""
    lines = asked(capsys, "GET", "http://x:8080/old/a?b=c")
    assert "answer      308, a redirect from the proxy itself" in lines
    assert "location    http://x:8080/new/a?b=c" in lines
    lines = asked(capsys, "GET", "http://x:8080/healthz")
    assert "answer      200 with a body of 3B, from the proxy itself" in lines
    assert not any(line.startswith(("upstream", "breaker")) for line in lines)


def test_a_scheme_that_nobody_speaks_is_remarked_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Something in front must end TLS."""
    (line,) = [line for line in asked(capsys, "GET", "https://x/healthz") if line.startswith("listener")]
    assert line == "listener    public (http :8080); none speaks https, so TLS must end in front of it"


def test_the_client_behind_a_trusted_proxy_is_worked_out(capsys: pytest.CaptureFixture[str]) -> None:
    """By X-Forwarded-For, and only where the listener trusts who connects."""
    line = "X-Forwarded-For: 192.0.2.1, 10.9.9.9"
    assert "here 192.0.2.1" in "\n".join(asked(capsys, "POST", PAY, line, client="10.0.0.1"))
    assert "here 198.51.100.1" in "\n".join(asked(capsys, "POST", PAY, line, client="198.51.100.1"))
    assert "--client IP shows whose" in "\n".join(asked(capsys, "POST", PAY, line))


@pytest.mark.parametrize("fmt", ["human", "json"])
def test_secrets_of_the_command_line_are_not_repeated(fmt: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither from headers nor from the query."""
    lines = asked(
        capsys,
        "GET",
        "http://x.example.com:8080/search?token=hunter2",
        "Authorization: Basic hunter2",
        fmt=fmt,
    )
    assert "hunter2" not in "\n".join(lines)
    assert "header authorization is as it must be" in "\n".join(lines)


@pytest.mark.parametrize(
    ("method", "url", "headers", "client", "says"),
    [
        ("GET", "shop.example.com/", [], None, "write https://shop.example.com/"),
        ("get", "http://x/", [], None, "write GET"),
        ("GET", "http://x/", ["a"], None, "'name: value'"),
        ("GET", "http://x/", [], "me", "`me` is not an IP address"),
        ("GET", "http://x/\x1b[2J", ["\x1b: x"], None, "'name: value'"),
        ("GET", "http://\x1b[2J/", [], None, "neither a host name nor an IP address"),
    ],
)
def test_wrong_usage_says_what_to_write(
    method: str,
    url: str,
    headers: list[str],
    client: str | None,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On stderr, with 2; and the terminal is safe from what was typed."""
    assert route("edge.yaml", method, url, headers, client) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.startswith("meshctl route: ")
    assert "\x1b" not in err


def test_a_profile_with_errors_gets_its_diagnostics(
    profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, with 3."""
    profile.write_text(EDGE.replace("to: payments", "to: paymets"))
    assert route("edge.yaml", "GET", "http://x/", []) == Exit.INVALID_PROFILE
    out, err = capsys.readouterr()
    assert out == ""
    assert "error[MC402]" in err


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """With every row, and what the upstream is asked for."""
    (line,) = asked(capsys, "POST", PAY, client="10.0.0.1", fmt="json")
    document = json.loads(line)
    assert (document["schema"], document["profile"], document["route"]) == (
        "meshctl.route/1",
        "edge.yaml",
        "pay",
    )
    assert document["request"] == {
        "method": "POST",
        "url": PAY,
        "host": "shop.example.com",
        "client": "10.0.0.1",
    }
    assert document["upstreams"] == [{"name": "payments", "weight": 100, "share": 1.0}]
    assert document["upstream_request"] == {"target": "/17", "host": "payments.internal"}
    assert document["buckets"] == [{"key": "client_ip", "bucket": "10.0.0.1"}] * 2
    verdicts = {row["name"]: row["verdict"] for row in document["routes"]}
    assert verdicts == {
        "pay": "match",
        "search": "no",
        "health": "no",
        "old": "no",
        "everything-else": "not reached",
    }
    assert document["routes"][1]["reasons"][0] == "path /pay/17 is not /search"
    assert document["routes"][1]["line"] == 12
    assert {"name": "tries", "text": "1 (retry.max_retries: 0)"} in document["policies"]


def test_colours_mark_the_match_and_dim_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    """And add nothing to the text."""
    plain = asked(capsys, "POST", PAY)
    lines = asked(capsys, "POST", PAY, colour=True)
    assert "\x1b[1;32mMATCH" in lines[0]
    assert lines[4].startswith("\x1b[2meverything-else")
    assert [re.sub(r"\x1b\[[\d;]*m", "", line).rstrip() for line in lines] == [
        line.rstrip() for line in plain
    ]


def test_of_thousands_of_routes_the_nearest_are_shown(
    profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those with the same host or path, then the match, then how many there are beside."""
    rows = [f"  - {{name: r{n}, match: {{hosts: [h{n}.net], path: /x}}, to: app}}" for n in range(3000)]
    rows[7] = "  - {name: near, match: {hosts: [shop.net], path: /pay}, to: app}"
    rows[2990] = "  - {name: found, match: {hosts: [shop.net], path: /y}, to: app}"
    listed = "\n".join(rows)
    profile.write_text(
        f"meshctl: 1\nlisteners: {{web: {{bind: ':8080'}}}}\nroutes:\n{listed}\n"
        "upstreams: {app: {endpoints: [10.0.0.1:1]}}\n"
    )
    lines = asked(capsys, "GET", "http://shop.net/y")
    table = lines[: lines.index("")]
    assert len(table) == NEAREST + 2
    assert [line.split()[0] for line in table[:2]] == ["near", "r2981"]
    assert table[-2].startswith("found  MATCH  host shop.net · path /y ")
    assert (
        table[-1] == "not shown: 2980 routes above that came less near, 9 routes below (all: --format json)"
    )
    assert MAX_ROWS < 3000
    (line,) = asked(capsys, "GET", "http://shop.net/y", fmt="json")
    assert len(json.loads(line)["routes"]) == 3000


def test_many_rows_without_a_match_are_counted_too(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no above and below then."""
    rows = "".join(
        f"  - {{name: r{n}, match: {{path: /{n}}}, respond: {{status: 200}}}}\n" for n in range(100)
    )
    profile.write_text(f"meshctl: 1\nlisteners: {{web: {{bind: ':8080'}}}}\nroutes:\n{rows}")
    assert route("edge.yaml", "GET", "http://x/none", []) == Exit.CONDITION
    out = capsys.readouterr().out
    assert "not shown: 90 routes that came less near (all: --format json)\n" in out


def test_reasons_are_wrapped_between_them() -> None:
    """Never inside one, however long it is."""
    assert wrapped(["aaa", "bbb", "c" * 20, "d"], 9) == ["aaa · bbb", "c" * 20, "d"]


def test_a_long_path_of_a_profile_is_cut_to_its_name() -> None:
    """The line matters more than the folder."""
    assert place(Where("a/b.yaml", 3, 1), 20) == "a/b.yaml:3"
    assert place(Where("/somewhere/far/away/b.yaml", 3, 1), 20) == "b.yaml:3"


def test_without_a_terminal_there_are_100_columns() -> None:
    """Output in a file does not depend on who wrote it."""
    assert terminal_width() == 100


def test_paint_can_be_off() -> None:
    """Then it leaves text alone."""
    assert Paint(False)("x", "match") == "x"
    assert Paint(True)("", "match") == ""


def test_the_command_loads_nothing_of_the_proxy_that_runs() -> None:
    """It starts fast: no event loop, no HTTP/2, no dashboard."""
    code = (
        "import sys, appliance.cli.route, appliance.cli.test\n"
        "print(sorted({'trio', 'h2', 'textual'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.stdout == "[]\n"


def test_values_from_the_environment_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even where a request fails by them."""
    monkeypatch.setenv("EDGE", "hunter2")
    path = tmp_path / "a.yaml"
    path.write_text(
        'meshctl: 1\nlisteners: {web: {bind: ":80"}}\n'
        'routes:\n  - name: a\n    match: {headers: {x-edge: "${EDGE}", x-b: {prefix: "${EDGE}"}}}\n'
        "    respond: {status: 200}\n"
    )
    for fmt in ("human", "json"):
        for headers in ([], ["x-edge: other"], ["x-edge: hunter2"], ["x-edge: hunter2", "x-b: hunter2"]):
            route(str(path), "GET", "http://x/", headers, fmt=fmt)
    assert "hunter2" not in capsys.readouterr().out


def test_arguments_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes that are not cannot be put into a request by name."""
    for url, headers in (("http://x/\udcff", []), ("http://x/", ["x-a: \udcff"])):
        assert route("nowhere.yaml", "GET", url, headers) == Exit.USAGE
    assert "UTF-8" in capsys.readouterr().err
