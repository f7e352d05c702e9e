"""Training: one loop, to be read in one sitting."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from models.network import Network, roll_out_with_penalties
from models.zoo import build
from radar.files import open_sequence
from training.batches import Batch, draw_batch
from training.checkpoint import save_checkpoint
from training.config import FitConfig
from training.examples import Example, event_examples, storm_examples
from training.losses import decoupling, pinball

_VALIDATION_BATCHES = 8


def fit(config: FitConfig, data: Path, out: Path) -> Path:
    """Train a network and keep the weights with the lowest validation loss.

    Parameters
    ----------
    config : FitConfig
    data : Path
        Folder of the events that the configuration names.
    out : Path
        A folder for this run alone.

    Returns
    -------
    Path
        The checkpoint.

    Raises
    ------
    FileExistsError
        `out` exists: a run never erases another.
    FileNotFoundError
        An event is not in `data`.
    """
    for name in (*config.data.train, *config.data.validation):
        if not (data / name).is_file():
            raise FileNotFoundError(f"expected the event {name} in {data}, got no such file; give --data its folder")
    if out.exists():
        raise FileExistsError(f"expected a new folder for the run, got {out}, which exists; choose another")
    torch.manual_seed(config.optimiser.seed)
    network = build(config.network)
    network.stack.checkpointing = config.optimiser.activation_checkpointing
    real = _examples(config, data, config.data.train)
    storms = storm_examples(config.data.synthetic, config.framing, config.leads, config.optimiser.seed)
    synthetic = list(tqdm(storms, "storms", total=config.data.synthetic))
    held_out = _validation_batches(config, _examples(config, data, config.data.validation))
    if config.zero_head:
        network.zero_head()
    out.mkdir(parents=True, exist_ok=False)
    (out / "config.json").write_text(json.dumps(asdict(config), indent=2))
    return _train(config, network, real, synthetic, held_out, out)


def _train(
    config: FitConfig,
    network: Network,
    real: Sequence[Example],
    synthetic: Sequence[Example],
    held_out: Sequence[Batch],
    out: Path,
) -> Path:
    settings = config.optimiser
    optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _learning_rate(step, config))
    average = copy.deepcopy(network).eval()
    best = validate(average, config, held_out)
    _record(out, 0, {"validation": best})
    checkpoint = out / "model.pt"
    save_checkpoint(checkpoint, average, config, {"iteration": 0, **best})
    bar = tqdm(range(1, settings.iterations + 1), "fit")
    for iteration in bar:
        batch = _training_batch(config, real, synthetic, iteration)
        loss = batch_loss(network, config, batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimiser.step()
        schedule.step()
        _average(average, network, min(settings.average_decay, iteration / (iteration + 10)))
        bar.set_postfix(loss=f"{loss.item():.5f}", best=f"{best['loss']:.5f}")
        if iteration % settings.validate_every == 0 or iteration == settings.iterations:
            now = validate(average, config, held_out)
            _record(out, iteration, {"loss": loss.item(), "validation": now})
            if now["loss"] < best["loss"]:
                best = now
                save_checkpoint(checkpoint, average, config, {"iteration": iteration, **best})
    return checkpoint


def batch_loss(network: Network, config: FitConfig, batch: Batch) -> torch.Tensor:
    """The loss of the forecast frames of a batch, and while training what the cells add to it."""
    answer = roll_out_with_penalties(network, batch.frames, len(batch.base), batch.base)
    loss = pinball(answer.outputs[-len(batch.base) :], batch.targets, batch.known, config.loss)
    return loss if answer.penalties is None else loss + config.loss.decoupling * decoupling(answer.penalties)


@torch.no_grad()
def validate(network: Network, config: FitConfig, batches: Sequence[Batch]) -> dict[str, float]:
    """Mean loss over fixed batches, and that of the base alone, which a network has to beat."""
    losses = [batch_loss(network, config, batch).item() for batch in batches]
    bases = [pinball(batch.base, batch.targets, batch.known, config.loss).item() for batch in batches]
    return {"loss": float(np.mean(losses)), "base_loss": float(np.mean(bases))}


def _examples(config: FitConfig, data: Path, names: Sequence[str]) -> list[Example]:
    events = (open_sequence([data / name], observations_only=True) for name in names)
    examples = event_examples(events, config.framing, config.leads, config.data.stride)
    return list(tqdm(examples, "examples", unit=" windows"))


def _training_batch(config: FitConfig, real: Sequence[Example], synthetic: Sequence[Example], iteration: int) -> Batch:
    settings = config.optimiser
    # Seeded by the iteration, so that a batch does not depend on where a run began.
    return draw_batch(
        real,
        synthetic,
        share=config.data.synthetic_share,
        size=settings.batch,
        crop=settings.crop,
        coverage="coverage" in config.network.inputs,
        draw=np.random.default_rng((settings.seed, iteration)),
    )


def _validation_batches(config: FitConfig, examples: Sequence[Example]) -> list[Batch]:
    draw = np.random.default_rng(0)  # the same crops whatever the seed of the run
    settings = config.optimiser
    coverage = "coverage" in config.network.inputs
    return [
        draw_batch(examples, [], share=0, size=settings.batch, crop=settings.crop, coverage=coverage, draw=draw)
        for _ in range(_VALIDATION_BATCHES)
    ]


def _learning_rate(step: int, config: FitConfig) -> float:
    settings = config.optimiser
    if step < settings.warm_up:
        return (step + 1) / settings.warm_up
    progress = (step - settings.warm_up) / max(1, settings.iterations - settings.warm_up)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * min(1.0, progress))) / 2


@torch.no_grad()
def _average(average: Network, network: Network, decay: float) -> None:
    for mean, new in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(new, 1 - decay)


def _record(out: Path, iteration: int, values: dict[str, Any]) -> None:
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps({"iteration": iteration, **values}) + "\n")
