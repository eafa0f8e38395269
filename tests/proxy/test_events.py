"""The lines of the log that tell what breakers, endpoints and names do."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.plan_policy import BreakerPlan
from appliance.model.address import Where
from appliance.policy.breaker import Breaker, Rule, Shift, State, Verdict
from appliance.proxy.events import log_event, sentence
from appliance.proxy.floods import FloodEvent
from appliance.upstream.breakers import BreakerShift, Evidence, Look
from appliance.upstream.watch import HealthShift, NameShift

RULES = BreakerPlan()
ONE = Evidence("0af1", "GET", "/pay", "10.0.0.1:80", "503", 100.0, 0.012)
TWO = replace(ONE, id="0af2", path="/cart", how="upstream-reset", took=0.0004)
WRITTEN = tuple(
    (name, Where("shop.yaml", line, 5))
    for line, name in enumerate(("failure_threshold", "error_rate", "open_for", "success_threshold"), 12)
)


def look(
    number: int, state: State | None = State.CLOSED, healthy: bool = True, drained: bool = False
) -> Look:
    """Give an endpoint as it was."""
    return Look(f"10.0.0.{number}:80", state, 0, healthy, drained)


def shift(rule: Rule, *evidence: Evidence, run: int = 5, failed: int = 5, total: int = 5) -> Shift:
    """Give the move that a rule makes, at 100 s; openings last 30 s."""
    states = {
        "open_for": (State.OPEN, State.HALF_OPEN),
        "success_threshold": (State.HALF_OPEN, State.CLOSED),
        "probe": (State.HALF_OPEN, State.OPEN),
    }
    old, new = states.get(rule, (State.CLOSED, State.OPEN))
    until = 130.0 if new is State.OPEN else 0.0
    return Shift(old, new, 100.0, rule, run, failed, total, until, evidence, since=57.6)


def moved(
    shift: Shift, rules: BreakerPlan = RULES, *endpoints: Look, name: str = "app/10.0.0.1:80"
) -> BreakerShift:
    """Give the event of a move."""
    return BreakerShift(name, shift, rules, endpoints)


def written(rules: BreakerPlan = RULES) -> BreakerPlan:
    """Give rules that stand in a profile."""
    return replace(rules, places=WRITTEN)


# Each kind of move, as it reads.


def test_a_run_of_failures() -> None:
    """The count, the setting, the requests with the last one's time and id, and who is left."""
    line = sentence(
        moved(shift("failure_threshold", *[ONE] * 5), written(), look(1, State.OPEN), look(2), look(3))
    )
    assert line == (
        "breaker app/10.0.0.1:80 open for 30s: 5 failures in a row (failure_threshold: 5, shop.yaml:12); "
        "GET /pay 503 (5 times), the last took 12 ms (request 0af1); 2 of 3 endpoints left"
    )


def test_a_share_of_failures() -> None:
    """Failures, requests and window; kinds of requests stand by how often they occurred."""
    evidence = [TWO, *[ONE] * 11]
    rules = written(replace(RULES, error_rate=0.6))
    line = sentence(moved(shift("error_rate", *evidence, run=1, failed=12, total=20), rules))
    assert line == (
        "breaker app/10.0.0.1:80 open for 30s: 12 of 20 requests failed within 10s "
        "(error_rate: 60%, shop.yaml:13); "
        "GET /pay 503 (11 times), GET /cart upstream-reset, the last took 12 ms (request 0af1)"
    )


def test_a_probe_that_failed() -> None:
    """It is open again, by no setting, and only the probe is named, whatever failed before."""
    line = sentence(moved(shift("probe", ONE, ONE, TWO), written(), look(1, State.OPEN), look(2)))
    assert line == (
        "breaker app/10.0.0.1:80 open again for 30s: a probe failed: "
        "GET /cart upstream-reset in 0 ms, request 0af2; 1 of 2 endpoints left"
    )


