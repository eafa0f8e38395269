"""dist/meshctl.pyz as users meet it: several interpreters, no compiled code, places that cannot be written.

``build/test`` builds the file first. Every start gets an environment of its own, so nothing of this machine's
home leaks in and nothing is left there.
"""

import glob
import hashlib
import http.client
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.zipapp

ROOT = Path(__file__).resolve().parents[2]
PYZ = ROOT / "dist" / "meshctl.pyz"
QUICKTIMEOUT = ROOT / "profiles" / "quickstart.yaml"
TIMEOUT = 120.0  # seconds; a first start unpacks and compiles, a build asks pip, the machine may be busy
ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")
NEWER = ("3.11", "3.12", "3.13")
OLDER = ("3.10", "3.9", "3.8", "3.7", "3.6")
PROFILE = """\
meshctl: 1
listeners:
  web: {{bind: "127.0.0.1:0"}}
routes:
  - {{name: all, to: app}}
upstreams:
  app: {{endpoints: ["127.0.0.1:{port}"]}}
"""


@cache
def interpreter(version: str) -> str | None:
    """A CPython of this minor version, from PATH or from pyenv; None when the machine has none that runs."""
    names = [shutil.which(f"python{version}"), shutil.which("python3"), "/usr/bin/python3"]
    names += sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}*/bin/python")))
    wanted = f"cpython {version}"
    question = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.executable)"
    for name in filter(None, names):
        try:
            said = start([name, "-c", question], dict(os.environ))
        except OSError:
            continue
        if said.returncode == 0 and said.stdout.rsplit(None, 1)[0] == wanted:
            return said.stdout.split()[-1]
    return None


def python_for(version: str) -> str:
    """The interpreter, or the test is skipped by its name."""
    found = interpreter(version)
    if found is None:
        pytest.skip(f"no CPython {version} on this machine")
    return found


@pytest.fixture(scope="module")
def pyz() -> Path:
    """The archive under test."""
    if not PYZ.exists():
        pytest.skip("dist/meshctl.pyz is not built; build/pyz makes it")
    return PYZ


@pytest.fixture(scope="module")
def pure(pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the archive without any extension module."""
    target = tmp_path_factory.mktemp("pure") / "meshctl.pyz"
    with zipfile.ZipFile(pyz) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as sink:
        for member in source.infolist():
            if not member.filename.endswith(".so"):
                sink.writestr(member, source.read(member))
    return target


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One SHIV_ROOT for all interpreters, as on a machine that has several."""
    return tmp_path_factory.mktemp("unpacked")


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty home with a short path: sockets below it must fit into 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="mesh") as folder:
        yield Path(folder)


def surroundings(home: Path | str, **more: str) -> dict[str, str]:
    """The environment of a start: nothing of ours but PATH."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C.UTF-8", **more}


def start(
    command: list[str | Path], env: dict[str, str], cwd: Path = ROOT, umask: int = -1
) -> subprocess.CompletedProcess[str]:
    """Run to the end, bounded."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        umask=umask,
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        stdin=subprocess.DEVNULL,
    )


class Origin(BaseHTTPRequestHandler):
    """Answers every GET with the path it was asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Echo the path."""
        body = f"origin saw {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@contextmanager
def origin() -> Iterator[int]:
    """The port of a tiny origin on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Origin) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(TIMEOUT)


@contextmanager
def proxy(command: list[str | Path], env: dict[str, str]) -> Iterator[int]:
    """The port of the listener that a running proxy names on its standard error."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that its workers can be ended with it
    )
    watchdog = threading.Timer(
        TIMEOUT, os.killpg, (process.pid, signal.SIGKILL)
    )  # bounds the wait for the line, too
    watchdog.start()
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if found := ADDRESS.search(line):
                yield int(found[1])
                break
        else:
            pytest.fail(f"the proxy named no address; it said:\n{said}")
    finally:
        process.terminate()
        try:
            process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        finally:
            watchdog.cancel()


@pytest.mark.parametrize("version", NEWER)
def test_a_profile_is_validated_without_compiled_code(
    version: str, pure: Path, unpacked: Path, home: Path
) -> None:
    """Stripped of extension modules and shut off from installed packages, the archive validates a profile."""
    command = [python_for(version), "-S", pure, "validate", QUICKTIMEOUT]
    ended = start(command, surroundings(home, SHIV_ROOT=str(unpacked)))
    assert ended.returncode == 0, ended.stderr


@pytest.mark.live
@pytest.mark.parametrize("version", NEWER)
def test_a_request_is_proxied_without_compiled_code(
    version: str, pure: Path, unpacked: Path, home: Path
) -> None:
    """Stripped of extension modules, the archive proxies a request under every CPython it promises."""
    python = python_for(version)
    env = surroundings(home, SHIV_ROOT=str(unpacked), XDG_RUNTIME_DIR=str(home), TMPDIR=str(home))
    with origin() as port:
        profile = home / "p.yaml"
        profile.write_text(PROFILE.format(port=port), encoding="utf-8")
        with proxy([python, "-S", pure, "run", profile], env) as listener:
            client = http.client.HTTPConnection("127.0.0.1", listener, timeout=TIMEOUT)
            try:
                client.request("GET", "/hello?x=1")
                answer = client.getresponse()
                assert (answer.status, answer.read()) == (200, b"origin saw /hello?x=1")
            finally:
                client.close()


