"""Accept headers."""

from __future__ import annotations

import pytest

from service.answers.formats import JSON
from service.answers.writers import WRITERS
from service.errors import NotAcceptable
from service.http.negotiate import choose


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("image/*", "image/png"),
        ("image/tiff", "image/tiff"),
        ("Application/NetCDF", "application/netcdf"),
        ("application/x-npy;q=0.5, image/png;q=0.9", "image/png"),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("application/json;q=0, */*", "application/x-npy"),
        ("*/*;q=0.1, application/x-netcdf", "application/x-netcdf"),
        ("image/png; charset=utf-8 ; q=1.0", "image/png"),
    ],
)
def test_the_preferred_media_type_is_chosen(accept: str | None, expected: str) -> None:
    assert choose(accept, tuple(WRITERS)) == expected


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/png;q=nonsense", "image/png;q=7", ";;"])
def test_what_cannot_be_made_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="image/png"):
        choose(accept, tuple(WRITERS))
