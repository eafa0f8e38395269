"""One text, one type: a value, or what is wrong with it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import schema_types as t
from appliance.config.read_scalar import Unreadable, nearest, read_scalar, words

SAMPLES: list[t.Leaf] = [
    t.Boolean(),
    t.Integer(words=("auto",)),
    t.Duration(zero=False),
    t.Size(1),
    t.Rate(),
    t.Share(),
    t.Status(),
    t.Statuses(("connect",)),
    t.Choice(("a", "b")),
    t.Selector(("route",), ("header", "cookie")),
    t.Version(),
    t.Name(),
    t.Name(variable=True),
    t.Text(),
    t.Target(),
    t.Regex(),
    t.Host(wildcard=True),
    t.Host(port=True),
    t.UrlPath(),
    t.Method(),
    t.HeaderName(edit=True),
    t.HeaderValue(),
    t.Network(),
    t.Url(),
    t.AddressOf(("tcp", "unix"), bind=True),
]


def test_every_type_of_the_schema_can_be_read() -> None:
    """The table has a function for each."""
    assert {type(kind) for kind in SAMPLES} == set(get_args(t.Leaf))


@given(st.text(max_size=40))
def test_any_text_is_a_value_or_unreadable(text: str) -> None:
    """Nothing else is raised."""
    for kind in SAMPLES:
        try:
            read_scalar(kind, text)
        except Unreadable as problem:
            assert problem.problem


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (t.Boolean(), "true", True),
        (t.Integer(words=("auto",)), "auto", "auto"),
        (t.Integer(), "12", 12),
        (t.Statuses(("connect",)), "connect", "connect"),
        (t.Statuses(), "503", {503}),
        (t.Selector((), ("header",)), "header:X-User", "header:x-user"),
        (t.Version(), "1", 1),
        (t.Target(), "false", None),
        (t.Target(), "stdout", "stdout"),
        (t.Host(wildcard=True), "*.Example.com.", "*.example.com"),
        (t.Host(port=True), "a.example:8080", "a.example:8080"),
        (t.Host(), "[::1]", "[::1]"),
        (t.UrlPath(), "/a b/é", "/a b/é"),
        (t.HeaderName(), "X-Edge", "x-edge"),
        (t.HeaderName(), "connection", "connection"),
        (t.Network(), "10.0.0.0/8", ip_network("10.0.0.0/8")),
        (t.Network(), "::1", ip_network("::1/128")),
        (t.Url(), "https://a.example/x?y", "https://a.example/x?y"),
    ],
)
def test_what_reads(kind: t.Leaf, text: str, value: object) -> None:
    """Names of hosts and headers become lower-case."""
    assert read_scalar(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text", "code", "instead"),
    [
        (t.Boolean(), "on", "MC301", ("true",)),
        (t.Boolean(), "No", "MC301", ("false",)),
        (t.Boolean(), "TRUE", "MC301", ("true",)),
        (t.Boolean(), "1", "MC301", ()),
        (t.Integer(), "0600", "MC302", ()),
        (t.Integer(), "10_000", "MC302", ("10000",)),
        (t.Integer(1), "0", "MC302", ()),
        (t.Integer(), "1.5", "MC302", ()),
        (t.Duration(zero=False), "0s", "MC303", ()),
        (t.Rate(), "0/s", "MC305", ()),
        (t.Status(200), "100", "MC308", ()),
        (t.Statuses(("connect",)), "conect", "MC308", ("connect",)),
        (t.Choice(("round_robin", "ewma")), "round-robin", "MC310", ("round_robin",)),
        (t.Selector(("route",), ("header",)), "header:", "MC313", ()),
        (t.Selector((), ("cookie",)), "cookie:a b", "MC310", ()),
        (t.Version(), "2", "MC205", ()),
        (t.Version(), "v1", "MC205", ("1",)),
        (t.Text(), "", "MC319", ()),
        (t.Regex(), "(", "MC311", ()),
        (t.Regex(), "x" * 1001, "MC311", ()),
        (t.Regex(), "(a*)*", "MC312", ()),
        (t.Host(), "*.example.com", "MC314", ()),
        (t.Host(wildcard=True), "*", "MC314", ()),
        (t.Host(), "http://a/", "MC314", ("a",)),
        (t.UrlPath(), "a", "MC315", ("/a",)),
        (t.UrlPath(), "/%zz", "MC315", ()),
        (t.Method(), "get", "MC318", ("GET",)),
        (t.Method(), "CONNECT", "MC318", ()),
        (t.HeaderName(edit=True), "Transfer-Encoding", "MC313", ()),
        (t.HeaderName(edit=True), "Host", "MC313", ()),
        (t.HeaderValue(), "a\r\nb: c", "MC313", ()),
        (t.HeaderValue(), " a", "MC313", ("a",)),
        (t.HeaderValue(words=True), "a %CLIENT_SUBJEKT%", "MC313", ("a %CLIENT_SUBJECT%",)),
        (t.HeaderValue(words=True), "%UTTERLY_ELSE%", "MC313", ()),
        (t.Network(), "10.0.0.1/8", "MC316", ("10.0.0.0/8", "10.0.0.1")),
        (t.Url(), "a.example", "MC317", ()),
        (t.Url(), "http://user:pass@a.example", "MC317", ()),
    ],
)
def test_what_does_not_read(kind: t.Leaf, text: str, code: str, instead: tuple[str, ...]) -> None:
    """A code, and a correction where there is one."""
    with pytest.raises(Unreadable) as refused:
        read_scalar(kind, text)
    assert (refused.value.code, refused.value.instead) == (code, instead)


def test_the_nearest_name_is_found_or_none() -> None:
    """Letters may be missing, swapped, or joined by the other dash."""
    known = ["max_connections", "max_per_ip"]
    assert nearest("max_conections", known) == "max_connections"
    assert nearest("MAX-PER-IP", known) == "max_per_ip"
    assert nearest("colour", known) is None


def test_choices_are_told_as_people_would() -> None:
    """With an or before the last."""
    assert [words(("a",)), words(("a", "b")), words(("a", "b", "c"))] == ["a", "a or b", "a, b or c"]
