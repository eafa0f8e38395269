"""Commands that speak to a running proxy: which there are, and their options. What they do is elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from appliance.model.units import UnitError, duration
from appliance.model.units import rate as rate_of

from .options import one_of

Target = Annotated[
    str | None, typer.Argument(metavar="[TARGET]", help="A name, a socket, HOST:PORT, ssh://HOST/NAME.")
]
Where = Annotated[str | None, typer.Option("--target", "-t", help="Which proxy; default: the only one.")]
Utc = Annotated[bool, typer.Option("--utc", help="Times in UTC.")]
Text = Annotated[str, typer.Option(help="text or jsonl.", callback=one_of("text", "jsonl"))]
Json = Annotated[str, typer.Option(help="text or json.", callback=one_of("text", "json"))]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the events.")]


def seconds(text: str, option: str) -> float:
    """Read a duration such as 10s; raises typer.BadParameter, which names the option."""
    try:
        return duration(text)
    except UnitError as error:
        raise typer.BadParameter(f"{option}: {error}") from None


def per_second(text: str, option: str) -> float:
    """Read a rate such as 100/s; raises typer.BadParameter, which names the option."""
    try:
        return rate_of(text)
    except UnitError as error:
        raise typer.BadParameter(f"{option}: {error}") from None


def _after(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter("write the number of an event (eid)")
    return int(text)


def watch(
    target: Target = None,
    events: Annotated[str, typer.Option(help="Only these kinds, such as breaker,health.")] = "",
    every: Annotated[str, typer.Option(help="A summary every so often; 0 for none.")] = "10s",
    format: Text = "text",
    utc: Utc = False,
) -> None:
    """Tell what happens, line by line, with a summary now and then. For terminals, pipes, screen readers."""
    from .remote import talk
    from .watch import Watching
    from .watch import watch as command

    wanted = Watching(_event_kinds(events, "--events"), seconds(every, "--every"), format, utc=utc)
    raise typer.Exit(talk(target, "watch", lambda feed: command(feed, wanted), read_only=True))


def events(
    target: Target = None,
    after: Annotated[str, typer.Option(metavar="EID", help="Only those behind this one.")] = "0",
    kind: Annotated[str, typer.Option(help="Only these kinds, such as breaker,audit.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with those to come.")] = False,
    format: Text = "text",
    utc: Utc = False,
) -> None:
    """Tell what has happened: the last 5000 events."""
    from .remote import talk
    from .watch import Watching
    from .watch import watch as command

    wanted = Watching(_event_kinds(kind, "--kind"), 0.0, format, _after(after), follow, utc)
    raise typer.Exit(talk(target, "events", lambda feed: command(feed, wanted), read_only=True))


def _event_kinds(text: str, option: str) -> frozenset[str]:
    from appliance.wire.records import EVENT_KINDS

    kinds = _kinds(text)
    unknown = sorted(kinds.difference(EVENT_KINDS))
    if unknown:
        there = ", ".join(EVENT_KINDS)
        raise typer.BadParameter(f"{option}: there is no kind {unknown[0]}; there are {there}")
    return kinds


def _kinds(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def stats(  # noqa: PLR0917 (one parameter for each option)
    target: Target = None,
    format: Annotated[
        str,
        typer.Option(
            help="table, json, jsonl, csv or prometheus.",
            callback=one_of("table", "json", "jsonl", "csv", "prometheus"),
        ),
    ] = "table",
    where: Annotated[str, typer.Option(help="Only things that match, such as 'err>1% or state=open'.")] = "",
    sets: Annotated[str, typer.Option("--set", help="Any of ls, rt, up, ep, br, live.")] = "rt,up,ep,br",
    every: Annotated[str, typer.Option(help="Again every so often.")] = "0",
    count: Annotated[int | None, typer.Option(help="So many times; 0: until ctrl-c.", min=0)] = None,
    stdio: Annotated[bool, typer.Option("--stdio", help="Pass stdin and stdout on to the socket.")] = False,
) -> None:
    """Show what a proxy is like now: rates, errors, times, states."""
    from appliance.wire.codec import SETS
    from appliance.wire.filter import FilterError, things_filter

    from .remote import talk
    from .stats import Showing, bridge, metrics
    from .stats import stats as command

    if stdio:
        raise typer.Exit(bridge(target))
    if format == "prometheus":
        raise typer.Exit(metrics(target))
    names = tuple(_kinds(sets))
    unknown = [name for name in names if name not in SETS]
    if unknown:
        raise typer.BadParameter(f"--set {','.join(unknown)}: there are {', '.join(SETS)}")
    try:
        things_filter(where)
    except FilterError as error:
        raise typer.BadParameter(f"--where: {error} (column {error.column + 1})") from None
    pause = seconds(every, "--every")
    times = count if count is not None else (0 if pause else 1)
    names = tuple(name for name in SETS if name in names and name != "proxy")
    wanted = Showing(names, where, format, pause or 1.0, times)
    raise typer.Exit(talk(target, "stats", lambda feed: command(feed, wanted), read_only=True))


def tap(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    target: Target = None,
    match: Annotated[str, typer.Option(help="Which requests, such as 'status>=500 and dur>1s'.")] = "",
    sample: Annotated[str, typer.Option(help="1/N: one of N that match.")] = "1/1",
    max: Annotated[str, typer.Option(help="At most so many, such as 20/s.")] = "",
    for_: Annotated[str, typer.Option("--for", help="For so long.")] = "",
    count: Annotated[int, typer.Option(help="End after so many; 0: no end.", min=0)] = 0,
    format: Annotated[
        str, typer.Option(help="text, jsonl or curl.", callback=one_of("text", "jsonl", "curl"))
    ] = "text",
    utc: Utc = False,
) -> None:
    """Show requests as they end. Never bodies; headers by the profile's list."""
    from .remote import talk
    from .tap import Tapping
    from .tap import tap as command

    of = sample.removeprefix("1/")
    if of == sample or not (of.isascii() and of.isdigit()) or not 0 < int(of) < 1_000_000:
        raise typer.BadParameter("--sample: write 1/N, such as 1/100")
    rate = per_second(max, "--max") if max else 0.0
    lasts = seconds(for_, "--for") if for_ else 0.0
    wanted = Tapping(match, int(of), rate, lasts, count, format, utc)
    raise typer.Exit(talk(target, "tap", lambda feed: command(feed, wanted), read_only=True))


