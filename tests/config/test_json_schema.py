"""The JSON Schema and the reader say the same about the shape of a profile, on the same lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from appliance.config.diagnostic import Diagnostics
from appliance.config.json_schema import json_schema
from appliance.config.load import load_profile
from appliance.config.nodes import Mapping
from appliance.config.source import parse
from tests.kit.editor import Mark, marks

CORPUS = Path(__file__).parent / "corpus"
SHIPPED = Path(__file__).parents[2] / "profiles"
FILES = sorted([*CORPUS.glob("*/*.yaml"), *SHIPPED.glob("*.yaml")])

SCHEMA = json_schema()

# What a schema can know: the spelling of substitutions, keys and shapes (MC2), scalars (MC3).
SHAPE = ("MC121", "MC2", "MC3")
BEYOND = {
    "MC204": "names across files",
    "MC311": "whether an expression compiles",
    "MC312": "whether it is safe",
    "MC319": "the fields of an access log",
}


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def profile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every profile of the corpus and those that we ship, in turn, from the folder that it is in."""
    path: Path = request.param
    monkeypatch.chdir(path.parent)
    return path


def marked(path: Path) -> list[Mark]:
    """Give what an editor marks; a text that is no YAML map never gets as far as a schema."""
    tree = parse(path.read_bytes(), path.name, Diagnostics())
    if not isinstance(tree, Mapping):
        assert path.parent.name == "bad"
        return []
    return marks(SCHEMA, tree)


def test_it_is_a_schema() -> None:
    """By the rules of its own draft."""
    Draft202012Validator.check_schema(SCHEMA)


def test_it_marks_no_line_that_is_right(profile: Path) -> None:
    """Where an editor sees a mistake of shape, the validator tells one of shape."""
    wrong = {
        span.line
        for found in load_profile(profile.name, env={}).diagnostics
        if found.code.startswith(SHAPE)
        for span in (found.span, *(other.span for other in found.related))
    }
    assert {mark.line for mark in marked(profile)} <= wrong


def test_it_marks_every_line_with_a_mistake_that_a_schema_can_know(profile: Path) -> None:
    """Of two keys that exclude each other one is enough: a schema does not know which came first."""
    lines = {mark.line for mark in marked(profile)}
    tree = parse(profile.read_bytes(), profile.name, Diagnostics())
    if not isinstance(tree, Mapping):
        return
    for found in load_profile(profile.name, env={}).diagnostics:
        if not found.code.startswith(SHAPE) or found.span.file != profile.name or found.code in BEYOND:
            continue
        spans = [found.span]
        if found.code == "MC206":
            spans += [other.span for other in found.related]
        assert lines & {span.line for span in spans}, found.message


def test_a_block_of_two_shapes_is_marked_at_the_key() -> None:
    """An editor shows the wrong key, not the whole block."""
    text = b"""
meshctl: 1
listeners: {web: {bind: ":80"}}
routes: [{name: a, to: app}]
upstreams:
  app:
    endpoints: ["h:1"]
    breaker:
      window: 1s
      open_for: "30"
"""
    tree = parse(text, "profile.yaml", Diagnostics())
    assert isinstance(tree, Mapping)
    (mark,) = marks(SCHEMA, tree)
    assert mark.line == 10
    assert "30s" in mark.message
