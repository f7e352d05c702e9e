"""Export of a checkpoint as one self-describing ONNX file in a model repository."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from tqdm import tqdm

from models.aliases import promote, set_challenger
from models.card import ModelCard
from models.golden import CARD_KEY, GOLDEN_KEY, GoldenCase
from models.network import Network
from models.onnx_forecaster import load_forecaster
from models.repository import MODEL_FILE, check_name, model_names, set_alias, write_json
from radar.system.digest import sha256_of
from radar.system.durable import place_folder
from training.config.config import FitConfig
from training.data.digest import joint_sha256
from training.export.card import NEW, Origin, make_card
from training.export.graph import one_step_graph
from training.export.parity import Parity, check_parity, read_inputs, rolled, storm
from training.export.sound_numbers import check_sound_numbers
from training.export.torch_step import TorchStep
from training.fit.checkpoint import load_checkpoint

Alias = Literal["champion", "challenger", "none"]


def export(
    checkpoint: Path,
    repository: Path,
    version: str,
    *,
    description: str = "",
    origin: Origin = NEW,
    alias: Alias | None = None,
    longest_lead_minutes: int | None = None,
) -> Path:
    """Write <repository>/<name>/<version>/, once ONNX Runtime agrees with torch.

    Parameters
    ----------
    description : str
        By default that of the configuration, or a sentence about the network and its training.
    origin : Origin
    alias : "champion", "challenger" or "none", optional
        The version's role. By default the first version of a model is its champion and others have none.
    longest_lead_minutes : int, optional
        The longest lead time of requests; by default that of the training.

    Returns
    -------
    Path
        The version's model.onnx.

    Raises
    ------
    FileExistsError
        That version exists already: versions never change.
    ArtifactRejected
        The forecasts of ONNX Runtime and torch differ; no files are left behind.
    """
    network, config, notes = load_checkpoint(checkpoint)
    target = repository / check_name(config.name) / check_name(version)
    if target.exists():
        raise FileExistsError(f"expected a new version of {config.name}, got {version}, which exists; choose another")
    origin = _with_events(origin, notes.pop("data", []))
    steps = _Steps(3, f"export {config.name}")
    with _staged(target) as staged, steps:
        path = staged / MODEL_FILE
        steps.begin("graph")
        card = write_model(path, network, config, version, description, origin, longest_lead_minutes)
        manifest: dict[str, Any] = {"parent": origin.parent, "training": notes, "scores": [], "gate": None}
        manifest["configuration"] = asdict(config)
        manifest["lineage"] = card.lineage.model_dump(mode="json")
        manifest["data"] = list(origin.records)
        steps.begin("parity with torch")
        manifest["parity"] = _parity_entry(check_parity(path, network, card))
        manifest["sound_numbers"] = check_sound_numbers(load_forecaster(path, "cpu"))
        steps.begin("files")
        manifest["sha256"] = {file.name: sha256_of(file) for file in sorted(staged.glob("*.onnx"))}
        write_json(staged / "manifest.json", manifest)
    _give_role(repository, config.name, version, alias)
    return target / MODEL_FILE


def _with_events(origin: Origin, events: list[dict[str, Any]]) -> Origin:
    """The origin with the checkpoint's own events, if it has no data."""
    if not events or origin.records:
        return origin
    digest = origin.data_sha256 or joint_sha256(event["sha256"] for event in events if "sha256" in event)
    return replace(origin, data_sha256=digest, records=tuple(events))


class _Steps:
    """Progress of an export with a known number of steps; hidden unless on a terminal."""

    def __init__(self, total: int, title: str) -> None:
        self._bar = tqdm(total=total, desc=title, unit=" steps", disable=None, leave=False)
        self._begun = False

    def __enter__(self) -> None:
        return None

    def begin(self, what: str) -> None:
        """End the previous step and begin another."""
        self._bar.update(int(self._begun))
        self._bar.set_postfix_str(what)
        self._begun = True

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def _give_role(repository: Path, name: str, version: str, alias: Alias | None) -> None:
    if name not in model_names(repository):
        set_alias(repository, name, "champion", version)
    elif alias == "champion":
        promote(repository, name, version, now=datetime.now(UTC))
    elif alias == "challenger":
        set_challenger(repository, name, version, datetime.now(UTC))


@contextlib.contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A folder that becomes `target` on success, and is removed otherwise."""
    made = [folder for folder in (target.parent, target.parent.parent) if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
            staged = Path(folder) / target.name
            staged.mkdir()
            yield staged
            place_folder(staged, target)
    except BaseException:
        for folder_made in made:
            with contextlib.suppress(OSError):  # another process may use it by now
                folder_made.rmdir()
        raise


def write_model(
    path: Path,
    network: Network,
    config: FitConfig,
    version: str,
    description: str,
    origin: Origin = NEW,
    longest_lead_minutes: int | None = None,
) -> ModelCard:
    """Write the one-step graph with card and golden case; returns the card."""
    graph = one_step_graph(network)
    card = make_card(network, config, version, description, _digest(graph), origin, longest_lead_minutes)
    _write(path, graph, card, golden_case(network, card).to_text())
    return card


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


def golden_case(network: Network, card: ModelCard) -> GoldenCase:
    """Three frames of a storm and two predictions, 32 x 32 pixels (or the next size that the pyramid can divide)."""
    edge = -(-32 // card.pad_multiple) * card.pad_multiple
    rates = storm(card, (edge, edge), 3).rain_rate
    frames, base = read_inputs(card, [rates], 2)
    return GoldenCase(frames, base, np.stack(list(rolled(card, TorchStep(network), frames, base))))
