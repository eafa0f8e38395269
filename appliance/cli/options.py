"""What the options of several commands have in common."""

from __future__ import annotations

from collections.abc import Callable

import typer


def one_of(*words: str) -> Callable[[str], str]:
    """Give a check that an option is one of these words."""

    def check(given: str) -> str:
        if given not in words:
            known = [word for word in words if word]
            raise typer.BadParameter(f"{given!r}: write {' or '.join(', '.join(known).rsplit(', ', 1))}")
        return given

    return check
