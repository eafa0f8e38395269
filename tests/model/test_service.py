"""The two shapes of the stack, put to use: layers wrap services, outermost first."""

from __future__ import annotations

from typing import cast

from appliance.model.exchange import Exchange
from appliance.model.message import Response
from appliance.model.service import Layer, Service


async def test_layers_compose_into_a_service() -> None:
    """A layer sees the exchange on its way in and the answer on its way out."""
    seen: list[str] = []

    def layer(name: str) -> Layer:
        def wrap(inner: Service) -> Service:
            async def service(exchange: Exchange) -> Response:
                seen.append(f"{name} in")
                response = await inner(exchange)
                seen.append(f"{name} out")
                return response

            return service

        return wrap

    async def last(exchange: Exchange) -> Response:
        seen.append("last")
        return Response(204, [])

    service: Service = last
    for wrap in (layer("inner"), layer("outer")):
        service = wrap(service)
    assert (await service(cast("Exchange", None))).status == 204
    assert seen == ["outer in", "inner in", "last", "inner out", "outer out"]
