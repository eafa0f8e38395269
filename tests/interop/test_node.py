"""Node's http2 module, and @grpc/grpc-js where npm can get it, on both sides of the proxy."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kit.certs import certs
from tests.kit.nghttp import ports
from tests.kit.peers import Meshctl, end, meshctl, need

pytestmark = pytest.mark.live

PEER = str(Path(__file__).parents[1] / "kit" / "node_peer.js")
GRPC = "@grpc/grpc-js@^1.12"
PROFILE = """
meshctl: 1
name: edge
listeners:
  web: {{bind: "127.0.0.1:0", limits: {{max_streams: 300}}}}
  tls:
    bind: "127.0.0.1:0"
    protocol: https
    limits: {{max_streams: 300}}
    tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}
routes: [{{name: all, to: app}}]
upstreams: {{app: {{endpoints: ["localhost:{port}"], protocol: http2{more}}}}}
access_log: {{to: stdout}}
"""


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[int]:
    """Run Node as a server; gives its port."""
    need("node")
    with (folder / "node.err").open("wb") as log:
        process = subprocess.Popen(["node", PEER, *arguments], stdout=subprocess.PIPE, stderr=log)
    assert process.stdout is not None
    try:
        with process.stdout:
            yield int(process.stdout.readline())
    finally:
        end(process)


def ask(*arguments: str) -> None:
    """Run Node as a client, which must find all as it should be."""
    done = subprocess.run(["node", PEER, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def proxied(folder: Path, port: int, more: str = "") -> Iterator[Meshctl]:
    """Run the proxy before ``port``."""
    pair = certs().pair("server")
    with meshctl(folder, PROFILE.format(cert=pair.cert, key=pair.key, port=port, more=more)) as proxy:
        yield proxy
        assert "Traceback" not in proxy.err


SETTINGS = [
    {},
    {"headerTableSize": 0},
    {"initialWindowSize": 1000},
    {"maxFrameSize": 1 << 20, "initialWindowSize": 1 << 20},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_http2_in_the_clear(settings: dict[str, int], tmp_path: Path) -> None:
    """Echoes of any size, two hundred at once, hints, trailers, cookies, resets from either end."""
    told = json.dumps(settings)
    with serving(tmp_path, "serve", "", "", told) as port, proxied(tmp_path, port) as proxy:
        ask("ask", f"http://127.0.0.1:{ports(proxy)[0]}", "", told)


def test_http2_in_tls(tmp_path: Path) -> None:
    """The same with TLS on both sides."""
    pair = certs().pair("server")
    with (
        serving(tmp_path, "serve-tls", pair.key, pair.cert) as port,
        proxied(tmp_path, port, f", tls: {{ca: {certs().ca}}}") as proxy,
    ):
        ask("ask", f"https://localhost:{ports(proxy)[1]}", certs().ca)


@pytest.fixture(scope="session")
def grpc_js(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of grpc-js, which npm installs for this run."""
    need("node", "npm")
    folder = tmp_path_factory.mktemp("npm")
    done = subprocess.run(
        [str(shutil.which("npm")), "install", "--no-audit", "--no-fund", "--ignore-scripts", GRPC],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"npm could not install {GRPC}: {done.stderr[-200:]}")
    return str(folder / "node_modules" / "@grpc" / "grpc-js")


@pytest.mark.parametrize("tls", [False, True], ids=["h2c", "tls"])
def test_grpc_js(tls: bool, grpc_js: str, tmp_path: Path) -> None:
    """All four shapes of call, metadata, a status with its text, and two hundred calls at once."""
    with serving(tmp_path, "grpc-serve", grpc_js) as port, proxied(tmp_path, port) as proxy:
        web, secret = ports(proxy)
        if tls:
            ask("grpc-ask", grpc_js, f"localhost:{secret}", certs().ca)
        else:
            ask("grpc-ask", grpc_js, f"127.0.0.1:{web}")
