"""Addresses and places are shown as an operator writes them."""

import pytest

from appliance.model.address import Address, Where


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address("tcp", "10.0.0.1", 8080), "10.0.0.1:8080"),
        (Address("tcp", "::1", 8080), "[::1]:8080"),
        (Address("tcp", "", 8080), ":8080"),
        (Address("unix", path="/run/x.sock"), "unix:/run/x.sock"),
        (Address("fd", path="web"), "fd:web"),
        (Address("dns", "payments.internal", 8080), "dns:payments.internal:8080"),
    ],
)
def test_an_address_is_shown_as_it_is_written(address: Address, text: str) -> None:
    """The kind is told by the prefix, and an IPv6 host stands in brackets."""
    assert str(address) == text


def test_equal_addresses_are_one_key() -> None:
    """Pools and breakers are found again by address after a reload."""
    assert {Address("tcp", "a", 1): "kept"}[Address("tcp", "a", 1)] == "kept"
    assert Address("tcp", "a", 1) != Address("dns", "a", 1)


def test_a_place_is_shown_so_that_editors_can_jump_to_it() -> None:
    """File, line and column, both counted from 1."""
    assert str(Where("edge.yaml", 12, 3)) == "edge.yaml:12:3"
