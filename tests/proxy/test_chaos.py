"""Any mix of failing servers, impatient clients, limits and retries: afterwards nothing is in flight.

The scenarios are drawn by hypothesis and played on virtual time. Whatever comes of them: each request has an
end, no attempt is left, no place in a queue or at a half-open breaker is lost, servers are asked again
once they are well, and retries stay within their budget.
"""

from __future__ import annotations

from typing import Any

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from appliance.config.load import load
from tests.kit.scenario import _BASE, MARKS, play

BEHAVIOURS = st.sampled_from(
    ["200", "503", "500", "429", "404", "refuse", "reset", "hang", "200/503", "200 after 0.4", "503 after 1"]
    + ["200 for 1.5", "503 for 1", "reset/200", "200 after 3"]
)
ADDRESSES = ("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")
CALM = 15.0  # seconds after which all servers are well


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a profile, what the servers do in its first half, and who asks."""
    addresses = ADDRESSES[: draw(st.integers(1, 3))]
    balance = draw(st.sampled_from(["round_robin", "least_conn", "random", "weighted", "ewma"]))
    scope = draw(st.sampled_from(["endpoint", "upstream"]))
    limits = draw(st.sampled_from(["{}", "{max_requests: 2, max_pending: 2, pending_timeout: 500ms}"]))
    lines = [
        f"    endpoints: [{', '.join(addresses)}]",
        f"    balance: {balance}",
        f"    limits: {limits}",
        "    timeouts: {per_try: 1s, connect: 500ms}",
        f"    slow_start: {draw(st.sampled_from(['0s', '2s']))}",
        f"    breaker: {{scope: {scope}, open_for: 2s, failure_threshold: {draw(st.integers(1, 4))}, "
        f"success_threshold: {draw(st.integers(1, 2))}, "
        f"when_all_open: {draw(st.sampled_from(['fail', 'pass']))}}}",
        f"    retry: {{max_retries: {draw(st.integers(0, 3))}, budget: {{ratio: 20%, floor: 1/s}}}}",
    ]
    servers = {
        address: {0: draw(BEHAVIOURS), 3: draw(BEHAVIOURS), 6: draw(BEHAVIOURS), CALM: "200"}
        for address in addresses
    }
    rows: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 5))):
        row: dict[str, Any] = {"at": draw(st.integers(0, 80)) / 10, "count": draw(st.integers(1, 6))}
        if draw(st.booleans()):
            row["method"], row["body"] = draw(st.sampled_from(["POST", "PUT"])), "hello"
        if draw(st.booleans()):
            row["leaves"] = draw(st.integers(0, 25)) / 10
        rows.append(row)
    rows.append({"from": CALM + 20, "to": CALM + 30, "every": 1})
    return {"profile": "upstreams:\n  app:\n" + "\n".join(lines) + "\n", "servers": servers, "requests": rows}


@given(scenario=scenarios())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_after_any_mix_nothing_is_left(scenario: dict[str, Any]) -> None:
    """The last row asks long after all servers are well: it must be served without exception."""
    text = _BASE + "routes: [{name: all, to: app}]\n" + scenario["profile"]
    plan, diagnostics = load("chaos.yaml", text=text.encode(), env={})
    assert plan is not None, diagnostics.render()
    outcome = trio.run(play, scenario, plan, clock=MockClock(autojump_threshold=0))
    assert outcome.answers[-1] == "." * 11, outcome
    assert MARKS["lost"] not in "".join(outcome.answers)
    retries = sum(note.count(", again after") for note in outcome.notes)
    first = sum(row.get("count", 1) for row in scenario["requests"])
    assert retries <= 10 + 0.2 * first + 10 * (len(scenario["requests"]) > 0)
