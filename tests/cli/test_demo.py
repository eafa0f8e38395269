"""The parts of the demo that can be wrong without anybody starting it; tests/live starts it."""

from __future__ import annotations

from itertools import islice

from appliance.cli.demo import Tally, line, scenes, summary
from appliance.cli.demo_origin import Mood, Origin


def record(port: int, ms: float, status: int = 200) -> dict[str, object]:
    return {"endpoint": f"127.0.0.1:{port}", "ms": ms, "status": status}


def test_a_line_shows_rate_delay_and_failures() -> None:
    """The median of the second's delays, and how many of the answers were 5xx."""
    tally = Tally()
    for ms, status in ((1.0, 200), (5.0, 503), (3.0, 200)):
        tally.record(record(1, ms, status))
    tally.answer("2xx")
    text = line([Origin("alpha", 1), Origin("bravo", 2)], tally)
    assert "alpha   3/s    3.0ms 1 failed" in text
    assert "bravo   0/s" in text
    assert text.endswith("clients saw  2xx 1")


def test_a_new_second_keeps_the_totals() -> None:
    """Lines are of one second, the summary of all."""
    tally = Tally()
    tally.answer("2xx")
    tally.record(record(1, 1.0))
    tally.reset()
    assert not tally.answers
    assert tally.total["2xx"] == 1
    assert tally.endpoints["127.0.0.1:1"] == 1


def test_records_without_an_endpoint_count_nowhere() -> None:
    """The proxy answers some requests by itself."""
    tally = Tally()
    tally.record({"status": 200, "ms": 0.1})
    assert not tally.endpoints


def test_the_story_repeats_and_recovers() -> None:
    """Every mood comes, and after the last trouble all is well again."""
    moods = [scene.mood for scene in islice(scenes(), 14)]
    assert set(moods) == set(Mood)
    assert moods[:7] == moods[7:]
    assert moods[6] is Mood.WELL
    assert all(len(text) < 79 for scene in islice(scenes(), 7) for text in (scene.text, scene.hint))


def test_the_summary_decides_the_exit_code() -> None:
    """0 when the proxy ended well and somebody was served."""
    tally = Tally()
    assert summary(tally, [], 1.0, 0) == 1
    tally.answer("2xx")
    assert summary(tally, [], 1.0, 0) == 0
    assert summary(tally, [], 1.0, 7) == 1
