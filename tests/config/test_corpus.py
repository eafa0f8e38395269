"""Good profiles are plans; bad ones are told what is wrong, word for word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.config import source
from appliance.config.load import load, load_profile
from appliance.config.schema import PROFILE
from appliance.config.schema_types import ByShape, ListOf, MapOf, Object, Type
from tests.kit.machines import FakeMachine

CORPUS = Path(__file__).parent / "corpus"
PROFILES = Path(__file__).parents[2] / "profiles"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.yaml"))


@pytest.fixture(params=source.PARSERS, ids=lambda loader: loader.__name__)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> object:
    """Every parser that PyYAML has here, in turn."""
    monkeypatch.setattr(source, "PARSERS", (request.param,))
    return request.param


@pytest.mark.parametrize("name", _names(CORPUS / "good"))
def test_good_profiles_are_plans_without_a_word(name: str, loader: object) -> None:
    """Nothing is said about what is right."""
    plan, found = load(str(CORPUS / "good" / name), env={})
    assert found.render() == ""
    assert plan is not None


@pytest.mark.parametrize("name", _names(CORPUS / "bad"))
def test_bad_profiles_get_the_words_written_beside_them(
    name: str, loader: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text is golden; set UPDATE_GOLDEN=1 to write it anew, then read the difference."""
    monkeypatch.chdir(CORPUS / "bad")
    machine = FakeMachine() if name >= "mc604" and name < "mc7" else None
    loaded = load_profile(name, env={}, machine=machine)
    plan, found = loaded.plan, loaded.diagnostics
    golden = CORPUS / "bad" / f"{name.removesuffix('.yaml')}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found.render())
    assert found.render() == golden.read_text()
    assert name[:5].upper() in {diagnostic.code for diagnostic in found}
    assert (plan is None) == (found.errors > 0)


@pytest.mark.parametrize("name", _names(PROFILES))
def test_the_profiles_that_we_ship_are_right(name: str) -> None:
    """No errors and no warnings, with an empty environment; but a checkout cannot keep a key from others."""
    plan, found = load(str(PROFILES / name), env={})
    assert {diagnostic.code for diagnostic in found} <= ({"MC609"} if name == "gateway.yaml" else set())
    assert found.errors == 0
    assert plan is not None


@pytest.mark.parametrize("name", ["canary.yaml", "quickstart.yaml"])
def test_the_examples_use_only_what_is_built(name: str) -> None:
    """An example must do what it says."""
    plan, _ = load(str(PROFILES / name), env={})
    assert plan is not None
    assert plan.unbuilt == ()


def _keys(kind: Type | None, path: str) -> set[str]:
    if isinstance(kind, ByShape):
        inner = (kind.scalar, kind.listing, kind.mapping)
        return set().union(*(_keys(each, path) for each in inner if each is not None))
    if isinstance(kind, ListOf):
        return _keys(kind.item, path)
    if isinstance(kind, MapOf):
        return _keys(kind.value, f"{path}.*")
    if isinstance(kind, Object):
        names = {f"{path}.{name}" for name in kind.keys}
        return names.union(*(_keys(key.type, f"{path}.{name}") for name, key in kind.keys.items()))
    return set()


def test_one_good_profile_uses_nearly_every_key() -> None:
    """A key that no good profile uses is a key that nobody has tried."""
    text = (CORPUS / "good" / "everything.yaml").read_text()
    leaves = {path.rsplit(".", 1)[1] for path in _keys(PROFILE, "")}
    assert {leaf for leaf in leaves if f"{leaf}:" not in text} == {"zipkin"}
