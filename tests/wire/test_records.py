"""The words of filters."""

from __future__ import annotations

from appliance.wire.records import RECORD, THING, bare


def test_kinds_are_consistent() -> None:
    """A field is compared in one way, whatever word asks for it."""
    for table in (RECORD, THING):
        kinds: dict[str, str] = {}
        for field, kind in table.values():
            assert kinds.setdefault(field, kind) == kind


def test_bare_words_are_looked_for_in_all_text() -> None:
    """Lists of notes, too; numbers are no text."""
    text = bare(RECORD, {"path": "/a", "note": ["retried", 3], "st": 503, "client": "192.0.2.1"})
    assert set(text.split("\n")) == {"/a", "retried", "192.0.2.1"}
