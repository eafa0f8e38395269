"""The spelling of paths, held against the letter of RFC 3986 and against the ways round a rule."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.routing.path import BadPath, normalise, prefix_key, split_target, written

SPELLINGS = [
    "/",
    "/",
    ".",
    "..",
    "%2e",
    "%2E",
    "a",
    "b",
    "~",
    "%7e",
    "%61",
    "%41",
    "%c3%A9",
    "%20",
    ";",
    "...",
]

paths = st.lists(st.sampled_from(SPELLINGS), max_size=12).map(lambda parts: ("/" + "".join(parts)).encode())
any_paths = st.binary(max_size=20).map(lambda tail: b"/" + tail) | st.text(
    alphabet="/.%2eEfF5cC0a\\", max_size=16
).map(lambda tail: b"/" + tail.encode())


def by_the_letter(path: bytes) -> bytes:
    """Normalise as RFC 3986 words it: section 6.2.2, then the five steps of section 5.2.4."""
    text = path.decode("ascii")
    text = re.sub("%([0-9A-Fa-f]{2})", lambda found: unescaped(found[0]), text)
    source, output = text, ""
    while source:
        if source.startswith("/./"):
            source = source[2:]
        elif source == "/.":
            source = "/"
        elif source.startswith("/../"):
            source, output = source[3:], output[: max(output.rfind("/"), 0)]
        elif source == "/..":
            source, output = "/", output[: max(output.rfind("/"), 0)]
        else:
            end = source.find("/", 1)
            end = len(source) if end < 0 else end
            source, output = source[end:], output + source[:end]
    return output.encode()


def unescaped(escape: str) -> str:
    """Decode an escape of an unreserved character; give another in upper case."""
    char = chr(int(escape[1:], 16))
    return char if char.isascii() and (char.isalnum() or char in "-._~") else escape.upper()


@settings(max_examples=500, deadline=None)
@given(paths)
@example(b"//..")
@example(b"/a/..//b")
@example(b"/%2e%2E/..")
def test_a_path_is_spelt_as_the_rfc_words_it(path: bytes) -> None:
    """The quick way and the letter of RFC 3986 agree on every path that is not refused."""
    assert normalise(path) == by_the_letter(path)


@settings(max_examples=500, deadline=None)
@given(any_paths)
@example(b"/%252e%252e/")
@example(b"/%25%32%65")
@example(b"/.%2e/.%2e/etc/passwd")
def test_normalising_twice_is_normalising_once(path: bytes) -> None:
    """What comes out is absolute, without dot segments, in safe bytes, and stays as it is next time."""
    try:
        once = normalise(path)
    except BadPath:
        return
    assert normalise(once) == once
    assert once.startswith(b"/")
    assert not {b".", b".."} & set(once.split(b"/"))
    assert re.fullmatch(rb"(?:[!-~](?<![\\#?%])|%[0-9A-F]{2})+", once)
    assert not re.search(rb"%(?:00|2F|5C)", once)


@pytest.mark.parametrize(
    ("written_so", "read_as"),
    [
        (b"/%61dmin", b"/admin"),
        (b"/x/../admin", b"/admin"),
        (b"/x/%2E%2e/admin", b"/admin"),
        (b"/x/.%2e/admin", b"/admin"),
        (b"/./admin", b"/admin"),
        (b"/../../admin", b"/admin"),
        (b"/admin/.", b"/admin/"),
        (b"/admin/x/..", b"/admin/"),
        (b"/..", b"/"),
        (b"/a//b", b"/a//b"),
        (b"//..", b"/"),
        (b"/..//evil.example", b"//evil.example"),
        (b"/%c3%a9", b"/%C3%A9"),
        (b"/%252e%252e/x", b"/%252e%252e/x"),
        (b"/%0d%0a", b"/%0D%0A"),
        (b"/..;/x", b"/..;/x"),
    ],
)
def test_known_ways_round_a_rule_lead_to_one_path(written_so: bytes, read_as: bytes) -> None:
    """Escapes are read once, dots are resolved also when escaped, empty segments stay."""
    assert normalise(written_so) == read_as


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"//",
        b"*",
        b"/.well-known/x",
        b"/a.b/..c/d./e..",
        b"/...",
        b"/a/b.min.js",
        b"/a:b@c;d=1,2!$&'()*+~",
    ],
)
def test_an_ordinary_path_is_returned_itself(path: bytes) -> None:
    """Where nothing needs doing, nothing is copied, dots inside names included."""
    assert normalise(path) is path


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (b"/a%00", "NUL"),
        (b"/a%2fb", "escaped slash"),
        (b"/a%2Fb", "escaped slash"),
        (b"/..%5cx", "escaped backslash"),
        (b"/..%5C", "escaped backslash"),
        (b"/..\\x", "a backslash"),
        (b"/%", "two hexadecimal digits"),
        (b"/%4", "two hexadecimal digits"),
        (b"/%g1", "two hexadecimal digits"),
        (b"/%%61", "two hexadecimal digits"),
        (b"/%+1", "two hexadecimal digits"),
        (b"/%u0061", "two hexadecimal digits"),
        (b"/a\x00", "control character"),
        (b"/a\r\nX: y", "control character"),
        (b"/a\n", "control character"),
        (b"/\x7f", "control character"),
        (b"/\xc3\xa9", "outside ASCII"),
        (b"/a b", "a space"),
        (b"/a#b", "a #"),
        (b"/a?b", "a ?"),
    ],
)
def test_what_servers_read_differently_is_refused(path: bytes, says: str) -> None:
    """The refusal is one plain sentence that says what is wrong."""
    with pytest.raises(BadPath) as caught:
        normalise(path)
    sentence = str(caught.value)
    assert says in sentence
    assert re.fullmatch(r"[A-Z][ -~]+\.", sentence)


@given(st.integers(0, 255))
def test_every_escape_is_decoded_kept_or_refused(octet: int) -> None:
    """Upper and lower case digits mean the same, and only unreserved characters are decoded."""
    upper, lower = b"/%%%02X" % octet, b"/%%%02x" % octet
    if octet in b"\x00/\\":
        for path in (upper, lower):
            with pytest.raises(BadPath):
                normalise(path)
    else:
        assert normalise(upper) == normalise(lower)
        assert normalise(upper) in ((b"/",) if octet == 0x2E else (b"/" + bytes([octet]), upper))


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        (b"/a", (b"/a", b"")),
        (b"/a?", (b"/a", b"")),
        (b"/a?b=1", (b"/a", b"b=1")),
        (b"/a?b?c", (b"/a", b"b?c")),
        (b"/?", (b"/", b"")),
        (b"*", (b"*", b"")),
    ],
)
def test_a_target_is_parted_at_its_first_question_mark(target: bytes, parts: tuple[bytes, bytes]) -> None:
    """Later question marks belong to the query; none and an empty query are the same."""
    assert split_target(target) == parts


@pytest.mark.parametrize(
    ("text", "on_the_wire"),
    [
        ("/a", b"/a"),
        ("a", b"/a"),
        ("", b"/"),
        ("/café x", b"/caf%C3%A9%20x"),
        ("/%7e", b"/%7e"),
        ("/a?b#\\", b"/a%3Fb%23%5C"),
    ],
)
def test_a_path_of_a_profile_fits_a_request_line(text: str, on_the_wire: bytes) -> None:
    """It begins with a slash and what cannot stand in a path is percent-encoded."""
    assert written(text) == on_the_wire


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=12))
def test_no_text_of_a_profile_breaks_a_request_line(text: str) -> None:
    """Whatever the text, the bytes are visible ASCII."""
    assert re.fullmatch(rb"/[!-~]*", written(text))


@pytest.mark.parametrize(
    ("prefix", "key"),
    [("/pay", b"/pay"), ("/pay/", b"/pay"), ("/", b""), ("", b""), ("/p%61y", b"/pay"), ("/a//", b"/a/")],
)
def test_a_prefix_is_the_same_with_and_without_its_last_slash(prefix: str, key: bytes) -> None:
    """One slash at the end is dropped, after the prefix was put into the one spelling."""
    assert prefix_key(prefix) == key


def test_a_prefix_that_no_path_can_have_is_refused() -> None:
    """A rule that could match nothing is a mistake of the profile."""
    with pytest.raises(BadPath):
        prefix_key("/a%2Fb")
