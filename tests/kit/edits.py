"""Applying the edits of a diagnostic to a text, as an editor would."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.config.diagnostic import Edit


def applied(text: str, edits: Iterable[Edit]) -> str:
    """Give a text of ``\\n`` lines with all edits made, which must not overlap."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    end = len(text)
    for edit in sorted(edits, key=lambda edit: edit.span, reverse=True):
        span = edit.span
        start = starts[span.line - 1] + span.column - 1
        stop = starts[span.end_line - 1] + span.end_column - 1
        assert 0 <= start <= stop <= end
        text = text[:start] + edit.text + text[stop:]
        end = start
    return text
