"""The card in every model file: everything that is needed to run it, readable without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
    """Data that the weights were trained on."""

    name: str
    owner: str
    licence: str


class Lineage(_Frozen):
    """The origin of the weights.

    Parameters
    ----------
    parent : str, optional
        The model with the initial weights of the training, as "name/version".
    code_commit : str
        Commit of this program, with "-dirty" if files were changed.
    configuration_sha256, data_sha256 : str
        Digests of the configuration and, if training read an archive, of its data manifest.
    created : str
        Time of the export, ISO 8601 UTC.
    environment : dict
        Versions of the software, by name: python, torch, onnx, onnxruntime, numpy.
    """

    parent: str | None = None
    code_commit: str = ""
    configuration_sha256: str = ""
    data_sha256: str = ""
    created: str = ""
    environment: dict[str, str] = {}


class ModelCard(_Frozen):
    """The description of a model and of its input. Frozen at export; scores are in the repository's manifest.

    `models.framing` explains timestep, coordinates, base and smoothing. Tolerances are the largest allowed differences
    from the golden case (made in float32) in network units, by provider ("cpu", "cuda"), for this file's precision;
    inputs and outputs are always float32.
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

    @model_validator(mode="after")
    def _dressed_where_it_is_needed(self) -> ModelCard:
        """The output "exceedance" has a dressing of its thresholds, and no other output has one."""
        dressed = 0 if self.dressing is None else len(self.dressing.slopes[0])
        expected = len(self.spec.thresholds) if self.spec.output == "exceedance" else 0
        if dressed != expected:
            raise ValueError(f"expected a dressing of {expected} thresholds, got one of {dressed}")
        return self

    @property
    def framing(self) -> Framing:
        """The form of the network's input."""
        return Framing(
            timestep_minutes=self.timestep_minutes,
            pixel_size_km=self.pixel_size_km,
            input_length=self.input_length,
            scaling=self.scaling,
            coordinates=self.coordinates,
            base=self.base,
            smoothing=self.smoothing,
        )