def test_the_pause_is_over() -> None:
    """Half-open names the setting of the pause, and no requests or endpoints."""
    line = sentence(moved(shift("open_for", ONE), written(), look(1, State.HALF_OPEN), look(2)))
    assert (
        line
        == "breaker app/10.0.0.1:80 half-open after 42s: one probe at a time (open_for: 30s, shop.yaml:14)"
    )


def test_probes_succeeded() -> None:
    """Closed names how many it took."""
    line = sentence(moved(shift("success_threshold"), written(), look(1), look(2)))
    assert line == (
        "breaker app/10.0.0.1:80 closed: 2 probes in a row succeeded (success_threshold: 2, shop.yaml:15)"
    )


@pytest.mark.parametrize(
    ("rule", "setting"),
    [
        ("failure_threshold", "failure_threshold: 5"),
        ("error_rate", "error_rate: 50%"),
        ("open_for", "open_for: 30s"),
        ("success_threshold", "success_threshold: 2"),
    ],
)
def test_a_setting_that_nobody_wrote_is_a_default(rule: Rule, setting: str) -> None:
    """Also when others of the block are written."""
    others = tuple(row for row in WRITTEN if row[0] != rule)
    for places in ((), others):
        line = sentence(moved(shift(rule, ONE), replace(RULES, places=places)))
        assert f" ({setting}, default)" in line
        assert "shop.yaml" not in line


def test_the_pause_is_the_real_one() -> None:
    """With pauses that grow it is what the breaker waits now, not what the setting says."""
    longer = replace(shift("probe", ONE), until=100.0 + 4 * 60)
    assert "open again for 4m: " in sentence(moved(longer))


def test_the_lines_of_a_real_breaker() -> None:
    """What a breaker tells on its way through all states can be put into words at every step."""
    lines: list[str] = []
    rules = replace(RULES, failure_threshold=2, open_for=5.0, max_open_for=5.0)
    breaker = Breaker(rules, 0.0, lambda made: lines.append(sentence(moved(made, rules))))
    for _ in range(2):
        breaker.settle(breaker.admit(1.0), Verdict.FAIL, 1.0, ONE)
    breaker.settle(breaker.admit(6.0), Verdict.FAIL, 6.5, TWO)
    for _ in range(2):
        breaker.settle(breaker.admit(12.0), Verdict.OK, 12.0)
    assert [line.removeprefix("breaker app/10.0.0.1:80 ").partition(" (")[0] for line in lines] == [
        "open for 5s: 2 failures in a row",
        "half-open after 5s: one probe at a time",
        "open again for 5s: a probe failed: GET /cart upstream-reset in 0 ms, request 0af2",
        "half-open after 6s: one probe at a time",
        "closed: 2 probes in a row succeeded",
    ]


def test_many_kinds_of_requests_are_cut_short() -> None:
    """Three are named, the rest are others."""
    evidence = [replace(ONE, path=f"/{n}") for n in (1, 2, 3, 4, 2)]
    line = sentence(moved(shift("failure_threshold", *evidence)))
    assert "; GET /2 503 (2 times), GET /1 503, GET /3 503, others, the last took 12 ms" in line


def test_one_request_needs_no_last() -> None:
    """There is no other to tell it from."""
    line = sentence(moved(shift("failure_threshold", ONE, run=1), replace(RULES, failure_threshold=1)))
    assert line.endswith("; GET /pay 503 in 12 ms, request 0af1")


def test_only_the_run_is_named() -> None:
    """Failures before the run did not open it."""
    line = sentence(moved(shift("failure_threshold", TWO, TWO, ONE, ONE, run=2)))
    assert "/cart" not in line
    assert "GET /pay 503 (2 times)" in line


