"""Query parameters and bodies that several routes share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Header, Query
from pydantic import BaseModel

from models.exceedance.odds import Statistic
from service.answers.formats import JSON, format_query
from service.answers.writers import WRITERS
from service.bodies.json_body import JsonFrames
from service.bodies.posted import Hints
from service.bodies.times import utc_time
from service.http.openapi import reference

Product = Annotated[
    str, Query(pattern="^[A-Za-z0-9_-]{1,32}$", description="product of the frames, e.g. RY", examples=["RY"])
]
GridName = Annotated[
    str, Query(max_length=80, description="grid of the frames, e.g. radolan, radklim, de1200", examples=["radolan"])
]
ModelName = Annotated[
    str, Query(max_length=80, description="name of a model, see GET /models", examples=["ms-convlstm"])
]
StatisticName = Annotated[
    Statistic,
    Query(
        description="of each pixel's forecast distribution, where the model has one; matched, which every forecast has,"
        " is a picture with the rain of the last frame",
        examples=["matched"],
    ),
]
ValidTime = Annotated[
    datetime,
    utc_time("valid_time"),
    Query(
        description="UTC time of the last frame of an array; now, floored to the timestep, if not given",
        examples=["2017-08-16T01:15:00Z"],
    ),
]
Timestep = Annotated[int, Query(ge=1, le=1440, description="minutes between the frames of an array")]
Format = Annotated[str | None, format_query(WRITERS.values(), "tiff")]
Accept = Annotated[str | None, Header(description="one of " + ", ".join(WRITERS))]
BINARY = {"schema": {"type": "string", "format": "binary"}}
"""The OpenAPI description of content other than JSON."""


@dataclass(frozen=True)
class FrameQuery:
    """The query's description of the frames in a body."""

    valid_time: ValidTime | None = None
    grid: GridName | None = None
    product: Product | None = None
    timestep_minutes: Timestep | None = None

    def hints(self, now: datetime, usual_timestep_minutes: int = 5, usual_pixel_size_km: float = 1.0) -> Hints:
        """The same for the decoder, with defaults."""
        return Hints(
            now=now,
            valid_time=self.valid_time,
            grid=self.grid,
            product=self.product,
            timestep_minutes=self.timestep_minutes,
            usual_timestep_minutes=usual_timestep_minutes,
            usual_pixel_size_km=usual_pixel_size_km,
        )


def frames_body(*, required: bool) -> dict[str, Any]:
    """The OpenAPI description of a body of frames."""
    files = {
        "type": "object",
        "properties": {"frames": {"type": "array", "items": {"type": "string", "format": "binary"}, "maxItems": 64}},
        "required": ["frames"],
    }
    array = {
        "type": "string",
        "format": "binary",
        "description": "(T, H, W) float32 in mm/h, row 0 north, NaN = no data",
    }
    schemas = {
        "multipart/form-data": files,
        "application/x-npy": array,
        "application/json": reference(JsonFrames),
    }
    content = {media_type: {"schema": schema} for media_type, schema in schemas.items()}
    return {"requestBody": {"required": required, "content": content}}


def written_content(schema: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI description of an answer in every writer's format; JSON has that schema."""
    return {name: {"schema": reference(schema)} if name == JSON else BINARY for name in WRITERS}
