"""The ``meshctl`` command: one function per command, each importing what it needs when it is called."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from appliance import __version__

from .exits import Exit

_HELP = """A service-mesh data plane that fits in one file.

meshctl validate edge.yaml      check a profile, say everything that is wrong

meshctl run edge.yaml           start the proxy in the foreground

meshctl demo                    see it work: three servers, a proxy, one that fails
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

  meshctl demo                    see it work, no set-up needed
  meshctl validate PROFILE        check a profile, say everything that is wrong
  meshctl run PROFILE             start the proxy in the foreground
  meshctl version                 what this is

A profile of ten lines is enough to begin:

  meshctl: 1
  listeners: {{web: {{bind: ":8080"}}}}
  routes: [{{name: all, to: app}}]
  upstreams: {{app: {{endpoints: ["127.0.0.1:9001"]}}}}

More of a command: meshctl COMMAND --help
"""


@app.callback(invoke_without_command=True)
def _bare(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(_BARE.format(version=__version__), end="")


@app.command()
def validate(
    profiles: Annotated[list[str], typer.Argument(metavar="PROFILE...", help="Files to check; - is stdin.")],
    format: Annotated[str, typer.Option(help="human or json.")] = "human",
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
) -> None:
    """Check profiles without starting anything; exits with 3 if one is wrong."""
    from .validate import validate as command

    if format not in ("human", "json"):
        raise typer.BadParameter(f"{format!r}: human or json")
    raise typer.Exit(command(profiles, format, strict, _colour()))


@app.command()
def run(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="The profile to run.")],
    check_only: Annotated[bool, typer.Option("--check-only", help="Check, then exit.")] = False,
) -> None:
    """Start the proxy in the foreground; SIGTERM drains it, a second one stops it at once."""
    from .run import run as command

    raise typer.Exit(command(profile, check_only=check_only))


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(help="Stop after so long; 0 runs until ctrl-c.")] = 0.0,
) -> None:
    """Start three servers, a proxy and a gentle load; one server goes slow, fails and recovers."""
    from .demo import demo as command

    raise typer.Exit(command(seconds))


@app.command()
def version(format: Annotated[str, typer.Option(help="text or json.")] = "text") -> None:
    """Say which version this is, and of what."""
    python = ".".join(map(str, sys.version_info[:3]))
    if format == "json":
        print(json.dumps({"schema": "meshctl.version/1", "version": __version__, "python": python}))
    else:
        print(f"meshctl {__version__} (CPython {python})")


def _colour() -> bool:
    from .emit import wants_colour

    return wants_colour(sys.stdout)


def main() -> None:
    """Run the command line; the entry point of the zipapp."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(Exit.OK) from None


if __name__ == "__main__":
    main()
