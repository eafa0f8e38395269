"""The JSON Schema and the reader say the same about the shape of a profile."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from appliance.config.diagnostic import Diagnostics
from appliance.config.json_schema import json_schema
from appliance.config.load import load_profile
from appliance.config.nodes import Listing, Mapping, Node
from appliance.config.source import parse

CORPUS = Path(__file__).parent / "corpus"
SHIPPED = Path(__file__).parents[2] / "profiles"
FILES = sorted([*CORPUS.glob("*/*.yaml"), *SHIPPED.glob("*.yaml")])

VALIDATOR = Draft202012Validator(json_schema())

# What a schema can know. The rest is left to the reader: whether an expression compiles (MC311,
# MC312), what an address, status range, header name, path, network or text means beyond its
# letters, names across entries (MC112, MC204), references, sense, machine and safety.
KNOWN = {"MC201", "MC202", "MC203", "MC205", "MC206", "MC207", "MC208", "MC301", "MC303", "MC304"}
KNOWN |= {"MC305", "MC309", "MC310", "MC317"}
SOMETIMES = {"MC302", "MC306", "MC307", "MC308", "MC313", "MC314", "MC315", "MC316", "MC318", "MC319"}


def plain(node: Node) -> Any:
    """Give a tree as an editor sees it: by the core schema of YAML 1.2 (section 10.3.2)."""
    if isinstance(node, Mapping):
        return {key.value: plain(value) for key, value in node.entries}
    if isinstance(node, Listing):
        return [plain(item) for item in node.items]
    if not node.plain:
        return node.value
    if re.fullmatch(r"|~|null|Null|NULL", node.value):
        return None
    if re.fullmatch(r"true|True|TRUE|false|False|FALSE", node.value):
        return node.value.lower() == "true"
    if re.fullmatch(r"[-+]?[0-9]+", node.value):
        return int(node.value)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", node.value):
        return float(node.value)
    return node.value


def test_it_is_a_schema() -> None:
    """By the rules of its own draft."""
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_both_agree_on_every_profile_of_the_corpus(path: Path) -> None:
    """What the reader refuses for its shape the schema refuses, and nothing else."""
    tree = parse(path.read_bytes(), path.name, Diagnostics())
    if not isinstance(tree, Mapping):
        assert path.parent.name == "bad"  # no editor gets to a schema here
        return
    codes = {found.code for found in load_profile(str(path), env={}).diagnostics if found.severity == "error"}
    errors = [error.message for error in VALIDATOR.iter_errors(plain(tree))]
    if codes & KNOWN:
        assert errors
    elif not codes & SOMETIMES:
        assert not errors


def test_a_block_of_two_shapes_is_marked_at_the_key() -> None:
    """An editor shows the wrong key, not the whole block."""
    profile = {
        "meshctl": 1,
        "listeners": {"web": {"bind": ":80"}},
        "routes": [{"name": "a", "to": "app"}],
        "upstreams": {"app": {"endpoints": ["h:1"], "breaker": {"open_for": "30", "window": "1s"}}},
    }
    (error,) = VALIDATOR.iter_errors(profile)
    assert list(error.absolute_path) == ["upstreams", "app", "breaker", "open_for"]