def why(
    request: Annotated[
        str, typer.Argument(metavar="REQUEST-ID", help="Of the answer or the log; its end will do.")
    ],
    target: Target = None,
    log: Annotated[str, typer.Option(metavar="FILE", help="Look in this access log (JSON) instead.")] = "",
    format: Json = "text",
    utc: Utc = False,
) -> None:
    """Tell what happened to one request, in plain words."""
    from .remote import talk
    from .tap import why as command
    from .tap import why_logged

    if len(request) < 6:
        raise typer.BadParameter("an id has at least 6 characters")
    if log:
        raise typer.Exit(why_logged(request, log, format, utc=utc))
    do = lambda feed: command(feed, request, format, utc=utc)  # noqa: E731
    raise typer.Exit(talk(target, "why", do, read_only=True))


def reload(target: Target = None, dry_run: DryRun = False, yes: Yes = False, format: Json = "text") -> None:
    """Load the profile of a running proxy again: check it, show what changes, go over to it."""
    from .reload import reload as command
    from .remote import talk

    do = lambda feed: command(feed, format, dry_run=dry_run, yes=yes)  # noqa: E731
    raise typer.Exit(talk(target, "reload", do))


def record(
    target: Target = None,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="Such as incident.meshrec.")] = "",
    for_: Annotated[str, typer.Option("--for", help="For so long; default: until ctrl-c.")] = "",
    past: Annotated[str, typer.Option(help="Begin so long ago, as far as the proxy remembers.")] = "0",
    mask_clients: Annotated[bool, typer.Option("--mask-clients", help="Leave addresses out.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write what a proxy tells into a file, for `meshctl replay`."""
    from math import inf

    from .record import Taking
    from .record import record as command
    from .remote import talk

    if not out:
        raise typer.BadParameter("say where to: -o incident.meshrec")
    wanted = Taking(
        out, seconds(for_, "--for") if for_ else inf, seconds(past, "--past"), mask_clients, force
    )
    raise typer.Exit(talk(target, "record", lambda feed: command(feed, wanted), read_only=True))


def replay(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A recording.")],
    format: Text = "text",
    speed: Annotated[float, typer.Option(help="1 as it was, 4 four times as fast, 0 at once.", min=0)] = 0.0,
    utc: Utc = False,
) -> None:
    """Tell a recording again: events and summaries, or its frames."""
    from .record import replay as command

    raise typer.Exit(command(file, format, speed, utc=utc))


def top(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    target: Target = None,
    view: Annotated[str, typer.Option(help="The first view, such as breakers.")] = "overview",
    filter: Annotated[str, typer.Option(help="Only things that match, such as 'err>1%'.")] = "",
    rate: Annotated[str, typer.Option(help="Updates a second.")] = "4/s",
    theme: Annotated[str, typer.Option(help="dark, light, classic, ansi or mono.")] = "",
    ascii: Annotated[bool, typer.Option("--ascii", help="No signs but those of ASCII.")] = False,
    low_bandwidth: Annotated[bool, typer.Option("--low-bandwidth", help="Once a second.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Look, and do nothing.")] = False,
    no_mouse: Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")] = False,
    replay: Annotated[str, typer.Option(metavar="FILE", help="A recording, instead of a proxy.")] = "",
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a screen: meshctl watch.")] = False,
    utc: Utc = False,
    story: Annotated[int, typer.Option(hidden=True)] = -1,
) -> None:
    """Watch a proxy live: breakers, upstreams, routes, events. Keys act on what the cursor is on; ? helps."""
    import sys

    if plain or not sys.stderr.isatty() or not sys.stdin.isatty():
        if not plain:
            print("meshctl top: this is no terminal, so it tells what meshctl watch does", file=sys.stderr)
        if replay:
            from .record import replay as told

            raise typer.Exit(told(replay, "text", 0.0, utc=utc))
        watch(target, utc=utc)
    from .top import VIEWS, Wanted
    from .top import top as command

    one_of(*VIEWS)(view)
    one_of("", "dark", "light", "classic", "ansi", "mono")(theme)
    wanted = Wanted(
        view,
        filter,
        per_second(rate, "--rate"),
        theme,
        ascii,
        low_bandwidth,
        read_only,
        utc,
        not no_mouse,
        replay,
        story,
    )
    raise typer.Exit(command(target, wanted))


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    commands: tuple[Callable[..., None], ...] = (top, watch, events, stats, tap, why, reload, record, replay)
    for command in commands:
        app.command()(command)
