"""The colours of rain in every picture."""

from __future__ import annotations

COLOURS: tuple[tuple[float, str], ...] = (
    (0.1, "#b3d9ff"),
    (0.2, "#80bfff"),
    (0.5, "#3399ff"),
    (1.0, "#0066cc"),
    (2.0, "#009933"),
    (5.0, "#66cc33"),
    (10.0, "#ffdd00"),
    (20.0, "#ff9900"),
    (50.0, "#e60000"),
    (100.0, "#990099"),
)
"""Lower bounds in mm/h and their colours; rates below the first are dry."""
MISSING_COLOUR = "#80808080"
"""Half-transparent grey: no data is not the same as no rain."""
