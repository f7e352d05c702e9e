"""Routes that refuse unknown parameters: a misspelt parameter is an error, not an answer to another request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from difflib import get_close_matches
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from radar.errors import InvalidRequest

_MOST_PARAMETERS = 50
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class CheckedRoute(APIRoute):
    """A route whose query may have only known parameters, each once; others are answered with 422."""

    def get_route_handler(self) -> Handler:
        """See APIRoute."""
        known, ask = sorted(_parameters(self.dependant)), super().get_route_handler()

        async def answer(request: Request) -> Response:
            if query := request.url.query:
                _check_number(query.count("&") + 1)
                check_names([name for name, _ in request.query_params.multi_items()], known)
            return await ask(request)

        return answer


def _check_number(parameters: int) -> None:
    """Raise InvalidRequest for more parameters than any route has, before thousands of them are parsed."""
    if parameters > _MOST_PARAMETERS:
        raise InvalidRequest(
            expected=f"a query of at most {_MOST_PARAMETERS} parameters",
            got=str(parameters),
            remedy="see /docs for every parameter",
        )


def check_names(given: Iterable[str], known: list[str]) -> None:
    """Raise InvalidRequest for a name in a query that is unknown or repeated."""
    for name, times in Counter(given).items():
        if name not in known:
            like = get_close_matches(name, known, 1)
            raise InvalidRequest(
                expected=f"a query of {', '.join(known)}" if known else "no query",
                got=repr(name[:60]),
                remedy=f"write {like[0]}" if like else "leave it out, or see /docs for every parameter",
            )
        if times > 1:
            raise InvalidRequest(
                expected=f"{name} once in the query", got=f"it {times} times", remedy="keep one of them"
            )


def _parameters(dependant: Dependant) -> set[str]:
    """Names of query parameters, including those of dependencies."""
    own = {parameter.alias for parameter in dependant.query_params}
    return own.union(*map(_parameters, dependant.dependencies))
