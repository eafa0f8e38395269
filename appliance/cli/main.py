"""The ``meshctl`` command: one function per command, each importing what it needs when it is called."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from appliance import __version__

from . import live, live_acts
from .exits import Exit
from .options import one_of

_HELP = """A service-mesh data plane that fits in one file.

\b
meshctl demo                                   see it work, no set-up needed
meshctl validate edge.yaml                     say everything that is wrong
meshctl route edge.yaml GET http://a.example/  which route takes it, and why
meshctl run edge.yaml                          start the proxy
meshctl top                                    watch it live, and act
meshctl watch                                  what happens in it, line by line
meshctl stats                                  its rates, errors, times and states
meshctl breaker list                           its breakers, and how far they are from opening
"""

app = typer.Typer(
    name="meshctl",
    help=_HELP,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_BARE = """\
meshctl {version}: a service-mesh data plane that fits in one file

  meshctl demo                        see it work, no set-up needed
  meshctl validate PROFILE            check a profile, say everything that is wrong
  meshctl route PROFILE METHOD URL    which route takes a request, and why
  meshctl run PROFILE                 start the proxy in the foreground
  meshctl top                         watch it live, in another terminal

A profile of ten lines is enough to begin:

  meshctl: 1
  listeners: {{web: {{bind: ":8080"}}}}
  routes: [{{name: all, to: app}}]
  upstreams: {{app: {{endpoints: ["127.0.0.1:9001"]}}}}

All commands: meshctl --help
"""


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"meshctl {__version__} (CPython {'.'.join(map(str, sys.version_info[:3]))})")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _bare(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Show the version.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(_BARE.format(version=__version__), end="")


Profile = Annotated[str, typer.Argument(metavar="PROFILE", help="The profile; - is stdin.")]
Format = Annotated[str, typer.Option(help="human or json.", callback=one_of("human", "json"))]
Colour = Annotated[
    str, typer.Option("--color", help="auto, always or never.", callback=one_of("auto", "always", "never"))
]


@app.command()
def validate(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    profiles: Annotated[list[str], typer.Argument(metavar="PROFILE...", help="Files to check; - is stdin.")],
    format: Annotated[
        str,
        typer.Option(
            help="human, json, sarif or github.", callback=one_of("human", "json", "sarif", "github")
        ),
    ] = "human",
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    no_env: Annotated[bool, typer.Option("--no-env", help="Do not look at the environment.")] = False,
    no_files: Annotated[
        bool, typer.Option("--no-files", help="Do not look at files and the machine.")
    ] = False,
    print_: Annotated[
        str,
        typer.Option(
            "--print", help="effective: every value with its origin.", callback=one_of("", "effective")
        ),
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what is wrong.")] = False,
    color: Colour = "auto",
) -> None:
    """Say everything that is wrong with profiles. Starts nothing; exits with 3 if one is wrong."""
    from .validate import Look
    from .validate import validate as command

    if print_ and format != "human":
        raise typer.BadParameter("--print effective is for people: leave --format out")
    look = Look(env=not no_env, files=not no_files, quiet=quiet, effective=bool(print_))
    raise typer.Exit(command(profiles, format, strict, _colour(color), look))


@app.command()
def route(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    profile: Profile,
    method: Annotated[str, typer.Argument(metavar="METHOD", help="Such as GET.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="As a client asks for it, with scheme and host.")],
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="K: V; may be repeated.")] = None,
    client: Annotated[str | None, typer.Option(help="IP address that the request comes from.")] = None,
    live_: Annotated[
        bool, typer.Option("--live", help="Also how its upstreams are in a running proxy.")
    ] = False,
    target: live.Where = None,
    format: Format = "human",
    color: Colour = "auto",
) -> None:
    """Tell which route takes a request, and why. Also what then holds; nothing is sent."""
    from .route import route as command

    now = None
    if live_:
        from .route_live import running

        found = running(target)
        if isinstance(found, int):
            raise typer.Exit(found)
        now = found
    colour = _colour(color)
    raise typer.Exit(command(profile, method, url, header or [], client, fmt=format, colour=colour, live=now))


@app.command()
def test(profile: Profile, format: Format = "human", color: Colour = "auto") -> None:
    """Run the profile's own route tests, offline. Exits with 8 if one fails."""
    from .test import test as command

    raise typer.Exit(command(profile, format, _colour(color)))


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A profile; - is stdin.")] = "",
    after: Annotated[str, typer.Argument(metavar="B", help="Another one.")] = "",
    running: Annotated[
        bool, typer.Option("--running", help="What a running proxy would load, against what it runs.")
    ] = False,
    target: live.Where = None,
    format: Format = "human",
    color: Colour = "auto",
) -> None:
    """Tell what differs in meaning between two profiles."""
    if running:
        if before or after:
            raise typer.BadParameter("--running takes no profile: a proxy compares its own file (-t: which)")
        from .reload import reload
        from .remote import talk

        shape = "json" if format == "json" else "text"
        raise typer.Exit(talk(target, "diff", lambda feed: reload(feed, shape, dry_run=True, yes=True)))
    if not before or not after:
        raise typer.BadParameter("name two profiles: meshctl diff A B, or say --running")
    from .diff import diff as command

    raise typer.Exit(command(before, after, format, _colour(color)))


