"""Every answer says when it was made; a date that an origin gave stays."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest

from appliance.http import date
from tests.kit.origin import Origin, raw, sized_bytes
from tests.kit.proxy import running


def test_the_line_is_that_of_its_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the form of RFC 9110 section 5.6.7, and anew for the next one."""
    monkeypatch.setattr(date.time, "time", lambda: 784111777.9)
    assert date.date_line() == b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    monkeypatch.setattr(date.time, "time", lambda: 784111778.0)
    assert date.date_line() == b"date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"date: x\r\n", True),
        (b"a: b\r\ndate: x\r\n", True),
        (b"x-date: x\r\n", False),
        (b"a: date: x\r\n", False),
        (b"", False),
    ],
)
def test_a_date_is_found_by_its_name(fields: bytes, expected: bool) -> None:
    """Not by what stands in another field."""
    assert date.dated(fields) == expected


async def test_answers_without_a_date_get_one(autojump_clock: object) -> None:
    """Those of an origin that has no clock, and our own."""
    origin = Origin(raw(sized_bytes(b"ok")), raw(sized_bytes(b"ok", headers=[(b"Date", b"yesterday")])))
    async with running(origin) as proxy:
        client = proxy.connect()
        first, second = await client.get(b"/"), await client.get(b"/")
        refused = await client.get(b"/%zz")
    for answer in (first, refused):
        (value,) = [value for name, value in answer.headers if name == b"date"]
        parsedate_to_datetime(value.decode())
    assert [value for name, value in second.headers if name == b"date"] == [b"yesterday"]
