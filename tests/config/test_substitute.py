"""What ${...} stands for, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.config import source
from appliance.config.diagnostic import Diagnostics
from appliance.config.load import load
from appliance.config.nodes import Mapping, Scalar
from appliance.config.substitute import Substitution


def substituted(
    value: str, env: dict[str, str] | None = None, file: str = "a.yaml", variables: str = "{V: v, E: ''}"
) -> tuple[Scalar, list[str]]:
    found = Diagnostics()
    node = source.parse(f"vars: {variables}\nx: {value}\n".encode(), file, found)
    assert isinstance(node, Mapping)
    substitution = Substitution(env or {}, found)
    substitution.declare(node.get("vars"))
    substitution.apply(node)
    result = node.get("x")
    assert isinstance(result, Scalar)
    return result, [d.code for d in found]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("a${V}b", "avb"),
        ("${V}${V}", "vv"),
        ("${X:-other}", "other"),
        ("${X:-}", ""),
        ("${E:-other}", "other"),
        ("${E}", ""),
        ("${V:-other}", "v"),
        ("${V:?needed}", "v"),
        ("'$${V}'", "${V}"),
        ("$V", "$V"),
        ("a$", "a$"),
        ("'${X:-: [}'", ": ["),
    ],
)
def test_each_form(written: str, value: str) -> None:
    """A fallback stands in for what is unset or empty; a doubled dollar is one."""
    assert substituted(written) == (substituted(written)[0], [])
    assert substituted(written)[0].value == value


def test_the_environment_wins_and_is_foreign() -> None:
    """Values from outside are marked, those of the profile are not."""
    ours, theirs = substituted("${V}")[0], substituted("${V}", {"V": "env"})[0]
    assert (ours.value, ours.foreign) == ("v", False)
    assert (theirs.value, theirs.foreign, theirs.written) == ("env", True, "${V}")


def test_what_comes_in_is_not_looked_at_again() -> None:
    """A value cannot ask for another, nor add structure."""
    assert substituted("${V}", {"V": "${W}\nb: 1"})[0].value == "${W}\nb: 1"


def test_variables_see_the_environment() -> None:
    """But not one another; what they take from it stays foreign."""
    scalar, codes = substituted("${V}", {"P": "80"}, variables="{V: ':${P}'}")
    assert (scalar.value, scalar.foreign, codes) == (":80", True, [])
    assert substituted("x", variables="{A: a, B: '${A}'}")[1] == ["MC404"]


@pytest.mark.parametrize(
    ("written", "code"),
    [("${X}", "MC404"), ("${X:?why}", "MC404"), ("${9}", "MC121"), ("${V", "MC121"), ("${}", "MC121")],
)
def test_what_stands_for_nothing_is_told_and_marked(written: str, code: str) -> None:
    """A value whose substitution failed is not complained about a second time."""
    scalar, codes = substituted(written)
    assert codes == [code]
    assert scalar.failed


def test_files_give_their_text_without_the_last_line_end(tmp_path: Path) -> None:
    """Paths are relative to the profile."""
    (tmp_path / "token").write_text("s3cret\n")
    scalar, codes = substituted("Bearer ${file:token}", file=str(tmp_path / "a.yaml"))
    assert (scalar.value, scalar.foreign, codes) == ("Bearer s3cret", True, [])


def test_files_that_cannot_be_had_are_told(tmp_path: Path) -> None:
    """Missing, not text, or too large."""
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    for name in ("absent", "binary", "large", "a\\0b"):
        assert substituted(f'"${{file:{name}}}"', file=str(tmp_path / "a.yaml"))[1] == ["MC603"]


def test_an_alias_is_substituted_once() -> None:
    """A doubled dollar does not come to life on the second visit."""
    found = Diagnostics()
    node = source.parse(b"a: &a $${V}\nb: *a\n", "a.yaml", found)
    assert isinstance(node, Mapping)
    Substitution({}, found).apply(node)
    value = node.get("b")
    assert isinstance(value, Scalar)
    assert value.value == "${V}"


@pytest.mark.parametrize(
    "text",
    [
        'listeners: {web: {bind: "${S}"}}',
        'listeners: {web: {bind: ":1", limits: {max_headers: "${S}", max_header_size: "${S}"}}}',
        'listeners: {web: {bind: ":1", trust_forwarded: ["${S}"], http2: "${S}"}}',
        'routes: [{name: "${S}", to: "${S}", match: {hosts: ["${S}"], path_regex: "(${S}"}}]',
        'routes: [{name: a, to: a, match: {methods: ["${S}"], headers: {a: {regex: "${S}("}}}}]',
        'routes: [{name: a, to: a, match: {path: "${S}"}, timeouts: {response: "${S}"}}]',
        'routes: [{name: a, to: a, mirror: {to: "${S}", share: "${S}"}}]',
        'upstreams: {a: {endpoints: ["${S}"], balance: "${S}", hash_on: "${S}"}}',
        'tracing: {export: {zipkin: "${S}"}}',
        'include: ["${S}"]\nrate_limit: {rate: "${S}", status: "${S}"}\nmeshctl: "${S}"\nname: "${S}"',
    ],
)
def test_a_secret_is_never_shown(text: str) -> None:
    """Whatever is wrong with it, only its ${...} is named."""
    _, found = load("a.yaml", text=text.encode(), env={"S": "HunTer2/%zz S3CRET"})
    assert found.errors
    shown = found.render() + str(found.as_json("a.yaml"))
    assert "HunTer2" not in shown
    assert "S3CRET" not in shown
