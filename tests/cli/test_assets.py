"""Profiles that travel with the package."""

from __future__ import annotations

import pytest

from appliance.cli.assets import profile_path


def test_ready_made_profiles_are_found() -> None:
    """The demo's profile is there, in a checkout as in an installation."""
    assert "meshctl: 1" in profile_path("demo.yaml").read_text()


def test_an_unknown_profile_is_named() -> None:
    """What is missing is said by name."""
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        profile_path("nowhere.yaml")
