"""Several files, one profile."""

from __future__ import annotations

import os
from pathlib import Path

from appliance.config.load import load

MAIN = """include: [%s]
meshctl: 1
listeners: {web: {bind: ":8080"}}
routes: [{name: rest, to: app}]
upstreams: {app: {endpoints: [127.0.0.1:9001]}}
"""


def write(folder: Path, **files: str) -> str:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return str(folder / "main.yaml")


def codes(path: str) -> list[str]:
    return [d.code for d in load(path, env={})[1]]


def test_maps_join_and_routes_of_included_files_come_first(tmp_path: Path) -> None:
    """In sorted order; the outer file's routes end the table."""
    path = write(
        tmp_path,
        main=MAIN % "'[ab].yaml'",
        b="routes: [{name: b, match: {path: /b}, to: b}]\nupstreams: {b: {endpoints: [127.0.0.1:9003]}}",
        a="meshctl: 1\nroutes: [{name: a, match: {path: /a}, to: b}]",
    )
    plan, found = load(path, env={})
    assert plan is not None, found.render()
    assert [route.name for route in plan.routes] == ["a", "b", "rest"]
    assert [upstream.name for upstream in plan.upstreams] == ["app", "b"]
    assert plan.routes[0].where.file == str(tmp_path / "a.yaml")


def test_included_files_may_include(tmp_path: Path) -> None:
    """Relative to themselves."""
    (tmp_path / "sub").mkdir()
    write(
        tmp_path / "sub", one="include: two.yaml\n", two="routes: [{name: two, match: {path: /2}, to: app}]"
    )
    plan, _ = load(write(tmp_path, main=MAIN % "sub/one.yaml"), env={})
    assert plan is not None
    assert [route.name for route in plan.routes] == ["two", "rest"]


def test_the_same_name_in_two_files_shows_both_places(tmp_path: Path) -> None:
    """Nothing overrides anything."""
    path = write(
        tmp_path,
        main=MAIN % "a.yaml",
        a="name: x\nupstreams: {app: {endpoints: [127.0.0.1:9009]}}\nprocess: {drain_timeout: 1s}",
    )
    plan, found = load(path, env={})
    assert plan is None
    problem = next(iter(found))
    assert (problem.code, problem.path) == ("MC204", "upstreams.app")
    assert problem.related[0].span.file == path


def test_circles_and_repetitions_are_refused(tmp_path: Path) -> None:
    """A file is read once."""
    assert codes(write(tmp_path, main=MAIN % "a.yaml", a="include: main.yaml")) == ["MC602"]
    assert codes(write(tmp_path, main=MAIN % "a.yaml, a.yaml", a="name: a")) == ["MC602"]


def test_a_name_must_exist_and_a_pattern_need_not(tmp_path: Path) -> None:
    """A folder of routes may be empty."""
    assert codes(write(tmp_path, main=MAIN % "absent.yaml")) == ["MC602"]
    assert codes(write(tmp_path, main=MAIN % "routes.d/*.yaml")) == []


def test_mistakes_in_an_included_file_are_shown_there(tmp_path: Path) -> None:
    """With its own name and lines."""
    path = write(tmp_path, main=MAIN % "a.yaml", a="\nupstreams: {x: {endpoints: [nowhere]}}")
    _, found = load(path, env={})
    assert [(d.code, d.span.file, d.span.line) for d in found] == [("MC307", str(tmp_path / "a.yaml"), 2)]


def test_the_digest_is_over_all_files(tmp_path: Path) -> None:
    """A change in any of them changes it."""
    path = write(tmp_path, main=MAIN % "a.yaml", a="vars: {X: y}")
    first, _ = load(path, env={})
    write(tmp_path, a="vars: {X: z}")
    second, _ = load(path, env={})
    assert first is not None
    assert second is not None
    assert first.digest != second.digest
    assert len(first.digest) == 12


def test_patterns_are_substituted(tmp_path: Path) -> None:
    """The environment may choose what is included."""
    path = write(
        tmp_path, main=MAIN % '"${STAGE}.yaml"', test="routes: [{name: t, match: {path: /t}, to: app}]"
    )
    plan, _ = load(path, env={"STAGE": "test"})
    assert plan is not None
    assert plan.routes[0].name == "t"


def test_files_asked_for_again_and_again_are_counted(tmp_path: Path) -> None:
    """A hundred patterns that all find the same hundred files end soon, with one word more."""
    for number in range(100):
        (tmp_path / f"r{number}.yaml").write_text(f"routes: [{{name: r{number}, respond: {{status: 200}}}}]")
    path = write(tmp_path, main=MAIN % ", ".join(["r*.yaml"] * 100))
    _, found = load(path, env={})
    assert found.errors < 2000
    assert any("more than" in each.message for each in found)


def test_only_files_are_included(tmp_path: Path) -> None:
    """A pipe that nobody writes to would be waited for."""
    os.mkfifo(tmp_path / "pipe.yaml")
    _, found = load(write(tmp_path, main=MAIN % "pipe.yaml"), env={})
    assert [(each.code, "not a regular file" in each.message) for each in found] == [("MC602", True)]
    text = (MAIN % "").replace("include: []", 'name: "${file:pipe.yaml}"')
    _, found = load(write(tmp_path, main=text), env={})
    assert [(each.code, "not a regular file" in each.message) for each in found] == [("MC603", True)]


def test_an_include_does_not_see_variables(tmp_path: Path) -> None:
    """They are known only when all is read; the help does not say to put them there."""
    _, found = load(write(tmp_path, main="vars: {D: a}\n" + MAIN % '"${D}.yaml"', a="name: x"), env={})
    (unset,) = [each for each in found if each.code == "MC404"]
    assert "the environment only" in unset.help
