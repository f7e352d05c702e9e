"""Conversion of weights of the authors' research code to this project's networks.

Where their code adds convolutions of several inputs, this project has one convolution of all of them. Parts that cannot
affect a forecast (a gate, a module, a whole layer's part) exist only in their code and are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from models.spec import NetworkSpec
from models.zoo import build


@dataclass(frozen=True)
class Part:
    """One convolution of this project, made of one or more of theirs.

    Parameters
    ----------
    ours : str
        The name within the cell.
    theirs : tuple of str
        Their convolutions: of several inputs and added up, or, if `stacked`, of one input with several outputs.
    bias : bool
        Whether they have a bias.
    without_forget : bool
        Leave out f of their gates [i f g o].
    """

    ours: str
    theirs: tuple[str, ...]
    stacked: bool = False
    bias: bool = True
    without_forget: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of their parameters."""
        kinds = ("weight", "bias") if self.bias else ("weight",)
        return tuple(f"{name}.{kind}" for name in self.theirs for kind in kinds)

    def convert(self, layer: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        """Convert their parameters of a layer to ours."""
        weight = torch.cat([layer[f"{name}.weight"] for name in self.theirs], dim=0 if self.stacked else 1)
        yield f"{self.ours}.weight", self._gates(weight)
        if self.bias:
            biases = [layer[f"{name}.bias"] for name in self.theirs]
            yield f"{self.ours}.bias", self._gates(torch.cat(biases) if self.stacked else torch.stack(biases).sum(0))

    def _gates(self, values: Tensor) -> Tensor:
        if not self.without_forget:
            return values
        i, _, g, o = values.chunk(4)
        return torch.cat([i, g, o])


def _conv(ours: str, *theirs: str, **options: bool) -> Part:
    return Part(ours, tuple(f"_conv_{name}" for name in theirs), **options)


def _zigzag(prefix: str, *, forgets: bool = True) -> list[Part]:
    return [
        _conv(f"{prefix}gates", "x2h", "h2h", without_forget=not forgets),
        _conv(f"{prefix}memory_gates", "x2h_m", "m2h_m"),
        _conv(f"{prefix}output_gate", "c2o", "m2o"),
        _conv(f"{prefix}output", "c_m"),
    ]


def _mim(prefix: str) -> list[Part]:
    return [
        _conv(f"{prefix}non_stationary.gates", "x2h_n", "n2h_n"),
        _conv(f"{prefix}non_stationary.output_gate", "diff2o", "n2o"),
        _conv(f"{prefix}stationary.gates", "x2h_s", "c2h_s"),
        _conv(f"{prefix}stationary.output_gate", "s2o"),
        *_zigzag(f"{prefix}lstm.", forgets=False),
    ]


_HIGHWAY = _conv("highway", "x", "z")

_MOTION = [
    _conv("motion.encoder", "enc"),
    _conv("motion.gates", "u", "r", stacked=True),
    _conv("motion.transient", "z"),
    _conv("motion.mask", "hm"),
    _conv("motion.mix", "dec"),
    Part("motion.decoder", ("_deconv_dec",)),
    _conv("motion.share", "g"),
]

_CAUSAL = [
    _conv("gates", "x_h_c"),
    _conv("memory_gates", "x_c_m"),
    _conv("memory_input", "m"),
    _conv("output_gate", "o"),
    _conv("output", "c_m"),
]

_PRECIPLSTM = [
    Part("attention.projections", ("LA.conv1", "LA.conv2", "LA.conv3"), stacked=True, bias=False),
    _conv("attended", "x_x_att"),
    _conv("gates", "x2h", "h2h"),
    _conv("memory_gates", "x2h_m", "m2h_m"),
    _conv("spatial_gates", "x2h_ms", "ms2h_ms"),
    _conv("temporal_gates", "x2h_mt", "mt2h_mt"),
    _conv("output_gate", "c2o", "ms2o", "mt2o", "m2o"),
    Part("output", ("c_m_ms_mt",)),
]

_TRAJGRU = [
    _conv("flow_features", "x2f", "h2f"),
    _conv("flows", "flow"),
    _conv("input_gates", "x2h"),
    Part("state_gates", ("project",)),
]


def _parts(cell: str, layer: int, layers: int) -> list[Part]:
    """The parts of one layer."""
    if cell == "mim":
        return _mim("mim.") if layer else _zigzag("lstm.")
    if cell == "motionrnn":
        if layer == layers - 1:
            return _mim("mim.")
        return [*(_mim("inner.") if layer else _zigzag("inner.lstm.")), *_MOTION]
    if cell == "predrnn++":
        return [*_CAUSAL, _HIGHWAY] if layer == 1 else _CAUSAL
    return {
        "convlstm": [_conv("gates", "x2h", "h2h")],
        "trajgru": _TRAJGRU,
        "predrnn": _zigzag("lstm."),
        "predrnn-v2": _zigzag(""),
        "preciplstm": _PRECIPLSTM,
    }[cell]


def convert_parameters(authors: Mapping[str, Tensor], spec: NetworkSpec) -> dict[str, Tensor]:
    """Convert the authors' state_dict (keys with or without `module.`) to one for `models.zoo.build`.

    Raises
    ------
    ValueError
        Parameters are missing, unexpected, or of another shape than in the network; the error names them.
    """
    theirs = {key.removeprefix("module."): value for key, value in authors.items()}
    layers = len(spec.scales)
    parts = [_parts(spec.cell, layer, layers) for layer in range(layers)]
    ends = [Part("embedding", ("embed.conv_embed",)), Part("head", ("fc.conv_fc",))]
    adapter = [Part("adapter", ("rnns.adapter",))] if spec.cell == "predrnn-v2" else []
    wanted = {key for part in (*ends, *adapter) for key in part.keys}
    wanted |= {f"rnns.lstm.{layer}.{key}" for layer in range(layers) for part in parts[layer] for key in part.keys}
    named = {key for layer_parts in parts for part in layer_parts for key in part.keys}
    known = wanted | {f"rnns.lstm.{layer}.{key}" for layer in range(layers) for key in named}
    _refuse("missing", sorted(wanted - set(theirs)), "unexpected", sorted(set(theirs) - known))
    converted = dict(pair for part in ends for pair in part.convert(theirs))
    for layer in range(layers):
        prefix = f"rnns.lstm.{layer}."
        own = {key.removeprefix(prefix): value for key, value in theirs.items() if key.startswith(prefix)}
        pairs = [pair for part in parts[layer] for pair in part.convert(own)]
        pairs += [pair for part in adapter for pair in part.convert(theirs)]
        converted |= {f"stack.cells.{layer}.{key}": value for key, value in pairs}
    _refuse_other_shapes(converted, spec)
    return converted


def _refuse(missing: str, absent: list[str], unexpected: str, surplus: list[str]) -> None:
    problems = [f"{word} {', '.join(keys)}" for word, keys in ((missing, absent), (unexpected, surplus)) if keys]
    if problems:
        raise ValueError(f"expected the parameters of the model, got some {'; and some '.join(problems)}")


def _refuse_other_shapes(converted: Mapping[str, Tensor], spec: NetworkSpec) -> None:
    shapes = {key: tuple(value.shape) for key, value in build(spec).state_dict().items()}
    wrong = [f"{key} {tuple(value.shape)} for {shapes[key]}" for key, value in converted.items()
             if tuple(value.shape) != shapes[key]]  # fmt: skip
    if wrong:
        raise ValueError(f"expected the shapes of this model, got {', '.join(wrong)}; check --channels and --model")