def test_its_name_does_not_matter(pyz: Path, tmp_path: Path, home: Path) -> None:
    """The demo starts the same file again, whatever it is called."""
    renamed = tmp_path / "meshctl"
    shutil.copy(pyz, renamed)
    ran = start([sys.executable, renamed, "demo", "--seconds", "2"], surroundings(home), tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "the proxy ended with 0" in ran.stdout


def test_an_old_interpreter_gets_a_sentence(pyz: Path, home: Path) -> None:
    """A Python that is too old says which one is needed, without a traceback."""
    python = next(filter(None, map(interpreter, OLDER)), None)
    if python is None:
        pytest.skip("no CPython 3.6 to 3.10 on this machine")
    ended = start([python, pyz, "version"], surroundings(home))
    assert ended.returncode == 1
    assert ended.stderr.startswith("meshctl needs Python 3.11 or newer, and this is Python 3.")
    assert len(ended.stderr.splitlines()) == 1


def test_it_starts_from_a_folder_that_cannot_be_written(pyz: Path, tmp_path: Path, home: Path) -> None:
    """Nothing is written beside the archive or where it is started, not even by root, who could."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    shutil.copy(pyz, folder / "meshctl.pyz")
    folder.chmod(0o555)
    try:
        ended = start([sys.executable, "meshctl.pyz", "version"], surroundings(home), folder)
        assert ended.returncode == 0, ended.stderr
        assert [path.name for path in folder.iterdir()] == ["meshctl.pyz"]
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("kind", ["file", "kernel"])
def test_it_starts_without_a_home_to_write_to(kind: str, pyz: Path, tmp_path: Path) -> None:
    """Where the home takes no files, the archive unpacks into a private folder below TMPDIR."""
    home = tmp_path / "home"
    home.write_text("not a folder", encoding="utf-8")
    env = surroundings(home if kind == "file" else "/proc", TMPDIR=str(tmp_path))
    ended = start([sys.executable, pyz, "version"], env)
    assert ended.returncode == 0, ended.stderr
    private = tmp_path / f"meshctl-{os.geteuid()}"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert [path.name for path in private.iterdir() if path.is_dir()]


def test_a_root_others_can_write_is_not_used(pyz: Path, tmp_path: Path, home: Path) -> None:
    """A SHIV_ROOT open to everybody is passed over with a sentence, since what lies there would be run."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    ended = start([sys.executable, pyz, "version"], surroundings(home, SHIV_ROOT=str(shared)))
    assert ended.returncode == 0
    assert f"not using SHIV_ROOT {shared}: other users can write it" in ended.stderr
    assert list(shared.iterdir()) == []
    assert (home / ".shiv").is_dir()


def test_an_unpacked_root_need_not_be_writable(pyz: Path, tmp_path: Path, home: Path) -> None:
    """An image may ship the archive unpacked: a second start writes nothing into its root."""
    env = surroundings(home, SHIV_ROOT=str(tmp_path / "root"), PYTHONDONTWRITEBYTECODE="1")
    assert start([sys.executable, pyz, "version"], env).returncode == 0
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / "root").chmod(0o555)
    try:
        ended = start([sys.executable, pyz, "version"], env)
    finally:
        (tmp_path / "root").chmod(0o755)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(tmp_path.rglob("*")) == before
    assert not (home / ".shiv").exists()


def test_first_starts_at_the_same_moment_share_one_unpacking(pyz: Path, tmp_path: Path, home: Path) -> None:
    """Three first starts at once all work and leave one complete folder."""
    env = surroundings(home, SHIV_ROOT=str(tmp_path))
    command = [sys.executable, pyz, "version"]
    pipe = subprocess.PIPE
    starts = [subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True) for _ in range(3)]
    try:
        said = [process.communicate(timeout=TIMEOUT) for process in starts]
    finally:
        for process in starts:
            process.kill()
            process.communicate()
    assert [process.returncode for process in starts] == [0, 0, 0], said
    assert len({out for out, _ in said}) == 1
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1


def test_the_archive_holds_the_program_and_nothing_else(pyz: Path) -> None:
    """Profiles and licenses travel; tests, scripts, records and byte code do not."""
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert pyz.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    assert "site-packages/appliance/profiles/quickstart.yaml" in names
    assert any(re.fullmatch(r"site-packages/meshctl-.*/licenses/LICENSE", name) for name in names)
    unwanted = re.compile(
        r"\.pyc$|/__pycache__/|/_?tests/|^site-packages/bin/|\.dist-info/(RECORD|INSTALLER|direct_url\.json)$"
        r"|^site-packages/(pip|setuptools|wheel|shiv|pytest|hatchling|mypy)[-/]"
    )
    assert [name for name in names if unwanted.search(name)] == []
    compiled = [name for name in names if ".so" in name]
    assert all(re.search(r"/yaml/_yaml\.cpython-3\d+-\w+-linux-\w+\.so$", name) for name in compiled), (
        compiled
    )


def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    """No folder, umask, time zone or path of a build shows in the archive."""
    if importlib.util.find_spec("shiv") is None or importlib.util.find_spec("hatchling") is None:
        pytest.skip("shiv and hatchling are not installed here; build/test installs them")
    digests = set()
    for place, umask, zone in (("a", 0o022, "UTC"), ("another/place", 0o077, "Asia/Tokyo")):
        copy = tmp_path / place
        for tree in ("appliance", "profiles", "build"):
            shutil.copytree(ROOT / tree, copy / tree, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
            shutil.copy(ROOT / name, copy / name)
        built, env = copy / "dist" / "meshctl.pyz", {**os.environ, "TZ": zone}
        made = start([sys.executable, copy / "build" / "run.py", "archive", built], env, umask=umask)
        assert made.returncode == 0, made.stdout + made.stderr
        digests.add(hashlib.sha256(built.read_bytes()).hexdigest())
        with zipfile.ZipFile(built) as archive:
            traces = [str(tmp_path).encode(), b"meshctl-pyz-", f"#!{sys.prefix}/".encode()]
            for name in archive.namelist():
                content = archive.read(name)
                assert not [trace for trace in traces if trace in content], name
    assert len(digests) == 1
