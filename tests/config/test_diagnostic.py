"""What people and machines are shown."""

from __future__ import annotations

from appliance.config.diagnostic import (
    MAX_KEPT,
    Diagnostic,
    Diagnostics,
    Edit,
    Related,
    Span,
    printable,
    summary,
)

SPAN = Span("edge.yaml", 2, 3, 2, 7)


def one(text: str = "a: 1\n  oops: 2\n", span: Span = SPAN, **more: object) -> Diagnostics:
    found = Diagnostics()
    found.add_source(span.file, text)
    found.error("MC203", "unknown key `oops`", span, **more)
    return found


def test_the_human_form_has_place_excerpt_caret_and_help() -> None:
    """Each part stands on a line of its own."""
    assert one(label="not a key", help="remove it").render() == (
        "error[MC203]: unknown key `oops`\n"
        "  --> edge.yaml:2:3\n"
        "    |\n"
        "  2 |   oops: 2\n"
        "    |   ^^^^ not a key\n"
        "    = help: remove it\n"
        "\n"
    )


def test_related_places_are_underlined_with_dashes() -> None:
    """The other place comes after the first."""
    text = one(related=(Related("this one", Span("edge.yaml", 1, 1, 1, 2)),)).render()
    assert "   ::: edge.yaml:1:1\n  1 | a: 1\n    | - this one\n" in text


def test_colour_adds_only_escapes() -> None:
    """Without its escapes the coloured form is the plain one."""
    import re

    found = one(label="here", help="remove it")
    assert re.sub(r"\x1b\[[\d;]*m", "", found.render(colour=True)) == found.render()
    assert "\x1b[1;31merror" in found.render(colour=True)


def test_nothing_shown_can_steer_a_terminal() -> None:
    """Control characters become escapes, in messages and excerpts alike."""
    found = one("a\n  \x1b[2J\u202ex\n")
    found.warning("MC310", "`\x1b[2J`", SPAN)
    assert "\x1b" not in found.render()
    assert "\u202e" not in found.render()
    assert printable("\x1b") == "\\x1b"


def test_wide_characters_keep_the_caret_in_place() -> None:
    """A caret stands below what it points at, counted in columns of a terminal."""
    lines = one("a\n路: oops\n", Span("edge.yaml", 2, 4, 2, 8)).render().split("\n")
    assert lines[4] == "    |     ^^^^"


def test_long_lines_are_cut_around_the_mistake() -> None:
    """An excerpt stays on one line of a screen."""
    text = "x" * 5000 + "oops" + "y" * 5000
    lines = one(text, Span("edge.yaml", 1, 5001, 1, 5005)).render().split("\n")
    assert len(lines[3]) < 200
    assert lines[3][lines[4].index("^") :].startswith("oops")


def test_places_outside_the_text_have_no_excerpt() -> None:
    """A span behind the end, or in a file that was never read, is only named."""
    assert one(span=Span("edge.yaml", 99, 1, 99, 2)).render().count("\n") == 3


def test_order_is_that_of_the_files_and_equal_ones_are_told_once() -> None:
    """Files in the order of reading, then lines."""
    found = Diagnostics()
    found.add_source("z.yaml", "a\nb\n")
    found.add_source("a.yaml", "a\n")
    for span in (Span("a.yaml", 1, 1), Span("z.yaml", 2, 1), Span("z.yaml", 1, 1), Span("z.yaml", 1, 1)):
        found.warning("MC310", "same", span)
    assert [(d.span.file, d.span.line) for d in found] == [("z.yaml", 1), ("z.yaml", 2), ("a.yaml", 1)]
    assert (found.errors, found.warnings, len(found)) == (0, 3, 3)


def test_a_flood_is_cut_short() -> None:
    """After fifty, the rest is counted."""
    found = Diagnostics()
    for line in range(150):
        found.error("MC310", "no", Span("a.yaml", line + 1, 1))
    assert found.render().endswith("... and 100 more\n\n")


def test_the_json_form() -> None:
    """The document names code, place, path, help and edits."""
    document = one(help="remove it", path="oops", fix=(Edit(SPAN, "a"),)).as_json("edge.yaml")
    place = {"start": {"line": 2, "col": 3}, "end": {"line": 2, "col": 7}}
    assert document == {
        "schema": "meshctl.validate/1",
        "ok": False,
        "profile": "edge.yaml",
        "summary": {"errors": 1, "warnings": 0},
        "diagnostics": [
            {
                "code": "MC203",
                "severity": "error",
                "message": "unknown key `oops`",
                "file": "edge.yaml",
                "range": place,
                "path": "oops",
                "help": "remove it",
                "fix": [{"range": place, "text": "a"}],
                "related": [],
            }
        ],
    }


def test_summaries_count_in_words() -> None:
    """One is not plural."""
    assert [summary(2, 1), summary(0, 2), summary(1, 0), summary(0, 0)] == [
        "2 errors, 1 warning",
        "2 warnings",
        "1 error",
        "no errors",
    ]


def test_a_code_knows_its_title() -> None:
    """Titles come from the one table."""
    assert Diagnostic("MC203", "error", "x", SPAN).title == "An unknown key"


def test_a_greater_flood_is_only_counted() -> None:
    """A file of a megabyte can have a quarter of a million problems: they must not fill the memory."""
    found = Diagnostics()
    for line in range(MAX_KEPT + 10):
        found.error("MC310", "no", Span("a.yaml", line + 1, 1))
    found.error("MC310", "no", Span("a.yaml", 1, 1))
    assert (found.errors, len(found), len(list(found))) == (MAX_KEPT + 10, MAX_KEPT + 10, MAX_KEPT)


def test_others_are_taken_over_with_their_counts() -> None:
    """Also of those that were only counted."""
    others, found = Diagnostics(), Diagnostics()
    for line in range(MAX_KEPT + 10):
        others.error("MC112", "again", Span("a", line + 1))
    others.warning("MC103", "mark", Span("a"))
    found.warning("MC104", "ends", Span("a"))
    found.take(others)
    assert (found.errors, found.warnings) == (MAX_KEPT + 10, 2)
    assert found.full
