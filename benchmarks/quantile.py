"""The quantile to train a model with, chosen on radar networks that its training has not seen.

    python -m benchmarks.quantile training/configs/ms-convlstm-rain.toml --data EVENTS --out runs/quantile

Each radar network among the training and validation events is left out in turn. For each candidate a model is trained
on the others, stopped by an event of the others, and scored on what was left out: short trainings, by the
configuration in everything but events, quantile, length and precision. The kept-out events of the configuration
are neither read nor named here. The rule was fixed before the first run (docs/lab/quantile.md, "How the quantile is
chosen"). A second call goes on where the first was stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Literal

import torch

from benchmarks.seeds import HEAVY, RAIN, SOON_MINUTES, Column, Row, mean_score
from models.baselines import BASELINES
from training.config.config import FitConfig, load_config
from training.evaluate.evaluate import evaluate_events, open_forecasters
from training.evaluate.table import write_json
from training.fit.loop import fit

Rule = Literal["bias", "heavy"]

BIAS = Column("bias 1 mm/h", "bias", RAIN)
HEAVY_SOON = Column(f"CSI 5 mm/h to {SOON_MINUTES} min", "csi", HEAVY, SOON_MINUTES)
COLUMNS = (
    Column("CSI 1 mm/h", "csi", RAIN),
    HEAVY_SOON,
    Column("MAE", "mae"),
    BIAS,
    Column("bias 5 mm/h", "bias", HEAVY),
)


@dataclass(frozen=True)
class Fold:
    """A radar network that is left out: what is trained on, stopped by and scored instead."""

    network: str
    train: tuple[str, ...]
    stop: str
    scored: tuple[str, ...]


_KNMI, _FMI, _MCH = "knmi_nl_20100826.nc", ("fmi_fi_20160928.nc", "fmi_fi_20170509.nc"), "mch_ch_20150515.nc"
FOLDS = (
    Fold("KNMI", _FMI, _MCH, (_KNMI,)),
    Fold("FMI", (_KNMI,), _MCH, _FMI),
    Fold("MeteoSwiss", (_KNMI, _FMI[0]), _FMI[1], (_MCH,)),
)


def main() -> None:
    """Train, score, print the table and what the rule says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the events")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs and their scores")
    parser.add_argument("--quantiles", default="0.50,0.52,0.54,0.56", help="candidates, separated by commas")
    parser.add_argument("--rule", choices=("bias", "heavy"), default="bias")
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--stride", type=int, default=4, help="timesteps from one scored start to the next")
    parser.add_argument("--workers", type=int, default=2, help="trainings at once, on one core each")
    arguments = parser.parse_args()
    config = load_config(arguments.config, iterations=arguments.iterations)
    candidates = [float(text) for text in arguments.quantiles.split(",")]
    out: Path = arguments.out / config.name
    out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(
        arguments.workers, multiprocessing.get_context("spawn"), torch.set_num_threads, (1,)
    ) as pool:
        trained = {
            fold: [pool.submit(train, config, fold, candidate, arguments.data, out) for candidate in candidates]
            for fold in FOLDS
        }
        scored = {
            fold: pool.submit(score, fold, [run.result() for run in runs], arguments.data, out, arguments.stride)
            for fold, runs in trained.items()
        }
        rows = {fold.network: job.result() for fold, job in scored.items()}
    print("\n".join(table(rows)))
    print(f"\nby the rule {arguments.rule!r}: {choose(rows, arguments.rule)}")


def name_of(config: FitConfig, quantile: float) -> str:
    """What a candidate is called in the tables."""
    return f"{config.name}-{100 * quantile:g}"


def train(config: FitConfig, fold: Fold, quantile: float, data: Path, out: Path) -> Path:
    """The checkpoint of a candidate that has not seen the fold's network."""
    changed = replace(
        config,
        name=name_of(config, quantile),
        data=replace(config.data, train=fold.train, validation=(fold.stop,), kept_out=()),
        loss=replace(config.loss, quantile=quantile),
        optimiser=replace(config.optimiser, bfloat16=True),
    )
    run = out / f"{fold.network}-{100 * quantile:g}"
    return fit(changed, data, run, resume=run.exists())


def score(fold: Fold, checkpoints: Sequence[Path], data: Path, out: Path, stride: int) -> list[Row]:
    """Rows as `evaluate --json` writes them, of the candidates and both controls."""
    file = out / f"{fold.network}.json"
    if not file.exists():
        forecasters = [*open_forecasters(checkpoints), BASELINES["extrapolation"], BASELINES["smoothed"]]
        events = [data / name for name in fold.scored]
        scored = evaluate_events(forecasters, events, lead_minutes=60, thresholds=(RAIN, HEAVY), stride=stride)
        write_json(file, [row for event in scored for row in event.rows()])
    rows: list[Row] = json.loads(file.read_text())
    return rows


def network_scores(rows: Sequence[Row], model: str) -> list[float]:
    """A value for each column: means over lead times and the network's events; of biases the geometric mean."""
    events = [[row for row in rows if row["event"] == name] for name in dict.fromkeys(row["event"] for row in rows)]
    return [average(column, [mean_score(event, model, column) for event in events]) for column in COLUMNS]


def average(column: Column, values: Sequence[float]) -> float:
    """Biases of 0.5 and 2 are equally far from 1."""
    return math.exp(fmean(map(math.log, values))) if column.score == "bias" else fmean(values)


def scores(networks: Mapping[str, Sequence[Row]]) -> dict[str, dict[str, float]]:
    """By model, then by column: means over the networks, one as much as another."""
    models = dict.fromkeys(row["model"] for rows in networks.values() for row in rows)
    return {
        model: {
            column.title: average(column, values)
            for column, values in zip(
                COLUMNS, zip(*(network_scores(rows, model) for rows in networks.values()), strict=True), strict=True
            )
        }
        for model in models
    }


def choose(networks: Mapping[str, Sequence[Row]], rule: Rule) -> str:
    """The candidate with the bias at 1 mm/h nearest to 1 in ratio, or with the highest CSI of heavy rain soon."""
    means = scores(networks)
    candidates = [model for model in means if model not in BASELINES]
    if rule == "bias":
        return min(candidates, key=lambda model: abs(math.log(means[model][BIAS.title])))
    return max(candidates, key=lambda model: means[model][HEAVY_SOON.title])


def table(networks: Mapping[str, Sequence[Row]]) -> list[str]:
    """A row for each model on each network left out, then the means over networks."""
    lines = ["| network left out | model | " + " | ".join(column.title for column in COLUMNS) + " |"]
    lines.append("|---" * (2 + len(COLUMNS)) + "|")
    means = scores(networks)
    for network, rows in networks.items():
        lines += [_line(network, model, network_scores(rows, model)) for model in means]
    return lines + [_line("**mean**", model, list(values.values())) for model, values in means.items()]


def _line(network: str, model: str, values: Sequence[float]) -> str:
    return f"| {network} | {model} | " + " | ".join(f"{value:.3f}" for value in values) + " |"


if __name__ == "__main__":
    main()
