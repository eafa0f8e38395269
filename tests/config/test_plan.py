"""The plan's own defaults are those that the schema tells operators."""

from __future__ import annotations

import dataclasses
from math import inf

import pytest

from appliance.config.plan import (
    AccessLogPlan,
    ListenerLimits,
    ListenerTimeouts,
    ProcessPlan,
    RouteTimeouts,
    UpstreamTimeouts,
)
from appliance.config.read_scalar import read_scalar
from appliance.config.schema import key_at
from appliance.config.schema_types import ByShape, Duration, ListOf, MapOf, Object


@pytest.mark.parametrize(
    ("plan", "path"),
    [
        (ListenerLimits(), ("listeners", "*", "limits")),
        (ListenerTimeouts(), ("listeners", "*", "timeouts")),
        (RouteTimeouts(), ("routes", "*", "timeouts")),
        (UpstreamTimeouts(), ("upstreams", "*", "timeouts")),
        (ProcessPlan(), ("process",)),
        (AccessLogPlan(), ("access_log",)),
    ],
)
def test_defaults_agree(plan: object, path: tuple[str, ...]) -> None:
    """What is not written means the same in the plan and in the schema."""
    assert dataclasses.is_dataclass(plan)
    for field in dataclasses.fields(plan):
        key = key_at((*path, field.name))
        if key is None or key.default is None:
            continue
        value = getattr(plan, field.name)
        if isinstance(key.default, list):
            assert value == tuple(key.default)
            continue
        assert not isinstance(key.type, (Object, MapOf, ListOf, ByShape))
        default = read_scalar(key.type, key.default)
        off = isinstance(key.type, Duration) and default == 0
        assert value == (inf if off else default)
