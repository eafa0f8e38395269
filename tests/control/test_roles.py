"""The matrix of authorisation: uid, group, token, Origin, Host, role."""

from __future__ import annotations

import hmac
from typing import Any

import pytest

from appliance.config.plan_policy import StatsPlan
from appliance.control import roles
from appliance.control.roles import Denied, Peer, judge_browser, judge_local, judge_token

PLAN = StatsPlan(origins=("https://ops.example",), hosts=("edge.example",))
LOCKED = StatsPlan(actions="false")


@pytest.mark.parametrize("plan", [PLAN, LOCKED])
@pytest.mark.parametrize(("uid", "fits"), [(0, True), (500, True), (501, True), (502, False), (None, False)])
def test_local_peers_are_known_by_their_uid(uid: int | None, fits: bool, plan: StatsPlan) -> None:
    """Root, who runs the proxy, and the group; whether they may act the profile says."""
    found = judge_local(Peer(uid), 500, {501}, plan)
    if not fits:
        assert isinstance(found, Denied)
        assert found.status == 403
    else:
        assert isinstance(found, Peer)
        assert found.role == ("operator" if plan is PLAN else "observer")


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ("Bearer " + "t" * 32, True),
        ("bearer  " + "t" * 32 + " ", True),
        ("Bearer " + "t" * 31, False),
        ("Bearer " + "t" * 33, False),
        ("Bearer", False),
        ("Basic " + "t" * 32, False),
        ("t" * 32, False),
        ("Bearer " + "\udcff" * 32, False),
        (None, False),
    ],
    ids=range(9),
)
def test_remote_peers_need_the_token(given: str | None, fits: bool) -> None:
    """All of it, as a bearer."""
    headers = {} if given is None else {"authorization": given}
    found = judge_token(Peer(), headers, b"t" * 32, PLAN)
    assert isinstance(found, Peer) == fits
    if not fits:
        assert isinstance(found, Denied)
        assert found.status == 401


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the function that is made for it, whatever came."""
    compared: list[Any] = []
    real = hmac.compare_digest

    def compare(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return real(first, second)

    monkeypatch.setattr(roles.hmac, "compare_digest", compare)
    for given in ("", "Bearer wrong", "Bearer " + "t" * 32):
        judge_token(Peer(), {"authorization": given}, b"t" * 32, PLAN)
    assert len(compared) == 3


@pytest.mark.parametrize(
    ("headers", "local", "status"),
    [
        ({}, True, None),
        ({"host": "anything"}, True, None),
        ({"host": "anything"}, False, 421),
        ({}, False, 421),
        ({"host": "localhost:9901"}, False, None),
        ({"host": "LOCALHOST"}, False, None),
        ({"host": "127.0.0.1:9901"}, False, None),
        ({"host": "[::1]:9901"}, False, None),
        ({"host": "[::1]"}, False, None),
        ({"host": "edge.example"}, False, None),
        ({"host": "edge.example:9901"}, False, None),
        ({"host": "rebound.example:9901"}, False, 421),
        ({"host": "localhost.evil.example"}, False, 421),
        ({"host": "localhost", "origin": "https://ops.example"}, False, None),
        ({"host": "localhost", "origin": "https://evil.example"}, False, 403),
        ({"host": "localhost", "origin": "null"}, False, 403),
        ({"host": "localhost", "origin": ""}, False, 403),
        ({"host": "localhost", "origin": "https://evil.example"}, True, 403),
    ],
    ids=range(18),
)
def test_browsers_are_kept_out(headers: dict[str, str], local: bool, status: int | None) -> None:
    """By their origin, and names that lead here by DNS by their Host."""
    found = judge_browser(headers, PLAN, local=local)
    assert (None if found is None else found.status) == status


def test_peers_have_a_label() -> None:
    """For the audit."""
    assert Peer(0, 0, 1, "root").label == "root (uid 0)"
    assert Peer(12345).label == "unknown (uid 12345)"
    assert Peer(address="192.0.2.1").label == "token holder at 192.0.2.1"
