"""The format of an answer, by `format` in the query or the Accept header, and its name as a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from fastapi import Query

from radar.errors import InvalidRequest
from service.http.negotiate import choose

_LONGEST_NAME = 150


@dataclass(frozen=True)
class Form:
    """A format of answers.

    Parameters
    ----------
    media_type : str
    extension : str
        The extension of a file.
    names : tuple of str
        Values of `format` that select it, in addition to the media type.
    shown : bool
        Browsers show it in place; they save others.
    """

    media_type: str
    extension: str
    names: tuple[str, ...] = ()
    shown: bool = False


JSON = "application/json"
FormT = TypeVar("FormT", bound=Form)


def format_query(forms: Iterable[Form], example: str) -> Any:  # noqa: ANN401 - as FastAPI's Query is
    """The parameter `format` of a route that offers these."""
    named = [form.names for form in forms if form.names]
    listed = [name + (f" ({', '.join(others)})" if others else "") for name, *others in named]
    about = f"takes precedence over Accept: {', '.join(listed)}, or a media type"
    return Query(max_length=80, description=about, examples=[example])


class Chosen(NamedTuple, Generic[FormT]):
    """The format of an answer, and the headers that the choice depended on, for Vary."""

    form: FormT
    vary: str | None

    @property
    def media_type(self) -> str:
        """The form's."""
        return self.form.media_type


def choose_form(name: str | None, accept: str | None, offered: Mapping[str, FormT]) -> Chosen[FormT]:
    """The requested format, one of those offered by their media types.

    Raises
    ------
    InvalidRequest
        The route does not have the format.
    NotAcceptable
        No format is named, and Accept allows none of them.
    """
    if name is None:
        return Chosen(offered[choose(accept, tuple(offered))], "Accept")
    wanted = name.strip().lower().replace(" ", "+")  # in a query the + of image/svg+xml means a blank
    for form in offered.values():
        if wanted == form.media_type or wanted in form.names:
            return Chosen(form, None)
    names = [name for form in offered.values() for name in form.names]
    raise InvalidRequest(
        expected=f"format to be one of {', '.join(names)}", got=ascii(name[:40]), remedy="name one of these"
    )


def disposition(form: Form, *words: str) -> dict[str, str]:
    """The header with an answer's file name, e.g. raincell-RY-20240601T1205Z-still-1.nc."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(["raincell", *filter(None, words)]))[:_LONGEST_NAME]
    how = "inline" if form.shown else "attachment"
    return {"Content-Disposition": f'{how}; filename="{name}.{form.extension}"'}
