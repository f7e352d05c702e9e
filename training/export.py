"""From a checkpoint to one self-describing ONNX file in a model repository."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch.export import Dim

from models.card import DataSource, Lineage, ModelCard, StateShape
from models.golden import CARD_KEY, GOLDEN_KEY, GoldenCase
from models.network import Network
from models.onnx_forecaster import load_forecaster
from models.recurrent import roll_out
from models.repository import check_name, set_alias, sha256_of
from radar.errors import ArtifactRejected
from radar.grid import Grid
from radar.sequence import FrameSequence
from radar.synthetic import Weather, storm_sequence
from training.checkpoint import load_checkpoint
from training.config import FitConfig
from training.torch_step import TorchStep, torch_forecaster

_OPSET = 18
_PARITY_MM_PER_HOUR = 0.01
_TOLERANCES = {"cpu": 1e-5, "cuda": 1e-4}
_LICENCES = {
    "knmi": DataSource(name="KNMI radar composite", owner="KNMI", licence="CC BY 4.0"),
    "fmi": DataSource(name="FMI radar composite", owner="Finnish Meteorological Institute", licence="CC BY 4.0"),
    "dwd": DataSource(name="RADOLAN and RADKLIM", owner="Deutscher Wetterdienst", licence="CC BY 4.0"),
}


def export(checkpoint: Path, repository: Path, version: str, *, description: str = "") -> Path:
    """Write <repository>/<name>/<version>/ and make it the champion, once ONNX Runtime agrees with torch.

    Returns
    -------
    Path
        The ONNX file.

    Raises
    ------
    FileExistsError
        That version is there already: versions never change.
    ArtifactRejected
        ONNX Runtime forecasts otherwise than torch does; nothing is left behind.
    """
    network, config, notes = load_checkpoint(checkpoint)
    target = repository / check_name(config.name) / check_name(version)
    if target.exists():
        raise FileExistsError(f"expected a new version of {config.name}, got {version}, which exists; choose another")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
        staged = Path(folder) / version
        staged.mkdir()
        card = write_model(staged / "model.onnx", network, config, version, description)
        difference = check_parity(staged / "model.onnx", network, card)
        manifest: dict[str, Any] = {
            "sha256": {"model.onnx": sha256_of(staged / "model.onnx")},
            "parent": None,
            "training": notes,
            "parity": {"largest_difference_mm_per_hour": difference, "steps": parity_steps(card)},
            "scores": [],
            "gate": None,
        }
        (staged / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
        staged.rename(target)
    set_alias(repository, config.name, "champion", version)
    return target / "model.onnx"


def write_model(path: Path, network: Network, config: FitConfig, version: str, description: str) -> ModelCard:
    """Write the one-step graph with card and golden case; returns the card."""
    graph = _to_onnx(network)
    card = make_card(network, config, version, description, hashlib.sha256(graph.SerializeToString()).hexdigest())
    golden = golden_case(network, card)
    for key, value in ((CARD_KEY, card.model_dump_json()), (GOLDEN_KEY, golden.to_text())):
        graph.metadata_props.add(key=key, value=value)
    path.write_bytes(graph.SerializeToString())
    return card


def make_card(
    network: Network, config: FitConfig, version: str, description: str = "", graph_sha256: str = ""
) -> ModelCard:
    """The card of a trained network."""
    framing = config.framing
    owners = [_LICENCES[key] for key in _LICENCES if any(name.startswith(key) for name in config.data.train)]
    if config.data.synthetic:
        owners.append(DataSource(name="synthetic storms", owner="this project", licence="Apache-2.0"))
    return ModelCard(
        name=config.name,
        version=version,
        description=description,
        spec=network.spec,
        timestep_minutes=framing.timestep_minutes,
        pixel_size_km=framing.pixel_size_km,
        input_length=framing.input_length,
        longest_lead_minutes=2 * config.leads * framing.timestep_minutes,
        scaling=framing.scaling,
        coordinates=framing.coordinates,
        base=framing.base,
        smoothing=framing.smoothing,
        states=tuple(StateShape(name=s.name, channels=s.channels, scale=s.scale) for s in network.states),
        pad_multiple=network.spec.pad_multiple,
        tolerances=_TOLERANCES,
        data=tuple(owners),
        lineage=Lineage(
            code_commit=_commit(),
            configuration_sha256=config.sha256,
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        ),
        graph_sha256=graph_sha256,
    )


def golden_case(network: Network, card: ModelCard) -> GoldenCase:
    """Three frames of a storm and two predictions, 32 x 32 pixels (or the next size that the pyramid divides)."""
    edge = -(-32 // card.pad_multiple) * card.pad_multiple
    framing = card.framing
    storm = _storm(edge, edge, 3, framing.timestep_minutes, framing.pixel_size_km).rain_rate
    frames = framing.channels(storm, card.spec.inputs)[:, None]
    base = np.nan_to_num(framing.base_frames(storm[-1], 2), nan=0.0)[:, None, None]
    return GoldenCase(frames, base, np.stack(list(roll_out(TorchStep(network), frames, base))))


def parity_steps(card: ModelCard) -> int:
    """Steps over which an export is compared with torch: twelve, or as many as the model reaches."""
    return min(12, card.longest_lead_minutes // card.timestep_minutes)


def check_parity(path: Path, network: Network, card: ModelCard) -> float:
    """The largest difference in mm/h between ONNX Runtime and torch over `parity_steps` on an odd-sized grid."""
    exported, original = load_forecaster(path, "cpu"), torch_forecaster(card, network)
    history = _storm(93, 118, card.input_length, card.timestep_minutes, card.pixel_size_km)
    one, other = (forecaster.forecast(history, parity_steps(card)).rain_rate for forecaster in (exported, original))
    difference = float(np.nanmax(np.abs(one - other)))
    if not (np.isnan(one) == np.isnan(other)).all() or difference > _PARITY_MM_PER_HOUR:
        raise ArtifactRejected(
            expected=f"ONNX Runtime within {_PARITY_MM_PER_HOUR} mm/h of torch",
            got=f"a difference of {difference:g} mm/h",
            remedy="report this: the exported graph is not the network",
        )
    return difference


def _storm(rows: int, columns: int, frames: int, timestep_minutes: int, pixel_size_km: float) -> FrameSequence:
    return storm_sequence(
        Grid("storm", (rows, columns), pixel_size_km),
        frames,
        seed=7,
        end_time=datetime(2000, 1, 1, tzinfo=UTC),
        timestep_minutes=timestep_minutes,
        weather=Weather(wet_fraction=0.3, missing_sector=True),
    )


def _to_onnx(network: Network) -> onnx.ModelProto:
    """The network's step with dynamic batch, rows and columns."""
    multiple, patch = network.spec.pad_multiple, network.spec.patch
    frame = torch.zeros(2, len(network.spec.inputs), 3 * multiple, 5 * multiple)
    batch, rows, columns = Dim("batch"), Dim("rows_in_multiples"), Dim("columns_in_multiples")

    def size(dim: Any, scale: int, shrink: int) -> Any:  # noqa: ANN401
        return multiple // shrink // 2**scale * dim

    state_dims = [{0: batch, 2: size(rows, s.scale, patch), 3: size(columns, s.scale, patch)} for s in network.states]
    names = [state.name for state in network.states]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            network,
            (frame, network.initial_states(frame)),
            dynamic_shapes=({0: batch, 2: size(rows, 0, 1), 3: size(columns, 0, 1)}, tuple(state_dims)),
            input_names=["frame", *names],
            output_names=["prediction", *(f"next_{name}" for name in names)],
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # noqa: S101
    return _without_traces(program.model_proto)


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the exporter's notes, which hold file paths of the machine that exported it."""
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    return model


def _commit() -> str:
    """The code's commit, where git knows it."""
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip()
