"""Weights trained with the authors' research code, as a checkpoint of this project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from models.framing import Framing
from models.zoo import build
from training.authors.reference import reference_spec
from training.authors.weights import convert_parameters
from training.config.config import DataConfig, FitConfig
from training.fit.checkpoint import save_checkpoint
from training.fit.run_state import read_tensors, without_wrappers

_WRAPPERS = ("state_dict", "model", "net", "model_state_dict")
_EMBEDDING = "embed.conv_embed.weight"


@dataclass(frozen=True)
class Origin:
    """How the weights were trained; the defaults are the authors' protocol for Germany.

    Parameters
    ----------
    channels : int, optional
        By default taken from the weights.
    kernel_size, window, layers : int
        Sizes of the network.
    input_length, leads, timestep_minutes : int
        Numbers of frames read and forecast, and minutes between frames.
    pixel_size_km : float
        900 km in 124 pixels.
    """

    channels: int | None = None
    kernel_size: int = 3
    window: int = 30
    layers: int = 6
    input_length: int = 5
    leads: int = 5
    timestep_minutes: int = 30
    pixel_size_km: float = 900 / 124


def import_checkpoint(weights: Path, model: str, out: Path, origin: Origin) -> Path:
    """Write `out`/model.pt with the network `model`, with the authors' arithmetic.

    Parameters
    ----------
    weights : Path
        A state_dict saved by torch.save, its keys with or without `module.` and `_orig_mod.`; only tensors are
        unpickled.
    model : str
        E.g. "MS-PrecipLSTM".
    out : Path
        A new folder.
    origin : Origin

    Returns
    -------
    Path
        A checkpoint for `fit --start` and `export`; `evaluate` accepts the exported model.

    Raises
    ------
    FileExistsError
        `out` exists.
    ValueError
        The file holds anything but tensors, or parameters are missing, unexpected or of other shapes; the error names
        them.
    """
    if min(origin.input_length, origin.leads, origin.timestep_minutes) < 1 or not 0 < origin.pixel_size_km < 1000:
        raise ValueError(f"expected lengths, minutes and a pixel size above 0, got {origin}; correct the options")
    if out.exists():
        raise FileExistsError(f"expected a new folder for the checkpoint, got {out}, which exists; choose another")
    parameters = read_state_dict(weights)
    spec = reference_spec(
        model,
        channels=_channels(parameters, origin.channels),
        kernel_size=origin.kernel_size,
        layers=origin.layers,
        window=origin.window,
    )
    network = build(spec)
    network.load_state_dict(convert_parameters(parameters, spec))
    framing = Framing(
        timestep_minutes=origin.timestep_minutes, pixel_size_km=origin.pixel_size_km, input_length=origin.input_length
    )
    config = FitConfig(model.lower(), origin.leads, spec, framing, DataConfig())
    out.mkdir(parents=True)
    save_checkpoint(out / "model.pt", network, config, {"imported_from": weights.name})
    return out / "model.pt"


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name; a usual key may wrap them.

    Raises
    ------
    ValueError
        The file is not such a checkpoint, or reading it would run code.
    """
    content = read_tensors(
        path,
        f"expected a state_dict of tensors in {path.name}, got something else, which is not read because it could "
        "run code; save model.state_dict() alone",
    )
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise ValueError(f"expected a state_dict of tensors in {path.name}, got {type(content).__name__} of others")
    return without_wrappers({str(key): value.float() for key, value in content.items()})


def _channels(parameters: Mapping[str, Tensor], expected: int | None) -> int:
    if _EMBEDDING not in parameters:
        raise ValueError(f"expected a parameter {_EMBEDDING}, got {', '.join(sorted(parameters)[:5])}, ...")
    if parameters[_EMBEDDING].ndim != 4:
        raise ValueError(f"expected {_EMBEDDING} with 4 dimensions, got {parameters[_EMBEDDING].ndim}")
    found = parameters[_EMBEDDING].shape[0]
    if expected not in (None, found):
        raise ValueError(f"expected --channels {found} as the weights have, got {expected}; leave it out")
    return found
