"""Advice is given where it is right, and followed it helps."""

from __future__ import annotations

import pytest

from appliance.config.load import load_profile

BASE = """meshctl: 1
listeners: {web: {bind: ":8080"}}
routes:
  - {name: all, to: app}
upstreams:
  app: {endpoints: [127.0.0.1:9001]}
"""


def advice(old: str, new: str, env: dict[str, str] | None = None) -> list[tuple[str, str]]:
    """Give code and help of all that is told of BASE with one change."""
    assert old in BASE
    loaded = load_profile("a.yaml", text=BASE.replace(old, new).encode(), env=env or {})
    return [(each.code, each.help) for each in loaded.diagnostics]


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("  - {name: all, to: app}", "  all: {to: app}", "MC201", "begin each entry with `- `"),
        ("listeners: {web: {bind: ':8080'}}".replace("'", '"'), "listeners: [{bind: :80}]", "MC109", '":80"'),
        ('{web: {bind: ":8080"}}', '[{bind: ":80"}]', "MC201", "`NAME: ...`"),
        ("[127.0.0.1:9001]", '"[::1]:9001"', "MC201", '["[::1]:9001"]'),
        ("[127.0.0.1:9001]", "127.0.0.1:9001", "MC201", "write [127.0.0.1:9001]"),
        ("to: app", "respond: 200", "MC201", "`status`, `body`, `headers`"),
        ("name: all", "name:all", "MC203", "`name: all`, with a space behind the colon"),
        ("  app:", "\u00a0app:", "MC203", "U+00A0"),
        ("127.0.0.1:9001", '"127.0.0.1:$PORT"', "MC307", "${PORT}"),
        ("  app: {", '  "${UP}": {', "MC309", "keys are never substituted"),
        ("[127.0.0.1:9001]", '["[::1:9001]"]', "MC307", "`[::1]:9001`"),
        ("9001]}", "9001], timeouts: {connect: none}}", "MC303", "`0`"),
        ("meshctl: 1", "meshctl: 1\nvars: {A: b, B: '${A}'}", "MC404", "cannot use another"),
    ],
)
def test_the_help_says_what_to_write(old: str, new: str, code: str, words: str) -> None:
    """One mistake each, and the words that matter."""
    told = advice(old, new)
    assert any(found == code and words in text for found, text in told), told


def test_a_misspelt_key_is_not_called_missing_as_well() -> None:
    """One mistake is told once."""
    assert advice("endpoints", "endpoint") == [("MC203", "did you mean `endpoints`?")]
    assert [code for code, _ in advice("to: app", "too: app")] == ["MC203"]
    assert [code for code, _ in advice("name: all", "name:all")] == ["MC203"]


def test_a_section_that_is_indented_too_far_is_told_so() -> None:
    """It reads as an entry of the section above."""
    text = BASE.replace('{web: {bind: ":8080"}}\nroutes', '\n  web: {bind: ":8080"}\n  routes')
    found = load_profile("a.yaml", text=text.encode(), env={}).diagnostics
    assert "indent it as far as `listeners` is" in next(each for each in found if each.code == "MC201").help


def test_no_advice_leads_to_the_next_mistake() -> None:
    """Where nothing is on by a word, the opposite is not proposed; and TLS is not dropped without a word."""
    assert "breaker" not in str(advice("9001]}", "9001], breaker: true}")[0][1])
    loaded = load_profile("a.yaml", text=BASE.replace("127.0.0.1:9001", "https://h:443").encode(), env={})
    (found,) = loaded.diagnostics
    assert "`tls: {}`" in found.message
    assert found.fix == ()
