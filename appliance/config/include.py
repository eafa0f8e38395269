"""One profile out of several files.

`include` names files, or patterns that are sorted, relative to the file that says so. At the top,
maps join and lists run on; everything below is as written in one file, and the same name in two is
an error that shows both places. Nothing overrides anything: which file a setting is in never
depends on the order in which files happen to be read.

Routes of included files come before those of the file that includes them, since the first match
wins and it is the outer file that ends with what takes the rest.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
from collections.abc import Callable

from .diagnostic import Diagnostics, Related, Span
from .nodes import Listing, Mapping, Node, Scalar, shape
from .source import MAX_BYTES, parse
from .substitute import reason_of

MAX_FILES = 256
JOINED = (
    "vars",
    "process",
    "defaults",
    "listeners",
    "upstreams",
    "access_log",
    "tracing",
    "stats",
    "rate_limit",
)
LISTS = ("routes", "tests")


def unusable(path: str) -> bool:
    """Whether no file can have this name, as the system would refuse it with an exception."""
    return "\0" in path or any(0xD800 <= ord(c) < 0xDC80 or 0xDCFF < ord(c) < 0xE000 for c in path)


class Files:
    """Reads a profile and what it includes into one tree; ``digest`` is over all their bytes."""

    def __init__(self, diagnostics: Diagnostics, substitute: Callable[[Node, str], None]) -> None:
        self._diagnostics = diagnostics
        self._substitute = substitute
        self._hash = hashlib.sha256()
        self._seen: dict[str, Span | None] = {}
        self._asked = 0

    @property
    def digest(self) -> str:
        """The first 12 hex digits of the SHA-256 of all files read, in the order of reading."""
        return self._hash.hexdigest()[:12]

    def read(self, path: str, data: bytes | None = None, asked: Scalar | None = None) -> Mapping | None:
        """Give the tree of a file with everything it includes, or None if it cannot be had.

        ``data`` stands in for what is in the file; ``asked`` is the place that included it.
        """
        real = os.path.realpath(path) if data is None and not unusable(path) else path
        if asked is not None and real in self._seen:
            first = self._seen[real]
            self._diagnostics.error(
                "MC602",
                f"`{asked.written if asked.foreign else path}` is {'included' if first else 'read'} already",
                asked.span,
                path="include",
                help="include it in one place only" if first else "a profile cannot include itself",
                related=(Related("first here", first),) if first else (),
            )
            return None
        self._seen[real] = asked.span if asked else None
        if data is None:
            data = self._bytes(path, asked)
        if data is None:
            return None
        self._hash.update(data)
        root = parse(data, path, self._diagnostics)
        if root is None:
            return None
        if not isinstance(root, Mapping):
            message = (
                f"a profile is a map of keys such as `listeners` and `routes`, but this is {shape(root)}"
            )
            self._diagnostics.error("MC201", message, root.span)
            return None
        return self._with_includes(root)

    def _bytes(self, path: str, asked: Scalar | None) -> bytes | None:
        try:
            if asked is not None and os.path.exists(path) and not os.path.isfile(path):
                raise IsADirectoryError(errno.EISDIR, "not a regular file")
            with open(path, "rb") as file:
                return file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as problem:
            span = asked.span if asked else Span(path)
            name = asked.written if asked is not None and asked.foreign else path
            message = f"cannot read `{name}`: {reason_of(problem)}"
            where = "include" if asked else ""
            self._diagnostics.error("MC602" if asked else "MC601", message, span, path=where)
            return None

    def _with_includes(self, root: Mapping) -> Mapping:
        wanted = root.get("include")
        if wanted is None:
            return root
        self._substitute(wanted, "include")
        patterns = wanted.items if isinstance(wanted, Listing) else [wanted]
        parts = []
        for pattern in patterns:
            if not isinstance(pattern, Scalar) or not pattern.value or pattern.failed or pattern.unknown:
                continue  # the schema tells what is wrong with it
            self._asked += 1
            for path in self._matching(pattern):
                self._asked += 1
                if len(self._seen) >= MAX_FILES or self._asked > 4 * MAX_FILES:
                    self._diagnostics.error(
                        "MC602", f"more than {MAX_FILES} files are included", pattern.span
                    )
                    return root
                part = self.read(path, asked=pattern)
                if part is not None:
                    part.entries = [(key, value) for key, value in part.entries if key.value != "include"]
                    parts.append(part)
        for part in parts:
            self._join(root, part)
        self._reorder(root, [*parts, root])
        return root

    def _matching(self, pattern: Scalar) -> list[str]:
        full = os.path.join(os.path.dirname(pattern.span.file), pattern.value)
        if not glob.has_magic(full) or unusable(full):
            return [full]
        return sorted(path for path in glob.glob(full) if not os.path.isdir(path))

    def _join(self, root: Mapping, part: Mapping) -> None:
        """Put the top-level keys of an included file into the tree; lists wait for ``_reorder``."""
        here = {key.value: (key, value) for key, value in root.entries}
        for key, value in part.entries:
            first_key, first = here.get(key.value, (None, None))
            if first_key is None or first is None:
                root.entries.append((key, value))
            elif key.value in JOINED and isinstance(first, Mapping) and isinstance(value, Mapping):
                self._join_maps(key.value, first, value)
            elif key.value in LISTS and isinstance(first, Listing) and isinstance(value, Listing):
                continue
            elif not (key.value == "meshctl" and isinstance(first, Scalar)):
                self._twice(key, first_key, "")

    def _join_maps(self, name: str, first: Mapping, second: Mapping) -> None:
        known = {key.value: key for key, _ in first.entries}
        for key, value in second.entries:
            if key.value in known:
                self._twice(key, known[key.value], name)
            else:
                first.entries.append((key, value))

    def _twice(self, key: Scalar, first: Scalar, inside: str) -> None:
        place = f" in `{inside}`" if inside else ""
        self._diagnostics.error(
            "MC204",
            f"`{key.value}`{place} stands in two files",
            key.span,
            label="again",
            help="maps of several files join, but nothing in one overrides another: keep one of them",
            related=(Related("first here", first.span),),
            path=f"{inside}.{key.value}" if inside else key.value,
        )

    def _reorder(self, root: Mapping, parts: list[Mapping]) -> None:
        """Run the lists of all files on from one another, the outer file's at the end."""
        for name in LISTS:
            target = root.get(name)
            lists = [found for part in parts if isinstance(found := part.get(name), Listing)]
            if isinstance(target, Listing) and len(lists) > 1:
                distinct = {id(found): found for found in lists}.values()  # the first may be adopted by root
                target.items = [item for found in distinct for item in found.items]
