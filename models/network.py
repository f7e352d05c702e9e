"""A whole network: embedding, stack and head; one call computes one time step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.cells.gates import blank
from models.exceedance.weights import DressingWeights
from models.parts.fine_path import FinePath
from models.parts.unet import UNet
from models.spec import EXCEEDANCE_INPUTS, NetworkSpec
from models.stack import Stack, StackState, StackStep


class Network(nn.Module):
    """Reads a frame and its states, and returns the prediction of the next frame and new states.

    Parameters
    ----------
    spec : NetworkSpec
    stack : Stack or UNet
        Made by `models.zoo.build`.
    """

    def __init__(self, spec: NetworkSpec, stack: Stack | UNet) -> None:
        super().__init__()
        self.spec = spec
        self.fine = FinePath(spec) if spec.fine_patch else None
        if self.fine is None:
            self.embedding = nn.Conv2d(len(spec.inputs) * spec.patch**2, spec.channels, 1)
        self.stack = stack
        if self.fine is None:
            self.head = nn.Conv2d(spec.channels, spec.outputs * spec.patch**2, 1)
        self.dressing = DressingWeights(spec) if spec.output == "exceedance" else None

    @property
    def states(self) -> tuple[StackState, ...]:
        """Names, channels and scales of the states, in order."""
        return self.stack.states

    def zero_head(self) -> None:
        """Make every prediction 0 until training changes it: the network starts as its base."""
        if self.fine is not None:
            self.fine.zero_head()
            return
        nn.init.zeros_(self.head.weight)
        if self.head.bias is not None:
            nn.init.zeros_(self.head.bias)

    def initial_states(self, frame: Tensor) -> tuple[Tensor, ...]:
        """Zeros for frames like `frame` (B, inputs, H, W)."""
        batch, _, rows, columns = frame.shape
        return tuple(
            blank(frame, batch, s.channels, *(n // self.spec.patch // 2**s.scale for n in (rows, columns)))
            for s in self.states
        )

    def forward(self, frame: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step.

        Parameters
        ----------
        frame : Tensor (B, inputs, H, W)
            Network units; H and W multiples of `spec.pad_multiple`.
        states : sequence of Tensor
            In the order of `self.states`.

        Returns
        -------
        prediction (B, outputs, H, W), without activation, and the new states.
        """
        prediction, new_states, _ = self.step(frame, states)
        return prediction, new_states

    def step(self, frame: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """As `forward`, with the cells' penalties for the training loss."""
        features, x = self.embed(frame)
        x, new_states, penalties = self.advance(x, states, frame)
        return self.predict(features, x), new_states, penalties

    def observe(self, frame: Tensor, states: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Give the states and penalties of `step`, without its prediction."""
        _, x = self.embed(frame)
        if isinstance(self.stack, UNet):
            return self.stack.keep(x, states, _is_observed(frame)), ()
        _, new_states, penalties = self.stack(x, states)
        return new_states, penalties

    def advance(self, x: Tensor, states: Sequence[Tensor], frame: Tensor) -> StackStep:
        """Give the stack's step for the embedded frame."""
        step = self.stack(x, states, _is_observed(frame)) if isinstance(self.stack, UNet) else self.stack(x, states)
        return cast(StackStep, step)

    def embed(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Give what the head reads of a frame (B, inputs, H, W), and the input of the stack, which may be the same."""
        if self.fine is not None:
            return self.fine.embed(frame)
        patch = self.spec.patch
        x = self.embedding(F.pixel_unshuffle(frame, patch) if patch > 1 else frame)
        return x, x

    def predict(self, features: Tensor, output: Tensor) -> Tensor:
        """Give the prediction (B, outputs, H, W) from a frame's features and the stack's output."""
        if self.fine is not None:
            return self.fine.predict(features, output)
        prediction = self.head(output)
        return F.pixel_shuffle(prediction, self.spec.patch) if self.spec.patch > 1 else prediction


def roll_out(network: Network, frames: Tensor, leads: int, base: Tensor | None = None) -> Tensor:
    """Read all `frames`, then continue with the network's own predictions.

    Parameters
    ----------
    frames : Tensor (T, B, inputs, H, W)
        Network units; H and W are arbitrary, since frames are padded with zeros and cropped.
    leads : int
        Number of frames to predict after the last of `frames`.
    base : Tensor (leads, B, 1, H, W), optional
        Added to the outputs of the leads (not to those of the warm-up).

    Returns
    -------
    Tensor (T - 1 + leads, B, 1, H, W)
        The predictions of all frames after the first, not clipped; the last `leads` are the forecast.
    """
    return roll_out_with_penalties(network, frames, leads, base).outputs


def read_bases(network: Network, frames: Tensor, bases: Tensor) -> RollOut:
    """Read all `frames`, then the base of each lead, for the output "exceedance".

    Parameters
    ----------
    frames : Tensor (T, B, inputs, H, W)
        Observed frames as `EXCEEDANCE_INPUTS` has them; any H and W.
    bases : Tensor (leads, B, inputs, H, W)
        The same of the base of each lead.

    Returns
    -------
    RollOut
        Outputs (leads, B, thresholds, H, W) to be added to the dressed base, and penalties of all steps.
    """
    rows, columns = frames.shape[-2:]
    padding = _padding(network, frames)
    states = network.initial_states(F.pad(frames[0], padding))
    penalties: list[tuple[Tensor, ...]] = []
    for frame in frames:  # what would be predicted from them is not read
        states, of_step = network.observe(F.pad(frame, padding), states)
        penalties.append(of_step)
    outputs: list[Tensor] = []
    for base in bases:
        output, states, of_step = network.step(F.pad(base, padding), states)
        outputs.append(output[..., :rows, :columns])
        penalties.append(of_step)
    known = [torch.stack(each) for each in penalties if each]
    return RollOut(torch.stack(outputs), torch.stack(known) if known else None)


def _is_observed(frame: Tensor) -> Tensor:
    """1 (B, 1, 1, 1) where a frame (B, inputs, H, W) of `EXCEEDANCE_INPUTS` has lead time 0, else 0."""
    phase = EXCEEDANCE_INPUTS.index("phase")
    return (frame[:, phase : phase + 1, :1, :1] <= 0).to(frame.dtype)


class RollOut(NamedTuple):
    """Outputs as from `roll_out`; penalties (T - 1 + leads, layers, B, C), None if the cells have none."""

    outputs: Tensor
    penalties: Tensor | None


class Teacher(NamedTuple):
    """True frames for training: the network reads them or its own predictions.

    Parameters
    ----------
    later : Tensor (leads, B, 1, H, W)
        The frames after the input frames of a forecast.
    known : Tensor, bool (leads, B, 1, H, W)
        Where they are known; elsewhere the network reads its own prediction.
    reads : Tensor, bool (T + leads - 1, B)
        Whether each step reads the true frame. The first step always does.
    """

    later: Tensor
    known: Tensor
    reads: Tensor


def roll_out_with_penalties(
    network: Network, frames: Tensor, leads: int, base: Tensor | None = None, teacher: Teacher | None = None
) -> RollOut:
    """As `roll_out`, with the cells' penalties for the training loss (PredRNN-V2, only in training mode)."""
    rows, columns = frames.shape[-2:]
    padding = _padding(network, frames)
    frames = F.pad(frames, padding)
    base = None if base is None else F.pad(base, padding)
    if teacher is not None:
        teacher = Teacher(F.pad(teacher.later, padding), F.pad(teacher.known, padding), teacher.reads)
    states = network.initial_states(frames[0])
    outputs: list[Tensor] = []
    penalties: list[Tensor] = []
    for step in range(len(frames) + leads - 1):
        frame = frames[0] if step == 0 else _next_input(step, outputs[-1], frames, teacher)
        output, states, step_penalties = network.step(frame, states)
        lead = step - len(frames) + 1
        outputs.append(output + base[lead] if base is not None and lead >= 0 else output)
        penalties += [torch.stack(step_penalties)] if step_penalties else []
    return RollOut(torch.stack(outputs)[..., :rows, :columns], torch.stack(penalties) if penalties else None)


def _padding(network: Network, frames: Tensor) -> tuple[int, int, int, int]:
    """Zeros after the last column and row of frames (..., H, W), up to what the network divides."""
    rows, columns = frames.shape[-2:]
    return 0, -columns % network.spec.pad_multiple, 0, -rows % network.spec.pad_multiple


def _next_input(step: int, own: Tensor, frames: Tensor, teacher: Teacher | None) -> Tensor:
    """The input of a step after the first: a true frame or the network's own prediction, with the last coverage."""
    given = step < len(frames)
    if teacher is None:
        return frames[step] if given else torch.cat([own, frames[-1, :, 1:]], dim=1)
    lead = step - len(frames)
    truth, others = (frames[step, :, :1], frames[step, :, 1:]) if given else (teacher.later[lead], frames[-1, :, 1:])
    reads = teacher.reads[step, :, None, None, None]
    if not given:
        reads = reads & teacher.known[lead]
    return torch.cat([torch.where(reads, truth, own), others], dim=1)
