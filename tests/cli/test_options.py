"""Options that are one of some words."""

from __future__ import annotations

import pytest
import typer

from appliance.cli.options import one_of


def test_known_words_pass_others_are_told_what_there_is() -> None:
    """The empty word is the default and not named."""
    check = one_of("", "text", "json")
    assert check("json") == "json"
    assert check("") == ""
    with pytest.raises(typer.BadParameter, match="write text or json"):
        check("xml")
