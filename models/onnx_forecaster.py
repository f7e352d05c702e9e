"""Model files in ONNX Runtime. Only this module imports it, so that evaluation and service run models alike."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

# Read at import: otherwise an uploader starts, and an identifier of the device is written into the user's cache.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime as ort
from pydantic import ValidationError

from models.card import ModelCard
from models.exceedance.forecaster import forecaster_of
from models.golden import CARD_KEY, GOLDEN_KEY, GoldenCase
from models.recurrent import RecurrentForecaster
from radar.errors import ArtifactRejected, ProviderMissing
from radar.sequence import Float32
from radar.system.cpus import usable_cpus

Provider = Literal["cpu", "cuda"]

_PROVIDERS: dict[Provider, Any] = {
    "cpu": "CPUExecutionProvider",
    # The default search tries every algorithm for every new shape, which takes seconds each time.
    "cuda": ("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC"}),
}
_WARM_UP_PIXELS: dict[Provider, tuple[int, int]] = {"cpu": (64, 64), "cuda": (900, 900)}


def load_forecaster(path: Path, provider: Provider, threads: int | None = None) -> RecurrentForecaster:
    """A model file, checked with its golden case on this provider, and warm.

    Parameters
    ----------
    path : Path
    provider : {"cpu", "cuda"}
    threads : int or None
        CPU threads of one step; by default the number of cores that this process may use.

    Raises
    ------
    ArtifactRejected
        The file is not a model of this program, or its predictions differ from those at its export.
    ProviderMissing
        The provider is not available.
    """
    session = _open(path, provider, threads)
    metadata = session.get_modelmeta().custom_metadata_map
    card = _read_card(metadata.get(CARD_KEY, ""))
    step = OnnxStep(session, card, provider)
    GoldenCase.from_text(metadata.get(GOLDEN_KEY, "")).check(step, _tolerance(card, provider))
    forecaster = forecaster_of(card, step)
    forecaster.warm_up((1, *_WARM_UP_PIXELS[provider]))
    return forecaster


def read_card_of(path: Path) -> ModelCard:
    """The card of a model file, without a check of its forecasts; raises ArtifactRejected without a card."""
    return _read_card(_open(path, "cpu").get_modelmeta().custom_metadata_map.get(CARD_KEY, ""))


@dataclass(frozen=True)
class OnnxState:
    """Two sets of buffers in turns: `current` is read while `spare` is written."""

    current: dict[str, ort.OrtValue]
    spare: dict[str, ort.OrtValue]


class OnnxStep:
    """One recurrent step; satisfies models.recurrent.Step. States stay on the provider's device."""

    def __init__(self, session: ort.InferenceSession, card: ModelCard, provider: Provider) -> None:
        self._session = session
        self._card = card
        self._device = provider
        self._only_states = ort.RunOptions()
        self._only_states.only_execute_path_to_fetches = True

    def start(self, batch: int, rows: int, columns: int) -> OnnxState:
        """States of zeros."""
        return OnnxState(self._zeros(batch, rows, columns), self._zeros(batch, rows, columns))

    def __call__(self, frame: Float32, state: OnnxState) -> tuple[Float32, OnnxState]:
        """See models.recurrent.Step. `state` must not be used again: the next step overwrites its buffers."""
        binding = self._bound(frame, state)
        binding.bind_output("prediction")
        self._session.run_with_iobinding(binding)
        prediction = binding.get_outputs()[-1].numpy()  # in the order of binding
        return np.asarray(prediction, np.float32), OnnxState(state.spare, state.current)

    def observe(self, frame: Float32, state: OnnxState) -> OnnxState:
        """See models.recurrent.Step, and `__call__`."""
        self._session.run_with_iobinding(self._bound(frame, state), self._only_states)
        return OnnxState(state.spare, state.current)

    def _bound(self, frame: Float32, state: OnnxState) -> ort.IOBinding:
        binding = self._session.io_binding()
        binding.bind_cpu_input("frame", np.ascontiguousarray(frame))
        for name, value in state.current.items():
            binding.bind_ortvalue_input(name, value)
            binding.bind_ortvalue_output(f"next_{name}", state.spare[name])
        return binding

    def _zeros(self, batch: int, rows: int, columns: int) -> dict[str, ort.OrtValue]:
        zeros = {}
        for state in self._card.states:
            shrink = self._card.spec.patch * 2**state.scale
            shape = (batch, state.channels, rows // shrink, columns // shrink)
            zeros[state.name] = ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32), self._device, 0)
        return zeros


def _open(path: Path, provider: Provider, threads: int | None = None) -> ort.InferenceSession:
    if provider == "cuda":
        _check_cuda()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or usable_cpus()
    if provider == "cpu":
        options.log_severity_level = 3  # suppresses warnings about float16 constants that are not folded
    if provider == "cuda":
        # Without this check a session without its libraries silently computes on the CPU.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = ort.InferenceSession(str(path), options, providers=[_PROVIDERS[provider]])
    except Exception as error:  # ONNX Runtime's own errors share no narrower base
        if provider == "cuda":
            raise _no_cuda(f"a session that could not be made ({type(error).__name__})") from error
        raise ArtifactRejected(
            expected="an ONNX model",
            got=f"a file that ONNX Runtime refuses ({type(error).__name__})",
            remedy="export it again",
        ) from error
    session.disable_fallback()
    if provider == "cuda" and session.get_providers()[0] != "CUDAExecutionProvider":
        raise _no_cuda("a session on " + session.get_providers()[0])
    return session


def _check_cuda() -> None:
    available = ort.get_available_providers()
    if "CUDAExecutionProvider" not in available:
        raise _no_cuda("an ONNX Runtime with " + ", ".join(available))
    ort.preload_dlls()


def _no_cuda(got: str) -> ProviderMissing:
    return ProviderMissing(
        expected="an NVIDIA GPU with CUDA 13 and cuDNN 9 (RAINCELL_PROVIDER=cuda)",
        got=got,
        remedy="install the gpu extra (onnxruntime-gpu) and give the process a GPU, or set RAINCELL_PROVIDER=cpu",
    )


def _read_card(text: str) -> ModelCard:
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactRejected(
            expected="a model card in the file's metadata",
            got=f"one with {error.error_count()} faults" if text else "none",
            remedy="export it again with this version",
        ) from error


def _tolerance(card: ModelCard, provider: Provider) -> float:
    if provider not in card.tolerances:
        raise ArtifactRejected(
            expected=f"a tolerance for provider {provider} on the card of {card.name}",
            got="those for " + (", ".join(card.tolerances) or "none"),
            remedy="export it again, or use another provider",
        )
    return card.tolerances[provider]
