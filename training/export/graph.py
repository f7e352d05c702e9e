"""A network's step as an ONNX graph with dynamic batch, rows and columns."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import onnx
import torch
from torch.export import Dim

from models.network import Network

OPSET = 18
"""GridSample has a CUDA kernel in ONNX Runtime at opset 16 to 19."""


def one_step_graph(network: Network) -> onnx.ModelProto:
    """The graph: inputs "frame" and the states, outputs "prediction" and the states as "next_<name>"."""
    multiple, patch = network.spec.pad_multiple, network.spec.patch
    frame = torch.zeros(2, len(network.spec.inputs), 3 * multiple, 5 * multiple)
    batch, rows, columns = Dim("batch"), Dim("rows_in_multiples"), Dim("columns_in_multiples")

    def size(dim: Any, scale: int, shrink: int) -> Any:  # noqa: ANN401
        return multiple // shrink // 2**scale * dim

    state_dims = [{0: batch, 2: size(rows, s.scale, patch), 3: size(columns, s.scale, patch)} for s in network.states]
    names = [state.name for state in network.states]
    with _quiet_exporter():
        program = torch.onnx.export(
            network,
            (frame, tuple(state.contiguous() for state in network.initial_states(frame))),
            dynamic_shapes=({0: batch, 2: size(rows, 0, 1), 3: size(columns, 0, 1)}, tuple(state_dims)),
            input_names=["frame", *names],
            output_names=["prediction", *(f"next_{name}" for name in names)],
            opset_version=OPSET,
            custom_translation_table={torch.ops.raincell.sampled.default: _grid_sample},
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # noqa: S101
    _check_sizes(program.model_proto)
    return _without_traces(program.model_proto)


def _grid_sample(array: Any, grid: Any) -> Any:  # noqa: ANN401
    """ONNX's own operator for `models.cells.warp.sampled`."""
    from onnxscript import opset18  # takes a second, so only exports import it

    return opset18.GridSample(array, grid, mode="bilinear", padding_mode="zeros", align_corners=0)


def _check_sizes(graph: onnx.ModelProto) -> None:
    """Refuse a graph with a fixed batch, rows or columns.

    If a network's code checks a size in a way that holds only for the example, the exporter silently writes a graph for
    that size.

    Raises
    ------
    ValueError
        A size is fixed; the error names the input.
    """
    for value in graph.graph.input:
        dims = value.type.tensor_type.shape.dim
        if not all(dims[axis].dim_param for axis in (0, 2, 3)):
            shape = [dim.dim_param or dim.dim_value for dim in dims]
            raise ValueError(
                f"expected an input {value.name} of any batch, rows and columns, got {shape}; find what in the network "
                "depends on them (TORCH_LOGS=+dynamic), most often a reshape of what is not contiguous"
            )


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Suppress the exporter's own deprecation warnings, and its lines about torchvision, which is not used here."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the exporter's notes, which contain file paths of the exporting machine."""
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    return model
