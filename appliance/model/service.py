"""The two shapes that the stack is made of (as in Tower): a service answers, a layer wraps a service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .exchange import Exchange
from .message import Response

Service = Callable[[Exchange], Awaitable[Response]]
Layer = Callable[[Service], Service]
