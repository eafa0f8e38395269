"""Whether the parts of a profile fit together."""

from __future__ import annotations

from .compile import destinations
from .diagnostic import Diagnostics
from .read import Value


def check(written: Value, merged: Value, diagnostics: Diagnostics) -> None:
    """Tell what is wrong between the keys of a profile."""
    upstreams = merged.get("upstreams") or {}
    for route in merged.get("routes") or ():
        for name, _, value in destinations(route.find("to")):
            if name not in upstreams:
                message = f"route `{route.get('name')}` sends to upstream `{name}`, which does not exist"
                diagnostics.error("MC402", message, value.span, label="no such upstream", path=value.path)
