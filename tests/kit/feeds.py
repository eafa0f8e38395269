"""A feed for commands in tests: what the proxy says is data, what it was asked is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from appliance.tui.feed import FeedError
from appliance.wire.codec import delta_in, state_in
from appliance.wire.delta import State, apply


class FakeFeed:
    """Takes the place of a Feed: ``answers`` by operation or question, ``told`` are the frames to come."""

    def __init__(self, told: Iterable[dict[str, Any]] = (), answers: Mapping[str, Any] | None = None) -> None:
        self.server = {"name": "edge\x1b", "version": "1"}
        self.hello = {"k": "hello", "server": self.server}
        self.role = "operator"
        self.last_event: int | None = None
        self.state: State = {}
        self.seq = self.m = 0
        self.asked: list[tuple[Any, ...]] = []
        self._told = iter(told)
        self._answers = dict(answers or {})

    async def subscribe(
        self, sets: Mapping[str, Any], rate: float = 1.0, events_after: int | None = None
    ) -> None:
        """Keep what was asked for."""
        self.asked.append(("sub", dict(sets), rate, events_after))

    def frames(self) -> FakeFeed:
        """Give the frames to come."""
        return self

    def __aiter__(self) -> FakeFeed:
        return self

    async def __anext__(self) -> dict[str, Any]:
        frame = next(self._told, None)
        if frame is None:
            raise FeedError("the end")
        if frame["k"] == "snap":
            self.state = state_in(frame)
        elif frame["k"] == "delta":
            self.state = apply(self.state, delta_in(frame))
        self.m = int(frame.get("m", self.m))
        self.seq += 1
        return frame

    async def first(self, sets: Mapping[str, Any]) -> State:
        """Give the first state."""
        await self.subscribe(sets)
        await self.__anext__()
        return self.state

    async def command(self, op: str, args: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Give the answer to an operation, of a dry run that to ``OP?``."""
        self.asked.append((op, dict(args), more))
        found: dict[str, Any] = self._answers.get(f"{op}?" if more.get("dry_run") else op, OK)
        return found

    async def query(self, what: str, **more: Any) -> dict[str, Any]:
        """Give the answer to a question."""
        self.asked.append((what, more))
        found: dict[str, Any] = self._answers.get(what, OK)
        return found

    async def trips(self) -> list[dict[str, Any]]:
        """Give the reports of trips."""
        self.asked.append(("trips", {}))
        return list(self._answers.get("trips", ()))

    async def history(self, **more: Any) -> list[dict[str, Any]]:
        """Give what is recorded."""
        self.asked.append(("history", more))
        return list(self._answers.get("history", ()))


OK: dict[str, Any] = {"ok": True, "code": "ok", "text": "done", "now": {}}
