"""What `${...}` in a value stands for.

    ${NAME}            the environment, else `vars` of the profile, else an error
    ${NAME:-fallback}  the fallback when NAME is set in neither, or empty
    ${NAME:?message}   an error with this message then
    ${file:PATH}       the text of a file, without the line end at its end; relative to the profile
    $${NAME}           the text ${NAME} itself

Only values that YAML has already parsed are substituted, never keys and never the raw text, so
what comes in is always one piece of text and cannot add a key or end a string. What a substitution
gives is not looked at again. A value from the environment or a file is marked as foreign, and from
then on only its `${...}` is shown to anybody.

A profile can be checked far from the machine that it is for. Then the environment is not looked at,
or files are not, and what would have come from there is unknown: no error, and nothing to check.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping as MappingType

from .diagnostic import Diagnostics
from .nodes import Listing, Mapping, Node, Scalar, brief
from .read_scalar import nearest
from .secrets import HIDDEN

MAX_GIVEN = 4 << 20
"""Characters that all substitutions of a profile may give together."""

MAX_FILE = 64 * 1024

_REFERENCE = re.compile(r"\$?\$\{([^{}]*)(\}?)")
_PARTS = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:[-?])(.*))?", re.ASCII | re.DOTALL)


class Substitution:
    """One profile's scope: its environment, its `vars`, and the directory that files are relative to.

    An ``env`` of None is an environment that is not known; so are the contents of files without
    ``files``. ``unknown`` counts the values that could not be had for that.
    """

    def __init__(
        self, env: MappingType[str, str] | None, diagnostics: Diagnostics, *, files: bool = True
    ) -> None:
        self._env: MappingType[str, str] = {} if env is None else env
        self._env_known = env is not None
        self._files_known = files
        self.unknown = 0
        self._diagnostics = diagnostics
        self._vars: dict[str, Scalar] = {}
        self._declared: dict[str, Scalar] = {}
        self._used: set[str] = set()
        self._given = 0
        self._done: set[int] = set()

    def declare(self, node: Node | None) -> None:
        """Take over the `vars` of the profile; their own values see the environment only."""
        if isinstance(node, Mapping):
            self._declared = {key.value: key for key, _ in node.entries}
            self.apply(node, "vars")
            self._vars = {key.value: value for key, value in node.entries if isinstance(value, Scalar)}

    def apply(self, node: Node, path: str = "") -> None:
        """Substitute in every value below ``node``, each once, however many aliases lead to it."""
        if (isinstance(node, Scalar) and "${" not in node.value) or id(node) in self._done:
            return
        self._done.add(id(node))
        if isinstance(node, Mapping):
            for key, value in node.entries:
                name = HIDDEN if key.secret else brief(key.value)
                self.apply(value, f"{path}.{name}" if path else name)
        elif isinstance(node, Listing):
            for index, item in enumerate(node.items):
                self.apply(item, f"{path}[{index}]")
        else:
            parts: list[str] = []
            end = 0
            for found in _REFERENCE.finditer(node.value):
                given = self._resolve(node, found, path)
                self._given += len(given)
                if self._given > MAX_GIVEN:
                    problem = f"all substitutions together give more than {MAX_GIVEN >> 20} MiB"
                    self._error("MC121", node, path, problem, "")
                    return
                parts += node.value[end : found.start()], given
                end = found.end()
            node.asked = node.value
            node.value = "".join((*parts, node.value[end:]))

    def tell_unused(self) -> None:
        """Tell of the `vars` that no value has asked for."""
        for name, key in self._declared.items():
            if name not in self._used and not key.secret:
                self._diagnostics.warning(
                    "MC411",
                    f"no value uses the variable `{name}`",
                    key.span,
                    help=f"write ${{{name}}} where its value belongs, or remove it",
                    path=f"vars.{name}",
                )

    def _resolve(self, scalar: Scalar, found: re.Match[str], path: str) -> str:
        if found[0].startswith("$$"):
            return found[0][1:]
        inner = found[1]
        if not found[2]:
            nested = found.string[found.end() : found.end() + 1] == "{"
            message = "a ${...} cannot contain {" if nested else "a ${ is never closed"
            advice = "close it with }, or write $${ for the text itself"
            self._error("MC121", scalar, path, message, "put it into a variable" if nested else advice)
            return ""
        if inner.startswith("file:"):
            scalar.foreign = True
            if not self._files_known:
                return self._unknown(scalar)
            return self._file(scalar, inner.removeprefix("file:"), path)
        parts = _PARTS.fullmatch(inner)
        if parts is None:
            message = f"`${{{inner}}}` does not read as a substitution"
            advice = (
                "write ${NAME}, ${NAME:-fallback}, ${NAME:?message} or ${file:PATH}; $${ is the text itself"
            )
            self._error("MC121", scalar, path, message, advice)
            return ""
        name, operator, rest = parts.groups()
        self._used.add(name)
        if name in self._env and (self._env[name] or not operator):
            scalar.foreign = True
            if any(0xD800 <= ord(c) < 0xE000 for c in self._env[name]):
                self._error("MC404", scalar, path, f"`{name}` is set to something that is not UTF-8 text", "")
                return ""
            return self._env[name]
        known = self._vars.get(name)
        if known is not None and (known.value or not operator):
            scalar.foreign = scalar.foreign or known.foreign
            return known.value
        if operator == ":-":
            return str(rest)
        if not self._env_known:
            return self._unknown(scalar)
        close = nearest(name, list(self._vars))
        if path.startswith("include"):
            advice = (
                "an include knows the environment only, not `vars`: set it there, or write ${"
                + name
                + ":-fallback}"
            )
            self._error("MC404", scalar, path, f"`{name}` is not set in the environment", advice)
            return ""
        if name in self._declared and name not in self._vars:
            advice = "a variable cannot use another one, only the environment: write its value out"
            self._error("MC404", scalar, path, f"`{name}` is not set in the environment", advice)
            return ""
        told = f"`{name}` is not set{f': {rest}' if rest else ''}"
        advice = (
            f"did you mean `{close}`?"
            if close
            else (f"set it in the environment or under `vars`, or write ${{{name}:-fallback}}")
        )
        self._error("MC404", scalar, path, told, advice)
        return ""

    def _unknown(self, scalar: Scalar) -> str:
        self.unknown += not scalar.unknown
        scalar.foreign = scalar.unknown = True
        return ""

    def _file(self, scalar: Scalar, name: str, path: str) -> str:
        full = os.path.join(os.path.dirname(scalar.span.file), name)
        try:
            if os.path.exists(full) and not os.path.isfile(full):
                self._error("MC603", scalar, path, f"`{name}` is not a regular file", "")
                return ""
            with open(full, "rb") as file:
                data = file.read(MAX_FILE + 1)
            if len(data) > MAX_FILE:
                self._error("MC603", scalar, path, f"`{name}` is larger than {MAX_FILE // 1024} KiB", "")
                return ""
            return data.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            self._error("MC603", scalar, path, f"`{name}` is not UTF-8 text", "")
        except (OSError, ValueError) as problem:
            reason = reason_of(problem)
            advice = "the path is relative to the profile's directory"
            self._error("MC603", scalar, path, f"cannot read `{name}`: {reason}", advice)
        return ""

    def _error(self, code: str, scalar: Scalar, path: str, message: str, advice: str) -> None:
        scalar.foreign = True
        scalar.failed = True
        self._diagnostics.error(code, message, scalar.span, help=advice, path=path)


def reason_of(problem: OSError | ValueError) -> str:
    """Give the system's reason without the path, which the message already names."""
    text = getattr(problem, "strerror", None) or "the path cannot be used"
    return text[0].lower() + text[1:]
