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
from .check_machine import check_machine
from .compile import compile_plan, with_defaults
from .diagnostic import Diagnostics
from .hide import hide_secrets
from .include import Files
from .machine import Machine
from .plan import Plan
from .read import Reader, Value
from .schema import PROFILE
from .substitute import Substitution


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a profile.

    ``written`` is the profile as it stands, ``merged`` the same with ``defaults`` copied under each
    upstream and route; both are None where the file could not be read as a map. ``plan`` is None
    if there are errors, or if values are ``unknown`` because their source was not to be asked.
    """

    diagnostics: Diagnostics
    written: Value | None = None
    merged: Value | None = None
    plan: Plan | None = None
    unknown: int = 0


def load_profile(
    path: str,
    *,
    text: bytes | None = None,
    env: Mapping[str, str] | None = os.environ,
    files: bool = True,
    machine: Machine | None = None,
) -> Loaded:
    """Read a profile, with all that is known about it.

    ``text`` stands in for the content of the file. Without ``env`` (None) or ``files``, what the
    environment or the files of `${file:...}` would give is taken as unknown. With a ``machine``, what the
    profile names is looked for there.
    """
    diagnostics = Diagnostics()
    substitution = Substitution(env, diagnostics, files=files)
    reader = Files(diagnostics, substitution.apply)
    tree = reader.read(path, text)
    if tree is None:
        return Loaded(diagnostics)
    hide_secrets(tree, diagnostics)
    substitution.declare(tree.get("vars"))
    substitution.apply(tree)
    substitution.tell_unused()
    written = Reader(diagnostics).read(PROFILE, tree)
    if written is None:
        return Loaded(diagnostics)
    merged = with_defaults(written)
    check(written, merged, diagnostics)
    if machine is not None:
        check_machine(merged, machine, diagnostics)
    plan = None
    if not diagnostics.errors and not substitution.unknown:
        plan = compile_plan(written, merged, path, reader.digest, os.uname().nodename)
    return Loaded(diagnostics, written, merged, plan, substitution.unknown)


def load(
    path: str, *, text: bytes | None = None, env: Mapping[str, str] | None = None
) -> tuple[Plan | None, Diagnostics]:
    """Read a profile for its plan alone, which is None if and only if there are errors.

    ``env`` stands in for the environment of the process.
    """
    loaded = load_profile(path, text=text, env=os.environ if env is None else env)
    return loaded.plan, loaded.diagnostics
