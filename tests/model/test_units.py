"""Quantities read as what they say, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model import units
from appliance.model.address import Address


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("0s", 0), ("250ms", 0.25), ("5s", 5), ("1m30s", 90), ("2h", 7200), ("1h1ms", 3600.001)],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    """A duration is a sum of whole hours, minutes, seconds and milliseconds."""
    assert units.duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("5", ("5s", "5ms")),
        ("0.5", ("500ms",)),
        ("1.5s", ("1500ms",)),
        ("2 min", ("2m",)),
        ("1d", ("24h",)),
        ("-1s", ()),
        ("s", ()),
        ("", ()),
        ("1s1m", ()),
        ("99999h", ()),
        ("٣s", ("3s",)),
    ],
)
def test_durations_that_are_refused_say_what_to_write(text: str, instead: tuple[str, ...]) -> None:
    """A bare number is ambiguous, and another spelling is shown the right one."""
    with pytest.raises(units.UnitError) as refused:
        units.duration(text)
    assert refused.value.instead == instead
    assert str(refused.value).startswith(f"`{text}` ")


@pytest.mark.parametrize(
    ("text", "octets"),
    [("0", 0), ("512B", 512), ("64KiB", 65536), ("10MiB", 10 << 20), ("10MB", 10**7), ("1GiB", 1 << 30)],
)
def test_sizes_are_bytes(text: str, octets: int) -> None:
    """KiB counts in 1024s, KB in 1000s."""
    assert units.size(text) == octets


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("64K", ("64KiB", "64KB")),
        ("64", ("64B", "64KiB")),
        ("64kib", ("64KiB",)),
        ("-1B", ()),
        ("1.5MiB", ()),
        ("9999999GiB", ()),
    ],
)
def test_sizes_that_are_refused_show_the_choices(text: str, instead: tuple[str, ...]) -> None:
    """64K may be meant in two ways, so both are shown."""
    with pytest.raises(units.UnitError) as refused:
        units.size(text)
    assert refused.value.instead == instead


def test_rates_are_per_second() -> None:
    """A rate is a whole number per second, minute or hour."""
    assert [units.rate(text) for text in ("100/s", "600/m", "3600/h", "0/s")] == [100, 10, 1, 0]


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("100", ("100/s", "100/m")),
        ("100rps", ("100/s",)),
        ("100/min", ("100/m",)),
        ("60 rpm", ("60/m",)),
        ("x", ()),
    ],
)
def test_rates_without_a_period_are_refused(text: str, instead: tuple[str, ...]) -> None:
    """A number alone is not a rate."""
    with pytest.raises(units.UnitError) as refused:
        units.rate(text)
    assert refused.value.instead == instead


def test_shares_are_written_as_percentages() -> None:
    """A share is 0% to 100%."""
    assert [units.share(text) for text in ("0%", "0.1%", "50%", "100%")] == [0, 0.001, 0.5, 1]


@pytest.mark.parametrize(
    ("text", "instead"), [("0.5", ("50%", "0.5%")), ("50", ("50%",)), ("101%", ()), ("500", ()), ("half", ())]
)
def test_fractions_are_refused(text: str, instead: tuple[str, ...]) -> None:
    """0.5 may mean a half or a two-hundredth."""
    with pytest.raises(units.UnitError) as refused:
        units.share(text)
    assert refused.value.instead == instead


def test_statuses_are_single_ones_classes_and_ranges() -> None:
    """Ranges include both ends."""
    assert units.status("503") == 503
    assert units.statuses("503") == {503}
    assert units.statuses("5xx") == set(range(500, 600))
    assert units.statuses("500-504") == {500, 501, 502, 503, 504}


@pytest.mark.parametrize("text", ["99", "600", "5XX", "504-500", "50x", "200-", ""])
def test_statuses_out_of_range_are_refused(text: str) -> None:
    """Statuses have three digits, from 100 to 599."""
    with pytest.raises(units.UnitError):
        units.statuses(text)
    with pytest.raises(units.UnitError):
        units.status(text)


def test_names_are_lower_case() -> None:
    """A name that is refused comes with a name that is not."""
    assert units.name("edge-01") == "edge-01"
    for text, instead in (("Edge 01", ("edge-01",)), ("-", ()), ("a_b", ("a-b",)), ("x" * 64, ("x" * 63,))):
        with pytest.raises(units.UnitError) as refused:
            units.name(text)
        assert refused.value.instead == instead


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9001", Address("tcp", host="127.0.0.1", port=9001)),
        ("App.Internal:80", Address("tcp", host="app.internal", port=80)),
        ("[::1]:8080", Address("tcp", host="::1", port=8080)),
        ("unix:/run/x.sock", Address("unix", path="/run/x.sock")),
        ("dns:pay.internal:8080", Address("dns", host="pay.internal", port=8080)),
    ],
)
def test_endpoint_addresses(text: str, address: Address) -> None:
    """Endpoints have a host and a port, or a path."""
    assert units.address(text, ("tcp", "unix", "dns")) == address


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("http://127.0.0.1:9001/x", ("127.0.0.1:9001",)),
        ("127.0.0.1", ()),
        ("9001", ("127.0.0.1:9001",)),
        (":9001", ("127.0.0.1:9001",)),
        ("::1:80", ("[::1]:80",)),
        ("a:0", ()),
        ("a:65536", ()),
        ("a:80/x", ("a:80",)),
        ("300.1.1.1:80", ()),
        ("[zz]:80", ()),
        ("a b:80", ()),
        ("fd:web", ()),
        ("unix:", ()),
        ("unix:/" + "x" * 107, ()),
    ],
)
def test_addresses_that_nobody_could_dial_are_refused(text: str, instead: tuple[str, ...]) -> None:
    """What is wrong with an address is said, and what it should be where that is clear."""
    with pytest.raises(units.UnitError) as refused:
        units.address(text, ("tcp", "unix", "dns"))
    assert refused.value.instead == instead


def test_listening_addresses_may_leave_out_the_host_and_let_the_system_choose_a_port() -> None:
    """Port 0 and an empty host mean something only to a listener."""
    assert units.address(":0", bind=True) == Address("tcp")
    assert units.address("fd:web", ("tcp", "fd"), bind=True) == Address("fd", path="web")
    with pytest.raises(units.UnitError) as refused:
        units.address("*:80", bind=True)
    assert refused.value.instead == (":80",)


@given(st.integers(0, int(units.MAX_DURATION) * 1000))
def test_durations_round_trip(ms: int) -> None:
    """What is formatted reads as the same."""
    assert units.duration(units.format_duration(ms / 1000)) == ms / 1000


@given(st.integers(0, units.MAX_SIZE))
def test_sizes_round_trip(octets: int) -> None:
    """What is formatted reads as the same."""
    assert units.size(units.format_size(octets)) == octets


@given(st.integers(0, 999_999), st.sampled_from("smh"))
def test_rates_round_trip(count: int, period: str) -> None:
    """What is formatted reads as the same."""
    rate = units.rate(f"{count}/{period}")
    assert units.rate(units.format_rate(rate)) == pytest.approx(rate)


@given(st.integers(0, 100_000))
def test_shares_round_trip(thousandths: int) -> None:
    """What is formatted reads as the same."""
    assert units.share(units.format_share(thousandths / 100_000)) == pytest.approx(thousandths / 100_000)


@given(st.sets(st.integers(100, 599)))
def test_statuses_round_trip(codes: set[int]) -> None:
    """A set is written as classes, ranges and single ones that give the set again."""
    parts = [part for part in units.format_statuses(codes).split(", ") if part]
    assert set().union(*(units.statuses(part) for part in parts)) == codes


def test_sets_of_statuses_are_written_short() -> None:
    """Whole classes are written as such."""
    assert units.format_statuses([*range(500, 600), 429, 100, 101]) == "100-101, 429, 5xx"
    assert units.format_statuses(range(200, 400)) == "2xx, 3xx"


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but UnitError comes out."""
    for read in (
        units.duration,
        units.size,
        units.rate,
        units.share,
        units.status,
        units.statuses,
        units.name,
    ):
        try:
            read(text)
        except units.UnitError:
            pass
    for bind in (True, False):
        try:
            units.address(text, ("tcp", "unix", "fd", "dns"), bind=bind)
        except units.UnitError:
            pass
