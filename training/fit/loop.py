"""Training: one loop, on one worker, or on several that torchrun starts."""

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
from training.fit.sources import TrainingExamples, open_examples
from training.fit.workers import Rank, joined


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
        The folder of this run.
    resume : bool
        Resume the run in `out`; its final weights equal those of an uninterrupted run. With more iterations it is
        lengthened: learning rate and sampling continue as in a run that was as long from the beginning.
    start : Network, optional
        Initial weights, of a network with the configuration's spec.
    learnt : sequence of mapping
        Records of the training data of these weights, which the checkpoint keeps.

    Returns
    -------
    Path
        The checkpoint.

    Raises
    ------
    FileExistsError
        `out` exists: a run never erases another.
    FileNotFoundError
        Files are missing in `data`, or there is no run to resume.
    ValueError
        The run to resume has another configuration, or `start` is another network.
    UnreadableFile
        Events cannot be used for training; the error names their files.
    """
    with joined() as rank:
        resume = resume or _began_before(out, rank)
        check_run_folder(config, out, resume=resume)
        torch.manual_seed(config.optimiser.seed)
        network = build(config.network)
        if config.zero_head:
            network.zero_head()
        if start is not None:
            _copy_weights(start, network)
        began_with = read_archive_days(out) if resume else None
        examples = open_examples(config, data, show=rank.leads, began_with=began_with)
        records = [*learnt, *examples.records]
        rank.wait()  # until all have seen that the folder is new
        if rank.leads:
            out.mkdir(parents=True, exist_ok=resume)
            (out / _JOB_FILE).write_text(rank.job)
            if not (out / "config.json").is_file():
                write_run_config(out, config)
            if examples.days is not None:
                write_archive_days(out, examples.days)
        rank.wait()
        examples = examples.kept_in(out / _WINDOWS)
        made = _Run(config, network.to(rank.device), examples, out, rank, records).train(resume=resume)
        if rank.leads:
            shutil.rmtree(out / _WINDOWS, ignore_errors=True)
        return made


_JOB_FILE = "torchrun_id"
_WINDOWS = "windows"


def _began_before(out: Path, rank: Rank) -> bool:
    """Whether earlier, dead workers of the same torchrun have begun the run in this folder."""
    return rank.restarts > 0 and (out / _JOB_FILE).is_file() and (out / _JOB_FILE).read_text() == rank.job


def _copy_weights(start: Network, network: Network) -> None:
    if start.spec != network.spec:
        raise ValueError(f"expected weights of the configuration's {network.spec}, got {start.spec}; change one")
    network.load_state_dict(start.state_dict())


class Sample(NamedTuple):
    """A crop, and which of its true frames the network reads."""

    example: Example
    reads: Reads


class _Run:
    """A run in its folder."""

    def __init__(
        self,
        config: FitConfig,
        network: Network,
        examples: TrainingExamples,
        out: Path,
        rank: Rank,
        learnt: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._learnt = learnt
        self.config, self.examples, self.out, self.rank = config, examples, out, rank
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
        self.log = RunLog(out, writes=rank.leads)
        self._lengthened: tuple[Lengthened, ...] = ()

    def train(self, *, resume: bool) -> Path:
        """Run the loop; returns the checkpoint of the best validation."""
        settings = self.config.optimiser
        done, best, self._lengthened = self._begin(resume=resume)
        iterations = range(done + 1, settings.iterations + 1)
        bar = tqdm(ahead(self._draw, iterations), "fit", len(iterations), disable=not self.rank.leads)
        for iteration, samples in zip(iterations, bar, strict=True):
            loss = self._learn(samples, iteration)
            bar.set_postfix(loss=f"{loss:.5f}", best=f"{best['loss']:.5f}")
            last = iteration == settings.iterations
            if last or iteration % settings.validate_every == 0:
                best = self._validate(iteration, best, loss)
            if self.rank.leads and (last or iteration % settings.save_every == 0):
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
        """Load or begin the run; returns its progress."""
        if resume and self._state_file.exists():
            progress = load_state(self._state_file, self.state, self.config)
            self._go_on(progress)
            return progress
        self.log.go_on_after(-1)
        if self.rank.leads:
            write_run_config(self.out, self.config)
        return Progress(0, self._validate(0, {"loss": math.inf}))

    def _go_on(self, progress: Progress) -> None:
        self.log.go_on_after(progress.iteration)
        if not self.rank.leads:
            return
        write_run_config(self.out, self.config)
        if progress.lengthened and progress.lengthened[-1].after == progress.iteration:
            after, before, now = progress.lengthened[-1]
            rate = self.config.optimiser.learning_rate * learning_rate(progress.iteration, self.config)
            line = f"{before} iterations become {now}: goes on after {after} at a learning rate of {rate:.2g}"
            tqdm.write(line, file=sys.stderr)

    def _draw(self, iteration: int) -> list[Sample]:
        """Draw this worker's samples of an iteration's batch; a sample does not depend on the worker or the time."""
        config, settings = self.config, self.config.optimiser
        progress = (iteration - 1) / settings.iterations
        samples = []
        for index in self.rank.share(settings.batch):
            draw = np.random.default_rng((settings.seed, iteration, index))
            example = draw_sample(self.examples.real, self.examples.synthetic, config.data, settings.crop, draw)
            reads = draw_reads(config.sampling, progress, config.framing.input_length, config.leads, draw)
            samples.append(Sample(example, reads))
        return samples

    def _learn(self, samples: Sequence[Sample], iteration: int) -> float:
        """Do one step of the optimiser; returns the loss of the whole batch."""
        config, settings = self.config, self.config.optimiser
        parts = [samples[part :: settings.accumulate] for part in range(settings.accumulate)]
        batches = [self._batch([s.example for s in part], [s.reads for s in part]) for part in parts if part]
        divisor = max(1.0, self.rank.total(sum(batch_divisor(batch, config) for batch in batches)))
        self.optimiser.zero_grad()
        total = 0.0
        for batch in batches:
            loss, decoupling = batch_loss_sum(self.network, batch, config)
            loss = loss / divisor
            if decoupling is not None:
                loss = loss + config.loss.decoupling * decoupling * (batch.frames.shape[1] / settings.batch)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        self.rank.add_gradients(self.network.parameters())
        if settings.clip:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = settings.learning_rate * learning_rate(iteration - 1, config)
        self.optimiser.step()
        _average(self.average, self.network, min(settings.average_decay, iteration / (iteration + 10)))
        return self.rank.total(total)

    def _batch(self, examples: Sequence[Example], reads: Sequence[Reads] | None = None) -> Batch:
        return to_batch(examples, self.config.network.inputs, reads).to(self.rank.device)

    def _validate(self, iteration: int, best: dict[str, float], loss: float | None = None) -> dict[str, float]:
        """Validate the averaged weights, and keep them if they are the best so far; returns the best losses."""
        held_out = self.examples.held_out
        share = {k: self._batch(held_out[k]) for k in self.rank.share(len(held_out))}
        progress = tqdm(share.items(), "validate", leave=False, disable=not self.rank.leads)
        losses = {k: validation_loss(self.average, batch, self.config) for k, batch in progress}
        bases = {k: base_loss(batch, self.config) for k, batch in share.items()}
        now = {"loss": _mean(self.rank.gathered(losses)), "base_loss": _mean(self.rank.gathered(bases))}
        values = {f"validation_{name}": value for name, value in now.items()}
        self.log.record(iteration, values if loss is None else {"loss": loss, **values})
        self._picture(iteration)
        if not now["loss"] < best["loss"]:
            return best
        if self.rank.leads:
            save_checkpoint(
                self._checkpoint, self.average, self.config, {"iteration": iteration, **now, **self._notes()}
            )
        return now

    def _notes(self) -> dict[str, Any]:
        """A checkpoint's notes on the run, beyond its configuration."""
        lengthened = [each._asdict() for each in self._lengthened]
        data = list(self._learnt)
        return ({"lengthened": lengthened} if lengthened else {}) | ({"data": data} if data else {})

    def _picture(self, iteration: int) -> None:
        """The last frame, the last target and its forecast, for TensorBoard."""
        if not self.log.draws:
            return
        batch = self._batch(self.examples.held_out[0][:1])
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