@app.command()
def init(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Where to write it.")] = ".",
    template: Annotated[str, typer.Option(help="minimal, gateway, sidecar, canary or grpc.")] = "minimal",
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Write an annotated profile to begin with. Its schema for editors is written beside it."""
    from .init import init as command

    raise typer.Exit(command(directory, template, force))


@app.command()
def schema(
    out: Annotated[str | None, typer.Option(help="A file to write to, instead of stdout.")] = None,
) -> None:
    """Print the JSON Schema of profiles, for editors."""
    from .schema import schema as command

    raise typer.Exit(command(out))


@app.command()
def explain(
    word: Annotated[str, typer.Argument(metavar="CODE|KEY", help="Such as MC203, or upstreams.*.breaker.")],
    format: Format = "human",
    color: Colour = "auto",
) -> None:
    """Explain a code of a diagnostic, or a key of the profile."""
    from .explain import explain as command

    raise typer.Exit(command(word, format, _colour(color)))


@app.command()
def run(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="The profile to run.")],
    check_only: Annotated[bool, typer.Option("--check-only", help="Check, then exit.")] = False,
) -> None:
    """Start the proxy in the foreground. SIGTERM drains it, a second one stops it at once."""
    from .run import run as command

    raise typer.Exit(command(profile, check_only=check_only))


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(help="Stop after so long; 0 runs until ctrl-c.")] = 0.0,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of the dashboard.")] = False,
) -> None:
    """See it work: three servers, one of which fails. A proxy and a gentle load come with them."""
    from .demo import demo as command

    terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    raise typer.Exit(command(seconds, dashboard=terminal and not plain))


@app.command()
def version(
    format: Annotated[str, typer.Option(help="text or json.", callback=one_of("text", "json"))] = "text",
) -> None:
    """Say which version this is, and of what."""
    python = ".".join(map(str, sys.version_info[:3]))
    if format == "json":
        print(json.dumps({"schema": "meshctl.version/1", "version": __version__, "python": python}))
    else:
        print(f"meshctl {__version__} (CPython {python})")


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.", callback=one_of("bash", "zsh", "fish"))],
) -> None:
    """Print a script that completes commands: eval "$(meshctl completion bash)"."""
    from .completion import completion as command

    print(command(shell))


live.register(app)
live_acts.register(app)


def _colour(choice: str) -> bool:
    from .emit import wants_colour

    return choice == "always" or (choice == "auto" and wants_colour(sys.stdout))


def _mend_streams() -> None:
    """Let output end nowhere if its stream is closed, and show what its encoding lacks as an escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (for good)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run the command line; the entry point of the zipapp."""
    _mend_streams()
    if "_MESHCTL_COMPLETE" in os.environ:
        from .completion import prepare

        prepare()
    try:
        app(prog_name="meshctl")
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(Exit.OK) from None


if __name__ == "__main__":
    main()
