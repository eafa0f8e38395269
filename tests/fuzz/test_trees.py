"""Trees that follow the schema, more or less: read to their last leaf, without a surprise."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.config.effective import effective
from appliance.config.load import load_profile
from appliance.config.nodes import Mapping
from appliance.config.secrets import HIDDEN
from tests.fuzz.strategies import ENV, compared, examined, marked, parsed_alike, trees

bounded = settings(
    deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@settings(bounded, max_examples=150)
@given(trees(), st.booleans())
def test_any_tree_is_a_plan_or_told_what_is_wrong(text: str, machine: bool) -> None:
    """With every style of YAML mixed, with and without a look at the machine."""
    examined(text.encode(), machine=machine)


@settings(bounded, max_examples=80)
@given(trees(wildest=0))
def test_a_plan_printed_in_full_means_the_same(text: str) -> None:
    """`effective` of any profile is a profile without errors, and that of it again is the same."""
    loaded = examined(text.encode())
    if loaded.plan is None or loaded.merged is None:
        return
    printed = effective(loaded.merged, loaded.plan)
    if HIDDEN in printed:
        return
    again = load_profile("fuzz.yaml", text=printed.encode(), env=ENV)
    assert again.diagnostics.errors == 0
    compared(loaded, again)


@settings(bounded, max_examples=80)
@given(trees(wildest=0), trees(wildest=0))
def test_any_two_profiles_can_be_compared(one: str, other: str) -> None:
    """Whatever was added, removed and changed."""
    compared(examined(one.encode()), examined(other.encode()))


@settings(bounded, max_examples=60)
@given(trees(tamest=1))
def test_both_parsers_and_the_schema_read_any_tree(text: str) -> None:
    """The same nodes; and an editor marks lines of the file."""
    data = text.encode()
    tree = parsed_alike(data)
    if isinstance(tree, Mapping):
        marked(tree, data)
