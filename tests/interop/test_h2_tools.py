"""curl, nghttp and h2load before the proxy, nghttpd and nginx behind it: HTTP/2 as others have written it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from tests.kit.certs import certs
from tests.kit.nghttp import forget_peak, h2load, nghttp, nghttpd, peak, ports, statuses
from tests.kit.peers import Meshctl, curl, free_port, meshctl, nginx

pytestmark = pytest.mark.live

LISTENERS = """
meshctl: 1
name: edge
listeners:
  web: {{bind: "127.0.0.1:0"}}
  tls: {{bind: "127.0.0.1:0", protocol: https, tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}}}
access_log: {{to: stdout}}
"""
GIB = 1 << 30
GROWTH = 32 << 20
UPSTREAMS = ("h2c", "h2", "nginx-h1", "nginx-h2")


def profile(**upstreams: str) -> str:
    """Give a profile with a route ``/NAME/`` to each upstream."""
    pair = certs().pair("server")
    text = LISTENERS.format(cert=pair.cert, key=pair.key) + "routes:\n"
    for name in upstreams:
        rule = f"match: {{path_prefix: /{name}/}}, to: {name}, rewrite: {{path_prefix: /}}"
        text += f"  - {{name: {name}, {rule}}}\n"
    return text + "upstreams:\n" + "".join(f"  {name}: {{{rule}}}\n" for name, rule in upstreams.items())


def plain(port: int) -> str:
    """Give the rule of an upstream that speaks HTTP/2 in the clear."""
    return f'endpoints: ["127.0.0.1:{port}"], protocol: http2'


def secret(port: int) -> str:
    """Give the rule of an upstream that speaks HTTP/2 in TLS."""
    return f'endpoints: ["localhost:{port}"], protocol: http2, tls: {{ca: {certs().ca}}}'


@dataclass(frozen=True)
class World:
    """The running proxy, its two base URLs, and the files that the origins serve."""

    proxy: Meshctl
    bases: tuple[str, str]
    www: Path

    def file(self, name: str) -> bytes:
        """Give the bytes of a file."""
        return (self.www / name).read_bytes()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run two nghttpd that send back what they get, one nginx with two ports, and the proxy before them."""
    folder = tmp_path_factory.mktemp("tools")
    www = folder / "www"
    www.mkdir()
    for name, size in (("small", 100), ("mid", 3_000_000), ("empty", 0)):
        (www / name).write_bytes(os.urandom(size))
    with (www / "huge").open("wb") as huge:
        huge.truncate(GIB // 4)
    pair, port = certs().pair("server"), free_port()
    block = f"listen 127.0.0.1:{port} ssl http2; ssl_certificate {pair.cert}; ssl_certificate_key {pair.key};"
    echo = ("--echo-upload", "--trailer", "x-end: 1")
    with ExitStack() as stack:
        clear = stack.enter_context(nghttpd(www, *echo))
        sealed = stack.enter_context(nghttpd(www, *echo, tls=True))
        web = stack.enter_context(nginx(folder, block))
        text = profile(
            **{
                "h2c": plain(clear),
                "h2": secret(sealed),
                "nginx-h1": f'endpoints: ["127.0.0.1:{web}"]',
                "nginx-h2": secret(port),
            }
        )
        proxy = stack.enter_context(meshctl(folder, text))
        web_port, tls_port = ports(proxy)
        yield World(proxy, (f"http://127.0.0.1:{web_port}", f"https://localhost:{tls_port}"), www)
        assert "Traceback" not in proxy.err


CURL = {
    "h1": (0, (), "1.1"),
    "upgrade": (0, ("--http2",), "1.1"),
    "prior": (0, ("--http2-prior-knowledge",), "2"),
    "tls12-h1": (1, ("--tls-max", "1.2", "--http1.1"), "1.1"),
    "tls12-h2": (1, ("--tls-max", "1.2", "--http2"), "2"),
    "tls13-h1": (1, ("--tlsv1.3", "--http1.1"), "1.1"),
    "tls13-h2": (1, ("--tlsv1.3", "--http2"), "2"),
}


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("way", CURL)
def test_curl_in_each_of_its_ways(way: str, upstream: str, world: World) -> None:
    """Small, large and empty files arrive whole, and their heads alone; an offer of h2c is let be."""
    base, options, version = CURL[way]
    common = ("--cacert", certs().ca, *options, "-w", "%{stderr}%{http_code} %{http_version}")
    for name in ("mid", "small", "empty"):
        done = curl(*common, f"{world.bases[base]}/{upstream}/{name}")
        assert done.stderr.decode() == f"200 {version}"
        assert done.stdout == world.file(name)
    done = curl(*common, "--head", f"{world.bases[base]}/{upstream}/mid")
    assert done.stderr.decode() == f"200 {version}"
    assert b"content-length: 3000000" in done.stdout.lower()
    done = curl(*common, f"{world.bases[base]}/{upstream}/none")
    assert done.stderr.decode() == f"404 {version}"


@pytest.mark.parametrize(("way", "upstream"), product(CURL, ("h2c", "h2")))
def test_curl_sends_and_gets_it_back(way: str, upstream: str, world: World) -> None:
    """An upload, of a length told before or not, comes back byte by byte."""
    base, options, version = CURL[way]
    for extra in ((), ("-H", "Transfer-Encoding: chunked")):
        done = curl(
            "--cacert", certs().ca, *options, *extra, "-w", "%{stderr}%{http_code} %{http_version}",
            "--data-binary", f"@{world.www / 'mid'}", f"{world.bases[base]}/{upstream}/echo",
        )  # fmt: skip
        assert done.stderr.decode() == f"200 {version}"
        assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(world.file("mid")).digest()


NGHTTP = {
    "plainly": (),
    "twenty at once": ("-m20",),
    "wide windows": ("-w20", "-W24", "-m5"),
    "narrow windows": ("-w10", "-W16"),
    "padding": ("-b255",),
    "a small table": ("-c0",),
    "a table that changes": ("-c8192", "-c0", "-c65536", "-m5"),
    "no priorities": ("--no-dep", "--no-rfc7540-pri"),
}


@pytest.mark.parametrize("options", NGHTTP.values(), ids=NGHTTP)
def test_nghttp_in_each_of_its_ways(options: tuple[str, ...], world: World) -> None:
    """All of its requests get 200, over one connection to each listener."""
    count = next((int(word[2:]) for word in options if word.startswith("-m")), 1)
    for base in world.bases:
        urls = [f"{base}/{upstream}/{name}" for upstream in UPSTREAMS for name in ("mid", "small", "empty")]
        assert statuses(*options, *urls) == [200] * (count * len(urls))


def test_nghttp_sends_a_head_of_several_frames(world: World) -> None:
    """A head of 13 KiB, HEADERS and CONTINUATION, passes to an origin that takes so much."""
    for base, upstream in product(world.bases, ("h2c", "h2")):
        assert statuses("--continuation", f"{base}/{upstream}/small") == [200]


def test_nghttp_uploads_with_trailers(world: World) -> None:
    """Sized or not, with trailers, padding, or 100-continue: the answer comes, and so do its trailers."""
    for base, upstream in product(world.bases, ("h2c", "h2")):
        for options in (
            (),
            ("--no-content-length",),
            ("--trailer", "x-t: 1"),
            ("-b200",),
            ("--expect-continue",),
        ):
            shown = nghttp("-nv", *options, "-d", str(world.www / "mid"), f"{base}/{upstream}/echo")
            assert ":status: 200" in shown
            assert "x-end: 1" in shown
            assert "RST_STREAM" not in shown


H2LOAD = {
    "one connection": ("-n1000", "-c1", "-m100"),
    "eight connections": ("-n2000", "-c8", "-m20"),
    "one by one": ("-n300", "-c2", "-m1"),
    "HTTP/1.1": ("-n500", "-c8", "--h1"),
    "narrow windows": ("-n50", "-c2", "-m5", "-w10", "-W16"),
}


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("options", H2LOAD.values(), ids=H2LOAD)
def test_h2load_sees_nothing_fail(options: tuple[str, ...], upstream: str, world: World) -> None:
    """Every request of a crowd gets its 200 and its hundred bytes, in the clear and in TLS."""
    total = int(options[0][2:])
    for base in world.bases:
        load = h2load(*options, f"{base}/{upstream}/small")
        assert load.clean(total), load.printed
        assert load.body == 100 * total


@pytest.mark.parametrize("tls", [False, True], ids=["h2c", "tls"])
@pytest.mark.parametrize("up", [False, True], ids=["down", "up"])
def test_a_gibibyte_flows_through(up: bool, tls: bool, world: World) -> None:
    """Four streams of 256 MiB, HTTP/2 on either side, arrive and grow the proxy by less than 32 MiB."""
    with nghttpd(world.www, tls=tls) as port:  # which takes uploads to their end and throws them away
        (folder := world.www.parent / f"bulk-{up}-{tls}").mkdir()
        with meshctl(folder, profile(bulk=secret(port) if tls else plain(port))) as proxy:
            base = f"https://localhost:{ports(proxy)[1]}" if tls else f"http://127.0.0.1:{ports(proxy)[0]}"
            assert h2load("-n10", f"{base}/bulk/small").clean(10)
            before = proxy.rss()
            forget_peak(proxy)
            if up:
                load = h2load("-n4", "-m4", "-d", str(world.www / "huge"), f"{base}/bulk/small")
            else:
                load = h2load("-n4", "-m4", f"{base}/bulk/huge")
                assert load.body == GIB
            assert load.clean(4), load.printed
            assert peak(proxy) - before < GROWTH
            assert "Traceback" not in proxy.err


ODD = {
    "padding": (("-b255",), ()),
    "a push that nobody wants": (("-p/small=/mid,/empty",), ()),
    "narrow windows": (("-w10", "-W16"), ()),
    "no length": (("--no-content-length",), ()),
    "no table": (("-c0", "--encoder-header-table-size=0"), ()),
    "ten streams": (("-m10",), ()),
    "one stream": (("-m1",), ()),
    "an early answer": (("--early-response",), ("-d", "mid")),
}


@pytest.mark.parametrize(("server", "client"), ODD.values(), ids=ODD)
def test_origins_with_habits_of_their_own(
    server: tuple[str, ...], client: tuple[str, ...], world: World, tmp_path: Path
) -> None:
    """Whatever an HTTP/2 origin may do, its forty answers come through, and the log knows of no fault."""
    data = [str(world.www / word) if word == "mid" else word for word in client]
    with nghttpd(world.www, *server) as port, meshctl(tmp_path, profile(odd=plain(port))) as proxy:
        base = f"http://127.0.0.1:{ports(proxy)[0]}/odd"
        for name in ("small", "mid"):
            load = h2load("-n20", "-c2", "-m10", *data, f"{base}/{name}")
            assert load.clean(20), load.printed
            assert load.body == 20 * len(world.file(name))
        assert curl("--http2-prior-knowledge", f"{base}/mid").stdout == world.file("mid")
        assert "Traceback" not in proxy.err
    lines = [json.loads(line) for line in proxy.out.splitlines()]
    assert [line["status"] for line in lines] == [200] * 41
    assert not [line for line in lines if line.get("fault")]
