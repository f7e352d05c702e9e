"""Training: one loop, to be read in one sitting; on one worker, or on several that torchrun starts."""

from __future__ import annotations

import copy
import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from models.network import Network, roll_out
from models.zoo import build
from training.config.config import FitConfig
from training.config.resume import check_run_folder, write_run_config
from training.fit.ahead import ahead
from training.fit.archive_days import read_archive_days, write_archive_days
from training.fit.batches import Batch, Reads, draw_sample, to_batch
from training.fit.checkpoint import save_checkpoint
from training.fit.examples import Example
from training.fit.learning_rate import learning_rate
from training.fit.log import RunLog
from training.fit.losses import base_loss, batch_divisor, batch_loss_sum, log_odds, validation_loss
from training.fit.run_state import Lengthened, Progress, RunState, load_state, save_state
from training.fit.sampling import draw_reads
from training.fit.sources import Sources, open_sources
from training.fit.workers import Worker, joined


def fit(
    config: FitConfig,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    start: Network | None = None,
    learnt: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Train a network and keep the weights with the lowest validation loss.

    Parameters
    ----------
    config : FitConfig
    data : Path
        Folder of the events, or of the data set, that the configuration names.
    out : Path
        A folder for this run alone.
    resume : bool
        Go on with the run in `out`; it ends with the weights of an unbroken run. With more iterations than it had it is
        lengthened: learning rate and sampling go on as at that iteration of a run that was as long from the first.
    start : Network, optional
        Weights to begin from, of a network as the configuration's.
    learnt : sequence of mapping
        What these weights have learnt from; the checkpoint goes on telling it.

    Returns
    -------
    Path
        The checkpoint.

    Raises
    ------
    FileExistsError
        `out` exists: a run never erases another.
    FileNotFoundError
        Data is not in `data`, or there is no run to resume.
    ValueError
        The run to resume has another configuration, or `start` is another network.
    UnreadableFile
        Events that nothing can be learnt from, each by its file.
    """
    with joined() as worker:
        resume = resume or _began_before(out, worker)
        check_run_folder(config, out, resume=resume)
        torch.manual_seed(config.optimiser.seed)
        network = build(config.network)
        if config.zero_head:
            network.zero_head()
        if start is not None:
            _copy_weights(start, network)
        began_with = read_archive_days(out) if resume else None
        sources = open_sources(config, data, show=worker.leads, began_with=began_with)
        told = [*learnt, *sources.records]
        worker.wait()  # until all have seen that the folder is new
        if worker.leads:
            out.mkdir(parents=True, exist_ok=resume)
            (out / _JOB_FILE).write_text(worker.job)
            if not (out / "config.json").is_file():
                write_run_config(out, config)
            if sources.days is not None:
                write_archive_days(out, sources.days)
        worker.wait()
        sources = sources.kept_in(out / _WINDOWS)
        made = _Run(config, network.to(worker.device), sources, out, worker, told).train(resume=resume)
        if worker.leads:
            shutil.rmtree(out / _WINDOWS, ignore_errors=True)
        return made


_JOB_FILE = "torchrun_id"
_WINDOWS = "windows"


def _began_before(out: Path, worker: Worker) -> bool:
    """Whether workers of this very torchrun, dead by now, have begun the run in this folder."""
    return worker.restarts > 0 and (out / _JOB_FILE).is_file() and (out / _JOB_FILE).read_text() == worker.job


def _copy_weights(start: Network, network: Network) -> None:
    if start.spec != network.spec:
        raise ValueError(f"expected weights of the configuration's {network.spec}, got {start.spec}; change one")
    network.load_state_dict(start.state_dict())


class Sample(NamedTuple):
    """A crop and which of its frames the network reads true."""

    example: Example
    reads: Reads


class _Run:
    """A run in its folder."""

    def __init__(
        self,
        config: FitConfig,
        network: Network,
        sources: Sources,
        out: Path,
        worker: Worker,
        learnt: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._learnt = learnt
        self.config, self.sources, self.out, self.worker = config, sources, out, worker
        settings = config.optimiser
        network.stack.checkpointing = settings.activation_checkpointing
        self.network, self.average = network, copy.deepcopy(network).eval()
        self.optimiser = torch.optim.Adam(
            network.parameters(),
            settings.learning_rate,
            weight_decay=settings.weight_decay,
            decoupled_weight_decay=settings.weight_decay > 0,
        )
        self.state = RunState(self.network, self.average, self.optimiser)
        if settings.compile:
            network.stack.compile()
        self.log = RunLog(out, writes=worker.leads)
        self._lengthened: tuple[Lengthened, ...] = ()

    def train(self, *, resume: bool) -> Path:
        """The loop; gives the checkpoint of the best validation."""
        settings = self.config.optimiser
        done, best, self._lengthened = self._begin(resume=resume)
        iterations = range(done + 1, settings.iterations + 1)
        bar = tqdm(ahead(self._draw, iterations), "fit", len(iterations), disable=not self.worker.leads)
        for iteration, samples in zip(iterations, bar, strict=True):
            loss = self._learn(samples, iteration)
            bar.set_postfix(loss=f"{loss:.5f}", best=f"{best['loss']:.5f}")
            last = iteration == settings.iterations
            if last or iteration % settings.validate_every == 0:
                best = self._validate(iteration, best, loss)
            if self.worker.leads and (last or iteration % settings.save_every == 0):
                save_state(self._state_file, self.state, Progress(iteration, best, self._lengthened), self.config)
        self.log.close()
        return self._checkpoint

    @property
    def _state_file(self) -> Path:
        return self.out / "state.pt"

    @property
    def _checkpoint(self) -> Path:
        return self.out / "model.pt"

    def _begin(self, *, resume: bool) -> Progress:
        """How far the run is."""
        if resume and self._state_file.exists():
            progress = load_state(self._state_file, self.state, self.config)
            self._go_on(progress)
            return progress
        self.log.go_on_after(-1)
        if self.worker.leads:
            write_run_config(self.out, self.config)
        return Progress(0, self._validate(0, {"loss": math.inf}))

    def _go_on(self, progress: Progress) -> None:
        self.log.go_on_after(progress.iteration)
        if not self.worker.leads:
            return
        write_run_config(self.out, self.config)
        if progress.lengthened and progress.lengthened[-1].after == progress.iteration:
            after, before, now = progress.lengthened[-1]
            rate = self.config.optimiser.learning_rate * learning_rate(progress.iteration, self.config)
            told = f"{before} iterations become {now}: goes on after {after} at a learning rate of {rate:.2g}"
            tqdm.write(told, file=sys.stderr)

    def _draw(self, iteration: int) -> list[Sample]:
        """Draw what is this worker's of an iteration's batch: sample by sample the same, whoever draws it and when."""
        config, settings = self.config, self.config.optimiser
        progress = (iteration - 1) / settings.iterations
        samples = []
        for index in self.worker.share(settings.batch):
            draw = np.random.default_rng((settings.seed, iteration, index))
            example = draw_sample(self.sources.real, self.sources.synthetic, config.data, settings.crop, draw)
            reads = draw_reads(config.sampling, progress, config.framing.input_length, config.leads, draw)
            samples.append(Sample(example, reads))
        return samples

    def _learn(self, samples: Sequence[Sample], iteration: int) -> float:
        """One step of the optimiser; gives the loss of the whole batch."""
        config, settings = self.config, self.config.optimiser
        parts = [samples[part :: settings.accumulate] for part in range(settings.accumulate)]
        batches = [self._batch([s.example for s in part], [s.reads for s in part]) for part in parts if part]
        divisor = max(1.0, self.worker.total(sum(batch_divisor(batch, config) for batch in batches)))
        self.optimiser.zero_grad()
        total = 0.0
        for batch in batches:
            loss, decoupling = batch_loss_sum(self.network, batch, config)
            loss = loss / divisor
            if decoupling is not None:
                loss = loss + config.loss.decoupling * decoupling * (batch.frames.shape[1] / settings.batch)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        self.worker.add_gradients(self.network.parameters())
        if settings.clip:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = settings.learning_rate * learning_rate(iteration - 1, config)
        self.optimiser.step()
        _average(self.average, self.network, min(settings.average_decay, iteration / (iteration + 10)))
        return self.worker.total(total)

    def _batch(self, examples: Sequence[Example], reads: Sequence[Reads] | None = None) -> Batch:
        return to_batch(examples, self.config.network.inputs, reads).to(self.worker.device)

    def _validate(self, iteration: int, best: dict[str, float], loss: float | None = None) -> dict[str, float]:
        """Score the averaged weights; keep them where they are the best so far, which is returned."""
        held_out = self.sources.held_out
        share = {k: self._batch(held_out[k]) for k in self.worker.share(len(held_out))}
        seen = tqdm(share.items(), "validate", leave=False, disable=not self.worker.leads)
        losses = {k: validation_loss(self.average, batch, self.config) for k, batch in seen}
        bases = {k: base_loss(batch, self.config) for k, batch in share.items()}
        now = {"loss": _mean(self.worker.gathered(losses)), "base_loss": _mean(self.worker.gathered(bases))}
        told = {f"validation_{name}": value for name, value in now.items()}
        self.log.record(iteration, told if loss is None else {"loss": loss, **told})
        self._picture(iteration)
        if not now["loss"] < best["loss"]:
            return best
        if self.worker.leads:
            save_checkpoint(
                self._checkpoint, self.average, self.config, {"iteration": iteration, **now, **self._told()}
            )
        return now

    def _told(self) -> dict[str, Any]:
        """What a checkpoint says of its making beyond its configuration."""
        lengthened = [each._asdict() for each in self._lengthened]
        data = list(self._learnt)
        return ({"lengthened": lengthened} if lengthened else {}) | ({"data": data} if data else {})

    def _picture(self, iteration: int) -> None:
        """The last frame, the last target and its forecast, for TensorBoard."""
        if not self.log.draws:
            return
        batch = self._batch(self.sources.held_out[0][:1])
        with torch.no_grad():
            if self.config.network.output == "exceedance":
                forecast, what = log_odds(self.average, batch, self.config).outputs[-1].sigmoid(), "probability"
            else:
                forecast, what = roll_out(self.average, batch.frames, len(batch.base), batch.base)[-1], "forecast"
        frames = [batch.frames[-1, 0, 0], batch.targets[-1, 0, 0], forecast[0, 0]]
        self.log.picture(iteration, f"last frame, observed, {what}", [frame.cpu().numpy() for frame in frames])


def _mean(values: Mapping[int, float]) -> float:
    return float(np.mean(list(values.values())))


@torch.no_grad()
def _average(average: Network, network: Network, decay: float) -> None:
    for mean, new in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(new, 1 - decay)
