"""The card that every model file carries: all that is needed to run it, read without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.exceedance.dressing import Dressing
from models.framing import Framing
from models.spec import NetworkSpec
from radar.extrapolation.motion import Smoothing
from radar.rain import RainScaling


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StateShape(_Frozen):
    """One recurrent state: (batch, channels, rows / 2^scale / patch, columns / 2^scale / patch)."""

    name: str
    channels: int = Field(gt=0)
    scale: int = Field(ge=0)


class DataSource(_Frozen):
    """Data that the weights were made from."""

    name: str
    owner: str
    licence: str


class Lineage(_Frozen):
    """Where the weights came from.

    Parameters
    ----------
    parent : str, optional
        The model whose weights training began from, as "name/version".
    code_commit : str
        Of this program, "-dirty" where files were changed.
    configuration_sha256, data_sha256 : str
        Digests of the configuration and, where training read an archive, of its data manifest.
    created : str
        When the file was exported, ISO 8601 UTC.
    environment : dict
        Versions of what computed it, by name: python, torch, onnx, onnxruntime, numpy.
    """

    parent: str | None = None
    code_commit: str = ""
    configuration_sha256: str = ""
    data_sha256: str = ""
    created: str = ""
    environment: dict[str, str] = {}


class ModelCard(_Frozen):
    """What a model is and how to feed it. Frozen at export; scores live in the repository's manifest.

    `models.framing` says what timestep, coordinates, base and smoothing mean. Tolerances are the largest
    allowed differences from the golden case (made in float32) in network units, by provider ("cpu", "cuda"), for
    this file's precision; inputs and outputs are float32 in any.
    """

    schema_version: Literal[1] = 1
    name: str
    version: str
    description: str = ""
    spec: NetworkSpec
    timestep_minutes: int = Field(gt=0)
    pixel_size_km: float = Field(gt=0)
    input_length: int = Field(gt=0)
    longest_lead_minutes: int = Field(gt=0)
    scaling: RainScaling
    coordinates: Literal["eulerian", "lagrangian"]
    base: Literal["none", "persistence", "smoothed", "sprog"]
    smoothing: Smoothing = Smoothing()
    states: tuple[StateShape, ...]
    pad_multiple: int = Field(gt=0)
    precision: Literal["float32", "float16", "int8"] = "float32"
    tolerances: dict[str, float]
    data: tuple[DataSource, ...] = ()
    dressing: Dressing | None = None
    lineage: Lineage = Lineage()
    graph_sha256: str = ""

    @property
    def framing(self) -> Framing:
        """How frames are shown to the network."""
        return Framing(
            timestep_minutes=self.timestep_minutes,
            pixel_size_km=self.pixel_size_km,
            input_length=self.input_length,
            scaling=self.scaling,
            coordinates=self.coordinates,
            base=self.base,
            smoothing=self.smoothing,
        )
