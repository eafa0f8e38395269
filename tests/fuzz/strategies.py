"""What the front door is fuzzed with, and the rule that holds whatever comes: ``examined``.

A text is a plan or the reasons why it is none, never an exception. Every place that is pointed at, and
every edit that is offered, lies inside its file. And whatever is made of the outcome (excerpts,
reports, the effective profile, routes, differences) can be made, and holds nothing that could steer
a terminal.
"""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout
from itertools import pairwise
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from appliance.cli import diff as cli_diff
from appliance.cli import route as cli_route
from appliance.cli import test as cli_test
from appliance.config import source
from appliance.config.diagnostic import Diagnostic, Diagnostics, Span
from appliance.config.diff import diff
from appliance.config.effective import effective
from appliance.config.json_schema import json_schema
from appliance.config.load import Loaded, load_profile
from appliance.config.nodes import Listing, Mapping, Node, Scalar
from appliance.config.plan import Plan
from appliance.config.report import github, sarif
from tests.kit.editor import marks
from tests.kit.machines import FakeMachine
from tests.kit.profiles_gen import MUTATIONS, Grower, emitted, mutated

ENV = {"V": "5s", "EMPTY": "", "HALF": "a\udcffb"}
SCHEMA = json_schema()
_STEERS = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_REQUESTS = (
    ("GET", "http://example.com/a/b?token=1&x=%", []),
    ("POST", "https://a.example.com:8443/", ["x-a: v", "authorization: b"]),
    ("PURGE", "http://[::1]/%41/../x", ["host: b.test"]),
)


