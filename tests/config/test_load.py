"""The front door: a plan if and only if there are no errors, whatever comes in."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.load import load, load_profile

EVERYTHING = (Path(__file__).parent / "corpus" / "good" / "everything.yaml").read_text()


def test_a_file_that_is_not_there_is_a_diagnostic() -> None:
    """Not an exception."""
    for path in ("/nowhere/edge.yaml", "/", "a\0b"):
        plan, found = load(path)
        assert plan is None
        assert [d.code for d in found] == ["MC601"]


def test_text_stands_in_for_the_file() -> None:
    """The path is then only a name."""
    plan, _ = load(
        "<stdin>",
        text=b'meshctl: 1\nlisteners: {a: {bind: ":0"}}\nroutes: [{name: a, respond: {status: 204}}]',
    )
    assert plan is not None
    assert (plan.file, plan.upstreams) == ("<stdin>", ())


@given(st.binary(max_size=200))
def test_any_bytes_give_a_plan_or_diagnostics(data: bytes) -> None:
    """Nothing is raised, and what is told can be shown."""
    plan, found = load("a.yaml", text=data, env={})
    assert (plan is None) == (found.errors > 0)
    found.render(colour=True)
    found.as_json("a.yaml")


@settings(max_examples=150)
@given(st.data())
def test_a_profile_with_pieces_lost_or_moved_gives_a_plan_or_diagnostics(data: st.DataObject) -> None:
    """Lines cut, doubled and swapped, words replaced: what people do to files."""
    lines = EVERYTHING.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        action = data.draw(st.sampled_from(["cut", "double", "swap", "word"]))
        if action == "cut":
            del lines[at]
        elif action == "double":
            lines.insert(at, lines[data.draw(st.integers(0, len(lines) - 1))])
        elif action == "swap":
            lines[at], lines[0] = lines[0], lines[at]
        else:
            words = lines[at].split(" ")
            words[-1] = data.draw(
                st.sampled_from(["", "~", "[]", "{}", "0", "x: y", "[1", "*a", "${X}", "'"])
            )
            lines[at] = " ".join(words)
    plan, found = load("a.yaml", text="\n".join(lines).encode(), env={})
    assert (plan is None) == (found.errors > 0)
    found.render()


UNKNOWN = """
meshctl: 1
listeners: {web: {bind: ":8080"}}
defaults:
  upstream: {timeouts: {per_try: 20s}, retry: {max_retries: 4, backoff: {base: 1s, max: 2s}}}
routes:
  - {name: a, to: app, match: {path: "${P}"}, timeouts: {response: "${R}"}}
  - {name: b, to: app, timeouts: {response: 10s}, retry: {max_retries: "${N}"}}
upstreams:
  app:
    endpoints: [{address: 127.0.0.1:1, weight: 0}, {address: 127.0.0.1:2, weight: "${W}"}]
    balance: "${B}"
    hash_on: path
    timeouts: {per_try: "${T}"}
    retry: {backoff: {max: "${M}"}}
    breaker: {open_for: "${O}", max_open_for: 1s}
    health: {interval: "${I}", timeout: 1m}
"""


def test_what_is_not_known_is_not_guessed_at() -> None:
    """Neither a default nor what stands under `defaults` takes its place in a check."""
    loaded = load_profile("a.yaml", text=UNKNOWN.encode(), env=None)
    assert loaded.diagnostics.render() == ""
    assert (loaded.plan, loaded.unknown) == (None, 9)
    told = load_profile("a.yaml", text=UNKNOWN.replace("${", "").replace('}"', '"').encode(), env=None)
    assert told.diagnostics.errors


def test_the_same_with_its_defaults_is_told() -> None:
    """So that the test above means something."""
    text = re.sub(r'\w+: "\$\{\w+\}"(, )?', "", UNKNOWN)
    found = load_profile("a.yaml", text=text.encode(), env=None).diagnostics
    assert {each.code for each in found} >= {"MC403", "MC501", "MC504", "MC507", "MC508"}


def test_the_reader_brings_nothing_heavy_with_it() -> None:
    """Checking a profile needs no event loop, no codec and no screen."""
    code = (
        "import sys; from appliance.config.load import load; "
        "print([m for m in ('trio', 'h2', 'h11', 'textual', 'typer', 'ssl', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
