"""Explanations: complete, true, and found by whatever an operator types."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from appliance.config import schema_types as t
from appliance.config.codes import TITLES
from appliance.config.diagnostic import Diagnostics
from appliance.config.explain import (
    NOT_ACTED_ON,
    code_facts,
    example,
    explain_code,
    explain_key,
    explanations,
    find,
    key_facts,
    places,
    suggestions,
)
from appliance.config.load import load_profile
from appliance.config.read import Reader
from appliance.config.schema import PROFILE
from appliance.config.source import parse
from tests.kit.machines import FakeMachine

BASE = {
    "meshctl": "meshctl: 1\n",
    "listeners": 'listeners: {web: {bind: ":8080"}}\n',
    "routes": "routes: [{name: all, to: app}]\n",
    "upstreams": "upstreams: {app: {endpoints: [127.0.0.1:9001]}}\n",
}

BYTES = "about bytes of the file that an example cannot show"
FILES = "needs more than one file"
MACHINE = "depends on files, names and rights of the machine"
WITHOUT_WRONG = {
    **dict.fromkeys(("MC101", "MC102", "MC103", "MC104"), BYTES),
    "MC117": "needs a file of more than 1 MiB",
    "MC118": "a fragment is never empty once it is completed",
    "MC204": FILES,
    "MC601": "there is no profile then",
    **dict.fromkeys(("MC605", "MC606", "MC607", "MC608", "MC609", "MC610", "MC611"), MACHINE),
    **dict.fromkeys(("MC612", "MC613", "MC614", "MC615"), MACHINE),
}
PATHS = sorted({place.path for place in places() if place.path})


def complete(fragment: str) -> bytes:
    """Put in front of a fragment the keys that it does not have."""
    return (
        "".join(text for key, text in BASE.items() if not re.search(rf"^{key}:", fragment, re.M)) + fragment
    ).encode()


def told(fragment: str) -> dict[str, str]:
    """Give the codes that a completed fragment gets, with their severity."""
    loaded = load_profile("fragment.yaml", text=complete(fragment), env={}, machine=FakeMachine())
    codes = {diagnostic.code: diagnostic.severity for diagnostic in loaded.diagnostics}
    if "\n  beta:" not in fragment:
        codes.pop("MC410", None)  # the upstreams of BASE are there for those fragments that name them
    return codes


def with_fragment(side: str) -> list[str]:
    return [code for code in TITLES if side in explanations()[code]]


@pytest.mark.parametrize("code", TITLES)
def test_every_code_is_explained_in_two_to_five_sentences(code: str) -> None:
    """What it means and what to do, and nothing that is not about a code, a section or the pages."""
    text = code_facts(code)["text"]  # type: ignore[index]
    assert 2 <= len(re.findall(r"[.?](?= [A-Z`$]|$)", text)) <= 6
    assert explain_code(code).startswith(f"{code}: {TITLES[code]}\n\n")  # type: ignore[union-attr]


def test_severities_are_those_of_the_source() -> None:
    """Where a check says `error` or `warning` of a code, its explanation says the same."""
    package = Path(__file__).parents[2] / "appliance" / "config"
    for path in package.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args:
                code, severity = getattr(call.args[0], "value", None), call.func.attr
                if code in TITLES and severity in ("error", "warning"):
                    assert explanations()[code].get("severity", "error") == severity, code


def test_nothing_else_is_explained() -> None:
    """A table for a code that does not exist would never be seen."""
    assert set(explanations()) == {*TITLES, "page", "block", "unit"}
    allowed = {"text", "severity", "wrong", "right", "keys", "types"}
    assert all(set(explanations()[code]) <= allowed for code in TITLES)


def test_only_the_codes_listed_here_have_no_wrong_example() -> None:
    """Each with the reason why it cannot have one."""
    assert set(TITLES) - set(with_fragment("wrong")) == set(WITHOUT_WRONG)
    assert set(with_fragment("wrong")) <= set(with_fragment("right"))


@pytest.mark.parametrize("code", with_fragment("wrong"))
def test_wrong_examples_get_their_code_and_no_other(code: str) -> None:
    """With the severity that the explanation states."""
    found = told(explanations()[code]["wrong"])
    assert found.get(code) == explanations()[code].get("severity", "error")
    assert {other for other in found if not other.startswith("MC6")} <= {code}


@pytest.mark.parametrize("code", with_fragment("right"))
def test_right_examples_get_no_code(code: str) -> None:
    """Nothing at all but what depends on the machine, and of that not the code itself."""
    found = told(explanations()[code]["right"])
    assert code not in found
    assert {other for other in found if not other.startswith("MC6")} == set()


@pytest.mark.parametrize("block", explanations()["block"], ids=lambda block: block["title"])
def test_examples_of_sections_are_right(block: dict[str, str]) -> None:
    """They may name files that are not here, and are without fault otherwise."""
    assert {code for code in told(block["example"]) if not code.startswith("MC6")} == set()


def test_keys_and_types_that_explanations_name_exist() -> None:
    """A renamed key takes its mentions with it."""
    for code in TITLES:
        assert set(explanations()[code].get("keys", ())) <= set(PATHS), code
        assert all(hasattr(t, name) for name in explanations()[code].get("types", ())), code
    assert {block["path"] for block in explanations()["block"]} <= {*PATHS, ""}


@pytest.mark.parametrize("path", PATHS)
def test_every_key_is_explained(path: str) -> None:
    """What it is, what may be written, and an example; for keys in their own words."""
    text = explain_key(path)
    assert text is not None
    assert text.startswith(f"{path}\n\n")
    (facts,) = key_facts(path)
    assert "\ntype " in text
    assert "example:\n" in text
    assert facts["doc"] or path.endswith(("*", "]"))


@pytest.mark.parametrize("place", [place for place in places() if place.path], ids=lambda place: place.path)
def test_generated_examples_read_as_the_format(place: object) -> None:
    """Only required neighbours may be missing, as an example shows one key."""
    found = Diagnostics()
    node = parse(example(place).encode(), "x.yaml", found)  # type: ignore[arg-type]
    assert node is not None
    Reader(found).read(PROFILE, node)
    assert [d for d in found if d.code != "MC202"] == []
    assert find(place.path)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("upstreams.payments.breaker.open_for", "upstreams.*.breaker.open_for"),
        ("routes.pay.match.path", "routes.*.match.path"),
        ("routes[3].match.path", "routes.*.match.path"),
        ("listeners.public.tls.certificates[0].cert", "listeners.*.tls.certificates[*].cert"),
        ("routes.pay.to[1].upstream", "routes.*.to[*].upstream"),
        ("routes.pay.match.query.a.b.regex", "routes.*.match.query.*.regex"),
        ("tests[0].request.url", "tests[*].request.url"),
        ("`certificates[*].key`", "listeners.*.tls.certificates[*].key"),
        ("upstreams.payments", "upstreams.*"),
        ("rate_limit", "rate_limit"),
        ("", ""),
        ("profile", ""),
    ],
)
def test_keys_are_found_as_diagnostics_print_them(word: str, path: str) -> None:
    """Concrete names, indices, ends that are unique, and the profile itself."""
    assert [place.path for place in find(word)] == [path]


def test_the_end_of_a_path_means_every_place_that_it_fits() -> None:
    """Told once where the declaration is the same, and as a list where it is not."""
    shared = explain_key("open_for")
    assert shared is not None
    assert shared.splitlines()[:4] == [
        "upstreams.*.breaker.open_for",
        "routes.*.breaker.open_for",
        "defaults.upstream.breaker.open_for",
        "defaults.route.breaker.open_for",
    ]
    assert shared.count("How long it stays open") == 1
    different = explain_key("to")
    assert different is not None
    assert "to stands in 3 places" in different
    assert "routes.*.mirror.to  The upstream that gets the copies.\n" in different


def test_an_explanation_says_type_range_default_neighbours_and_codes() -> None:
    """Everything that an operator would look up next."""
    text = explain_key("routes.pay.match.path_prefix")
    assert text is not None
    assert "At most one of `path`, `path_prefix` and `path_regex` may stand." in text
    assert "  MC315  Not a path\n" in text
    text = explain_key("upstreams.*.retry.max_retries")
    assert text is not None
    assert "type      A whole number from 0 to 5.\ndefault   2\n" in text
    assert "also at   defaults.upstream.retry.max_retries, defaults.route.retry.max_retries," in text
    assert "  MC511  The tries do not fit into the route's time\n" in text
    text = explain_key("listeners.*.bind")
    assert text is not None
    assert "required  yes\n" in text


def test_a_block_that_stands_elsewhere_too_says_where() -> None:
    """Also where its one line differs, as for a limit of all requests and of a route."""
    assert key_facts("rate_limit")[0]["also_at"] == ["defaults.route.rate_limit", "routes.*.rate_limit"]
    assert key_facts("routes.all.headers.request")[0]["also_at"][-1] == "routes.*.headers.response"
    assert key_facts("listeners.web.bind")[0]["also_at"] == []


def test_a_block_shows_each_of_its_shapes_and_its_keys() -> None:
    """`breaker` may be false or a block."""
    text = explain_key("upstreams.app.breaker")
    assert text is not None
    assert "As a single value: `false`. As a map: a block of keys." in text
    assert re.search(r"^  open_for +How long it stays open before it probes\.$", text, re.M)
    text = explain_key("routes")
    assert text is not None
    assert re.search(r"^  \*\.match +What a request must look like", text, re.M)


def test_what_this_version_does_not_act_on_is_said_from_the_flags() -> None:
    """Also of keys inside a block with such a flag, and of no other."""
    for place in places():
        text = explain_key(place.path)
        assert text is not None
        assert (" ".join(NOT_ACTED_ON.split()) in " ".join(text.split())) == (not place.built), place.path
        above = [each for each in places() if place.steps[: len(each.steps)] == each.steps]
        assert place.built == all(each.key is None or each.key.built for each in above), place.path


def test_codes_are_found_in_any_case_and_others_are_not() -> None:
    """`mc203` is what one types."""
    assert explain_code("mc203") == explain_code(" MC203 ")
    assert explain_code("MC999") is None
    assert explain_code("open_for") is None
    assert explain_key("no_such_key") is None
    assert explain_key("upstreams.payments.braker") is None


def test_a_code_shows_both_examples() -> None:
    """Indented, the wrong one first."""
    text = explain_code("MC303")
    assert text is not None
    wrong, right = text.split("\nwrong:\n")[1].split("\nright:\n")
    assert "timeouts: {connect: 2}\n" in wrong
    assert "timeouts: {connect: 2s}\n" in right


@pytest.mark.parametrize("path", [path for path in PATHS if path[-1] not in "*]"])
def test_a_key_with_one_slip_is_suggested(path: str) -> None:
    """The path with its last key misspelt leads back to it, and every suggestion to an explanation."""
    head, dot, last = path.rpartition(".")
    slip = f"{head}{dot}{last}{last[-1]}" if len(last) < 5 else f"{head}{dot}{last[:-2]}{last[-1]}{last[-2]}"
    near = suggestions(slip)
    assert path in near
    assert all(explain_key(name) for name in near)


def test_suggestions_are_useful_and_few() -> None:
    """Slips in the middle, concrete names, the beginning of a code, and nothing for nonsense."""
    assert suggestions("upstreams.payments.braker.open_for")[0] == "upstreams.*.breaker.open_for"
    assert suggestions("max_conections")[0] == "max_connections"
    assert suggestions("braker.open_for")[0] == "breaker.open_for"
    assert suggestions("MC230")[0] == "MC201"
    assert suggestions("MC1") == list(TITLES)[:10]
    assert suggestions("qqqqqqqq") == []
    assert all(explain_code(code) for code in suggestions("mc9"))


def test_the_data_file_lies_beside_the_module() -> None:
    """So that it is packaged with it."""
    package = Path(__file__).parents[2] / "appliance" / "config"
    assert (package / "explanations.toml").is_file()
