"""Names that tell of a secret, and lines that carry one."""

from __future__ import annotations

import pytest

from appliance.config.secrets import blanked, is_secret_name, without_credentials


@pytest.mark.parametrize(
    "name",
    ["authorization", "Cookie", "set-cookie", "x-api-key", "DB_PASSWORD", "apikey", "X-Auth-Token", "secret"],
)
def test_names_of_secrets(name: str) -> None:
    """Whatever their case and what is around them."""
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["token_file", "key", "cert", "x-tier", "host", "SECRET_PATH", "path"])
def test_names_that_give_nothing_away(name: str) -> None:
    """A path to a secret is not the secret."""
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  authorization: Bearer abc", "  authorization: ****** ***"),
        ('set: {"x-api-key": "abc def"', 'set: {"x-api-key": "*** ***"'),
        ("token_file: stats.token", "token_file: stats.token"),
        ("hash_on: cookie:sid", "hash_on: cookie:***"),
        ("a: {token_file: t, cookie: x}", "a: {token_file: t, cookie: *}"),
        ("x: {authorization:y {exact: z}}", "x: {authorization:* {****** *}}"),
        ("cookie: ${A}, token: b", "cookie: ${A}, token: *"),
        ("url: http://a/?token=b", "url: http://a/?token=*"),
        ("cookie: ${SID}", "cookie: ${SID}"),
        ("redact: [authorization, cookie]", "redact: [authorization, cookie]"),
    ],
)
def test_lines(line: str, shown: str) -> None:
    """What follows the name is blanked, and every column stays where it was."""
    assert blanked(line) == shown
    assert len(blanked(line)) == len(line)


def test_long_lines_take_no_time() -> None:
    """A megabyte of half a name, with and without what would follow it."""
    for text in (
        "token" * 200_000,
        "x?" + "token" * 200_000,
        "a: " + "secret-" * 150_000 + "!",
        "//" * 500_000,
    ):
        assert blanked(text) == text
        assert without_credentials(text) == text
        assert not is_secret_name(text + " ")


def test_users_of_urls() -> None:
    """The host stays."""
    assert without_credentials("go to http://me:pw@h/x") == "go to http://*****@h/x"
    assert without_credentials("a@b") == "a@b"


def test_a_damaged_url_keeps_its_password_too() -> None:
    """A typing mistake between scheme and user must not bring the password into a message."""
    for url in ("http:/\t/me:Zq7@z/", "http:/me:Zq7@z", "http:// me:Zq7@z", "me:: Zq7@z"):
        assert "Zq7" not in without_credentials(url)
        assert len(without_credentials(url)) == len(url)
