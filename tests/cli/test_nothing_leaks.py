"""No command prints a secret, in any format, whatever the profile does with it and whether it is right."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

from appliance.cli.diff import diff
from appliance.cli.route import route
from appliance.cli.run import run
from appliance.cli.test import test as run_tests
from appliance.cli.validate import Look, validate

SECRET = "Zq7secretvalueZq7"

PROFILE = """meshctl: 1
vars: {PLAIN_TOKEN: SECRET, COPY: "${FROM_ENV}"}
listeners: {web: {bind: "127.0.0.1:0"}}
defaults: {route: {headers: {request: {set: {x-api-key: SECRET}}}}}
routes:
  - name: one
    match:
      path_prefix: /one/
      headers: {authorization: {exact: "Bearer SECRET"}, x-a: "${FROM_ENV}", cookie: {regex: "s=SECRET.*"}}
      query: {token: SECRET, q: "${COPY}"}
    to: app
    headers:
      request: {set: {authorization: "Basic SECRET", x-a: "${FROM_ENV}"}, add: {cookie: "${PLAIN_TOKEN}"}}
      response: {set: {set-cookie: "a=SECRET", x-b: "b ${file:FILE}"}}
  - {name: two, match: {path: /two}, respond: {status: 200, body: "${FROM_ENV}", headers: {x-secret: SECRET}}}
  - {name: rest, to: app}
upstreams:
  app: {endpoints: [127.0.0.1:9001]}
tracing: {export: {zipkin: "http://me:SECRET@127.0.0.1:9411/api"}}
tests:
  - {request: {url: "http://x/one/?token=SECRET", headers: {cookie: "s=SECRET"}}, expect: {route: two}}
  - {request: {url: "http://x/two"}, expect: {route: two}}
"""
BREAKS = [
    "",
    "bind: 127",  # an error elsewhere
    "status: 200",
    "authorization:",
    "exact:",
    "zipkin:",
    "cookie:",
    "to: app",
    "url:",
]
"""Each is damaged in its own line, so that an excerpt of that line is shown."""


@pytest.fixture(autouse=True)
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret in the environment and in a file, and a directory of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FROM_ENV", SECRET)
    Path("FILE").write_text(SECRET)


def written(name: str, text: str) -> str:
    Path(name).write_text(text.replace("SECRET", SECRET))
    return name


def printed(path: str, other: str) -> str:
    """Give all that all commands say of a profile."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        for fmt in ("human", "json", "sarif", "github"):
            for strict in (False, True):
                validate([path], fmt, strict)
        validate([path], colour=True, look=Look(effective=True))
        validate([path], look=Look(env=False, files=False, effective=True))
        for fmt in ("human", "json"):
            for url in (
                f"http://x/one/?token={SECRET}",
                f"http://x/one/?q={SECRET}",
                "http://x/two",
                "http://x/",
            ):
                for header in (
                    f"authorization: Bearer {SECRET}",
                    f"x-a: {SECRET}",
                    f"cookie: s={SECRET}",
                ):
                    route(path, "GET", url, [header], None, fmt=fmt, colour=False)
            run_tests(path, fmt, False)
            diff(path, other, fmt)
            diff(other, path, fmt)
        run(path, check_only=True)
    return out.getvalue()


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("damage", ["", "x", " {", "\t", '"', "[", " *"])
def test_no_command_prints_a_secret(broken: str, damage: str) -> None:
    """Right, wrong, or not even YAML."""
    text = PROFILE.replace(broken, broken + damage, 1) if broken else PROFILE
    path = written("a.yaml", text)
    other = written("b.yaml", PROFILE.replace("SECRET", "SECRET2").replace("9001", "9002"))
    said = printed(path, other)
    assert "a.yaml" in said
    assert SECRET not in said
