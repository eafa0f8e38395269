"""``meshctl test``: a profile's own route tests, and which routes none of them tries.

A test is a request and what is expected of it; nothing is sent. A test that fails says what came
instead and why: which route took the request, and what kept it from the one that was expected. A
test without expectations wants some route to take the request.

Tests are only as good as what they try, so the routes that no test reached are named. They do not
fail the command, and neither does a profile without tests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from appliance.config.diagnostic import printable
from appliance.config.offline import Outcome, Router, Unaskable, ask
from appliance.config.plan import Plan, RoutePlan
from appliance.config.plan_policy import RouteTest
from appliance.config.secrets import is_secret_name, without_credentials
from appliance.model.fault import NO_ROUTE
from appliance.model.text import counted
from appliance.routing.explain import explain

from .exits import Exit
from .route import Paint, load_plan, place, terminal_width, wrapped

MAX_NAMED = 8
_MOST_URL = 60


@dataclass(frozen=True, slots=True)
class Result:
    """One test with what came of it; ``wrong`` holds pairs of what was expected and what came."""

    test: RouteTest
    outcome: Outcome | None
    wrong: tuple[tuple[str, str], ...]
    why: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything was as expected."""
        return not self.wrong


def test(profile: str, fmt: str = "human", colour: bool = False) -> int:
    """Run the tests of a profile and print how they went; gives the exit code, 8 if one failed."""
    plan = load_plan(profile, colour)
    if plan is None:
        return Exit.INVALID_PROFILE
    router = Router(plan)
    results = [run_one(plan, router, each) for each in plan.tests]
    missed = untried(plan, results)
    if fmt == "json":
        print(json.dumps(_document(profile, plan, results, missed)))
    elif not results:
        print(_none(profile, plan))
    else:
        print("\n".join(_lines(plan, results, missed, Paint(colour))))
    return Exit.OK if all(result.ok for result in results) else Exit.CONDITION


def run_one(plan: Plan, router: Router, test: RouteTest) -> Result:
    """Put one test's request through the plan and compare."""
    try:
        asked = ask(test.method, test.url, test.headers)
    except Unaskable as problem:
        return Result(test, None, (("a request that can be routed", str(problem)),))
    outcome = router.outcome(asked)
    wrong = _wrong(test, outcome)
    return Result(test, outcome, wrong, _why(plan, test, outcome) if wrong else ())


def _wrong(test: RouteTest, outcome: Outcome) -> tuple[tuple[str, str], ...]:
    came = _came(outcome)
    wrong = []
    if test.route is not None and (outcome.route is None or outcome.route.name != test.route):
        wrong.append((f"route {test.route}", came))
    upstreams = [share.upstream for share in outcome.shares if share.weight]
    if test.upstream is not None and test.upstream not in upstreams:
        wrong.append((f"upstream {test.upstream}", _sends(outcome, upstreams)))
    if test.status is not None and outcome.status != test.status:
        answers = f"status {outcome.status}" if outcome.status is not None else _sends(outcome, upstreams)
        wrong.append((f"status {test.status}", answers))
    if outcome.route is None and (test.route, test.upstream, test.status) == (None, None, None):
        wrong.append(("some route", came))
    return tuple(wrong)


def _came(outcome: Outcome) -> str:
    if outcome.redirected is not None:
        return f"{outcome.status} from listener {outcome.redirected.name}, before routing"
    if outcome.route is None:
        return f"no route ({NO_ROUTE.status})"
    return f"route {outcome.route.name}"


def _sends(outcome: Outcome, upstreams: list[str]) -> str:
    if upstreams:
        return f"upstream {' or '.join(upstreams)}"
    return f"{outcome.status} from the proxy itself"


def _why(plan: Plan, test: RouteTest, outcome: Outcome) -> tuple[str, ...]:
    """Say what kept the request from the route that was expected, where that is the question."""
    wanted = next((route for route in plan.routes if route.name == test.route), None)
    if wanted is None or wanted is outcome.route or outcome.redirected is not None:
        return ()
    verdict = explain(wanted.match, outcome.asked.question, is_secret_name)
    if not verdict.matches:
        return verdict.reasons
    if outcome.route is None:
        return ()
    return (f"{outcome.route.name} stands above it, line {outcome.route.where.line}: the first match wins",)


def untried(plan: Plan, results: list[Result]) -> list[RoutePlan]:
    """Give the routes that the request of no test reached."""
    tried = {result.outcome.route.name for result in results if result.outcome and result.outcome.route}
    return [route for route in plan.routes if route.name not in tried]


