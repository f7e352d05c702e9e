"""From a checkpoint to one self-describing ONNX file in a model repository."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from models.aliases import promote, set_challenger
from models.card import DataSource, Lineage, ModelCard, StateShape
from models.golden import CARD_KEY, GOLDEN_KEY, GoldenCase
from models.network import Network
from models.onnx_forecaster import load_forecaster
from models.recurrent import roll_out
from models.repository import FILES, check_name, model_names, set_alias, sha256_of, write_json
from radar.durable import sync
from radar.products import OWNERS, SYNTHETIC
from training.checkpoint import load_checkpoint
from training.config import FitConfig
from training.environment import code_commit, environment
from training.float16 import to_float16
from training.float16_scores import float16_scores
from training.one_step_graph import one_step_graph
from training.parity import Parity, check_parity, storm
from training.torch_step import TorchStep

_TOLERANCES: dict[str, dict[str, float]] = {
    "float32": {"cpu": 1e-5, "cuda": 1e-4},
    "float16": {"cpu": 1e-2, "cuda": 1e-2},
}
"""By precision and provider, in network units, of which 1e-2 are 0.7 dB."""


@dataclass(frozen=True)
class Origin:
    """What a card says of where weights came from, beyond their configuration.

    Parameters
    ----------
    parent : str, optional
        As "name/version".
    data : tuple of DataSource
        The data of the parent, and of an archive.
    data_sha256 : str
        Digest of the data manifest.
    """

    parent: str | None = None
    data: tuple[DataSource, ...] = ()
    data_sha256: str = ""


NEW = Origin()
Alias = Literal["champion", "challenger", "none"]


def export(
    checkpoint: Path,
    repository: Path,
    version: str,
    *,
    description: str = "",
    float16: bool = True,
    origin: Origin = NEW,
    alias: Alias | None = None,
) -> Path:
    """Write <repository>/<name>/<version>/, once ONNX Runtime agrees with torch.

    Parameters
    ----------
    float16 : bool
        Also write `model.fp16.onnx`, and into the manifest what half precision costs.
    origin : Origin
    alias : "champion", "challenger" or "none", optional
        The version's role. By default the first version of a model is its champion and others have none.

    Returns
    -------
    Path
        The float32 file.

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
    with _staged(target) as staged:
        path = staged / FILES["float32"]
        card = write_model(path, network, config, version, description, origin)
        manifest: dict[str, Any] = {"parent": origin.parent, "training": notes, "scores": [], "gate": None}
        manifest["configuration"] = asdict(config)
        manifest["lineage"] = card.lineage.model_dump(mode="json")
        manifest["parity"] = _parity_entry(check_parity(path, network, card))
        if float16:
            manifest["float16"] = _write_float16(path, card)
        manifest["sha256"] = {file.name: sha256_of(file) for file in sorted(staged.glob("*.onnx"))}
        write_json(staged / "manifest.json", manifest)
    _give_role(repository, config.name, version, alias)
    return target / FILES["float32"]


def _give_role(repository: Path, name: str, version: str, alias: Alias | None) -> None:
    if name not in model_names(repository):
        set_alias(repository, name, "champion", version)
    elif alias == "champion":
        promote(repository, name, version, now=datetime.now(UTC))
    elif alias == "challenger":
        set_challenger(repository, name, version, datetime.now(UTC))


@contextlib.contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A folder that becomes `target` when all went well, and otherwise leaves nothing behind."""
    made = [folder for folder in (target.parent, target.parent.parent) if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
            staged = Path(folder) / target.name
            staged.mkdir()
            yield staged
            for file in staged.iterdir():
                sync(file)
            staged.rename(target)
            sync(target.parent)
    except BaseException:
        for folder_made in made:
            with contextlib.suppress(OSError):  # somebody else's by now
                folder_made.rmdir()
        raise


def write_model(
    path: Path, network: Network, config: FitConfig, version: str, description: str, origin: Origin = NEW
) -> ModelCard:
    """Write the one-step graph with card and golden case; returns the card."""
    graph = one_step_graph(network)
    card = make_card(network, config, version, description, _digest(graph), origin)
    _write(path, graph, card, golden_case(network, card).to_text())
    return card


def _write_float16(path: Path, card: ModelCard) -> dict[str, Any]:
    """Write the float16 file beside `path`, prove it by the same golden case, and say what it costs."""
    model = onnx.load(path)
    golden = next(entry.value for entry in model.metadata_props if entry.key == GOLDEN_KEY)
    graph = to_float16(model)
    changes = {"precision": "float16", "tolerances": _TOLERANCES["float16"], "graph_sha256": _digest(graph)}
    half = path.with_name(FILES["float16"])
    _write(half, graph, card.model_copy(update=changes), golden)
    return float16_scores(load_forecaster(path, "cpu"), load_forecaster(half, "cpu"))


def _write(path: Path, graph: onnx.ModelProto, card: ModelCard, golden: str) -> None:
    for key, value in ((CARD_KEY, card.model_dump_json()), (GOLDEN_KEY, golden)):
        graph.metadata_props.add(key=key, value=value)
    path.write_bytes(graph.SerializeToString())


def _digest(graph: onnx.ModelProto) -> str:
    return hashlib.sha256(graph.SerializeToString()).hexdigest()


def _parity_entry(parity: Parity) -> dict[str, Any]:
    return {
        "largest_difference_network_units": parity.network_units,
        "largest_difference_mm_per_hour": parity.mm_per_hour,
        "steps": parity.steps,
    }


def make_card(
    network: Network,
    config: FitConfig,
    version: str,
    description: str = "",
    graph_sha256: str = "",
    origin: Origin = NEW,
) -> ModelCard:
    """The card of a trained network."""
    framing = config.framing
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
        tolerances=_TOLERANCES["float32"],
        data=_sources(config, origin),
        lineage=Lineage(
            parent=origin.parent,
            code_commit=code_commit(),
            configuration_sha256=config.sha256,
            data_sha256=origin.data_sha256,
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            environment=environment(),
        ),
        graph_sha256=graph_sha256,
    )


def _sources(config: FitConfig, origin: Origin) -> tuple[DataSource, ...]:
    """Whose data is in the weights: those of the configuration's events, after those of the parent."""
    owners = [OWNERS[key] for key in OWNERS if any(name.startswith(key) for name in config.data.train)]
    if config.data.synthetic:
        owners.append(SYNTHETIC)
    sources = (DataSource(name=owner.data, owner=owner.owner, licence=owner.licence) for owner in owners)
    return tuple(dict.fromkeys((*origin.data, *sources)))


def golden_case(network: Network, card: ModelCard) -> GoldenCase:
    """Three frames of a storm and two predictions, 32 x 32 pixels (or the next size that the pyramid divides)."""
    edge = -(-32 // card.pad_multiple) * card.pad_multiple
    rates = storm(card, (edge, edge), 3).rain_rate
    frames = card.framing.channels(rates, card.spec.inputs)[:, None]
    base = np.nan_to_num(card.framing.base_frames(rates[-1], 2), nan=0.0)[:, None, None]
    return GoldenCase(frames, base, np.stack(list(roll_out(TorchStep(network), frames, base))))
