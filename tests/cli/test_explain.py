"""``meshctl explain``: what is printed where, and how it ends."""

from __future__ import annotations

import json

import pytest

from appliance.cli.exits import Exit
from appliance.cli.explain import explain
from appliance.config.explain import explain_code, explain_key


@pytest.mark.parametrize("word", ["MC203", "mc203"])
def test_a_code_is_explained_on_stdout(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In either case."""
    assert explain(word) == Exit.OK
    assert capsys.readouterr() == (explain_code("MC203"), "")


def test_a_key_is_explained_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """With the names of one's own profile."""
    assert explain("upstreams.payments.breaker.open_for") == Exit.OK
    assert capsys.readouterr() == (explain_key("upstreams.*.breaker.open_for"), "")


def test_an_unknown_word_gets_the_nearest_ones_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Written so that a shell takes them as they are."""
    assert explain("upstreams.app.braker.open_for") == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "'upstreams.app.braker.open_for' is neither a code nor a key" in err
    assert "\n  meshctl explain 'upstreams.*.breaker.open_for'\n" in err
    assert "\n  meshctl explain open_for\n" in err


def test_a_word_near_nothing_gets_the_shape_of_words(capsys: pytest.CaptureFixture[str]) -> None:
    """And control characters in it do not reach the terminal."""
    assert explain("qqqq\x1b[2J", "json") == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "codes look like MC203" in err
    assert "\x1b" not in err


def test_json_of_a_code_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Its parts apart, for editors."""
    assert explain("MC402", "json") == Exit.OK
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["kind"], document["code"]) == ("meshctl.explain/1", "code", "MC402")
    assert document["severity"] == "error"
    assert "to: ap}" in document["wrong"]
    assert "routes.*.to" in document["keys"]


def test_json_of_a_key_has_every_place(capsys: pytest.CaptureFixture[str]) -> None:
    """As the end of a path may fit several."""
    assert explain("open_for", "json") == Exit.OK
    document = json.loads(capsys.readouterr().out)
    assert document["kind"] == "key"
    assert {place["path"] for place in document["places"]} == {
        "routes.*.breaker.open_for",
        "upstreams.*.breaker.open_for",
        "defaults.route.breaker.open_for",
        "defaults.upstream.breaker.open_for",
    }
    assert document["places"][0]["default"] == "30s"
    assert "MC507" in document["places"][0]["codes"]


@pytest.mark.parametrize("word", ["MC402", "open_for", "to", "profile"])
def test_colour_marks_and_changes_no_letter(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Only if asked for."""
    explain(word)
    plain = capsys.readouterr().out
    explain(word, colour=True)
    coloured = capsys.readouterr().out
    assert coloured.startswith("\x1b[1;36m")
    for code in ("\x1b[1;36m", "\x1b[1m", "\x1b[34m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain
