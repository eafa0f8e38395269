"""Text for a grid of cells: harmless, and exactly as wide as it is said to be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.tui.text import LONGEST, cut, cut_path, fit, safe, width

ANY = st.one_of(
    st.text(max_size=60), st.text("\x1b\x9b\u202e\u200f\u0301\ufeff\xa0\u2003漢字😀é[]", max_size=30)
)


@given(ANY)
def test_nothing_harmful_is_left(text: str) -> None:
    """Each sign takes one cell or two and can be printed; what was harmless stays."""
    shown = safe(text)
    assert shown.isprintable()
    assert width(shown) >= len(shown)
    if text.isascii() and text.isprintable():
        assert shown == text


@given(ANY, st.integers(0, 40))
def test_cutting_fits(text: str, cells: int) -> None:
    """Never wider than asked; unchanged where there is room."""
    shown = safe(text)
    assert width(cut(shown, cells)) <= cells
    assert width(cut_path(shown, cells)) <= cells
    assert width(fit(shown, cells)) == width(fit(shown, cells, "right")) == cells
    if width(shown) <= cells:
        assert cut(shown, cells) == cut_path(shown, cells) == shown


def test_a_long_path_keeps_both_ends() -> None:
    """The end tells which, the beginning tells what."""
    assert cut_path("/api/v2/customers/17/orders/99", 16) == "/api/v…orders/99"
    assert cut("漢字漢字", 5) == "漢字…"


def test_long_texts_are_cut_before_they_are_looked_at() -> None:
    """Ten kilobytes cost as little as two."""
    assert len(safe("x" * 10_000)) == LONGEST
    assert safe(17) == "17"
    assert safe(None) == "None"
