"""Which proxy is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.cli import target as module
from appliance.cli.target import TargetError, resolve, token
from appliance.net.reach import Place

EDGE, OTHER = Place("edge", path="/run/meshctl/edge.sock"), Place("other", path="/run/meshctl/other.sock")


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two proxies run here."""
    monkeypatch.setattr(module, "local_places", lambda environ, uid: [EDGE, OTHER])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("edge", EDGE),
        ("./x.sock", Place("x", path="./x.sock")),
        ("/tmp/my.sock", Place("my", path="/tmp/my.sock")),
        ("127.0.0.1:9901", Place("127.0.0.1:9901", host="127.0.0.1", port=9901)),
        ("[::1]:9901", Place("[::1]:9901", host="::1", port=9901)),
        (
            "https://edge.example:9901",
            Place("https://edge.example:9901", host="edge.example", port=9901, tls=True),
        ),
        ("http://a:1/", Place("http://a:1/", host="a", port=1)),
        ("ssh://box", Place("", ssh="box")),
        ("ssh://admin@box/edge", Place("edge", ssh="admin@box")),
    ],
)
@pytest.mark.usefixtures("two")
def test_targets(text: str, place: Place) -> None:
    """Names, paths, addresses, other machines; MESHCTL_TARGET where nothing is said."""
    assert resolve(text, {}) == place
    assert resolve(None, {"MESHCTL_TARGET": text}) == place


@pytest.mark.parametrize(
    "text", ["nobody", "a:0", "a:99999", "a:b", "ssh://", "ssh://-oProxyCommand=x", "ftp://a:1", "\x1b[31m"]
)
@pytest.mark.usefixtures("two")
def test_what_is_no_target_is_told(text: str) -> None:
    """With what runs here, and nothing that could move a terminal; never as an option of ssh."""
    with pytest.raises(TargetError) as caught:
        resolve(text, {})
    assert "\x1b" not in str(caught.value)


def test_without_one_it_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several, one has to be named."""
    for places, said in (
        ([], "no proxy runs here"),
        ([EDGE, OTHER], "name one \\(as TARGET, or by -t\\): edge, other"),
    ):
        monkeypatch.setattr(module, "local_places", lambda environ, uid, places=places: places)
        with pytest.raises(TargetError, match=said):
            resolve(None, {})
    monkeypatch.setattr(module, "local_places", lambda environ, uid: [OTHER])
    assert resolve(None, {}) == OTHER


def test_tokens_come_from_files(tmp_path: Path) -> None:
    """Never from the command line; a file that cannot be read is told."""
    assert token({}) == ""
    (tmp_path / "t").write_text("secret\n")
    assert token({"MESHCTL_TOKEN_FILE": str(tmp_path / "t")}) == "secret"
    (tmp_path / "b").write_bytes(b"\xff\xfe")
    for name in ("none", "b"):
        with pytest.raises(TargetError, match="MESHCTL_TOKEN_FILE"):
            token({"MESHCTL_TOKEN_FILE": str(tmp_path / name)})
