"""Reports of trips."""

from __future__ import annotations

import pytest

from appliance.tui import report
from appliance.tui.rows import plain
from tests.kit.dashboards import breaker, edge, scene, trip

EDGE = edge()


def told(cells: int = 116, count: int = 100, **changes: object) -> str:
    found = report.lines(scene(2, EDGE), breaker("a", rej=31), {**trip(), **changes}, cells, count)
    return "\n".join(plain(line) for line in found)


def test_a_report_names_requests_endpoints_and_setting() -> None:
    """Each request with how far it went towards the limit."""
    text = told()
    assert text.count("✗ ") == 5
    assert "✗ 5/5 → OPENED for 30s" in text
    assert "10.0.8.11:8080 open act 64" in text
    assert "breaker.failure_threshold: 5   edge.yaml:92" in text
    assert "✗" not in told(rule="error_rate", limit=0.5)
    assert "breaker.error_rate: 50%" in told(rule="error_rate", limit=0.5)
    assert "a probe failed" in told(rule="probe")


def test_only_those_in_a_row_are_numbered() -> None:
    """Failures before them are evidence, too, but good answers came in between."""
    requests = trip()["requests"]
    text = told(requests=[*requests[:2], *requests])
    assert text.count("✗") == 7
    assert [f"✗ {number}/5" in text for number in (0, 1, 5, 6, 7)] == [False, True, True, False, False]


@pytest.mark.parametrize("count", [6, 7, 8, 9])
def test_what_matters_least_goes_first(count: int) -> None:
    """Requests and setting stay."""
    text = told(78, count)
    assert len(text.split("\n")) <= count
    assert text.count("✗ ") == 5
    assert "setting" in text


def test_without_a_report() -> None:
    """It is said what will stand there."""
    text = "\n".join(plain(line) for line in report.lines(scene(2, EDGE), breaker("a"), None, 80))
    assert "when it opens" in text
    assert "not opened so far" in report.title(scene(2, EDGE), "a", None)[0][0]
    assert "trip #3" in report.title(scene(2, EDGE), "a", trip())[1][0]
