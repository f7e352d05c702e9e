"""The card of a trained network: its properties, its longest lead time, and its training data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from models.card import DataSource, Lineage, ModelCard, StateShape
from models.exceedance.dressing import Dressing
from models.network import Network
from radar.products import OWNERS, SYNTHETIC, owner_of
from training.config.config import FitConfig
from training.export.environment import code_commit, environment

TOLERANCES = {"cpu": 1e-5, "cuda": 1e-4}
"""Tolerances by provider, in network units, of which 1e-2 are 0.7 dB."""


LOG_ODDS_TOLERANCES = {"cpu": 1e-3, "cuda": 1e-2}
"""By provider, for what is added to log-odds."""


@dataclass(frozen=True)
class Origin:
    """The origin of weights in a card, beyond their configuration.

    Parameters
    ----------
    parent : str, optional
        "name/version".
    data : tuple of DataSource
        The data of the parent, and of an archive.
    data_sha256 : str
        Digest of the data manifest; by default that of the events in the checkpoint.
    records : tuple of dict
        Records of the training data for the manifest, by which `evaluate` recognises it; by default likewise.
    """

    parent: str | None = None
    data: tuple[DataSource, ...] = ()
    data_sha256: str = ""
    records: tuple[dict[str, Any], ...] = ()


NEW = Origin()


def make_card(
    network: Network,
    config: FitConfig,
    version: str,
    description: str = "",
    graph_sha256: str = "",
    origin: Origin = NEW,
    longest_lead_minutes: int | None = None,
) -> ModelCard:
    """The card of a trained network; raises ValueError if the longest lead is not a multiple of its timestep."""
    framing = config.framing
    sources = _sources(config, origin)
    return ModelCard(
        name=config.name,
        version=version,
        description=description or config.description or described(config, sources),
        spec=network.spec,
        timestep_minutes=framing.timestep_minutes,
        pixel_size_km=framing.pixel_size_km,
        input_length=framing.input_length,
        longest_lead_minutes=_longest(config, longest_lead_minutes),
        scaling=framing.scaling,
        coordinates=framing.coordinates,
        base=framing.base,
        smoothing=framing.smoothing,
        states=tuple(StateShape(name=s.name, channels=s.channels, scale=s.scale) for s in network.states),
        pad_multiple=network.spec.pad_multiple,
        tolerances=LOG_ODDS_TOLERANCES if network.dressing is not None else TOLERANCES,
        dressing=_dressing(network),
        data=sources,
        lineage=Lineage(
            parent=origin.parent,
            code_commit=code_commit(),
            configuration_sha256=config.sha256,
            data_sha256=origin.data_sha256 or str(config.data.options.get("sha256", "")),
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            environment=environment(),
        ),
        graph_sha256=graph_sha256,
    )


def _dressing(network: Network) -> Dressing | None:
    if network.dressing is None:
        return None
    slopes, offsets = network.dressing.log_slopes.detach().exp(), network.dressing.offsets.detach()
    rows = [tuple(tuple(float(value) for value in row) for row in each.tolist()) for each in (slopes, offsets)]
    return Dressing(slopes=rows[0], offsets=rows[1])


def trained_minutes(config: FitConfig) -> int:
    """The longest lead time of the training."""
    return config.leads * config.framing.timestep_minutes


def _longest(config: FitConfig, asked: int | None) -> int:
    minutes = trained_minutes(config) if asked is None else asked
    step = config.framing.timestep_minutes
    if minutes < step or minutes % step:
        raise ValueError(
            f"expected a longest lead time that is a multiple of {step} minutes, got {minutes}; "
            f"leave it out for the {trained_minutes(config)} minutes that the network was trained for"
        )
    return minutes


def described(config: FitConfig, sources: Sequence[DataSource]) -> str:
    """A default description in one sentence."""
    kind = "multi-scale " if any(config.network.scales) else ""
    learnt = ", ".join(source.name for source in sources) or "data that its files do not name"
    return (
        f"A {kind}{config.network.cell} network, trained to forecast {trained_minutes(config)} minutes in steps of "
        f"{config.framing.timestep_minutes} on {learnt}."
    )


def _sources(config: FitConfig, origin: Origin) -> tuple[DataSource, ...]:
    """The sources of the data in the weights: those of the parent, then those of the configuration's events."""
    owners = [OWNERS[key] for key in OWNERS if any(name.startswith(key) for name in config.data.train)]
    if config.data.synthetic:
        owners.append(SYNTHETIC)
    sources = [DataSource(name=owner.data, owner=owner.owner, licence=owner.licence) for owner in owners]
    if config.data.dataset == "archive":
        sources += owners_of((str(record["product"]), str(record["name"])) for record in origin.records)
    return tuple(dict.fromkeys((*origin.data, *sources)))


def owners_of(series: Iterable[tuple[str, str]]) -> tuple[DataSource, ...]:
    """The sources of an archive's frames, as far as their products are known; given as product and name."""
    unknown = {"owner": "as the archive's operator knows", "licence": "as its owner says"}
    sources = [
        DataSource(name=owner.data, owner=owner.owner, licence=owner.licence)
        if (owner := owner_of(product))
        else DataSource(name=name, **unknown)
        for product, name in series
    ]
    return tuple(dict.fromkeys(sources))
