"""What must not be shown to whoever reads the output of a command.

A profile should take its secrets from files or the environment, and what comes from there is never
shown. Some are written into it all the same, and a checker whose output lands in a build log must
not be what spreads them. So a value is a secret if the name it stands under says so
(`authorization`, `x-api-key`, `DB_PASSWORD`); so are whatever stands between `//` and `@` of a URL, and its
parameters of such names.

Where a file is parsed, ``hide`` finds such values in the tree. A file that is no YAML still gets
excerpts, so here is a net for single lines, too; it rather blanks too much.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[\w.-]++")
_SECRET = re.compile(
    r"authorization|cookie|api[-_]?key|token|secret|passw(?:or)?d|passphrase|credential", re.IGNORECASE
)
_HARMLESS = re.compile(r"[_-](?:file|path|name|url)\Z", re.IGNORECASE)
_IN_A_LINE = re.compile(r"(?<![\w.-])(?P<name>[\w.-]++)[\"']?+\s*+[:=]")
_AT_THE_END = re.compile(r"(?<![\w.-])(?P<name>[\w.-]++)[\"']?\s*:\s*(?:[|>][-+0-9]*)?\s*\Z")
_SUBSTITUTED = re.compile(r"[\s\"']*+\$\{[^{}]*+\}[\"']?\s*+(?=[,}\]#]|$)")
_USER = re.compile(  # of a URL, and of what a typing mistake has made of one
    r"(?<=//)[^/@\s]++(?=@)|(?<=:)(?:\s{1,8}+(?![\"'\[{]))?[^/@\s]{1,256}+(?=@)"
)
_PARAMETER = re.compile(r"(?<=[?&])(?P<name>[\w.-]++)=(?P<value>[^&#\s\"']++)")

HIDDEN = "***"


def is_secret_name(name: str) -> bool:
    """Whether the value under a key, header or variable of this name is not to be shown."""
    return bool(_SECRET.search(name) and _WORD.fullmatch(name) and not _HARMLESS.search(name))


def without_credentials(text: str) -> str:
    """Give ``text`` with users, passwords and secret parameters of every URL blanked, its length kept."""
    if "@" in text:
        text = _USER.sub(lambda found: "*" * len(found[0]), text)
    return _PARAMETER.sub(_blanked_parameter, text) if "=" in text else text


def _blanked_parameter(found: re.Match[str]) -> str:
    return f"{found['name']}={'*' * len(found['value'])}" if is_secret_name(found["name"]) else found[0]


def begins_secret(line: str) -> bool:
    """Whether a line ends in the name of a secret whose value stands on the lines below."""
    found = _AT_THE_END.search(line)
    return found is not None and is_secret_name(found["name"])


def blanked(line: str) -> str:
    """Give a line of a file with everything behind the name of a secret blanked, its length kept."""
    for found in _IN_A_LINE.finditer(line):
        start = found.end()
        if is_secret_name(found["name"]) and not _SUBSTITUTED.match(line, start):
            return line[:start] + re.sub(r"[^\s\"'\[\]{},]", "*", line[start:])
    return line
