"""The eight cells and the multi-scale framework, written down once more, literally and slowly, for comparison.

From the papers' equations (Ma, Zhang and Liu, arXiv:2206.03010; PrecipLSTM, IEEE TGRS 60, 2022) and not from
`models/`: one convolution for each input, under the names of the authors' research code, and what cannot reach the
output is computed all the same. Nothing here pads: every size that is halved must be even.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, sigmoid, tanh
from torch.nn import functional as F

from tests.reference.operators import block_attention, warp

LINKS = 10
MOTIONS = 9
PYRAMID = (0, 1, 2, 2, 1, 0)


class Layer:
    """The parameters of one layer, what it remembers, and where it stands.

    Parameters
    ----------
    parameters : mapping of str to Tensor
        Of the whole network.
    index, layers : int
        This layer's and how many there are.
    window : int
        Of local attention.
    quirks : bool
        The authors' arithmetic.
    """

    def __init__(self, parameters: Mapping[str, Tensor], index: int, *, layers: int, window: int, quirks: bool) -> None:
        self.parameters, self.index = parameters, index
        self.first, self.last, self.window, self.quirks = index == 0, index == layers - 1, window, quirks
        self.remembered: dict[str, Tensor] = {}
        self.x_prev = self.penalty = torch.empty(0)

    def conv(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self._named(f"rnns.lstm.{self.index}.{name}")
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)

    def halving_conv(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self._named(f"rnns.lstm.{self.index}.{name}")
        return F.conv2d(x, weight, bias, stride=2)

    def doubling_conv(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self._named(f"rnns.lstm.{self.index}.{name}")
        return F.conv_transpose2d(x, weight, bias, stride=2, padding=1)

    def adapter(self, x: Tensor) -> Tensor:
        return F.conv2d(x, *self._named("rnns.adapter"))

    def old(self, name: str, like: Tensor) -> Tensor:
        return self.remembered.get(name, torch.zeros_like(like))

    def _named(self, name: str) -> tuple[Tensor, Tensor | None]:
        return self.parameters[f"{name}.weight"], self.parameters.get(f"{name}.bias")


def convlstm(layer: Layer, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    h, c = layer.old("h", x), layer.old("c", x)
    i, f, g, o = (layer.conv("_conv_x2h", x) + layer.conv("_conv_h2h", h)).chunk(4, dim=1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    layer.remembered |= {"h": h, "c": c}
    return h, m


def trajgru(layer: Layer, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    h = layer.old("h", x)
    flow = layer.conv("_conv_flow", F.leaky_relu(layer.conv("_conv_x2f", x) + layer.conv("_conv_h2f", h), 0.2))
    warped = [warp(h, -flow[:, 2 * k : 2 * k + 2], quirks=layer.quirks) for k in range(LINKS)]
    zh, rh, nh = layer.conv("project", torch.cat(warped, dim=1)).chunk(3, dim=1)
    zx, rx, nx = layer.conv("_conv_x2h", x).chunk(3, dim=1)
    z = sigmoid(zx + zh)
    r = sigmoid(rx + rh)
    n = F.leaky_relu(nx + r * nh, 0.2)
    h = (1 - z) * n + z * h
    layer.remembered["h"] = h
    return h, m


def predrnn(layer: Layer, x: Tensor, m: Tensor, *, stationary: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """With `stationary`, MIM's S, in place of the forgotten c."""
    h, c = layer.old("h", x), layer.old("c", x)
    i, f, g, o = (layer.conv("_conv_x2h", x) + layer.conv("_conv_h2h", h)).chunk(4, dim=1)
    added_c = sigmoid(i) * tanh(g)
    c = (sigmoid(f) * c if stationary is None else stationary) + added_c
    i2, f2, g2 = (layer.conv("_conv_x2h_m", x) + layer.conv("_conv_m2h_m", m)).chunk(3, dim=1)
    added_m = sigmoid(i2) * tanh(g2)
    m = sigmoid(f2) * m + added_m
    o = sigmoid(o + layer.conv("_conv_c2o", c) + layer.conv("_conv_m2o", m))
    h = o * tanh(layer.conv("_conv_c_m", torch.cat([c, m], dim=1)))
    layer.remembered |= {"h": h, "c": c, "o": o, "added_c": added_c, "added_m": added_m}
    return h, m