def test_being_asked_to_slow_down_is_not_named_for_a_run() -> None:
    """It is no failure in a row, so it is not behind this opening, wherever it came."""
    spare = replace(TWO, how="429", overload=True)
    line = sentence(moved(shift("failure_threshold", ONE, spare, ONE, run=2)))
    assert "429" not in line
    assert "GET /pay 503 (2 times)" in line
    assert "429" in sentence(moved(shift("error_rate", ONE, spare, ONE, failed=3)))


def test_an_opening_without_evidence_has_a_line() -> None:
    """Nothing is made up."""
    assert sentence(moved(shift("failure_threshold"))).endswith("(failure_threshold: 5, default)")


# Who is left.


@pytest.mark.parametrize(
    ("others", "left"),
    [
        ((look(2), look(3)), 2),
        ((look(2, None), look(3, None)), 2),
        ((look(2, State.OPEN), look(3)), 1),
        ((look(2, State.HALF_OPEN), look(3)), 1),
        ((look(2, healthy=False), look(3)), 1),
        ((look(2, drained=True), look(3)), 1),
        ((look(2, State.OPEN, healthy=False, drained=True), look(3, drained=True)), 0),
    ],
)
def test_those_left_are_well(others: tuple[Look, ...], left: int) -> None:
    """Behind no open or half-open breaker, healthy, and not drained."""
    line = sentence(moved(shift("failure_threshold", ONE), RULES, look(1, State.OPEN), *others))
    assert line.endswith(f"; {left} of 3 endpoints left")


def test_a_single_endpoint_leaves_nobody_to_count() -> None:
    """Nor is anyone counted when it comes back."""
    assert "left" not in sentence(moved(shift("failure_threshold", ONE), RULES, look(1, State.OPEN)))
    for rule in ("open_for", "success_threshold"):
        assert "left" not in sentence(moved(shift(rule), RULES, look(1), look(2)))


# What comes from outside.


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/\x1b[2J", "/\\x1b[2J"),
        ("/a\nbreaker app closed", "/a\\x0abreaker app closed"),
        ("/a\r\x00\x7f\x9b", "/a\\x0d\\x00\\x7f\\x9b"),
        ("/\u202egnp.\u2066", "/\\u202egnp.\\u2066"),
        ("/\u200f\u2028", "/\\u200f\\u2028"),
        ("/caf\xe9", "/caf\xe9"),
    ],
)
def test_a_path_cannot_move_a_terminal(path: str, shown: str) -> None:
    """Control characters and marks of direction are escaped, and the line stays one."""
    line = sentence(moved(shift("probe", replace(ONE, path=path))))
    assert f"GET {shown} 503" in line


@pytest.mark.parametrize("length", [59, 60, 61, 10_000])
def test_a_long_path_is_cut(length: int) -> None:
    """Sixty characters are shown, the last three of them dots if there were more."""
    path = "/" + "a" * (length - 1)
    line = sentence(moved(shift("probe", replace(ONE, path=path))))
    assert f"GET {path if length <= 60 else path[:57] + '...'} 503" in line


def test_a_long_method_is_cut() -> None:
    """Whatever a client sends, its lines stay short."""
    evidence = [replace(ONE, method="A" * 10_000 + str(n)) for n in range(3)]
    assert len(sentence(moved(shift("failure_threshold", *evidence, run=3)))) < 1000


def test_a_count_of_requests_is_not_the_count_of_those_kept() -> None:
    """Of a run of a hundred that was one kind no line says that it came twenty times."""
    rules = replace(RULES, failure_threshold=100)
    line = sentence(moved(shift("failure_threshold", *[ONE] * 20, run=100), rules))
    assert "(20 times)" not in line


def test_evidence_may_be_missing() -> None:
    """``settle`` takes failures without evidence; the line of their opening is a line all the same."""
    lines: list[str] = []
    rules = replace(RULES, failure_threshold=1)
    breaker = Breaker(rules, 0.0, lambda made: lines.append(sentence(moved(made, rules))))
    breaker.settle(breaker.admit(1.0), Verdict.FAIL, 1.0)
    assert len(lines) == 1


