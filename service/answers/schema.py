"""The models of answers in JSON, which the OpenAPI document describes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from models.exceedance.odds import Statistic
from service.runs.run import Method
from service.verification.schema import AlertAnswer


class DegreesAnswer(BaseModel):
    """A place in degrees (WGS84)."""

    lat: float
    lon: float


class CornersAnswer(BaseModel):
    """The outer corners of a grid, half a pixel outside the outermost pixels' centres."""

    north_west: DegreesAnswer
    north_east: DegreesAnswer
    south_east: DegreesAnswer
    south_west: DegreesAnswer


class GridAnswer(BaseModel):
    """A grid; `north_west` is the centre of pixel (0, 0) in metres of the projection.

    `bounds` (west, south, east, north in metres), `corners` and `centre` are null for a grid of unknown place.
    """

    name: str
    shape: tuple[int, int]
    pixel_size_km: float
    projection: str | None
    north_west: tuple[float, float]
    bounds: tuple[float, float, float, float] | None
    corners: CornersAnswer | None
    centre: DegreesAnswer | None


class LeadSummary(BaseModel):
    """One predicted frame in four numbers; null where every pixel is missing."""

    lead_minutes: int
    max: float | None
    mean: float | None
    wet_fraction: float | None
    missing_fraction: float


class FramesAnswer(BaseModel):
    """Frames (leads, H, W) in mm/h, row 0 north: base64 of little-endian float32, or nested lists with null."""

    encoding: Literal["base64", "list"]
    dtype: Literal["<f4"]
    shape: tuple[int, int, int]
    data: str | list[list[list[float | None]]]


class NowcastAnswer(BaseModel):
    """A nowcast; `frames` is left out with encoding=none. `statistic` is null for an observed frame."""

    model: str
    version: str
    method: Method
    statistic: Statistic | None
    run: str | None
    product: str | None
    grid: GridAnswer
    history_times: list[str]
    reference_time: str
    age_seconds: int
    timestep_minutes: int
    valid_times: list[str]
    lead_minutes: list[int]
    degraded: str | None
    assumed: list[str]
    attribution: str | None
    summary: list[LeadSummary]
    frames: FramesAnswer | None = None


class FieldAnswer(BaseModel):
    """A field of probabilities (1, H, W), 0 to 1, null or NaN = no data, and how it was made.

    `neighbourhood_km` is null for probabilities of the model itself.
    """

    run: str
    product: str
    grid: GridAnswer
    reference_time: str
    lead_minutes: int
    valid_time: str
    threshold: float
    neighbourhood_km: float | None
    method: str
    runs: list[str]
    degraded: str | None
    attribution: str | None
    frames: FramesAnswer | None = None


class StoredAnswer(BaseModel):
    """The frames that were added."""

    product: str
    grid: str
    stored: list[str]
    assumed: list[str]


class SeriesAnswer(BaseModel):
    """The stored frames of one product on one grid."""

    product: str
    grid: str
    timestep_minutes: int
    newest: str
    age_seconds: int
    times: list[str]
    gaps: list[str]


class QuarantinedAnswer(BaseModel):
    """A frame that quality control rejected: no forecast uses it. `grid` and `time` are null if its file lacks them."""

    product: str
    grid: str | None
    time: str | None
    reason: str
    detail: str
    origin: Literal["post", "feed"]
    file: str | None
    noted_at: str


class HistoryAnswer(BaseModel):
    """All stored frames, and the quarantined ones, the newest first."""

    series: list[SeriesAnswer]
    quarantined: list[QuarantinedAnswer]
    degraded: str | None


class WithdrawnAnswer(BaseModel):
    """The withdrawn frame."""

    product: str
    withdrawn: str


class ModelAnswer(BaseModel):
    """A model: the origin of its weights, the content of its card, and its manifest's scores and gate decision."""

    name: str
    version: str
    champion: bool
    lineage: dict[str, Any]
    card: dict[str, Any]
    manifest: dict[str, Any]


class RejectedModel(BaseModel):
    """A champion that is not served, and why; its predecessor is still served."""

    name: str
    version: str | None
    reason: str


class ModelsAnswer(BaseModel):
    """All models; `default` is used if a request names none."""

    default: str
    models: list[ModelAnswer]
    rejected: list[RejectedModel]


class NewestFrame(BaseModel):
    """The age of the newest frame of a product."""

    product: str
    grid: str
    newest: str
    age_seconds: int


class ReadyAnswer(BaseModel):
    """Whether the service can forecast, its newest input frames, and the alerts of verification."""

    ready: bool
    stopping: bool
    models: list[str]
    default_model: str
    rejected: list[RejectedModel]
    provider: str
    history: Literal["memory", "redis"]
    history_answers: bool
    frames: list[NewestFrame]
    alerts: list[AlertAnswer] = []
    degraded: str | None
