"""What `route --live` adds, from a proxy that runs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.kit.running import edge


def test_the_upstream_of_a_route_as_it_is(tmp_path: Path) -> None:
    """The breakers behind the route that takes the request, and whether the proxy runs this profile."""
    with edge(tmp_path) as proxy:
        proxy.get("/ill", 12)
        words = ("route", str(proxy.profile), "GET", "http://a/ill")
        out = " ".join(proxy.meshctl(*words, "--live").stdout.split())
        assert "edge, generation 1: this profile" in out
        assert "upstream app: 0 of 2 endpoints ready" in out
        assert out.count("open, 0 under way; breaker open, half-open in ") == 2
        told = json.loads(proxy.meshctl(*words, "--live", "--format", "json").stdout)["live"]
        assert (told["same_profile"], told["gen"], set(told["br"])) == (True, 1, set(told["ep"]))
        assert told["rt"]["tot"] == 12
        proxy.profile.write_text(proxy.profile.read_text() + "rate_limit: {rate: 5/s}\n")
        assert "another profile than this file" in proxy.meshctl(*words, "--live").stdout
        well = proxy.meshctl("route", str(proxy.profile), "GET", "http://a/well", "--live").stdout
        assert "route well: " in well
        assert "upstream" not in well.partition("running")[2]


def test_without_a_proxy_it_says_so(tmp_path: Path) -> None:
    """With the code for a target that cannot be reached."""
    with edge(tmp_path) as proxy:
        gone = {"MESHCTL_TARGET": str(tmp_path / "none.sock")}
        words = ("route", str(proxy.profile), "GET", "http://a/ill", "--live")
        assert "none.sock" in proxy.meshctl(*words, code=5, environ=gone).stderr
