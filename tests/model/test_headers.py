"""Header fields: looking up, reading lists, and the edits of a route."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.model.headers import HeaderEdits, Headers, get, get_all, tokens

names = st.sampled_from([b"a", b"b", b"c", b"d"])
sections = st.lists(st.tuples(names, st.binary(max_size=3)), max_size=8)
pairs = st.lists(st.tuples(names, st.binary(max_size=3)), max_size=3).map(tuple)
edits = st.builds(HeaderEdits, remove=st.lists(names, max_size=2).map(tuple), set=pairs, add=pairs)


def test_get_gives_the_first_line_of_a_name() -> None:
    """And None where there is none, which is not the same as an empty value."""
    headers = [(b"a", b""), (b"b", b"1"), (b"b", b"2")]
    assert get(headers, b"b") == b"1"
    assert get(headers, b"a") == b""
    assert get(headers, b"c") is None


def test_get_all_gives_every_line_in_order() -> None:
    """Lines of other names between them do not matter."""
    assert get_all([(b"b", b"2"), (b"a", b"x"), (b"b", b"1")], b"b") == [b"2", b"1"]
    assert get_all([], b"b") == []


@given(sections, names)
def test_get_is_the_head_of_get_all(headers: Headers, name: bytes) -> None:
    """The two look-ups agree."""
    assert get(headers, name) == next(iter(get_all(headers, name)), None)


def test_tokens_reads_lists_over_lines_and_commas() -> None:
    """Lower case, without the space around them, empty elements dropped (RFC 9110 section 5.6.1)."""
    assert tokens([b"Close, TE", b" ,\t,Upgrade\t"]) == [b"close", b"te", b"upgrade"]
    assert tokens([]) == tokens([b"", b" , "]) == []


def test_edits_remove_then_set_then_add() -> None:
    """Setting replaces every line of the name, adding leaves them."""
    headers = [(b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"c", b"1")]
    change = HeaderEdits(remove=(b"b",), set=((b"a", b"3"),), add=((b"c", b"2"), (b"b", b"4")))
    assert change.apply(headers) == [(b"c", b"1"), (b"a", b"3"), (b"c", b"2"), (b"b", b"4")]


@given(sections, edits)
def test_edits_leave_the_section_they_are_given_alone(headers: Headers, change: HeaderEdits) -> None:
    """A new list comes back: what the edits name is as they say, the rest as it was and where it was."""
    before = list(headers)
    after = change.apply(headers)
    assert headers == before
    assert after is not headers
    named = {*change.remove, *(name for name, _ in change.set), *(name for name, _ in change.add)}
    assert [pair for pair in after if pair[0] not in named] == [
        pair for pair in before if pair[0] not in named
    ]
    for name, _ in change.set:
        wanted = [value for key, value in (*change.set, *change.add) if key == name]
        assert get_all(after, name) == wanted


def test_edits_that_say_nothing_are_false() -> None:
    """So that a route without edits costs one test."""
    assert not HeaderEdits()
    assert HeaderEdits(remove=(b"a",))
    assert HeaderEdits(set=((b"a", b""),))
    assert HeaderEdits(add=((b"a", b""),))
