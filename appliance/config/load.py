"""A profile by its path, to a plan or to the reasons why there is none.

    files -> nodes -> substitution -> values -> checks -> plan

Everything before the plan runs even after errors, as far as it can, so that one run tells all.
This is the whole of the front door: `validate` prints what comes out, `run` brings it to life.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from .check import check
from .compile import compile_plan, with_defaults
from .diagnostic import Diagnostics
from .include import Files
from .plan import Plan
from .read import Reader
from .schema import PROFILE
from .substitute import Substitution


def load(
    path: str, *, text: bytes | None = None, env: Mapping[str, str] | None = None
) -> tuple[Plan | None, Diagnostics]:
    """Read a profile; the plan is None if and only if there are errors.

    ``text`` stands in for the content of the file, ``env`` for the environment.
    """
    diagnostics = Diagnostics()
    substitution = Substitution(os.environ if env is None else env, diagnostics)
    files = Files(diagnostics, substitution.apply)
    tree = files.read(path, text)
    if tree is None:
        return None, diagnostics
    substitution.declare(tree.get("vars"))
    substitution.apply(tree)
    written = Reader(diagnostics).read(PROFILE, tree)
    if written is None:
        return None, diagnostics
    merged = with_defaults(written)
    check(written, merged, diagnostics)
    if diagnostics.errors:
        return None, diagnostics
    return compile_plan(written, merged, path, files.digest, os.uname().nodename), diagnostics
