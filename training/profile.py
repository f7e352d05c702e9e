"""The costs of a model: parameters, multiply-accumulates, memory of a training step, time of a forecast.

Operations and memory are counted on fake tensors, which have shapes but no data: this takes seconds for any size.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from models.network import Network, RollOut, roll_out_with_penalties
from models.spec import NetworkSpec
from models.zoo import MODELS, build


@dataclass(frozen=True)
class ProfileSettings:
    """Sizes of the forecast: `steps` calls of the network, half of which (rounded up) read given frames."""

    size: int = 124
    steps: int = 9
    channels: int = 64
    batch: int = 1
    activation_checkpointing: bool = False


@dataclass(frozen=True)
class Profile:
    """Costs of one model.

    Attributes
    ----------
    parameters : int
    macs : int
        Multiply-accumulates of one forecast: convolutions and matrix products, including those of attention, without
        bilinear sampling and element-wise operations.
    saved_activation_bytes : int
        Bytes of tensors that live between the forward and the backward pass, without parameters and inputs; each
        storage counts once.
    peak_bytes : int
        Most bytes that live at once in the forward and backward pass, including gradients, without parameters and
        inputs. Scratch memory within an operator is not counted.
    forward_seconds : float
        One forecast without gradients, on the CPU, after one step to warm up.
    """

    model: str
    parameters: int
    macs: int
    saved_activation_bytes: int
    peak_bytes: int
    forward_seconds: float


def profile(name: str, settings: ProfileSettings) -> Profile:
    """Profile one of `models.zoo.MODELS`.

    Raises
    ------
    ValueError
        The model is unknown, or there is less than one step, pixel, channel or forecast.
    """
    spec = spec_of(name, settings)
    parameters = sum(parameter.numel() for parameter in build(spec).parameters())
    saved, peak = training_memory(spec, settings)
    macs = multiply_accumulates(spec, settings)
    return Profile(name, parameters, macs, saved, peak, forward_seconds(spec, settings))


def spec_of(name: str, settings: ProfileSettings) -> NetworkSpec:
    """The model's spec with the configured width; see `profile` for errors."""
    if name not in MODELS:
        raise ValueError(f"expected models among {', '.join(MODELS)}, got {name!r}")
    for setting in ("size", "steps", "channels", "batch"):
        if getattr(settings, setting) < 1:
            raise ValueError(f"expected {setting} of at least 1, got {getattr(settings, setting)}")
    return replace(MODELS[name], channels=settings.channels)


def multiply_accumulates(spec: NetworkSpec, settings: ProfileSettings) -> int:
    """Multiply-accumulates of one forecast of all steps; see `Profile`."""
    counter = FlopCounterMode(display=False)
    # Attention uses plain products, which the counter knows on every device.
    with FakeTensorMode(), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        _forecast(build(spec).eval(), _frames(settings), settings)
    return int(counter.get_total_flops() // 2)


def training_memory(spec: NetworkSpec, settings: ProfileSettings, *, fake: bool = True) -> tuple[int, int]:
    """Saved activations and peak in bytes of one training step; see `Profile`. Real tensors give the same, slowly."""
    with FakeTensorMode() if fake else torch.enable_grad():
        network = build(spec)
        network.stack.checkpointing = settings.activation_checkpointing
        frames = _frames(settings)
        with MemoryCount([*network.parameters(), frames]) as count:
            answer = _forecast(network, frames, settings)
            loss = answer.outputs.square().mean() + (0 if answer.penalties is None else answer.penalties.mean())
            del answer
            saved = count.live_bytes
            loss.backward()  # type: ignore[no-untyped-call]
        return saved, count.peak_bytes


def forward_seconds(spec: NetworkSpec, settings: ProfileSettings) -> float:
    """Wall time of one forecast on the CPU; see `Profile`."""
    network = build(spec).eval()
    frames = _frames(settings)
    with torch.no_grad():
        _forecast(network, frames[:1], replace(settings, steps=1))
        began = time.perf_counter()
        _forecast(network, frames, settings)
        return time.perf_counter() - began


def _frames(settings: ProfileSettings) -> Tensor:
    return torch.rand((settings.steps + 1) // 2, settings.batch, 1, settings.size, settings.size)


def _forecast(network: Network, frames: Tensor, settings: ProfileSettings) -> RollOut:
    return roll_out_with_penalties(network, frames, settings.steps + 1 - len(frames))


class MemoryCount(TorchDispatchMode):
    """While active, follows every storage that an operator returns until the last reference to it is gone.

    The scratch memory within one operator is not counted.

    Parameters
    ----------
    known : iterable of Tensor
        Tensors that are not counted: parameters and inputs.
    """

    def __init__(self, known: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live_bytes = 0
        self.peak_bytes = 0
        self._seen = weakref.WeakSet([tensor.untyped_storage() for tensor in known])

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401
        """Run the operator and count what it returns."""
        answer = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(answer):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage())
        return answer

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage in self._seen:
            return
        self._seen.add(storage)
        size = storage.nbytes()
        self.live_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        weakref.finalize(storage, self._forget, size)

    def _forget(self, size: int) -> None:
        self.live_bytes -= size
