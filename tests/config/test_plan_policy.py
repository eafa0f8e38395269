"""The plan's rules have the defaults that the schema tells operators, and a field for every key."""

from __future__ import annotations

import dataclasses

import pytest

from appliance.config.plan_policy import (
    Backoff,
    BreakerPlan,
    HealthPlan,
    MemoryPlan,
    Outcomes,
    RecorderPlan,
    RetryBudget,
    RetryPlan,
    StatsPlan,
    TapPlan,
    TracingPlan,
    UpstreamLimits,
    UpstreamTls,
)
from appliance.config.read_scalar import read_scalar
from appliance.config.schema import key_at
from appliance.config.schema_types import ByShape, Key, ListOf, MapOf, Object

BLOCKS = [
    (BreakerPlan(), ("upstreams", "*", "breaker")),
    (RetryPlan(), ("upstreams", "*", "retry")),
    (Backoff(), ("upstreams", "*", "retry", "backoff")),
    (RetryBudget(), ("upstreams", "*", "retry", "budget")),
    (UpstreamLimits(), ("upstreams", "*", "limits")),
    (HealthPlan(), ("upstreams", "*", "health")),
    (UpstreamTls(), ("upstreams", "*", "tls")),
    (MemoryPlan(), ("process", "memory")),
    (TracingPlan(), ("tracing",)),
    (StatsPlan(), ("stats",)),
    (TapPlan(), ("stats", "tap")),
    (RecorderPlan(), ("stats", "recorder")),
]


def keys_of(path: tuple[str, ...]) -> dict[str, Key]:
    found = key_at(path)
    assert found is not None
    kind = found.type.mapping if isinstance(found.type, ByShape) else found.type
    assert isinstance(kind, Object)
    return dict(kind.keys)


def as_read(key: Key) -> object:
    """Give the default of a key as the plan would hold it."""
    if not isinstance(key.type, ListOf):
        assert not isinstance(key.type, (MapOf, Object, ByShape))
        return read_scalar(key.type, key.default)
    item = key.type.item
    assert not isinstance(item, (MapOf, Object, ByShape, ListOf))
    items = [read_scalar(item, text) for text in key.default]
    if any(isinstance(each, frozenset) for each in items):
        statuses = frozenset().union(*(each for each in items if isinstance(each, frozenset)))
        return Outcomes(statuses, frozenset(each for each in items if isinstance(each, str)))
    return tuple(items)


@pytest.mark.parametrize(("plan", "path"), BLOCKS, ids=[".".join(path) for _, path in BLOCKS])
def test_defaults_agree(plan: object, path: tuple[str, ...]) -> None:
    """What is not written means the same in the plan and in the schema."""
    compared = 0
    for name, key in keys_of(path).items():
        if key.default is not None:
            assert getattr(plan, name) == as_read(key), name
            compared += 1
    assert compared or path[-1] in ("stats", "tls")


@pytest.mark.parametrize(("plan", "path"), BLOCKS, ids=[".".join(path) for _, path in BLOCKS])
def test_every_key_has_its_field(plan: object, path: tuple[str, ...]) -> None:
    """Filling by name must not drop a key without a word."""
    assert dataclasses.is_dataclass(plan)
    fields = {field.name for field in dataclasses.fields(plan)}
    assert set(keys_of(path)) - fields <= {"export"}
