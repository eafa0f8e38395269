"""One declaration of the format, complete and readable."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appliance.config.diagnostic import Diagnostics, Span
from appliance.config.nodes import Listing, Node, Scalar
from appliance.config.read import Reader
from appliance.config.schema import PROFILE, key_at
from appliance.config.schema_types import ByShape, Key, ListOf, MapOf, Object, Type


def keys(kind: Type | None, path: str = "") -> Iterator[tuple[str, Key]]:
    """Give every key below a type with its path."""
    if isinstance(kind, ByShape):
        for inner in (kind.scalar, kind.listing, kind.mapping):
            yield from keys(inner, path)
    elif isinstance(kind, ListOf):
        yield from keys(kind.item, path)
    elif isinstance(kind, MapOf):
        yield from keys(kind.value, f"{path}.*")
    elif isinstance(kind, Object):
        for name, key in kind.keys.items():
            yield f"{path}.{name}", key
            yield from keys(key.type, f"{path}.{name}")


ALL = list(keys(PROFILE))


def as_node(plain: object) -> Node:
    span = Span("schema")
    if isinstance(plain, list):
        return Listing(span, [as_node(item) for item in plain])
    return Scalar(span, str(plain), str(plain))


@pytest.mark.parametrize(("path", "key"), ALL, ids=[path for path, _ in ALL])
def test_every_key_says_what_it_does_and_has_a_default_that_reads(path: str, key: Key) -> None:
    """One sentence each; a default is written as an operator would."""
    assert key.doc.endswith(".")
    assert len(key.doc) < 110
    if key.default is not None:
        found = Diagnostics()
        assert Reader(found).read(key.type, as_node(key.default), path) is not None
        assert not key.required


def test_groups_name_keys_that_exist() -> None:
    """Keys that exclude each other stand in the same map."""
    for _, key in ALL:
        kind = key.type.mapping if isinstance(key.type, ByShape) else key.type
        if isinstance(kind, Object):
            for group in (*kind.exclusive, *kind.one_of):
                assert set(group) <= set(kind.keys)


def test_keys_are_found_by_path() -> None:
    """Names and indices are any step."""
    found = key_at(("upstreams", "*", "breaker", "open_for"))
    assert found is not None
    assert found.default == "30s"
    assert key_at(("routes", "*", "match", "path")) is not None
    assert key_at(("upstreams", "*", "nothing")) is None
    assert key_at(("name", "further")) is None


def test_whoever_is_not_built_is_marked() -> None:
    """What this version does not act on."""
    assert {path for path, key in ALL if not key.built} >= {".tracing", ".process.workers"}