class Drawn:
    """Dice thrown by hypothesis."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def below(self, end: int) -> int:
        """Give a number from 0 up to ``end``, exclusive."""
        return int(self._draw(st.integers(0, end - 1)))

    def one(self, choices: Any) -> Any:
        """Give one of them."""
        return choices[self.below(len(choices))]


@st.composite
def trees(draw: Any, tamest: int = 0, wildest: int = 3) -> str:
    """Profiles by the schema."""
    return emitted(Grower(Drawn(draw), draw(st.integers(tamest, wildest))).profile())


@st.composite
def accidents(
    draw: Any, texts: list[str], most: int = 5, kinds: tuple[str, ...] = MUTATIONS
) -> tuple[int, str]:
    """One of the texts by its number, with one to ``most`` accidents of these kinds."""
    dice = Drawn(draw)
    number = dice.below(len(texts))
    text = texts[number]
    for _ in range(1 + dice.below(most)):
        text = mutated(text, dice, kinds)
    return number, text


def lines_of(data: bytes) -> list[str]:
    """Give the lines that places in a file count: without a byte order mark, with LF ends."""
    text = data.decode(errors="surrogateescape").removeprefix("\ufeff").replace("\r\n", "\n")
    return (text if text.endswith("\n") else text + "\n").split("\n")


def inside(span: Span, lines: list[str]) -> bool:
    """Whether a place is one in these lines; the end may be the end of the text."""
    ends = ((span.line, span.column), (span.end_line, span.end_column))
    return ends[0] <= ends[1] and all(
        1 <= line <= len(lines) and 1 <= column <= len(lines[line - 1]) + 1 for line, column in ends
    )


def examined(data: bytes, name: str = "fuzz.yaml", *, machine: bool = False) -> Loaded:
    """Load a text, hold what comes to the rule, and give it."""
    loaded = load_profile(name, text=data, env=ENV, machine=FakeMachine() if machine else None)
    found = loaded.diagnostics
    told = list(found)
    assert (loaded.plan is None) == (found.errors > 0)
    assert found.errors == sum(each.severity == "error" for each in told)
    assert told == sorted(told, key=_order(told))
    lines = lines_of(data)
    for each in told:
        _check_places(each, name, lines)
    _check_reports(found, told, name)
    if loaded.merged is not None and not found.errors:
        text = effective(loaded.merged, loaded.plan)
        assert not _STEERS.search(text)
    if loaded.plan is not None:
        assert diff(loaded, loaded) == ()
        asked_of(loaded.plan)
    return loaded


def _order(told: list[Diagnostic]) -> Any:
    files = {file: number for number, file in enumerate(dict.fromkeys(each.span.file for each in told))}
    return lambda each: (files[each.span.file], each.span)


def _check_places(each: Diagnostic, name: str, lines: list[str]) -> None:
    spans = [each.span, *(other.span for other in each.related), *(edit.span for edit in each.fix)]
    for span in spans:
        if span.file == name:
            assert inside(span, lines), (each.code, each.message, span)
    edits = sorted(edit.span for edit in each.fix)
    for first, second in pairwise(edits):
        assert (first.end_line, first.end_column) <= (second.line, second.column)


def _check_reports(found: Diagnostics, told: list[Diagnostic], name: str) -> None:
    plain, painted = found.render(), found.render(colour=True)
    assert not _STEERS.search(plain)
    assert re.sub(r"\x1b\[[\d;]*m", "", painted) == plain
    assert bool(plain) == bool(told)
    document = json.loads(json.dumps(found.as_json(name)))
    assert document["ok"] == (not found.errors)
    assert len(document["diagnostics"]) == len(told)
    assert len(json.loads(json.dumps(sarif(told)))["runs"][0]["results"]) == len(told)
    commands = github(told)
    assert commands.count("\n") == len(told)
    assert not _STEERS.search(commands)


def asked_of(plan: Plan) -> None:
    """Put requests through a plan by the commands that do so."""
    out = io.StringIO()
    with (
        patch.object(cli_route, "load_plan", lambda *_: plan),
        patch.object(cli_test, "load_plan", lambda *_: plan),
        redirect_stdout(out),
    ):
        for method, url, headers in _REQUESTS:
            cli_route.route("fuzz.yaml", method, url, headers, "10.0.0.1")
            cli_route.route("fuzz.yaml", method, url, headers, fmt="json")
        cli_test.test("fuzz.yaml")
        cli_test.test("fuzz.yaml", fmt="json")
    assert not _STEERS.search(out.getvalue())


def compared(before: Loaded, after: Loaded) -> None:
    """Tell what differs between two profiles, both ways; nothing to do if one has errors."""
    if before.plan is None or after.plan is None:
        return
    for one, other in ((before, after), (after, before)):
        changes = diff(one, other)
        text = cli_diff.render(changes, ("a.yaml", "b.yaml"))
        assert not _STEERS.search(text)
        json.dumps(cli_diff.as_json(changes, ("a.yaml", "b.yaml")))


def parsed_alike(data: bytes) -> Node | None:
    """Load with the pure parser alone, too: the same tree and the same words; give the tree."""
    trees, words = [], []
    for loaders in (source.PARSERS, source.PARSERS[-1:]):
        with patch.object(source, "PARSERS", loaders):
            trees.append(source.parse(data, "fuzz.yaml", Diagnostics()))
            words.append(list(load_profile("fuzz.yaml", text=data, env=ENV).diagnostics))
    assert words[0] == words[1]
    assert _meaning(trees[0]) == _meaning(trees[1])
    return trees[0]


def _meaning(node: Node | None) -> Any:
    """Give a tree without the places of empty values, which the parsers see on either side of a space."""
    if isinstance(node, Mapping):
        return [(_meaning(key), _meaning(value)) for key, value in node.entries]
    if isinstance(node, Listing):
        return (node.span.line, node.span.column), [_meaning(item) for item in node.items]
    if isinstance(node, Scalar):
        return (node.span if node.written else None), node.value, node.written, node.plain
    return None


def marked(tree: Node, data: bytes) -> set[int]:
    """Give the lines that an editor with the JSON Schema marks, all of them in the file."""
    lines = lines_of(data)
    found = {mark.line for mark in marks(SCHEMA, tree)}
    assert all(1 <= line <= len(lines) for line in found)
    return found
