"""The tree of what was written."""

from __future__ import annotations

import pytest

from appliance.config.diagnostic import Span
from appliance.config.nodes import Listing, Mapping, Scalar, shape

SPAN = Span("a.yaml")


@pytest.mark.parametrize("word", ["", "~", "null", "Null", "NULL"])
def test_yaml_has_five_words_for_nothing(word: str) -> None:
    """Quoted, each is the text that it is."""
    assert Scalar(SPAN, word, word).empty
    assert not Scalar(SPAN, word, word, plain=False).empty


def test_shapes_have_names() -> None:
    """For messages."""
    nodes = (Scalar(SPAN, "a", "a"), Scalar(SPAN, "", ""), Mapping(SPAN), Listing(SPAN))
    assert [shape(node) for node in nodes] == ["a single value", "nothing", "a map", "a list"]


def test_a_map_gives_what_stands_under_a_key() -> None:
    """Or None."""
    value = Scalar(SPAN, "1", "1")
    node = Mapping(SPAN, [(Scalar(SPAN, "a", "a"), value)])
    assert node.get("a") is value
    assert node.get("b") is None
