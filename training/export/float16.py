"""A float32 ONNX graph in half precision: the same inputs and outputs, half the weights' bytes."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

_HALF = ".half"
"""Ends the name of a value's float16 form; the float32 form keeps the name."""
_FLOAT32_ONLY = {"GridSample", "Range", "Cast", "Constant", "ConstantOfShape"}
"""ONNX Runtime's CUDA kernel of GridSample is float32 only; the others state a type of their own."""
_POSITIONS = {"Add", "Sub", "Mul", "Div", "Neg"} | {
    *("Concat", "Gather", "Reshape", "Slice", "Split", "Squeeze", "Unsqueeze")
}
"""Arithmetic of pixel positions: at 1000 pixels float16 is off by half a pixel, so it stays float32."""
_GRID = 1
_FLOAT32_INPUTS = {"Resize": {1, 2}}
"""Inputs that are float32 whatever the operator computes in."""


def to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph computing in float16 between float32 inputs and outputs.

    Positions on the grid, and sampling at them, stay float32; casts stand where the two meet, one for each value.
    Metadata is not copied.

    Parameters
    ----------
    model : ModelProto
        A graph without subgraphs, float32, whose shapes may be dynamic.
    """
    converted = onnx.ModelProto()
    converted.CopyFrom(model)
    del converted.metadata_props[:]
    writer = _Writer(converted)
    for node in model.graph.node:
        writer.add(node)
    writer.finish()
    onnx.checker.check_model(converted)
    return converted


class _Writer:
    """Writes the nodes of a float32 graph anew, in their order."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._floats = _float_values(model)
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._kept = _kept_in_float32(model.graph)
        self._made = {value.name for value in model.graph.input} | set(self._weights)
        del self._graph.node[:]
        del self._graph.value_info[:]

    def add(self, node: onnx.NodeProto) -> None:
        """One node, in float16 unless it has to stay as it is."""
        new = onnx.NodeProto()
        new.CopyFrom(node)
        kept = node.output[0] in self._kept
        for index, name in enumerate(node.input):
            half = not kept and index not in _FLOAT32_INPUTS.get(node.op_type, ())
            new.input[index] = self._read(name, half=half)
        for index, name in enumerate(node.output):
            new.output[index] = name if kept or name not in self._floats else name + _HALF
        self._graph.node.append(new)
        self._made.update(new.output)

    def finish(self) -> None:
        """Outputs in float32; no weights but those that are read."""
        for output in self._graph.output:
            self._read(output.name, half=False)
        read = {name for node in self._graph.node for name in node.input}
        weights = [tensor for tensor in self._graph.initializer if tensor.name in read]
        del self._graph.initializer[:]
        self._graph.initializer.extend(weights)

    def _read(self, name: str, *, half: bool) -> str:
        """The name of a value in the precision that a reader wants; a cast makes it where nothing has yet."""
        if name not in self._floats:
            return name
        wanted, other = (name + _HALF, name) if half else (name, name + _HALF)
        if wanted not in self._made:
            if name in self._weights:
                self._graph.initializer.append(_half_weight(self._weights[name], wanted))
            else:
                to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
                self._graph.node.append(helper.make_node("Cast", [other], [wanted], name=f"cast_{wanted}", to=to))
            self._made.add(wanted)
        return wanted


def _half_weight(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    """A weight in float16; finite values stay finite."""
    value = numpy_helper.to_array(tensor)
    largest = float(np.finfo(np.float16).max)
    bounded = np.where(np.isfinite(value), np.clip(value, -largest, largest), value)
    return numpy_helper.from_array(bounded.astype(np.float16), name)


def _float_values(model: onnx.ModelProto) -> set[str]:
    """Names of all float32 values."""
    graph = shape_inference.infer_shapes(model, strict_mode=True).graph
    infos = (*graph.input, *graph.output, *graph.value_info)
    named = {info.name for info in infos if info.type.tensor_type.elem_type == TensorProto.FLOAT}
    return named | {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}


def _kept_in_float32(graph: onnx.GraphProto) -> set[str]:
    """Outputs of the nodes that stay float32."""
    producers = {name: node for node in graph.node for name in node.output}
    kept = {name for node in graph.node if node.op_type in _FLOAT32_ONLY for name in node.output}
    waiting = [node.input[_GRID] for node in graph.node if node.op_type == "GridSample"]
    while waiting:
        node = producers.get(waiting.pop())
        if node is not None and node.op_type in _POSITIONS and node.output[0] not in kept:
            kept.update(node.output)
            waiting += node.input
    return kept
