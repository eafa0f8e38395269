"""YAML text becomes nodes, or the reason why not, whatever the bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import source
from appliance.config.diagnostic import Diagnostics
from appliance.config.nodes import Listing, Mapping, Node, Scalar


def parse(text: str | bytes, loader: object = None) -> tuple[Node | None, list[str]]:
    found = Diagnostics()
    data = text.encode() if isinstance(text, str) else text
    return source.parse(data, "a.yaml", found, loader), [d.code for d in found]


def plain(node: Node | None) -> object:
    if isinstance(node, Mapping):
        return {key.value: plain(value) for key, value in node.entries}
    if isinstance(node, Listing):
        return [plain(item) for item in node.items]
    return node.value if node is not None else None


def test_scalars_stay_the_text_that_they_are() -> None:
    """No word becomes a boolean, no number is computed, no date is read."""
    node, codes = parse("{on: yes, a: 12:01:03, b: 0600, c: 1.10, d: 2020-01-01, e: ~}")
    assert codes == []
    assert plain(node) == {
        "on": "yes",
        "a": "12:01:03",
        "b": "0600",
        "c": "1.10",
        "d": "2020-01-01",
        "e": "~",
    }


def test_every_node_knows_its_place() -> None:
    """Lines and columns count from 1, the end is exclusive."""
    node, _ = parse('a:\n  - "b c"\n')
    assert isinstance(node, Mapping)
    key, value = node.entries[0]
    assert isinstance(value, Listing)
    item = value.items[0]
    assert isinstance(item, Scalar)
    assert (key.span.line, key.span.column, key.span.end_column) == (1, 1, 2)
    assert (item.span.line, item.span.column, item.span.end_column) == (2, 5, 10)
    assert (item.value, item.written, item.plain) == ("b c", "b c", False)


def test_what_was_written_keeps_its_escapes() -> None:
    """Messages show the file, not what it means."""
    node, _ = parse('"a\\tb"')
    assert isinstance(node, Scalar)
    assert (node.value, node.written) == ("a\tb", "a\\tb")


def test_aliases_stand_for_what_they_name() -> None:
    """They share the node."""
    node, codes = parse("a: &x [1]\nb: *x\n")
    assert codes == []
    assert plain(node) == {"a": ["1"], "b": ["1"]}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: 1\n".encode("utf-16"), "MC101"),
        ("a: 1\n".encode("utf-16-be"), "MC101"),
        (b"a: \xff\n", "MC101"),
        (b"a: \0\n", "MC102"),
        ("a: \u2028\n", "MC102"),
        ("a: 1\rb: 2\n", "MC102"),
        ("\ufeffa: 1\n", "MC103"),
        ("a: 1\r\n", "MC104"),
        ('a: "\\ud800"\n', "MC102"),
        ('a: "\\U00110000"\n', "MC106"),
        ('a: "\\UFFFFFFFF"\n', "MC106"),
        ("a: 1\na: 2\n", "MC112"),
        ("a: !!int 3\n", "MC113"),
        ("a: 1\n---\nb: 2\n", "MC114"),
        ("a: *b\n", "MC115"),
        ("&a [*a]", "MC115"),
        ("a: &a [" + "1," * 1000 + "]\nb: [" + "*a," * 60 + "]", "MC115"),
        ("[" * 33 + "]" * 33, "MC116"),
        ("[" * 500_000, "MC116"),
        ("{a: " * 40, "MC116"),
        ("a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 20 + "*a" + "]" * 20, "MC116"),
        ("#" * (source.MAX_BYTES + 1), "MC117"),
        ("", "MC118"),
        ("# only this\n", "MC118"),
        ("a: {<<: {b: 1}}\n", "MC119"),
        ("? [a]\n: b\n", "MC120"),
        ("? {a: b}\n: b\n", "MC120"),
    ],
)
@pytest.mark.parametrize("loader", source.PARSERS)
def test_each_thing_that_is_refused_has_its_code(text: str | bytes, code: str, loader: object) -> None:
    """Before the parser, at an event, or at an alias."""
    assert code in parse(text, loader)[1]


def test_thirty_two_levels_and_a_hundred_aliases_are_still_read() -> None:
    """The bounds themselves are inside."""
    assert parse("[" * 32 + "]" * 32)[1] == []
    assert parse("a: &a 1\nb: [" + "*a, " * 100 + "]")[1] == []
    assert parse("a: &a 1\nb: [" + "*a, " * 101 + "]")[1] == ["MC115"]


def test_laughter_is_cut_short() -> None:
    """An alias costs what it contains, so nine lines cannot become a billion nodes."""
    lines = ["a0: &a0 x"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    assert parse("\n".join(lines))[1] == ["MC115"]


@given(st.binary(max_size=300))
def test_any_bytes_give_a_tree_or_a_reason(data: bytes) -> None:
    """Nothing is raised."""
    for loader in source.PARSERS:
        node, codes = parse(data, loader)
        assert node is not None or codes


YAML = st.text(alphabet="ab:-[]{},*&!|>'\"%@`#? \n\t\\<~1.$", max_size=60)


@given(YAML)
def test_any_punctuation_gives_a_tree_or_a_reason(text: str) -> None:
    """And all parsers agree on which, and on the tree."""
    outcomes = []
    for loader in source.PARSERS:
        node, codes = parse(text, loader)
        assert node is not None or codes
        outcomes.append(plain(node))
    assert all(outcome == outcomes[0] for outcome in outcomes)


def test_replacements_are_quoted_where_yaml_needs_it() -> None:
    """A correction must not be the next mistake."""
    node, _ = parse("x")
    assert isinstance(node, Scalar)
    texts = [
        source.replacement(node, text)[0].text
        for text in ("64KiB", "127.0.0.1:80", "[::1]:80", ":80", "*.a", "a:")
    ]
    assert texts == ["64KiB", "127.0.0.1:80", '"[::1]:80"', '":80"', '"*.a"', '"a:"']
