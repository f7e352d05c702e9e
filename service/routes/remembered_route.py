"""Routes that parse equal requests once: FastAPI parses and checks every parameter of every request."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from starlette.types import Scope

from service.context import service_of
from service.routes.checked_route import CheckedRoute, Handler

_MOST_QUESTIONS = 2048
_LONGEST_BYTES = 400
"""The longest remembered request, so that long ones do not fill the memory."""
_GIVEN = ("request", "service")
"""Parameters that are not part of the key."""

Question = tuple[str, bytes, tuple[bytes, ...]]
"""Path, query and Accept: the only sources of these routes' parameters."""


class RememberedRoute(CheckedRoute):
    """A route whose GET function takes `request`, `service`, and parameters from path, query and Accept only.

    FastAPI's validated parameters are remembered and passed to the function when an equal request arrives.
    """

    def get_route_handler(self) -> Handler:
        """See APIRoute."""
        if self.methods != {"GET"}:
            return super().get_route_handler()
        function, known = self.endpoint, dict[Question, dict[str, Any]]()

        async def remembering(**values: Any) -> Response:  # noqa: ANN401
            _remember(known, _question(values["request"].scope), values)
            return await function(**values)  # type: ignore[no-any-return]

        self.dependant.call = remembering
        ask = super().get_route_handler()

        async def answer(request: Request) -> Response:
            values = known.get(_question(request.scope))
            if values is None:
                return await ask(request)
            return await function(request=request, service=service_of(request), **values)  # type: ignore[no-any-return]

        return answer


def _question(scope: Scope) -> Question:
    accepted = tuple([value for name, value in scope["headers"] if name == b"accept"])
    return scope["path"], scope["query_string"], accepted


def _remember(known: dict[Question, dict[str, Any]], question: Question, values: dict[str, Any]) -> None:
    path, query, accepted = question
    if len(path) + len(query) + sum(map(len, accepted)) > _LONGEST_BYTES:
        return
    while len(known) >= _MOST_QUESTIONS:
        del known[next(iter(known))]
    known[question] = {name: value for name, value in values.items() if name not in _GIVEN}