@given(path=st.text(max_size=200), times=st.integers(1, 4))
def test_whatever_the_path_there_is_one_printable_line(path: str, times: int) -> None:
    """Short, and without a control character of ASCII or Latin-1."""
    line = sentence(moved(shift("failure_threshold", *[replace(ONE, path=path)] * times, run=times)))
    assert len(line.splitlines()) == 1
    assert len(line) < 600
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in line)
    assert not any(0x202A <= ord(char) <= 0x202E or 0x2066 <= ord(char) <= 0x2069 for char in line)


def test_names_from_the_profile_are_escaped_as_well() -> None:
    """A file may be called anything."""
    places = (("failure_threshold", Where("a\x1b[0m.yaml", 3, 1)),)
    assert "(failure_threshold: 5, a\\x1b[0m.yaml:3)" in sentence(
        moved(shift("failure_threshold", ONE), replace(RULES, places=places))
    )


# The log.


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        (moved(shift("probe", ONE)), "WARNING", "breaker app/10.0.0.1:80 open again"),
        (moved(shift("open_for")), "INFO", "breaker app/10.0.0.1:80 half-open"),
        (moved(shift("success_threshold")), "INFO", "breaker app/10.0.0.1:80 closed"),
    ],
)
def test_what_makes_things_worse_is_a_warning(
    event: BreakerShift, level: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Openings are, recoveries are not; percent signs of a path are no format."""
    with caplog.at_level(logging.INFO, "meshctl"):
        log_event(event)
    (record,) = caplog.records
    assert (record.levelname, record.name) == (level, "meshctl")
    assert record.getMessage().startswith(text)


def test_a_percent_sign_is_no_format(caplog: pytest.LogCaptureFixture) -> None:
    """Encoded paths stand in the log as they are."""
    with caplog.at_level(logging.INFO, "meshctl"):
        log_event(moved(shift("probe", replace(ONE, path="/%s%d%20"))))
    assert "GET /%s%d%20 503" in caplog.text


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        (
            HealthShift("app", "10.0.0.1:80", False, "status 500\x1b[2J"),
            "WARNING",
            "endpoint app/10.0.0.1:80 is unhealthy: status 500\\x1b[2J",
        ),
        (
            FloodEvent("web", "192.0.2.7", "rapid reset", "too many streams reset", 50),
            "WARNING",
            "listener web: a connection of 192.0.2.7 was ended: rapid reset: too many streams reset; "
            "50 such since the last line",
        ),
        (HealthShift("app", "10.0.0.1:80", True, ""), "INFO", "endpoint app/10.0.0.1:80 is healthy"),
        (
            NameShift("app", "dns:a.example:80", ("10.0.0.2:80", "10.0.0.3:80"), ("10.0.0.1:80",), 2),
            "INFO",
            "name dns:a.example:80 of upstream app has 2 addresses: "
            "new 10.0.0.2:80, 10.0.0.3:80; gone 10.0.0.1:80",
        ),
        (
            NameShift("app", "dns:a.example:80", (), (), 2, "no answer"),
            "WARNING",
            "name dns:a.example:80 of upstream app cannot be resolved: no answer; its 2 known addresses stay",
        ),
        (
            NameShift("app", "dns:a.example:80", (), (), 0, "no answer"),
            "WARNING",
            "name dns:a.example:80 of upstream app cannot be resolved: no answer; it has no endpoints",
        ),
    ],
)
def test_endpoints_and_names_have_lines(
    event: object, level: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What a server or a resolver said is escaped; what got worse is a warning."""
    with caplog.at_level(logging.INFO, "meshctl"):
        log_event(event)
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == (level, text)


def test_only_events_have_lines() -> None:
    """Anything else is a bug of ours."""
    with pytest.raises(TypeError, match="str has no line"):
        log_event("hello")
