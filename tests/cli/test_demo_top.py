"""What the demo tells its dashboard."""

from __future__ import annotations

import os

import pytest

from appliance.cli.demo_top import Narrator, stats_socket


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("meshctl 1 demo listening: web http://x:1  stats: unix:/run/a.sock  (watch)", "/run/a.sock"),
        ("meshctl 1 demo listening: web http://x:1  stats: /run/a.sock  (watch)", "/run/a.sock"),
        ("meshctl 1 demo listening: web http://x:1", ""),
        ("meshctl 1 demo listening: web http://x:1  stats: 127.0.0.1:9  (watch)", ""),
    ],
)
def test_the_socket_stands_in_the_first_line(line: str, path: str) -> None:
    """Where there is none, the demo tells itself in lines."""
    assert stats_socket(line) == path


def test_the_story_is_told_whether_anybody_listens_or_not() -> None:
    """A line for each scene; a reader that is gone, or slow, stops nothing."""
    reader, writer = os.pipe()
    narrator = Narrator(writer)
    narrator.tell("bravo fails", "look")
    assert os.read(reader, 100) == b"bravo fails\tlook\n"
    for _ in range(1000):
        narrator.tell("x" * 100, "")
    os.close(reader)
    narrator.tell("nobody", "")
    narrator.close()
