"""Field sections understood once: what came before as the same bytes is not read again.

``h2_hpack`` gives the same ``Section`` for a block that it remembers. What the rules made of it is kept
there, and everybody gets a copy: no two exchanges share a list or a request.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance.model.fault import Reason
from appliance.model.headers import Headers
from appliance.model.message import Request

from .h2_head import to_request, to_response, to_trailers
from .h2_hpack import Section


@dataclass(frozen=True, slots=True)
class _KnownRequest:
    end: bool
    request: Request
    length: int | None


@dataclass(frozen=True, slots=True)
class _KnownResponse:
    method: bytes
    end: bool
    status: int
    headers: Headers
    length: int | None


@dataclass(frozen=True, slots=True)
class _KnownTrailers:
    trailers: Headers


def request_of(section: Section, *, end: bool) -> tuple[Request, int | None]:
    """Give what a section asks for and its declared length; ``end``: no body follows. Raises Fault."""
    known = section.parsed
    if isinstance(known, _KnownRequest) and known.end is end:
        return known.request.again(), known.length
    request, length = to_request(section.fields, whole=end)
    section.parsed = _KnownRequest(end, request.again(), length)
    return request, length


def response_of(section: Section, method: bytes, *, end: bool) -> tuple[int, Headers, int | None]:
    """Give status, headers and declared length of an answer to ``method``. Raises Fault."""
    known = section.parsed
    if isinstance(known, _KnownResponse) and known.method == method and known.end is end:
        return known.status, known.headers.copy(), known.length
    status, headers, length = to_response(section.fields, method, whole=end)
    section.parsed = _KnownResponse(method, end, status, headers.copy(), length)
    return status, headers, length


def trailers_of(section: Section, reason: Reason) -> Headers:
    """Give the trailers that a section is; those that may not be are Faults with ``reason``."""
    known = section.parsed
    if isinstance(known, _KnownTrailers):
        return known.trailers.copy()
    trailers = to_trailers(section.fields, reason)
    section.parsed = _KnownTrailers(trailers.copy())
    return trailers
