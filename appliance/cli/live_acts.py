"""``meshctl breaker ...`` and ``endpoint ...``: which there are, and their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from .live import DryRun, Json, Reason, Utc, Where, Yes, seconds
from .options import one_of

_HELP = {"help_option_names": ["-h", "--help"]}
breakers = typer.Typer(
    help="Look at breakers, and force, reset or clear one.", no_args_is_help=True, context_settings=_HELP
)
endpoints = typer.Typer(
    help="Look at endpoints; drain, weigh or check one.", no_args_is_help=True, context_settings=_HELP
)
Breaker = Annotated[str, typer.Argument(metavar="NAME", help="UPSTREAM/ADDRESS, or the end of it.")]
Endpoint = Annotated[str, typer.Argument(metavar="NAME/ADDR", help="UPSTREAM/ADDRESS, or the address.")]
For = Annotated[str, typer.Option("--for", help="For so long, such as 10m; or: ever.")]
_STATES = ("half-open", "half_open", "closed", "open")
_WEEK = 7 * 86_400


@breakers.command("list")
def list_breakers(target: Where = None, format: Json = "text") -> None:
    """Show all breakers, and how far each is from opening or closing."""
    _show(target, "br", format)


@breakers.command("show")
def show_breaker(name: Breaker, target: Where = None, format: Json = "text") -> None:
    """Show everything about one."""
    _show(target, "br", format, name)


@breakers.command("report")
def report_breaker(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="A breaker, or a trip such as tr-000003.")
    ] = "",
    target: Where = None,
    format: Json = "text",
    utc: Utc = False,
) -> None:
    """Tell why it opened last: the rule, the setting, the requests, the endpoints."""
    from .breaker import report
    from .remote import talk

    raise typer.Exit(
        talk(target, "breaker", lambda feed: report(feed, name, format, utc=utc), read_only=True)
    )


@breakers.command("open")
def open_breaker(  # noqa: PLR0917 (one parameter for each option)
    name: Breaker,
    for_: For = "10m",
    reason: Reason = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    target: Where = None,
    format: Json = "text",
) -> None:
    """Force it open: nothing is sent. Ends by itself."""
    args = {"state": "open", "ttl": _ttl(for_), "reason": reason}
    _act(target, "br", name, "breaker.force", args, yes=yes, dry_run=dry_run, format=format)


@breakers.command("close")
def close_breaker(  # noqa: PLR0917 (one parameter for each option)
    name: Breaker,
    for_: For = "10m",
    reason: Reason = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    target: Where = None,
    format: Json = "text",
) -> None:
    """Force it closed: it protects nobody. Ends by itself."""
    args = {"state": "closed", "ttl": _ttl(for_), "reason": reason}
    _act(target, "br", name, "breaker.force", args, yes=yes, dry_run=dry_run, format=format)


@breakers.command("reset")
def reset_breaker(
    name: Breaker,
    reason: Reason = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    target: Where = None,
    format: Json = "text",
) -> None:
    """Begin anew as closed, forget all results and what was forced."""
    args = {"reason": reason}
    _act(target, "br", name, "breaker.reset", args, yes=yes, dry_run=dry_run, format=format)


@breakers.command("clear")
def clear_breaker(
    name: Breaker,
    yes: Yes = False,
    dry_run: DryRun = False,
    target: Where = None,
    format: Json = "text",
) -> None:
    """Let it speak for itself again."""
    _act(target, "br", name, "breaker.clear", {}, yes=yes, dry_run=dry_run, format=format)


@breakers.command("wait")
def wait_breaker(
    name: Breaker,
    state: Annotated[str, typer.Argument(help="half-open, closed or open.", callback=one_of(*_STATES))],
    within: Annotated[str, typer.Option(help="Give up after so long, with code 8.")] = "1m",
    target: Where = None,
) -> None:
    """Wait until it is in a state."""
    _wait(target, "br", name, state, within)


@endpoints.command("list")
def list_endpoints(target: Where = None, format: Json = "text") -> None:
    """Show all endpoints."""
    _show(target, "ep", format)


@endpoints.command("show")
def show_endpoint(name: Endpoint, target: Where = None, format: Json = "text") -> None:
    """Show everything about one."""
    _show(target, "ep", format, name)


@endpoints.command("drain")
def drain(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    name: Endpoint,
    for_: For = "",
    wait: Annotated[str, typer.Option(help="Wait so long until nothing is under way.")] = "",
    reason: Reason = "",
    last: Annotated[bool, typer.Option("--last", help="Even if it is the last usable one.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    target: Where = None,
    format: Json = "text",
) -> None:
    """Let it have no new requests; those under way end."""
    args: dict[str, Any] = {"reason": reason, "last": last}
    if for_:
        args["ttl"] = _ttl(for_)
    limit = seconds(wait, "--wait") if wait else 0.0
    _act(target, "ep", name, "endpoint.drain", args, yes=yes, dry_run=dry_run, format=format, wait=limit)


@endpoints.command("undrain")
def undrain(
    name: Endpoint, yes: Yes = False, dry_run: DryRun = False, target: Where = None, format: Json = "text"
) -> None:
    """Let it have requests again."""
    _act(target, "ep", name, "endpoint.undrain", {}, yes=yes, dry_run=dry_run, format=format)


@endpoints.command("weight")
def weight(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    name: Endpoint,
    weight: Annotated[int, typer.Argument(help="The new weight; 0 for none.", min=0, max=1_000_000)],
    last: Annotated[bool, typer.Option("--last", help="0 even for the last usable one.")] = False,
    reason: Reason = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    target: Where = None,
    format: Json = "text",
) -> None:
    """Give it another weight, until the next reload."""
    args = {"weight": weight, "reason": reason, "last": last}
    _act(target, "ep", name, "endpoint.weight", args, yes=yes, dry_run=dry_run, format=format)


@endpoints.command("check")
def check(name: Endpoint, target: Where = None, format: Json = "text") -> None:
    """Ask now whether it is well, by its health check."""
    _act(target, "ep", name, "endpoint.check", {}, yes=True, dry_run=False, format=format)


def _ttl(text: str) -> float | None:
    """Give milliseconds, None for `ever`."""
    if text == "ever":
        return None
    lasts = seconds(text, "--for")
    if not 0 < lasts <= _WEEK:
        raise typer.BadParameter("--for: more than 0s and at most a week (168h), or `ever`")
    return lasts * 1000


def _show(target: str | None, kind: str, format: str, name: str = "") -> None:
    from .breaker import KINDS, show
    from .remote import talk

    raise typer.Exit(talk(target, KINDS[kind], lambda feed: show(feed, kind, format, name), read_only=True))


def _act(  # noqa: PLR0913 (one parameter for each option)
    target: str | None,
    kind: str,
    name: str,
    op: str,
    args: Mapping[str, Any],
    *,
    yes: bool,
    dry_run: bool,
    format: str,
    wait: float = 0.0,
) -> None:
    from .breaker import KINDS, Choice, change
    from .remote import talk

    choice = Choice(kind, name, op, args, yes, dry_run, format, "drained" if wait else "", wait)
    raise typer.Exit(talk(target, KINDS[kind], lambda feed: change(feed, choice)))


def _wait(target: str | None, kind: str, name: str, state: str, within: str) -> None:
    from .breaker import KINDS, wait_named
    from .remote import talk

    limit = seconds(within, "--within")
    do = lambda feed: wait_named(feed, kind, name, state, limit)  # noqa: E731
    raise typer.Exit(talk(target, KINDS[kind], do, read_only=True))


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(breakers, name="breaker")
    app.add_typer(endpoints, name="endpoint")
    app.command()(drain)
    app.command()(undrain)
