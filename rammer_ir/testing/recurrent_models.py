"""Recurrent layers as ONNX models, for tests: any op, directions, batches and initial states."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@dataclass(frozen=True)
class RecurrentModel:
    """
    Layers of one op, each on the rows of the one before; input `x` [steps, batch, inputs].

    Outputs are those of the last layer that are named in `outputs`: "y", all states [steps, directions, batch, hidden],
    and the last ones, "h" and "c" [directions, batch, hidden]. With `starts`, states before the first step are random.
    """

    op_type: str
    layers: int = 1
    steps: int = 5
    hidden: int = 12
    inputs: int = 7
    batch: int = 1
    direction: str = "forward"
    starts: bool = False
    outputs: str = "y"
    resets_product: bool = False

    @property
    def directions(self) -> int:
        return 2 if self.direction == "bidirectional" else 1

    def build(self) -> onnx.ModelProto:
        """The model, with random weights."""
        generator = np.random.default_rng(0)
        nodes: list[onnx.NodeProto] = []
        weights: list[onnx.TensorProto] = []
        value = "x"
        for layer in range(self.layers):
            names = self._layer(layer, value, nodes)
            for name, shape in self._shapes(layer).items():
                array = generator.uniform(-0.5, 0.5, shape).astype(np.float32)
                weights.append(numpy_helper.from_array(array, f"{name}{layer}"))
            value = names[0] if layer == self.layers - 1 else self._rows(layer, names[0], nodes, weights)
        shapes = {"y": (self.steps, *self._state), "h": self._state, "c": self._state}
        results = [
            helper.make_tensor_value_info(f"{name}{self.layers - 1}", TensorProto.FLOAT, shapes[name])
            for name in self.outputs
        ]
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [self.steps, self.batch, self.inputs])
        graph = helper.make_graph(nodes, "recurrent", [x], results, weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)

    @property
    def _state(self) -> tuple[int, int, int]:
        return self.directions, self.batch, self.hidden

    def _layer(self, layer: int, value: str, nodes: list[onnx.NodeProto]) -> Sequence[str]:
        names = [f"{name}{layer}" for name in ("y", "h", *("c" if self.op_type == "LSTM" else ""))]
        starts = [f"{name}{layer}" for name in self._starts]
        inputs = [value, f"w{layer}", f"r{layer}", f"b{layer}", *([""] if starts else []), *starts]
        node = helper.make_node(self.op_type, inputs, names, f"layer{layer}")
        node.attribute.append(helper.make_attribute("hidden_size", self.hidden))
        node.attribute.append(helper.make_attribute("direction", self.direction))
        if self.resets_product:
            node.attribute.append(helper.make_attribute("linear_before_reset", 1))
        nodes.append(node)
        return names

    @property
    def _starts(self) -> Sequence[str]:
        return ["h_start", *(["c_start"] if self.op_type == "LSTM" else [])] if self.starts else []

    def _shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        rows = GATES[self.op_type] * self.hidden
        columns = self.inputs if layer == 0 else self.directions * self.hidden
        shapes: dict[str, tuple[int, ...]] = {
            "w": (self.directions, rows, columns),
            "r": (self.directions, rows, self.hidden),
            "b": (self.directions, 2 * rows),
        }
        return shapes | dict.fromkeys(self._starts, self._state)

    def _rows(self, layer: int, value: str, nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto]) -> str:
        """All directions of a step side by side."""
        shape = np.array([self.steps, self.batch, self.directions * self.hidden], np.int64)
        weights.append(numpy_helper.from_array(shape, f"shape{layer}"))
        nodes.append(helper.make_node("Transpose", [value], [f"moved{layer}"], perm=[0, 2, 1, 3]))
        nodes.append(helper.make_node("Reshape", [f"moved{layer}", f"shape{layer}"], [f"rows{layer}"]))
        return f"rows{layer}"
