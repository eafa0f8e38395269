"""How meshctl.pyz begins: checks the interpreter, chooses where to unpack, hands over to shiv.

shiv unpacks before any code of the program runs, into SHIV_ROOT or ~/.shiv, and ends with a traceback where
it may not write. So the choice is made here: the first place that can be written and that nobody else can
write, because what lies there is run. In order: SHIV_ROOT, XDG_CACHE_HOME/shiv, ~/.shiv, and a private folder
under TMPDIR. A place that already holds this build need not be writable, so an image can ship it unpacked.

This file must parse on Python 3.6, whose users get a sentence instead of a traceback: no newer syntax, no
annotation that an old interpreter would have to evaluate.
"""

import importlib
import json
import os
import stat
import sys

OLDEST = (3, 11)


def too_old(version: "tuple[int, ...]") -> "str | None":
    """The sentence for an interpreter that cannot run the program."""
    if version >= OLDEST:
        return None
    have = ".".join(str(number) for number in version[:3])
    need = ".".join(str(number) for number in OLDEST)
    return (
        f"meshctl needs Python {need} or newer, and this is Python {have} ({sys.executable}). "
        f"Name a newer one, for example: python{need} {sys.argv[0]}"
    )


def others_can_write(info: "os.stat_result") -> bool:
    """True for a folder in which users other than us and root may put files."""
    mine = info.st_uid in (os.geteuid(), 0)
    group = bool(info.st_mode & stat.S_IWGRP) and info.st_gid not in (os.getegid(), 0)
    return not mine or group or bool(info.st_mode & stat.S_IWOTH)


def refusal(root: str, unpacked: str) -> "str | None":
    """Why this place cannot be used, or None when it can; makes the folder where it is missing."""
    try:
        os.makedirs(root, 0o700, exist_ok=True)
        if others_can_write(os.stat(root)):
            return "other users can write it"
        if unpacked and os.path.isdir(os.path.join(root, unpacked)):
            return None
        probe = os.path.join(root, f".probe-{os.getpid()}")
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(probe)
    except OSError as error:
        return error.strerror or str(error)
    return None


def refusal_of_private(root: str, unpacked: str) -> "str | None":
    """Like refusal, for a folder in a shared place: it must be ours, no link, and closed to everyone else."""
    try:
        shared = os.stat(os.path.dirname(root))
        if shared.st_mode & stat.S_IWOTH and not shared.st_mode & stat.S_ISVTX:
            return "other users can replace it"
        try:
            os.mkdir(root, 0o700)
        except FileExistsError:
            pass
        info = os.lstat(root)
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or stat.S_IMODE(info.st_mode) != 0o700:
        return "it is not a folder of ours with mode 0700"
    return refusal(root, unpacked)


def candidates(environ: "dict[str, str]") -> "list[tuple[str, str, bool]]":
    """The places in order: what to call it, its path, and whether it lies among other users' files."""
    found = []
    if environ.get("SHIV_ROOT"):
        found.append(("SHIV_ROOT", os.path.expandvars(os.path.expanduser(environ["SHIV_ROOT"])), False))
    if os.path.isabs(environ.get("XDG_CACHE_HOME", "")):
        found.append(("XDG_CACHE_HOME", os.path.join(environ["XDG_CACHE_HOME"], "shiv"), False))
    home = os.path.expanduser("~")
    if os.path.isabs(home):
        found.append(("home", os.path.join(home, ".shiv"), False))
    for shared in (environ.get("TMPDIR", ""), "/tmp", "/var/tmp"):  # noqa: S108 - checked before use
        if os.path.isabs(shared):
            found.append(("temporary", os.path.join(shared, f"meshctl-{os.geteuid()}"), True))
    return found


def choose(environ: "dict[str, str]", unpacked: str) -> "tuple[str | None, list[str]]":
    """The first place that will do, and the reasons against those before it."""
    refused: list[str] = []
    for label, path, private in candidates(environ):
        root = os.path.abspath(path)
        why = (refusal_of_private if private else refusal)(root, unpacked)
        if why is None:
            return root, refused
        refused.append(f"{label} {root}: {why}")
    return None, refused


def unpacked_name() -> str:
    """The folder shiv unpacks this archive to, below the root."""
    loader = globals().get("__loader__")
    try:
        build = json.loads(loader.get_data("environment.json").decode())["build_id"]  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError, KeyError):
        return ""
    return f"{os.path.basename(os.path.realpath(sys.argv[0]))}_{build}"


def main() -> None:
    """Start the program, or end with a sentence that says what is missing."""
    sentence = too_old(tuple(sys.version_info[:3]))
    if sentence:
        sys.exit(sentence)
    environ = dict(os.environ)
    root, refused = choose(environ, unpacked_name())
    if root is None:
        reasons = "\n".join(f"  {reason}" for reason in refused)
        sys.exit(
            f"meshctl found no folder to unpack into:\n{reasons}\nSet SHIV_ROOT to one only you can write."
        )
    if environ.get("SHIV_ROOT") and refused:
        sys.stderr.write(f"meshctl: not using {refused[0]}; unpacking into {root}\n")
    os.environ["SHIV_ROOT"] = root
    if "SHIV_COMPILE_WORKERS" not in environ and not os.access("/dev/shm", os.W_OK):  # noqa: S108
        os.environ["SHIV_COMPILE_WORKERS"] = "1"  # a pool of processes needs semaphores, which live there
    importlib.import_module("_bootstrap").bootstrap()


if __name__ == "__main__":
    main()