def predrnn_v2(layer: Layer, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    h, m = predrnn(layer, x, m)
    one, other = (layer.adapter(layer.remembered[name]).flatten(2) for name in ("added_c", "added_m"))
    cosine = (one * other).sum(dim=2) / (one.square().sum(dim=2).sqrt() * other.square().sum(dim=2).sqrt())
    layer.penalty = cosine.abs()
    return h, m


def predrnnpp(layer: Layer, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    h, c, z = layer.old("h", x), layer.old("c", x), layer.old("z", x)
    if layer.index == 1:
        p, q = (layer.conv("_conv_x", x) + layer.conv("_conv_z", z)).chunk(2, dim=1)
        z = sigmoid(q) * tanh(p) + (1 - sigmoid(q)) * z
        x = z
    i, f, g = layer.conv("_conv_x_h_c", torch.cat([x, h, c], dim=1)).chunk(3, dim=1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    i2, f2, g2 = layer.conv("_conv_x_c_m", torch.cat([x, c, m], dim=1)).chunk(3, dim=1)
    m = sigmoid(f2) * tanh(layer.conv("_conv_m", m)) + sigmoid(i2) * tanh(g2)
    o = tanh(layer.conv("_conv_o", torch.cat([x, c, m], dim=1)))
    h = o * tanh(layer.conv("_conv_c_m", torch.cat([c, m], dim=1)))
    layer.remembered |= {"h": h, "c": c, "z": z}
    return h, m


def mim(layer: Layer, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    c, n, q = layer.old("c", x), layer.old("n", x), layer.old("q", x)
    d = x - layer.x_prev
    i1, f1, g1 = (layer.conv("_conv_x2h_n", d) + layer.conv("_conv_n2h_n", n)).chunk(3, dim=1)
    n = sigmoid(f1) * n + sigmoid(i1) * tanh(g1)
    D = sigmoid(layer.conv("_conv_diff2o", d) + layer.conv("_conv_n2o", n)) * tanh(n)
    i2, f2, g2, o2 = (layer.conv("_conv_x2h_s", D) + layer.conv("_conv_c2h_s", c)).chunk(4, dim=1)
    q = sigmoid(f2) * q + sigmoid(i2) * tanh(g2)
    S = sigmoid(o2 + layer.conv("_conv_s2o", q)) * tanh(q)
    h, m = predrnn(layer, x, m, stationary=None if layer.first else S)
    layer.remembered |= {"n": n, "q": q}
    return h, m


def motionrnn(layer: Layer, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    h, m = mim(layer, x, m)
    moved = _motion_gru(layer, h)
    o = layer.remembered["o"]
    # In the last layer the motion is computed for nothing, as the authors do.
    layer.remembered["h"] = h if layer.last else moved + (1 - o) * x
    return layer.remembered["h"], m


def _motion_gru(layer: Layer, h: Tensor) -> Tensor:
    e = layer.halving_conv("_conv_enc", h)
    batch, _, rows, columns = e.shape
    nothing = e.new_zeros(batch, 2 * MOTIONS, rows, columns)
    flow, trend = layer.old("F", nothing), layer.old("M", nothing)
    u = sigmoid(layer.conv("_conv_u", torch.cat([e, flow], dim=1)))
    r = sigmoid(layer.conv("_conv_r", torch.cat([e, flow], dim=1)))
    z = tanh(layer.conv("_conv_z", torch.cat([e, r * flow], dim=1)))
    transient = u * z + (1 - u) * flow
    trend = trend + 0.5 * (flow - trend)
    flow = transient + trend
    layer.remembered |= {"F": flow, "M": trend}
    mask = sigmoid(layer.conv("_conv_hm", e))
    w = [mask[:, j, None] * warp(e, flow[:, 2 * j : 2 * j + 2], quirks=layer.quirks) for j in range(MOTIONS)]
    if layer.quirks:
        channels = torch.stack(w, dim=-1).contiguous().view(batch, -1, rows, columns)
    else:
        channels = torch.cat([w_j[:, c, None] for c in range(e.shape[1]) for w_j in w], dim=1)
    d = layer.doubling_conv("_deconv_dec", layer.conv("_conv_dec", channels))
    g = sigmoid(layer.conv("_conv_g", torch.cat([d, h], dim=1)))
    return g * h + (1 - g) * d


def preciplstm(layer: Layer, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    h, c, a, b = (layer.old(name, x) for name in ("h", "c", "a", "b"))
    queries, keys, values = (layer.conv(f"LA.conv{number}", x) for number in (1, 2, 3))
    xa = x + layer.conv("_conv_x_x_att", block_attention(queries, keys, values, layer.window))
    i, f, g, o = (layer.conv("_conv_x2h", xa) + layer.conv("_conv_h2h", h)).chunk(4, dim=1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    m = _memory(layer, "m", xa, m)
    a = _memory(layer, "ms", xa, a)
    b = _memory(layer, "mt", x - layer.x_prev, b)
    o = sigmoid(
        o + layer.conv("_conv_c2o", c) + layer.conv("_conv_ms2o", a) + layer.conv("_conv_mt2o", b)
        + layer.conv("_conv_m2o", m)
    )  # fmt: skip
    h = o * tanh(layer.conv("c_m_ms_mt", torch.cat([c, a, b, m], dim=1)))
    layer.remembered |= {"h": h, "c": c, "a": a, "b": b}
    return h, m


def _memory(layer: Layer, name: str, x: Tensor, memory: Tensor) -> Tensor:
    i, f, g = (layer.conv(f"_conv_x2h_{name}", x) + layer.conv(f"_conv_{name}2h_{name}", memory)).chunk(3, dim=1)
    return sigmoid(f) * memory + sigmoid(i) * tanh(g)


Cell = Callable[[Layer, Tensor, Tensor], tuple[Tensor, Tensor]]

CELLS: dict[str, Cell] = {
    "convlstm": convlstm,
    "trajgru": trajgru,
    "predrnn": predrnn,
    "predrnn++": predrnnpp,
    "mim": mim,
    "motionrnn": motionrnn,
    "predrnn-v2": predrnn_v2,
    "preciplstm": preciplstm,
}


class Forecast(NamedTuple):
    """Outputs (T-1, B, 1, H, W), and decoupling losses (T-1, L, B, C), empty but for PredRNN-V2."""

    outputs: Tensor
    decoupling: Tensor


def forecast(
    model: str,
    parameters: Mapping[str, Tensor],
    frames: Tensor,
    leads: int,
    *,
    window: int,
    quirks: bool,
    forgets_h: bool = False,
) -> Forecast:
    """Read `frames` (T_in, B, 1, H, W) and go on with own predictions for `leads` steps.

    Parameters
    ----------
    model : str
        As "MS-PredRNN++".
    parameters : mapping of str to Tensor
        Under the authors' names.
    window : int
        Of local attention.
    quirks : bool
        The authors' arithmetic: quirks 1 to 3, never the mixing of samples.
    forgets_h : bool
        Read every h as zeros, to see how much it matters.
    """
    layers = 1 + max(int(key.split(".")[2]) for key in parameters if key.startswith("rnns.lstm."))
    scales = PYRAMID if model.lower().startswith("ms-") else (0,) * layers
    cell = CELLS[model.lower().removeprefix("ms-")]
    stack = [Layer(parameters, index, layers=layers, window=window, quirks=quirks) for index in range(layers)]
    outputs: list[Tensor] = []
    penalties: list[Tensor] = []
    m = torch.zeros_like(_embedded(parameters, frames[0]))
    for t in range(len(frames) + leads - 1):
        x = _embedded(parameters, frames[t] if t < len(frames) else outputs[-1])
        x, m = _step(cell, stack, scales, x, m)
        outputs.append(F.conv2d(x, parameters["fc.conv_fc.weight"], parameters["fc.conv_fc.bias"]))
        penalties.append(torch.stack([layer.penalty for layer in stack]))
        for layer in stack if forgets_h else ():
            layer.remembered.pop("h")
    return Forecast(torch.stack(outputs), torch.stack(penalties))


def _embedded(parameters: Mapping[str, Tensor], frame: Tensor) -> Tensor:
    return F.conv2d(frame, parameters["embed.conv_embed.weight"], parameters["embed.conv_embed.bias"])


def _step(
    cell: Cell,
    stack: list[Layer],
    scales: tuple[int, ...],
    x: Tensor,
    m: Tensor,
) -> tuple[Tensor, Tensor]:
    """One time step up the layers."""
    encoder: dict[int, Tensor] = {}
    for layer, scale, below in zip(stack, scales, (0, *scales[:-1]), strict=True):
        without_skip, m = _moved(x, below, scale), _moved(m, below, scale)
        x = without_skip + encoder[scale] if scale < below else without_skip
        skips_differ = layer.quirks and any(scales) and cell in (mim, motionrnn)
        layer.x_prev = layer.old("x", x)
        layer.remembered["x"] = without_skip if skips_differ else x
        x, m = cell(layer, x, m)
        encoder.setdefault(scale, x)
    return x, m


def _moved(x: Tensor, scale: int, to: int) -> Tensor:
    if to > scale:
        return F.max_pool2d(x, 2)
    if to < scale:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return x
