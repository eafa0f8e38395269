"""No command shows a secret, wherever in a profile it stands and whatever is wrong around it."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.load import load_profile

SECRET = "Zq7secretvalueZq7"

PLACES = [
    "vars: {{DB_PASSWORD: {s}}}\n{rest}",
    "rate_limit: {{rate: 1/s, token: {s}}}\n{rest}",
    "{rest}defaults: {{route: {{headers: {{request: {{set: {{Authorization: {s}}}}}}}}}}}\n",
    '{rest}defaults: {{route: {{headers: {{request: {{set: {{Authorization: " {s}"}}}}}}}}}}\n',
    "{rest}defaults: {{route: {{headers: {{request: {{set: {{x-api-key: [{s}]}}}}}}}}}}\n",
    "{rest}defaults:\n route:\n  headers:\n   request:\n    set:\n     cookie: |\n      {s}\n",
    '{rest}tests: [{{request: {{url: "http://me:{s}@a/"}}, expect: {{}}}}]\n',
    '{rest}tracing: {{export: {{zipkin: "http://me:{s}@z/"}}}}\n',
    '{rest}authorization: "{s}',
    "{rest}authorization: {s}: x\n",
    '{rest}x: {{cookie: "{s}", y: \n',
    "{rest}name: ${{FROM_ENV}}\n",
    '{rest}access_log: {{format: "${{FROM_ENV}}", redact: ["${{FROM_ENV}} x"]}}\n',
]

REST = """meshctl: 1
listeners: {web: {bind: ":8080"}}
routes: [{name: all, match: {headers: {authorization: {regex: "SECRET(a+)+"}, cookie: SECRET}}, to: ap}]
upstreams: {app: {endpoints: ["http://u:SECRET@h:1"]}}
"""


def outputs(text: str) -> str:
    loaded = load_profile("edge.yaml", text=text.encode(), env={"FROM_ENV": SECRET + " !"})
    assert loaded.diagnostics.errors
    found = loaded.diagnostics
    return found.render() + found.render(colour=True) + json.dumps(found.as_json("edge.yaml"))


@pytest.mark.parametrize("place", PLACES)
def test_nothing_shows_a_secret(place: str) -> None:
    """Literal, from a variable, from the environment, in a URL; in YAML and in what is none."""
    text = place.format(s=SECRET, rest=REST.replace("SECRET", SECRET))
    assert SECRET not in outputs(text)


@given(
    st.integers(0, 400), st.sampled_from(PLACES), st.sampled_from(["", "\t", "[", "}", '"', ": ", "\n", "*"])
)
def test_nor_where_the_file_is_damaged(at: int, place: str, damage: str) -> None:
    """A file that no longer parses is shown line by line, and the line must not show it either."""
    text = place.format(s=SECRET, rest=REST.replace("SECRET", SECRET))
    at = min(at, len(text))
    around = text[max(0, at - 40) : at + 20]
    if SECRET in around or "|" in place or re.search(r"[\w-]*\Z", text[:at])[0]:  # type: ignore[index]
        return  # a name or secret that is cut in two is no longer one
    loaded = load_profile(
        "edge.yaml", text=(text[:at] + damage + text[at:]).encode(), env={"FROM_ENV": SECRET}
    )
    assert SECRET not in loaded.diagnostics.render()
    assert SECRET not in json.dumps(loaded.diagnostics.as_json("edge.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        "a:\n  password:\n    SECRET: [\n",
        "a:\n  token: |\n    first\n    SECRET\n   x: ]\n",
        "authorization: >-\n    SECRET: x: [\n",
        "vars: {password:SECRET: ${NOPE}}\n",
    ],
)
def test_nor_what_stands_on_the_lines_below_a_name(text: str) -> None:
    """In a file that is no YAML, and where a key holds what should be a value."""
    loaded = load_profile("edge.yaml", text=text.replace("SECRET", SECRET).encode(), env={})
    assert loaded.diagnostics.errors
    assert SECRET not in loaded.diagnostics.render() + json.dumps(loaded.diagnostics.as_json("edge.yaml"))
