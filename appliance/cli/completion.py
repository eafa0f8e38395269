"""``meshctl completion SHELL``: a script that completes commands and options, from the parser itself."""

from __future__ import annotations

from typing import Any, Final

SHELLS: Final = ("bash", "zsh", "fish")


def prepare() -> None:
    """Let the parser answer the questions of a shell's script, which come by the environment."""
    from typer._completion_classes import completion_init

    completion_init()


def completion(shell: str) -> str:
    """Give the script for a shell."""
    from typer._completion_shared import get_completion_script

    prepare()
    script: Any = get_completion_script(prog_name="meshctl", complete_var="_MESHCTL_COMPLETE", shell=shell)
    return str(script)
