"""Types in words, and samples that read as their types."""

from __future__ import annotations

from typing import get_args

import pytest

from appliance.config import schema_types as t
from appliance.config.describe import as_yaml, brief, rule, sample
from appliance.config.diagnostic import Diagnostics
from appliance.config.explain import places
from appliance.config.read import Reader
from appliance.config.source import parse

LEAVES = [
    t.Boolean(),
    t.Integer(),
    t.Integer(1, 5, ("auto",)),
    t.Duration(),
    t.Duration(zero=False),
    t.Size(),
    t.Size(1024, 1 << 20),
    t.Rate(),
    t.Rate(zero=True),
    t.Share(),
    t.Status(),
    t.Status(400),
    t.Statuses(),
    t.Statuses(("connect",)),
    t.Choice(("true",)),
    t.Choice(("a", "b")),
    t.Selector(("route",), ("header",)),
    t.Version(),
    t.Name(),
    t.Name(variable=True),
    t.Text(),
    t.Text("a file"),
    t.Text("a group", empty=True),
    t.Target(),
    t.Regex(),
    t.Host(),
    t.Host(wildcard=True, port=True),
    t.UrlPath(),
    t.Method(),
    t.HeaderName(),
    t.HeaderName(edit=True),
    t.HeaderValue(),
    t.Network(),
    t.Url(),
    t.AddressOf(("tcp", "unix", "dns")),
    t.AddressOf(("tcp", "fd"), bind=True),
]


def test_the_list_above_has_every_type() -> None:
    """A type that is added to the schema gets its words and its sample here."""
    assert {type(kind) for kind in LEAVES} == set(get_args(t.Leaf))


@pytest.mark.parametrize("kind", LEAVES, ids=repr)
def test_every_type_has_words_and_a_sample_that_reads_as_it(kind: t.Leaf) -> None:
    """A short name, whole sentences, and a value that the reader takes when it is written down."""
    assert brief(kind)
    assert rule(kind)[0] in "`A" or rule(kind)[0].isupper()
    assert rule(kind).endswith(".")
    found = Diagnostics()
    node = parse(as_yaml({"key": sample(kind)}).encode(), "x.yaml", found)
    assert Reader(found).read(t.Object({"key": t.Key(kind, "")}), node) is not None  # type: ignore[arg-type]
    assert found.render() == ""


def test_sentences_say_range_words_and_shape() -> None:
    """What the reader would refuse is told beforehand."""
    assert rule(t.Integer(1, 256, ("auto",))) == "A whole number from 1 to 256, or `auto`."
    assert rule(t.Choice(("a", "b", "c"))) == "`a`, `b` or `c`."
    assert rule(t.Duration(zero=False)).endswith("more than 0.")
    assert rule(t.Size(1024, 1 << 20)).startswith("A size from 1KiB to 1MiB:")
    assert rule(t.Selector(("route",), ("header",))) == "`route` or `header:NAME`."
    both = t.ByShape(scalar=t.Choice(("false",)), listing=t.ListOf(t.Share(), low=1))
    assert rule(both).startswith("As a single value: `false`. As a list: a list of shares, at least one.")
    assert brief(both) == "`false` or list of shares"


def test_blocks_say_which_keys_exclude_each_other() -> None:
    """Both kinds of groups, in one sentence each."""
    keys = {name: t.Key(t.Boolean(), "") for name in "abc"}
    said = rule(t.Object(keys, exclusive=(("a", "b"),), one_of=(("b", "c"),)))
    assert said == (
        "A block of keys. Exactly one of `b` and `c` must stand. At most one of `a` and `b` may stand."
    )


def test_small_things_stand_on_one_line_and_what_needs_quotes_has_them() -> None:
    """As a person would write it."""
    assert as_yaml({"a": {"b": {"c": "1"}}}) == "a:\n  b: {c: 1}\n"
    assert as_yaml({"a": [{"n": "x", "m": {"k": ["1", "2"]}}]}) == "a:\n  - n: x\n    m:\n      k: [1, 2]\n"
    assert as_yaml({"a": ":80", "b": r"\d", "c": "*.x"}) == 'a: ":80"\nb: \'\\d\'\nc: "*.x"\n'


def test_no_place_is_without_words() -> None:
    """Lists, maps and blocks too."""
    for place in places():
        assert brief(place.type)
        assert rule(place.type).endswith(".")
