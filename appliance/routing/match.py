"""What a route asks of a request, as written in a profile; pure data (``table`` compiles it)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

TextKind = Literal["exact", "prefix", "contains", "regex", "present", "absent"]


@dataclass(frozen=True, slots=True)
class TextRule:
    """How one header or query value must look; ``value`` is empty for ``present`` and ``absent``.

    ``hidden`` says that the value must not be shown, as it does not stand in the profile.
    """

    kind: TextKind
    value: str = ""
    hidden: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Match:
    """All given parts must hold; an empty Match holds for every request.

    ``hosts``: lower-case, exact or ``*.suffix``. At most one of the three path fields is given;
    ``path_regex`` must match the whole path. ``methods`` are upper-case. Header names are lower-case.
    """

    hosts: tuple[str, ...] = ()
    path: str | None = None
    path_prefix: str | None = None
    path_regex: str | None = None
    methods: tuple[str, ...] = ()
    headers: tuple[tuple[str, TextRule], ...] = ()
    query: tuple[tuple[str, TextRule], ...] = ()
