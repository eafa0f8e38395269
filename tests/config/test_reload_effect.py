"""Every key has an answer to what a reload does about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appliance.config.reload_effect import EFFECTS, effect_of
from appliance.config.schema import PROFILE
from appliance.config.schema_types import ByShape, ListOf, MapOf, Object, Type


def _paths(kind: Type | None, steps: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Every path, and whether it is a block, which can only come and go: its inside is what changes."""
    if steps:
        yield steps, isinstance(kind, Object | MapOf)
    if isinstance(kind, ByShape):
        for each in (kind.listing, kind.mapping):
            yield from _paths(each, steps) if each is not None else ()
    elif isinstance(kind, ListOf):
        yield from _paths(kind.item, (*steps, "x") if isinstance(kind.item, Object | ByShape) else steps)
    elif isinstance(kind, MapOf):
        yield from _paths(kind.value, (*steps, "x"))
    elif isinstance(kind, Object):
        for name, key in kind.keys.items():
            yield from _paths(key.type, (*steps, name))


KEYS = sorted(
    {row for row in _paths(PROFILE, ()) if row[0][0] not in ("meshctl", "include", "vars", "defaults")}
)


@pytest.mark.parametrize(("path", "block"), KEYS)
def test_every_key_has_an_answer(path: tuple[str, ...], block: bool) -> None:
    """For whatever may happen to it."""
    for kind in ("added", "removed") if block else ("added", "removed", "changed"):
        assert effect_of(kind, path).sentence


def test_what_is_no_key_has_none() -> None:
    """So that a forgotten section cannot pass as harmless."""
    with pytest.raises(KeyError):
        effect_of("changed", ("vars", "x"))


@pytest.mark.parametrize(
    ("kind", "path", "words"),
    [
        ("added", "listeners.web", "starts listening"),
        ("removed", "listeners.web", "stops accepting"),
        ("changed", "listeners.web.bind", "old socket drains"),
        ("changed", "listeners.web.tls.certificates", "handshakes"),
        ("changed", "listeners.web.limits.max_headers", "connections accepted"),
        ("moved", "routes.a", "in flight keep the old rules"),
        ("changed", "routes.a.rate_limit.rate", "buckets keep"),
        ("added", "routes.a.rate_limit", "full buckets"),
        ("changed", "routes.a.breaker.open_for", "keep their state"),
        ("added", "routes.a.breaker", "breakers of its own"),
        ("removed", "upstreams.a.endpoints.x", "finishes those it has"),
        ("changed", "upstreams.a.endpoints.x.weight", "new weight"),
        ("changed", "upstreams.a.breaker.open_for", "keep their state"),
        ("changed", "upstreams.a.breaker", "begin closed"),
        ("changed", "access_log.to", "opened at the new place"),
        ("changed", "stats.rate", "dashboards"),
        ("changed", "stats.socket", "needs a restart"),
        ("changed", "process.workers", "needs a restart"),
        ("changed", "name", "needs a restart"),
    ],
)
def test_the_answers(kind: str, path: str, words: str) -> None:
    """Those that an operator asks about."""
    effect = effect_of(kind, tuple(path.split(".")))  # type: ignore[arg-type]
    assert words in effect.sentence
    assert (effect.when == "restart") == (words == "needs a restart")


def test_no_row_is_out_of_reach() -> None:
    """A row behind one that covers it would never be read."""
    for index, (pattern, kinds, _) in enumerate(EFFECTS):
        parts = pattern.split(".")
        for above, theirs, _ in EFFECTS[:index]:
            prefix = above.split(".")
            covers = len(prefix) <= len(parts) and all(
                p in ("*", q) for p, q in zip(prefix, parts, strict=False)
            )
            assert not (covers and set(kinds) <= set(theirs)), (pattern, above)
