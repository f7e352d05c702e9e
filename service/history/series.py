"""The choice of a series of frames for a request, from its parameters and the stored series."""

from __future__ import annotations

from collections.abc import Container, Iterable

from radar.errors import InvalidRequest, UnknownProduct
from service.history.codec import SeriesKey


def choose(
    known: Iterable[SeriesKey], product: str | None, grid: str | None, fed: Container[SeriesKey] = frozenset()
) -> SeriesKey:
    """The series of a request: the only one, or of several the one that the feed brings.

    Raises UnknownProduct if there is none, InvalidRequest if the request must name it.
    """
    if product is not None:
        return choose_series(known, product, grid, fed)
    found = [series for series in known if grid in (None, series.grid)]
    if not found:
        raise UnknownProduct(
            expected="frames of some product" + (f" on grid {grid[:60]!r}" if grid else ""),
            got="none",
            remedy="add frames with POST /frames",
        )
    found = only_fed(found, fed)
    if len(found) > 1:
        raise InvalidRequest(
            expected="one of " + ", ".join(f"product={series.product}&grid={series.grid}" for series in found),
            got="no product, or no grid",
            remedy="add product= and grid= to the query; the operator may set RAINCELL_DEFAULT_PRODUCT",
        )
    return found[0]


def choose_series(
    known: Iterable[SeriesKey], product: str, grid: str | None, fed: Container[SeriesKey] = frozenset()
) -> SeriesKey:
    """The series of a product; raises UnknownProduct if there is none, InvalidRequest if the grid must be named.

    Of several grids the one that the feed brings is chosen.
    """
    found = [series for series in known if series.product == product and grid in (None, series.grid)]
    if not found:
        raise unknown_product(product, grid)
    found = only_fed(found, fed)
    if len(found) > 1:
        raise InvalidRequest(
            expected=f"the grid of {product}, one of " + ", ".join(series.grid for series in found),
            got="none",
            remedy="add grid= to the query",
        )
    return found[0]


def only_fed(found: list[SeriesKey], fed: Container[SeriesKey]) -> list[SeriesKey]:
    """Of several series only the one that the feed brings, if it brings exactly one of them."""
    brought = [series for series in found if series in fed]
    return brought if len(brought) == 1 else found


def unknown_product(product: str, grid: str | None = None) -> UnknownProduct:
    """The error for a product without frames, on any grid or on one."""
    where = f" on grid {grid[:60]!r}" if grid else ""
    return UnknownProduct(
        expected="a product with frames (GET /frames lists them)",
        got=f"{product[:60]!r}{where}",
        remedy="add frames with POST /frames, or send them in the body",
    )