def _lines(plan: Plan, results: list[Result], missed: list[RoutePlan], paint: Paint) -> list[str]:
    width = terminal_width()
    room = min(_MOST_URL, max(len(_request(result)) for result in results))
    lines = []
    for result in results:
        where = place(result.test.where, width // 3)
        text = f"{_request(result):<{room}}  {_became(result)}"
        gap = " " * max(2, width - 6 - len(text) - len(where))
        verdict = paint("ok", "match") + "    " if result.ok else paint("FAIL", "fail") + "  "
        lines.append(f"{verdict}{text}{gap}{paint(where, 'dim')}")
        for expected, came in result.wrong:
            lines += wrapped([printable(f"      expected {expected}, came {came}")], width)
        if result.why:
            why = wrapped([printable(reason) for reason in result.why], width - 6)
            lines += [paint(f"      {line}", "dim") for line in why]
    failed = sum(not result.ok for result in results)
    said = f"{failed} failed" if failed else "all ok"
    return [*lines, "", f"{counted(len(results), 'test')}, {said}", _coverage(plan, missed)]


def _coverage(plan: Plan, missed: list[RoutePlan]) -> str:
    covered = f"routes covered {len(plan.routes) - len(missed)} of {len(plan.routes)}"
    if not missed:
        return covered
    names = ", ".join(route.name for route in missed[:MAX_NAMED])
    more = f" and {len(missed) - MAX_NAMED} more" if len(missed) > MAX_NAMED else ""
    return printable(f"{covered}; not tried: {names}{more}")


def _request(result: Result) -> str:
    """Give method and URL on one line; what is secret in the URL is blanked."""
    text = printable(f"{result.test.method} {_url(result)}")
    return text if len(text) <= _MOST_URL else f"{text[: _MOST_URL - 3]}..."


def _url(result: Result) -> str:
    """Give the URL as it may be shown: of one that could not be read, nothing that might be secret."""
    if result.outcome is not None:
        return result.outcome.asked.url
    return without_credentials(result.test.url.partition("?")[0])


def _became(result: Result) -> str:
    """Give what became of the request, as short as it can be said."""
    outcome = result.outcome
    if outcome is None:
        return "refused"
    if outcome.redirected is not None:
        return f"{outcome.redirected.name}: {outcome.status}"
    if outcome.route is None:
        return f"no route: {outcome.status}"
    if outcome.status is not None:
        return f"{outcome.route.name}: {outcome.status}"
    upstreams = [share.upstream for share in outcome.shares if share.weight]
    return f"{outcome.route.name} -> {', '.join(upstreams)}"


def _none(profile: str, plan: Plan) -> str:
    """Say that there are no tests, and how to write one."""
    host = next((host for route in plan.routes for host in route.match.hosts), "www.example.com")
    url = f"{plan.listeners[0].protocol}://{host.replace('*', 'www', 1)}/"
    return f"""\
{printable(profile)} has no tests. Write requests with the route that they must take, for example:

tests:
  - {{request: {{method: GET, url: "{printable(url)}"}}, expect: {{route: {plan.routes[0].name}}}}}

expect knows route, upstream and status; without any of them, some route must take the request."""


def _document(profile: str, plan: Plan, results: list[Result], missed: list[RoutePlan]) -> dict[str, Any]:
    return {
        "schema": "meshctl.test/1",
        "profile": profile,
        "ok": all(result.ok for result in results),
        "summary": {
            "tests": len(results),
            "failed": sum(not result.ok for result in results),
            "routes": len(plan.routes),
            "covered": len(plan.routes) - len(missed),
        },
        "tests": [_as_json(result) for result in results],
        "not_tried": [route.name for route in missed],
    }


def _as_json(result: Result) -> dict[str, Any]:
    test, outcome = result.test, result.outcome
    expect = {"route": test.route, "upstream": test.upstream, "status": test.status}
    return {
        "ok": result.ok,
        "request": {
            "method": test.method,
            "url": _url(result),
        },
        "expect": {name: value for name, value in expect.items() if value is not None},
        "route": outcome.route.name if outcome is not None and outcome.route is not None else None,
        "upstreams": [share.upstream for share in outcome.shares if share.weight] if outcome else [],
        "status": outcome.status if outcome is not None else None,
        "wrong": [{"expected": expected, "came": came} for expected, came in result.wrong],
        "why": list(result.why),
        "file": test.where.file,
        "line": test.where.line,
    }
