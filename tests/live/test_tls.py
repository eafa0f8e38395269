"""TLS with curl before the proxy and nginx behind it: what is agreed on, refused, and swapped as it runs."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kit.certs import certs
from tests.kit.peers import Meshctl, curl, end, free_port, meshctl, nginx

pytestmark = pytest.mark.live

PROFILE = """
meshctl: 1
name: edge
listeners:
  web:
    bind: "127.0.0.1:0"
    protocol: https
    tls: {{certificates: [{{cert: {cert}, key: {key}}}]{more}}}
routes:
  - {{name: h1, match: {{path_prefix: /h1/}}, to: h1, rewrite: {{path_prefix: /}}}}
  - {{name: h2, match: {{path_prefix: /h2/}}, to: h2, rewrite: {{path_prefix: /}}}}
  - {{name: stranger, match: {{path_prefix: /stranger/}}, to: stranger}}
  - name: who
    match: {{path: /who}}
    respond: {{status: 200}}
    headers: {{response: {{set: {{x-who: "%CLIENT_SUBJECT% %CLIENT_FINGERPRINT%"}}}}}}
upstreams:
  h1: {{endpoints: ["localhost:{port}"], tls: {{ca: {ca}}}}}
  h2: {{endpoints: ["localhost:{port}"], protocol: http2, tls: {{ca: {ca}}}}}
  stranger:
    endpoints: ["localhost:{port}"]
    tls: {{ca: {ca}, server_name: b.example}}
    retry: {{max_retries: 0}}
access_log: {{to: stdout}}
"""


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[int]:
    """Run an nginx with a port that speaks TLS, HTTP/2 and HTTP/1.1 by ALPN; gives that port."""
    pair, port = certs().pair("server"), free_port()
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "big").write_bytes(bytes(range(256)) * 12_000)
    block = f"listen 127.0.0.1:{port} ssl http2; ssl_certificate {pair.cert}; ssl_certificate_key {pair.key};"
    with nginx(tmp_path, block):
        yield port


@contextmanager
def proxied(folder: Path, port: int, more: str = "") -> Iterator[Meshctl]:
    """Run the proxy with a copy of the server's certificate, which a test may replace."""
    for kind in ("crt", "key"):
        shutil.copy(certs().home / f"server.{kind}", folder / f"mine.{kind}")
    text = PROFILE.format(
        cert=folder / "mine.crt", key=folder / "mine.key", ca=certs().ca, port=port, more=more
    )
    with meshctl(folder, text) as running:
        yield running


def ask(proxy: Meshctl, path: str, *options: str, name: str = "localhost") -> str:
    """Ask with curl, which trusts the tests' authority; gives status and version, or curl's complaint."""
    done = curl(
        "--cacert", certs().ca, "--resolve", f"{name}:{proxy.port}:127.0.0.1", "-o", "/dev/null",
        "-w", "%{http_code} %{http_version}", *options, f"https://{name}:{proxy.port}{path}",
    )  # fmt: skip
    return done.stdout.decode() if not done.returncode else done.stderr.decode()


def test_every_pair_of_versions_and_protocols(origin: int, tmp_path: Path) -> None:
    """TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2, on either side; bodies arrive whole."""
    with proxied(tmp_path, origin) as proxy:
        for version in ("1.2", "1.3"):
            for protocol, shown in (("--http1.1", "1.1"), ("--http2", "2")):
                for path in ("/h1/big", "/h2/big"):
                    options = (f"--tlsv{version}", "--tls-max", version, protocol)
                    assert ask(proxy, path, *options) == f"200 {shown}"
        whole = curl("--cacert", certs().ca, f"https://localhost:{proxy.port}/h2/big").stdout
        assert whole == bytes(range(256)) * 12_000


def test_what_is_refused_is_told(origin: int, tmp_path: Path) -> None:
    """Plain HTTP by an answer; a client without a certificate, and an upstream's wrong name, in the log."""
    with proxied(tmp_path, origin, f", client_auth: require, client_ca: {certs().ca}") as proxy:
        plain = curl("-i", f"http://127.0.0.1:{proxy.port}/")
        assert plain.stdout.startswith(b"HTTP/1.1 400 ")
        assert not ask(proxy, "/h1/big").startswith("200")
        pair = certs().pair("client")
        mine = ("--cert", pair.cert, "--key", pair.key)
        assert ask(proxy, "/h1/big", *mine) == "200 2"
        assert ask(proxy, "/stranger/", *mine) == "502 2"
        for version in ("--http1.1", "--http2"):
            found = ask(proxy, "/who", *mine, version, "-w", "%header{x-who}")
            assert re.fullmatch(r"CN=edge\\, one,OU=.* [0-9a-f]{64}", found)
        end(proxy.process)
        assert "plain HTTP was sent to a port that speaks TLS" in proxy.err
        assert "the client showed no certificate, but client_auth requires one" in proxy.err
        assert "the certificate of b.example: Hostname mismatch" in proxy.out
        assert '"subject":"CN=edge' in proxy.out


def test_a_certificate_is_swapped_while_it_runs(origin: int, tmp_path: Path) -> None:
    """Within seconds new connections get the new one; half a pair changes nothing and is told."""
    with proxied(tmp_path, origin) as proxy:
        assert ask(proxy, "/h1/big") == "200 2"
        for kind, told in (("crt", "keeps its certificates"), ("key", "have changed and are in use")):
            shutil.copy(certs().home / f"wild.{kind}", tmp_path / f"new.{kind}")
            (tmp_path / f"new.{kind}").replace(tmp_path / f"mine.{kind}")
            until(lambda told=told: told in proxy.err)
        assert ask(proxy, "/h1/big", name="x.w.example") == "200 2"
        assert "60" in ask(proxy, "/h1/big", "--fail", name="localhost")


def until(true: Callable[[], bool]) -> None:
    """Wait for at most 15 seconds."""
    deadline, pause = time.monotonic() + 15, threading.Event()
    while not true():
        assert time.monotonic() < deadline
        pause.wait(0.1)


def test_a_balancer_in_front_says_who_asks(tmp_path: Path) -> None:
    """The PROXY header stands before TLS, and curl can send one."""
    pair = certs().pair("server")
    text = f"""
meshctl: 1
name: edge
listeners:
  web:
    bind: "127.0.0.1:0"
    protocol: https
    proxy_protocol: {{from: [127.0.0.0/8]}}
    tls: {{certificates: [{{cert: {pair.cert}, key: {pair.key}}}]}}
routes:
  - name: who
    respond: {{status: 200}}
    headers: {{response: {{set: {{x-who: "%CLIENT_ADDRESS%"}}}}}}
"""
    with meshctl(tmp_path, text) as proxy:
        said = ("--haproxy-protocol", "--interface", "127.0.0.9", "-w", "%header{x-who}")
        for version in ("--http1.1", "--http2"):
            assert ask(proxy, "/", *said, version) == "127.0.0.9"
        assert not ask(proxy, "/").startswith("200")
