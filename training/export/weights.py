"""Conversion of an exported model back to a torch network for further training."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

from models.network import Network
from models.onnx_forecaster import read_card_of
from models.zoo import build
from radar.errors import ArtifactRejected
from training.export.parity import check_parity


def network_of(path: Path) -> Network:
    """The network of a float32 model file; its forecasts are checked against the file's.

    An export keeps the names of all weights, but leaves out zero biases and parts that no forecast needs (the adapter
    of PredRNN-V2's decoupling loss), which are initialised at random.

    Raises
    ------
    ArtifactRejected
        The file is not a model, is not in float32, or the network's forecasts differ from the file's.
    """
    card = read_card_of(path)
    if card.precision != "float32":
        raise ArtifactRejected(
            expected="a model file in float32", got=card.precision, remedy="take model.onnx of that version"
        )
    network = build(card.spec)
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    for name, weight in network.state_dict().items():
        if name in held:
            weight.copy_(torch.from_numpy(held[name].copy()))
        elif name.endswith(".bias"):
            weight.zero_()
    if network.dressing is not None and card.dressing is not None:  # it is on the card, not in the graph
        weights = network.dressing.state_dict()
        weights["log_slopes"].copy_(torch.tensor(card.dressing.slopes).log())
        weights["offsets"].copy_(torch.tensor(card.dressing.offsets))
    check_parity(path, network.eval(), card)
    return network
