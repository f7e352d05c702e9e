"""The known products of weather radar in one table: what each one is, who owns it, and why it is refused.

Sources: DWD, "RADOLAN/RADVOR: hoch aufgeloeste Niederschlagsanalyse und -vorhersage", Kompositformat; DWD, "RADKLIM";
the files themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from radar.errors import UnreadableFile

Kind = Literal["frame", "forecast", "sum", "other"]
"""Rain of a few minutes; a forecast; rain of an hour or more; not a rain rate."""

DEMO = "DEMO"
"""Synthetic rain: a product of its own, so that its forecasts are not taken for real ones."""


@dataclass(frozen=True)
class Owner:
    """The owner of data: the data set's name, the owner's name, and the licence."""

    data: str
    owner: str
    licence: str


OWNERS = {
    "knmi": Owner("KNMI radar composite", "KNMI", "CC BY 4.0"),
    "fmi": Owner("FMI radar composite", "Finnish Meteorological Institute", "CC BY 4.0"),
    "dwd": Owner("RADOLAN and RADKLIM", "Deutscher Wetterdienst", "CC BY 4.0"),
}
"""Owners by the network's short name, with which the names of events begin."""
SYNTHETIC = Owner("synthetic storms", "this project", "Apache-2.0")


@dataclass(frozen=True)
class Product:
    """A product.

    Parameters
    ----------
    code : str
        The code in headers and archives.
    name : str
        A description, in words that can follow "it is".
    kind : {"frame", "forecast", "sum", "other"}
    instead : str
        The products to send instead; empty for products that are read.
    reflectivity : bool
        Whether its pixels are reflectivities in 8 bits.
    timestep_minutes : int
        The interval of products that are read.
    owner : Owner
    """

    code: str
    name: str
    kind: Kind
    instead: str = ""
    reflectivity: bool = False
    timestep_minutes: int = 5
    owner: Owner = OWNERS["dwd"]

    @property
    def refused(self) -> str:
        """Why it is refused, and what to send instead; empty for products that are read."""
        return f"it is {self.name}; send {self.instead}" if self.instead else ""

    @property
    def attribution(self) -> str:
        """The attribution in answers that are made from this product."""
        if self.owner is SYNTHETIC:
            return "Synthetic rain made by Raincell (RAINCELL_DEMO), not an observation"
        return f"Data basis: {self.owner.owner}"


def _sums(name: str, *codes: str) -> list[Product]:
    text = f"{name}, too coarse to be a frame"
    return [Product(code, text, "sum", "RY or YW files") for code in codes]


def _others(name: str, *codes: str, kind: Kind = "other", instead: str = "RY or YW files") -> list[Product]:
    return [Product(code, name, kind, instead) for code in codes]


PRODUCTS: dict[str, Product] = {
    product.code: product
    for product in (
        Product("RY", "rain of 5 minutes over Germany", "frame"),
        Product("YW", "rain of 5 minutes of the radar climatology RADKLIM, adjusted to gauges", "frame"),
        Product("RZ", "rain of 5 minutes over Germany by the refined Z-R relation", "frame"),
        Product("EY", "rain of 5 minutes over central Europe", "frame"),
        Product("EZ", "rain of 5 minutes over central Europe by the refined Z-R relation", "frame"),
        Product("RX", "reflectivity of 5 minutes over Germany", "frame", reflectivity=True),
        Product("WX", "reflectivity of 5 minutes over Germany, extended", "frame", reflectivity=True),
        Product("EX", "reflectivity of 5 minutes over central Europe", "frame", reflectivity=True),
        Product("RV", "DWD's forecast of rain in steps of 5 minutes", "forecast"),
        Product("RW", "the sum of an hour, adjusted to gauges", "sum", timestep_minutes=60),
        Product(DEMO, "synthetic rain", "frame", owner=SYNTHETIC),
        *_others("the solid fraction of precipitation, not a rain rate", "RE", instead="RY files"),
        *_others("a forecast of hourly sums", "RQ", "RS", kind="forecast", instead="RY or RV files"),
        *_others("a forecast of reflectivity", "WN", "FX", kind="forecast", instead="RX, RY or RV files"),
        *_others("a forecast of rain on a coarse grid", "FZ", "FS", kind="forecast", instead="RY or RV files"),
        *_others("the difference of two products, not a rain rate", "RD", "RK", instead="RY files"),
        *_others("the kind of precipitation, not a rain rate", "HG", instead="RY files"),
        *_others("a picture of reflectivity in a few classes", "PG", "PC", "PI", "PM", instead="RX, RY or YW files"),
        *_others(
            "a picture from one radar, not a composite",
            *("PA", "PB", "PD", "PE", "PF", "PH", "PJ", "PK", "PL", "PN", "PP", "PQ", "PR", "PU", "PV", "PX", "PZ"),
            instead="RX, RY or YW files",
        ),
        *_others(
            "the sweep of one radar in polar coordinates, not a composite",
            *("DX", "DQ", "DR", "DV", "DP"),
            instead="RX, RY or YW files",
        ),
        *_sums("a sum of an hour", "RB", "RH", "RL", "RU", "EB", "EH", "EW", "EL"),
        *_sums("a sum of 6 hours", "SQ"),
        *_sums("a sum of 12 hours", "SH"),
        *_sums("a sum of a day", "SF", "EF"),
        *_sums("a sum of several hours or days", "S2", "S3", "D2", "D3"),
        *_sums("a sum of several days", "W1", "W2", "W3", "W4"),
        *_sums("a sum of a month", "%M"),
        *_sums("a sum of a quarter of a year or more", "%Q", "%V", "%S", "%W"),
        *_sums("a sum of a year", "%J", "%Y"),
    )
}
"""Products by code; a product that is missing here is read if its file declares rain of 5 minutes."""

_READ = [code for code, product in PRODUCTS.items() if not product.instead and code != DEMO]
READ = f"{', '.join(_READ[:-1])} or {_READ[-1]}"
"""The products that are read, for messages."""


def product_code(text: str) -> str:
    """The product that a composite's own name begins with: "RV_top_view" is RV. Other names are returned unchanged.

    Parameters
    ----------
    text : str
        E.g. `prodname` of ODIM HDF5. Case does not count.
    """
    whole = text.strip().upper()
    first = re.split(r"[^A-Z0-9%]", whole, maxsplit=1)[0]
    return first if first in PRODUCTS else whole


def attribution(product: str) -> str | None:
    """The attribution of a product's data; None where the owner is unknown."""
    known = PRODUCTS.get(product)
    return known.attribution if known else None


def owner_of(product: str) -> Owner | None:
    """The owner of a product's data; None where the owner is unknown."""
    known = PRODUCTS.get(product)
    return known.owner if known else None


def is_forecast(product: str) -> bool:
    """Whether every frame of a product is a forecast, lead 0 included."""
    known = PRODUCTS.get(product)
    return known is not None and known.kind == "forecast"


def amount_minutes(product: str) -> int | None:
    """The interval in minutes of a readable product of rain amounts; None for all others."""
    known = PRODUCTS.get(product)
    return known.timestep_minutes if known and not known.instead and not known.reflectivity else None


def refusal(product: Product, name: str, named: str = "") -> UnreadableFile:
    """The error for a file of a product without rain rates.

    Parameters
    ----------
    product : Product
        A refused product.
    name : str
        The file's name for messages.
    named : str
        The product in the file's name, if it is another one.
    """
    got = f"product {product.code}" + (f" in its header, product {named} by its name" if named else "")
    return UnreadableFile(expected=f"{READ} in {name}", got=got, remedy=product.refused)
