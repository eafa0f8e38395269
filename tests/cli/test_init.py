"""``meshctl init``: what is written, what is left alone, and how it ends."""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path

import pytest

from appliance.cli.exits import Exit
from appliance.cli.init import PROFILE, SCHEMA, TEMPLATES, init
from appliance.config.load import load

ALL = pytest.mark.parametrize("template", sorted(TEMPLATES))


@ALL
def test_each_template_is_a_profile_without_errors(template: str, tmp_path: Path) -> None:
    """And without warnings: whatever it names is beside it. Its comments speak of it by its new name."""
    assert init(str(tmp_path), template) == Exit.OK
    plan, found = load(str(tmp_path / PROFILE), env={})
    assert found.render() == ""
    assert plan is not None
    text = (tmp_path / PROFILE).read_text()
    assert text.startswith(f"# yaml-language-server: $schema=./{SCHEMA}\n# ")
    assert f"meshctl run {PROFILE}" in text
    assert TEMPLATES[template] not in text


@ALL
def test_the_schema_is_what_an_editor_expects(template: str, tmp_path: Path) -> None:
    """JSON, of the draft that it names."""
    init(str(tmp_path), template)
    schema = json.loads((tmp_path / SCHEMA).read_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_gateway_brings_its_certificate(tmp_path: Path) -> None:
    """The pair fits, and the key is nobody else's, whatever the umask."""
    old = os.umask(0)
    try:
        init(str(tmp_path), "gateway")
    finally:
        os.umask(old)
    folder = tmp_path / "tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "example.crt", folder / "example.key")
    assert (folder / "example.key").stat().st_mode & 0o777 == 0o600
    assert "everyone has" in (folder / "README.md").read_text()


def test_it_says_what_it_wrote_and_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Paths as they can be typed."""
    monkeypatch.chdir(tmp_path)
    assert init("new/edge") == Exit.OK
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (
        "wrote     new/edge/meshctl.yaml                 the profile (minimal)\n"
        "wrote     new/edge/meshctl-profile.schema.json  for editors: completion, and checks while you type\n"
        "\n"
        "next:\n"
        "  meshctl validate new/edge/meshctl.yaml   check it after each change\n"
        "  meshctl run new/edge/meshctl.yaml        its first lines tell how to try it\n"
    )


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file in the way is named, and none of the others is written."""
    (tmp_path / PROFILE).write_text("mine")
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "example.key").symlink_to("nowhere")
    assert init(str(tmp_path), "gateway") == Exit.CONFLICT
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split()[1] for line in err.splitlines()] == [
        str(tmp_path / PROFILE),
        str(tmp_path / "tls" / "example.key"),
    ]
    assert (tmp_path / PROFILE).read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [PROFILE, "tls"]


def test_with_force_it_is(tmp_path: Path) -> None:
    """A link is replaced, and not what it points to; nothing else is left behind."""
    (tmp_path / "target").write_text("precious")
    (tmp_path / PROFILE).symlink_to("target")
    assert init(str(tmp_path), force=True) == Exit.OK
    assert "meshctl: 1" in (tmp_path / PROFILE).read_text()
    assert not (tmp_path / PROFILE).is_symlink()
    assert (tmp_path / "target").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([PROFILE, SCHEMA, "target"])


def test_a_second_run_does_no_harm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What already says the same is no conflict; another template is."""
    init(str(tmp_path), "canary")
    capsys.readouterr()
    assert init(str(tmp_path), "canary") == Exit.OK
    assert capsys.readouterr().out.count("as it was") == 2
    assert init(str(tmp_path), "grpc") == Exit.CONFLICT


def test_what_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the system's reason; an unknown template with those there are."""
    (tmp_path / "file").write_text("")
    assert init(str(tmp_path / "file")) == Exit.CONFLICT
    assert f"{tmp_path / 'file'} exists already" in capsys.readouterr().err
    (tmp_path / PROFILE).mkdir()
    assert init(str(tmp_path), force=True) == Exit.FAILED
    err = capsys.readouterr().err
    assert err.startswith(f"meshctl: cannot write {tmp_path / PROFILE}: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", PROFILE]
    assert init(str(tmp_path), "huge") == Exit.USAGE
    assert "minimal, gateway, sidecar, canary, grpc" in capsys.readouterr().err
