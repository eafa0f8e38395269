"""The exit codes are a promise to scripts."""

from __future__ import annotations

from appliance.cli.exits import Exit


def test_the_codes_are_what_scripts_rely_on() -> None:
    """No code changes its number, and no two are the same."""
    numbers = {code.name: code.value for code in Exit}
    assert numbers == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "INVALID_PROFILE": 3,
        "CANNOT_START": 4,
        "UNREACHABLE": 5,
        "REFUSED": 6,
        "CONFLICT": 7,
        "CONDITION": 8,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
    }
