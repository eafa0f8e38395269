"""A profile by its path, to a plan or to the reasons why there is none.

    files -> nodes -> substitution -> values -> checks -> plan

Everything before the plan runs even after errors, as far as it can, so that one run tells all.
This is the whole of the front door: `validate` prints what comes out, `run` brings it to life.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from .check import check
from .compile import compile_plan, with_defaults
from .diagnostic import Diagnostics
from .include import Files
from .plan import Plan
from .read import Reader, Value
from .schema import PROFILE
from .substitute import Substitution


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a profile.

    ``written`` is the profile as it stands, ``merged`` the same with ``defaults`` copied under each
    upstream and route; both are None where the file could not be read as a map. ``plan`` is None
    if there are errors, or if a value is ``unknown`` here.
    """

    diagnostics: Diagnostics
    written: Value | None = None
    merged: Value | None = None
    plan: Plan | None = None


def load_profile(path: str, *, text: bytes | None = None, env: Mapping[str, str] | None = None) -> Loaded:
    """Read a profile, with all that is known about it.

    ``text`` stands in for the content of the file, ``env`` for the environment.
    """
    diagnostics = Diagnostics()
    substitution = Substitution(os.environ if env is None else env, diagnostics)
    files = Files(diagnostics, substitution.apply)
    tree = files.read(path, text)
    if tree is None:
        return Loaded(diagnostics)
    substitution.declare(tree.get("vars"))
    substitution.apply(tree)
    written = Reader(diagnostics).read(PROFILE, tree)
    if written is None:
        return Loaded(diagnostics)
    merged = with_defaults(written)
    check(written, merged, diagnostics)
    plan = None
    if not diagnostics.errors:
        plan = compile_plan(written, merged, path, files.digest, os.uname().nodename)
    return Loaded(diagnostics, written, merged, plan)


def load(
    path: str, *, text: bytes | None = None, env: Mapping[str, str] | None = None
) -> tuple[Plan | None, Diagnostics]:
    """Read a profile for its plan alone, which is None if and only if there are errors."""
    loaded = load_profile(path, text=text, env=env)
    return loaded.plan, loaded.diagnostics
