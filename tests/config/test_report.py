"""What machines read says the same as what people read."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from appliance.config.diagnostic import Diagnostic, Span
from appliance.config.load import load_profile
from appliance.config.report import github, sarif

BAD = Path(__file__).parent / "corpus" / "bad"
NAMES = sorted(path.name for path in BAD.glob("*.yaml"))


def found_in(name: str) -> list[Diagnostic]:
    return list(load_profile(str(BAD / name), env={}).diagnostics)


def unescaped(text: str) -> str:
    for code, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, character)
    return text


@pytest.mark.parametrize("name", NAMES)
def test_github_annotations_read_back(name: str) -> None:
    """One command on one line each; escapes give back file, place and message."""
    found = found_in(name)
    lines = github(found).splitlines()
    assert len(lines) == len(found)
    for each, line in zip(found, lines, strict=True):
        parts = re.fullmatch(r"::(error|warning) ([^:]*)::(.*)", line)
        assert parts is not None
        properties = dict(pair.split("=", 1) for pair in parts[2].split(","))
        assert unescaped(properties["file"]) == each.span.file
        assert (int(properties["line"]), int(properties["endColumn"])) == (
            each.span.line,
            each.span.end_column,
        )
        assert (parts[1], properties["title"]) == (each.severity, each.code)
        related = [f"{other.message}: {other.span.where}" for other in each.related]
        assert unescaped(parts[3]) == "\n".join(filter(None, [each.message, each.help, *related]))


def test_github_escapes_what_would_end_a_command() -> None:
    """Line ends and percent signs in data; colons and commas in properties, too."""
    span = Span("a,b:c%.yaml", 1, 2, 3, 4)
    text = github([Diagnostic("MC101", "error", "50%\nof a::b", span)])
    assert text == (
        "::error file=a%2Cb%3Ac%25.yaml,line=1,col=2,endLine=3,endColumn=4,title=MC101::50%25\\nof a::b\n"
    )


@pytest.mark.parametrize("name", NAMES)
def test_sarif_has_what_viewers_need(name: str) -> None:
    """SARIF 2.1.0 sections 3.13 to 3.57: version, driver, rules, levels, regions, fingerprints, fixes."""
    found = found_in(name)
    log = sarif(found)
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "meshctl"
    assert len(run["results"]) == len(found)
    prints = [tuple(result["partialFingerprints"].values()) for result in run["results"]]
    assert len(set(prints)) == len(prints)
    for each, result in zip(found, run["results"], strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == each.code
        assert result["level"] == each.severity
        assert each.message in result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        region = place["region"]
        assert unquote(place["artifactLocation"]["uri"]) == each.span.file
        assert not re.search(r"[\s\\]", place["artifactLocation"]["uri"])
        assert region["startLine"] >= 1
        assert region["startColumn"] >= 1
        assert (region["endLine"], region["endColumn"]) >= (region["startLine"], region["startColumn"])
        replaced = [
            change["insertedContent"]["text"]
            for fix in result.get("fixes", ())
            for artifact in fix["artifactChanges"]
            for change in artifact["replacements"]
        ]
        assert replaced == [edit.text for edit in each.fix]


def test_every_rule_explains_itself() -> None:
    """A viewer shows the text beside the result."""
    for rule in sarif([])["runs"][0]["tool"]["driver"]["rules"]:
        assert rule["shortDescription"]["text"]
        assert len(rule["help"]["text"]) > 80
