"""Trees that follow the schema, more or less: read to their last leaf, without a surprise."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.config import schema_types as t
from appliance.config.diff import diff
from appliance.config.effective import effective
from appliance.config.load import load_profile
from appliance.config.nodes import Mapping
from appliance.config.read_scalar import Unreadable, read_scalar
from appliance.config.schema import PROFILE
from appliance.config.secrets import HIDDEN
from tests.fuzz.strategies import ENV, compared, examined, marked, parsed_alike, trees
from tests.kit.profiles_gen import NEARLY


def leaves(kind: t.Type | None) -> Iterator[t.Leaf]:
    """Give every type of scalar below a type."""
    if isinstance(kind, t.Object):
        for key in kind.keys.values():
            yield from leaves(key.type)
    elif isinstance(kind, t.MapOf):
        yield from chain(leaves(kind.key), leaves(kind.value))
    elif isinstance(kind, t.ListOf):
        yield from leaves(kind.item)
    elif isinstance(kind, t.ByShape):
        yield from chain(leaves(kind.scalar), leaves(kind.listing), leaves(kind.mapping))
    elif kind is not None:
        yield kind


LEAVES = sorted(set(leaves(PROFILE)), key=repr)

bounded = settings(
    deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: type(kind).__name__)
def test_any_type_reads_or_refuses_any_scalar(kind: t.Leaf) -> None:
    """What is nearly right for one type is met by all; what is refused is refused in words."""
    for text in (*NEARLY, "9" * 5000):
        try:
            read_scalar(kind, text)
        except Unreadable as problem:
            assert problem.problem
            if len(problem.instead) == 1:  # then it is offered as a fix
                assert fits(kind, problem.instead[0]), (text, problem.instead)


def fits(kind: t.Leaf, text: str) -> bool:
    """Whether a proposal would be read."""
    try:
        read_scalar(kind, text)
    except Unreadable:
        return False
    return True


@settings(bounded, max_examples=100)
@given(trees(), st.booleans())
def test_any_tree_is_a_plan_or_told_what_is_wrong(text: str, machine: bool) -> None:
    """With every style of YAML mixed, with and without a look at the machine."""
    examined(text.encode(), machine=machine)


@settings(bounded, max_examples=45)
@given(trees(wildest=0))
def test_a_plan_printed_in_full_means_the_same(text: str) -> None:
    """What `effective` gives is a profile again, with nothing changed but that its tests are left out."""
    loaded = examined(text.encode())
    if loaded.plan is None or loaded.merged is None:
        return
    printed = effective(loaded.merged, loaded.plan)
    if HIDDEN in printed or "token=*" in printed:
        return  # what is not shown cannot be compared; a parameter is blanked in its own length
    again = load_profile("fuzz.yaml", text=printed.encode(), env=ENV)
    assert again.diagnostics.errors == 0
    assert [change.path for change in diff(loaded, again) if change.path != "tests"] == []


@settings(bounded, max_examples=45)
@given(trees(wildest=0), trees(wildest=0))
def test_any_two_profiles_can_be_compared(one: str, other: str) -> None:
    """Whatever was added, removed and changed."""
    compared(examined(one.encode()), examined(other.encode()))


@settings(bounded, max_examples=40)
@given(trees(tamest=1))
def test_both_parsers_and_the_schema_read_any_tree(text: str) -> None:
    """The same nodes; and an editor marks lines of the file."""
    data = text.encode()
    tree = parsed_alike(data)
    if isinstance(tree, Mapping):
        marked(tree, data)
