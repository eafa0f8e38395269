"""A plan brought to life."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from appliance.config.plan_policy import MemoryPlan
from appliance.proxy.layers.shed import Pressure
from appliance.proxy.snapshot import revive
from tests.kit.plans import listener, outside, plan, route, upstream


def test_reviving_opens_nothing() -> None:
    """Every upstream has its cluster; connections come with the first request."""
    profile = plan(route("a"), upstreams=(upstream("a"), upstream("b", "10.0.0.2:80", "10.0.0.3:80")))
    snapshot = revive(profile, outside(), set(), Pressure(MemoryPlan()))
    assert {name: len(cluster.endpoints) for name, cluster in snapshot.clusters.items()} == {"a": 1, "b": 2}
    assert snapshot.plan is profile


def test_a_snapshot_cannot_be_changed() -> None:
    """It is replaced as a whole."""
    snapshot = revive(plan(), outside(), set(), Pressure(MemoryPlan()))
    with pytest.raises(FrozenInstanceError):
        snapshot.plan = plan()


def test_a_listener_that_redirects_has_one_service() -> None:
    """Routes are not asked there."""
    snapshot = revive(plan(), outside(), set(), Pressure(MemoryPlan()))
    assert snapshot.service_of(listener(redirect_https=True)) is snapshot.to_https
    assert snapshot.service_of(listener()) is snapshot.service
