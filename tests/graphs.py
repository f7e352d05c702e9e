"""The graph of a network's step, made once for each specification: the exporter takes ten seconds for a tiny network.

Which graph it makes is told by the specification and by the sources that it follows; the weights are those of the
network that is exported. `training.export` holds each file to its network all the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import onnx
from onnx import numpy_helper

import training.export.export
from models.network import Network
from radar.system.locks import locked
from training.export.graph import one_step_graph

MakeGraph = Callable[[Network], onnx.ModelProto]
ROOT = Path(__file__).parents[1]
_MAKERS = ("torch", "onnx", "onnxscript", "onnx-ir")


def remembering(make: MakeGraph, folder: Path) -> MakeGraph:
    """`make`, which is asked only for specifications that `folder` holds no graph of; shared by processes."""
    sources = _sources()

    def remembered(network: Network) -> onnx.ModelProto:
        path = folder / f"{_digest(sources, repr(asdict(network.spec)))}.onnx"
        with locked(path.with_suffix(".lock")):
            if path.exists():
                return _with_weights(onnx.load(path), network)
            graph = make(network)
            onnx.save(graph, path)
            return graph

    return remembered


def share_graphs(folder: Path) -> None:
    """Have exports of this process, to its end, take graphs from a folder and leave them there."""
    training.export.export.one_step_graph = remembering(one_step_graph, folder)  # type: ignore[assignment, attr-defined]


def _with_weights(graph: onnx.ModelProto, network: Network) -> onnx.ModelProto:
    weights = network.state_dict()
    for tensor in graph.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name].numpy(), tensor.name))
    return graph


def _sources() -> str:
    """A digest of all that graphs follow from."""
    paths = [*sorted((ROOT / "models").glob("**/*.py")), ROOT / "training" / "export" / "graph.py"]
    return _digest(*(path.read_text() for path in paths), *(f"{name} {version(name)}" for name in _MAKERS))


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
