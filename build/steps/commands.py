"""The commands behind the scripts: demo, test, check, pyz, bench, pictures; the others call archive."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import checks, environment, inputs, packages
from .console import Progress, StepFailed, must, run

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "dist" / "logs"
PYZ = ROOT / "dist" / "meshctl.pyz"


def main(arguments: Sequence[str]) -> int:
    """Run one command; the status is 0, 1, or what the program it became says."""
    name, *rest = arguments or ("",)
    if name not in COMMANDS:
        print(f"Unknown command {name!r}; there are {', '.join(COMMANDS)}.", file=sys.stderr)
        return 2
    try:
        return COMMANDS[name](rest)
    except StepFailed as failure:
        print(failure.explain(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def set_up(purpose: str, progress: Progress) -> Path:
    """The environment for a purpose, made or reused."""
    wanted = environment.requirements(environment.read_project(ROOT), purpose)
    venv = environment.place(ROOT, purpose)
    with progress.step("environment"):
        made = environment.prepare(ROOT, venv, wanted, LOGS / f"environment-{purpose}.log")
        progress.remark = "" if made else "unchanged"
    return venv


def make_pyz(venv: Path, progress: Progress, *, force: bool = False) -> None:
    """dist/meshctl.pyz, built when its inputs changed."""
    with progress.step("meshctl.pyz"), environment.locked(LOGS / "pyz.lock"):
        wanted = inputs.digest(ROOT)
        if not force and inputs.is_current(PYZ, wanted):
            progress.remark = "unchanged"
            return
        log = LOGS / "pyz.log"
        log.unlink(missing_ok=True)
        command: list[str | Path] = [environment.python_of(venv), ROOT / "build" / "run.py", "archive", PYZ]
        must(command, "Building meshctl.pyz", cwd=ROOT, log=log)
        inputs.remember(PYZ, wanted)
        progress.remark = f"{PYZ.stat().st_size / 1e6:.1f} MB"


def demo(arguments: Sequence[str]) -> int:
    """Become the demo of the freshly built archive."""
    progress = Progress(3)
    make_pyz(set_up("build", progress), progress)
    progress.say("[3/3] demo")
    os.execv(sys.executable, [sys.executable, str(PYZ), "demo", *arguments])  # noqa: S606 - no shell is wanted


def pyz(arguments: Sequence[str]) -> int:
    """Build the archive and say where it is."""
    if set(arguments) - {"--force"}:
        raise StepFailed("build/pyz takes no argument but --force.")
    progress = Progress(2)
    make_pyz(set_up("build", progress), progress, force="--force" in arguments)
    print(PYZ)
    return 0


def archive(arguments: Sequence[str]) -> int:
    """Build the archive at the path given, with the shiv and hatchling of this very interpreter."""
    from .archive import build  # noqa: PLC0415 - needs packaging, which only the environment has

    target = Path(arguments[0]) if arguments else PYZ
    extensions = build(ROOT, target.absolute())
    print(f"optional extension modules: {', '.join(extensions) or 'none'}")
    return 0


def test(arguments: Sequence[str]) -> int:
    """Everything; with arguments, pytest with these."""
    begun = time.monotonic()
    with_pyz = not arguments or any("zipapp" in word or "tests/live" in word for word in arguments)
    progress = Progress(3 + with_pyz + (0 if arguments else 3))
    venv = set_up("test", progress)
    install_packages(progress)
    results: dict[str, bool] = {}
    if with_pyz:
        try:
            make_pyz(venv, progress)
            results["pyz"] = True
        except StepFailed as failure:
            progress.say(failure.explain())
            results["pyz"] = False
    wanted = [checks.pytest(arguments)]
    if not arguments:
        wanted = [checks.FORMAT, checks.LINT, checks.TYPES, checks.pytest()]
    return finish(venv, wanted, progress, results, begun)


def check(arguments: Sequence[str]) -> int:
    """What should pass before a commit, without the long tests."""
    if arguments:
        raise StepFailed("build/check takes no arguments.")
    begun = time.monotonic()
    progress = Progress(5)
    venv = set_up("test", progress)
    wanted = [checks.FORMAT, checks.LINT, checks.TYPES, checks.HOUSE]
    return finish(venv, wanted, progress, {}, begun)


def finish(
    venv: Path, wanted: Sequence[checks.Check], progress: Progress, results: dict[str, bool], begun: float
) -> int:
    """Run the checks and print how each went."""
    for item in wanted:
        results[item.name] = checks.perform(ROOT, venv, item, progress, LOGS)
    progress.say(checks.summary(results))
    verdict = "all passed" if all(results.values()) else "some checks FAILED"
    progress.say(f"{verdict} in {time.monotonic() - begun:.0f}s")
    return 0 if all(results.values()) else 1


def install_packages(progress: Progress) -> None:
    """Install the programs live tests need, or say what will be skipped without them."""
    with progress.step("system packages"):
        wanted = packages.find_missing()
        why = packages.install(ROOT, wanted, LOGS / "packages.log") if wanted else ""
        lacking = packages.find_missing() if wanted else []
        progress.remark = "all present" if not wanted else f"wanted: {', '.join(wanted)}"
    for line in packages.explain(ROOT, lacking, why or "still not found"):
        progress.say(line)


def bench(arguments: Sequence[str]) -> int:
    """Measure the freshly built archive beside its peers; the benchmarks bring their own environment."""
    progress = Progress(2)
    make_pyz(set_up("build", progress), progress)
    return run([sys.executable, ROOT / "tests" / "bench" / "run.py", *arguments], cwd=ROOT, timeout=None)


def pictures(arguments: Sequence[str]) -> int:
    """Draw the pictures of the documentation, or record anew what they show."""
    progress = Progress(2)
    venv = set_up("pictures", progress)
    progress.say("[2/2] pictures")
    command: list[str | Path] = [environment.python_of(venv), "-m", "drawing", *arguments]
    return run(command, cwd=ROOT / "build", timeout=600, env={**os.environ, "PYTHONPATH": str(ROOT)})


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": demo,
    "test": test,
    "check": check,
    "pyz": pyz,
    "bench": bench,
    "archive": archive,
    "pictures": pictures,
}
