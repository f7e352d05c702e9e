"""A tiny model file whose output is the log-odds of thresholds, and what it says for a site's frames."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.card import ModelCard, StateShape
from models.exceedance.dressing import Dressing
from models.golden import CARD_KEY, GOLDEN_KEY, GoldenCase
from models.repository import set_alias
from models.spec import EXCEEDANCE_INPUTS, NetworkSpec
from radar.rain import RainScaling
from radar.sequence import Float32
from radar.system.digest import sha256_of

NAME = "dressed"
THRESHOLDS = (0.2, 1.0, 4.0, 20.0)
"""Of those that the service is asked for, 1 is one of them and 0.1 lies below, 5 and 10 between."""
_ADDED = 0.5
"""What the network adds to all log-odds for each network unit of the last observed frame."""


def dressed_card() -> ModelCard:
    """S-PROG, dressed with a slope and an offset."""
    return ModelCard(
        name=NAME,
        version="1",
        spec=NetworkSpec("convlstm", inputs=EXCEEDANCE_INPUTS, output="exceedance", thresholds=THRESHOLDS),
        timestep_minutes=5,
        pixel_size_km=1.0,
        input_length=5,
        longest_lead_minutes=120,
        scaling=RainScaling(a=1, b=1, lowest_dbz=-15, highest_dbz=30, dry_below=0.1),
        coordinates="lagrangian",
        base="sprog",
        states=(StateShape(name="hidden", channels=len(EXCEEDANCE_INPUTS), scale=0),),
        pad_multiple=4,
        tolerances={"cpu": 1e-5},
        dressing=Dressing(slopes=((9.0,) * 4,) * 12, offsets=((-0.5,) * 4,) * 12),
    )


def write_dressed_model(repository: Path) -> Path:
    """Its first version, the champion of its name; returns the model file."""
    version = repository / NAME / "1"
    version.mkdir(parents=True)
    path = version / "model.onnx"
    weights = np.zeros((len(THRESHOLDS), len(EXCEEDANCE_INPUTS), 1, 1), np.float32)
    weights[:, EXCEEDANCE_INPUTS.index("last")] = _ADDED
    sides = {"frame": len(EXCEEDANCE_INPUTS), "hidden": len(EXCEEDANCE_INPUTS)}
    sides |= {"prediction": len(THRESHOLDS), "next_hidden": len(EXCEEDANCE_INPUTS)}
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, "rows", "columns"])
        for name, channels in sides.items()
    ]
    constants = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.zeros((), np.float32), "zero")]
    nodes = [
        helper.make_node("Mul", ["hidden", "zero"], ["nothing"]),
        helper.make_node("Add", ["frame", "nothing"], ["read"]),
        helper.make_node("Conv", ["read", "weights"], ["prediction"]),
        helper.make_node("Identity", ["frame"], ["next_hidden"]),
    ]
    graph = helper.make_graph(nodes, NAME, values[:2], values[2:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {CARD_KEY: dressed_card().model_dump_json(), GOLDEN_KEY: _golden().to_text()})
    onnx.save(model, path)
    (version / "manifest.json").write_text(json.dumps({"sha256": {"model.onnx": sha256_of(path)}, "scores": {}}))
    set_alias(repository, NAME, "champion", "1")
    return path


def _golden() -> GoldenCase:
    draw = np.random.default_rng(1)
    read: Float32 = draw.random((5, 1, len(EXCEEDANCE_INPUTS), 32, 32), np.float32)
    last = read[3:, :, EXCEEDANCE_INPUTS.index("last")]
    said = np.repeat(np.float32(_ADDED) * last[:, :, None], len(THRESHOLDS), axis=2)
    return GoldenCase(read[:3], read[3:], said)
