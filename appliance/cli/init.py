"""``meshctl init``: an annotated profile to begin with, ready to run, and what an editor needs to check it.

The templates are the profiles that travel with the package, so whatever is written has been run by their
tests. Beside the profile goes its JSON Schema, named in the first line, which is where editors look; and
the example certificate where a template has one, with its key readable by its owner alone.

Nothing that exists is overwritten unless asked for: all files are looked at before the first is
written, and a file that already says the same is left as it is, so that a second run does no harm.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from appliance.config.load import load

from .assets import profile_path
from .exits import Exit

PROFILE = "meshctl.yaml"
SCHEMA = "meshctl-profile.schema.json"
TEMPLATES = {
    "minimal": "quickstart.yaml",
    "gateway": "gateway.yaml",
    "sidecar": "sidecar.yaml",
    "canary": "canary.yaml",
    "grpc": "grpc.yaml",
}
_BESIDE = {"gateway": ("tls/example.crt", "tls/example.key", "tls/README.md")}
_FIRST_LINE = f"# yaml-language-server: $schema=./{SCHEMA}\n"


def init(directory: str = ".", template: str = "minimal", force: bool = False) -> int:
    """Write a profile from a template, with what it needs, and say what comes next; gives the exit code."""
    if template not in TEMPLATES:
        print(f"meshctl: no template {template!r}: {', '.join(TEMPLATES)}", file=sys.stderr)
        return Exit.USAGE
    folder = Path(directory)
    files = contents(template)
    try:
        same = {name for name, text in files.items() if _says(folder / name, text)}
        taken = [name for name in files if name not in same and os.path.lexists(folder / name)]
        if taken and not force:
            for name in taken:
                print(f"meshctl: {folder / name} exists already; --force replaces it", file=sys.stderr)
            return Exit.CONFLICT
        for name, text in files.items():
            if name not in same:
                _write(folder / name, text, replace=force)
    except FileExistsError as error:
        print(f"meshctl: {error.filename} exists already", file=sys.stderr)
        return Exit.CONFLICT
    except OSError as error:
        print(f"meshctl: cannot write {error.filename2 or error.filename}: {error.strerror}", file=sys.stderr)
        return Exit.FAILED
    _report(folder, template, files, same)
    return Exit.OK


def contents(template: str) -> dict[str, str]:
    """Give the files of a template by their names, the profile first."""
    from appliance.config.json_schema import json_schema

    source = TEMPLATES[template]
    profile = profile_path(source).read_text(encoding="utf-8").replace(source, PROFILE)
    files = {PROFILE: _FIRST_LINE + profile, SCHEMA: json.dumps(json_schema(), indent=2) + "\n"}
    for name in _BESIDE.get(template, ()):
        files[name] = profile_path(name).read_text(encoding="utf-8").replace(source, PROFILE)
    return files


def _says(path: Path, text: str) -> bool:
    """Whether a file is there and has this content."""
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _write(path: Path, text: str, *, replace: bool) -> None:
    """Write a file, whole or not at all; a key is for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o600 if path.suffix == ".key" else 0o666
    target = path.with_name(f".{path.name}.{os.getpid()}") if replace else path
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode())
        if replace:
            os.replace(target, path)
    except OSError:
        os.unlink(target)
        raise


def _report(folder: Path, template: str, files: dict[str, str], same: set[str]) -> None:
    """Say what was written, and the next steps: running it only if this version can."""
    about = {
        PROFILE: f"the profile ({template})",
        SCHEMA: "for editors: completion, and checks while you type",
        "tls/example.crt": "an example, for trying only",
        "tls/example.key": "its key, which everyone has",
        "tls/README.md": "how to make a pair of your own",
    }
    shown = {name: str(folder / name) for name in files}
    width = max(map(len, shown.values()))
    for name, path in shown.items():
        print(f"{'as it was' if name in same else 'wrote':<9} {path:<{width}}  {about[name]}")
    path = shown[PROFILE]
    plan, _ = load(path)
    steps = [(f"meshctl validate {path}", "check it after each change")]
    if plan is not None:
        steps.append((f"meshctl run {path}", "its first lines tell how to try it"))
    width = max(len(command) for command, _ in steps)
    print("\nnext:")
    for command, why in steps:
        print(f"  {command:<{width}}   {why}")
