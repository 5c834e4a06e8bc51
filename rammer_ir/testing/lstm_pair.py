"""
A program written by hand: two LSTM layers side by side, each on vEUs of its own, weights in shared memory.

States pass as words, between the vEUs of a layer and from layer to layer: a load waits for its value, so that there is
no barrier and no counter. In another form, they are plain memory, and events say when they are there. The program is an
example of what the program level can say, and a test of all that runs it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from rammer_ir.comparison import run_onnxruntime
from rammer_ir.context import new_context
from rammer_ir.demo.models import lstm_model
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.testing.lowered_models import LoweredModel
from rammer_ir.weights.store import WeightStore

Array = NDArray[Any]

LAYERS = 2
GATES = "iofg"
"""The order of the gates, as in ONNX: input, output, forget, cell."""


@dataclass(frozen=True)
class LstmPair:
    """
    Two layers of `hidden` units on `veus` vEUs each, fed rows of `hidden` values, at most `steps` of them.

    Inputs: `x` [steps, hidden] and the length `n`. Outputs: `y0` and `y1` [steps, hidden], the states of both layers.
    Weights, layer by layer: `u0`, `u1` [4, padded, 2 * hidden] (gates i, o, f, c as in ONNX; columns for the input,
    then for the state) and `b0`, `b1` [4, padded]. Units are padded to a multiple of the number of vEUs.
    With `events`, states are plain memory.
    """

    hidden: int
    veus: int
    steps: int
    threads: int
    kind: str
    events: bool = False

    @property
    def units(self) -> int:
        """Units of a vEU."""
        return -(-self.hidden // self.veus)

    @property
    def padded(self) -> int:
        """Units of a layer, with those that do not exist."""
        return self.units * self.veus

    @property
    def columns(self) -> int:
        """Values that a unit multiplies with its weights."""
        return 2 * self.hidden

    def text(self) -> str:
        """The module as text."""
        values = self._values()
        layers = [_template("lstm_pair_layer").substitute(values | self._source(layer)) for layer in range(LAYERS)]
        return _template("lstm_pair").substitute(values, layers="\n".join(layers))

    def _values(self) -> dict[str, object]:
        return {
            "hidden": self.hidden,
            "veus": self.veus,
            "all_veus": LAYERS * self.veus,
            "steps": self.steps,
            "states": self.steps + 1,
            "units": self.units,
            "padded": self.padded,
            "columns": self.columns,
            "gate_rows": 4 * self.units,
            "threads": self.threads,
            "scratch": 4 * (self.columns + 4 * self.units),
            "pinned": 4 * 4 * self.units * self.columns,
            "registers": min(65536 // self.threads // 8 * 8, 255) if self.kind == "cuda" else 0,
            "device": self._device(),
            "space": self._space,
            **self._synchronisation(),
            "update": UPDATE,
            "gates": "\n".join(_gate(number, name) for number, name in enumerate(GATES)),
        }

    def _source(self, layer: int) -> dict[str, object]:
        """The first layer is fed the input, the second the states of the first, of which row 0 is before all steps."""
        if layer == 0:
            form = {"source_rows": self.steps, "row": "t", "source_space": "global", "source_offset": "%zero"}
        else:
            form = {"source_rows": self.steps + 1, "row": "t + 1", "source_space": self._space, "source_offset": "%one"}
        return {"layer": layer, **form}

    @property
    def _space(self) -> str:
        """The memory space of states."""
        return "global" if self.events else "words"

    def _synchronisation(self) -> dict[str, str]:
        """Events, what waits for them and what signals them: a vEU once before all steps, and once a step."""
        names = ["events", *(f"{what}{layer}" for what in ("waits", "signal") for layer in range(LAYERS))]
        if not self.events:
            return dict.fromkeys(names, "") | {"how": "as words"}
        kind = f"!vdevice.event<{self.veus}>"
        own = [f"%e{layer} affine_map<(p)[t] -> (0, {self.veus}, t + 1)> : {kind}" for layer in range(LAYERS)]
        below = f"%e0 affine_map<(p)[t] -> (0, {self.veus}, t + 2)> : {kind}"
        return {
            "how": "by events",
            "events": "".join(f"\n    %e{layer} = vdevice.event : {kind}" for layer in range(LAYERS)),
            "waits0": f"\n            waits({own[0]})",
            "waits1": f"\n            waits({own[1]}, {below})",
            **{f"signal{layer}": f" signals(%e{layer} affine_map<(p) -> (p)> : {kind})" for layer in range(LAYERS)},
        }

    def _device(self) -> str:
        if self.kind == "cuda":
            return 'vdevice.device @device kind "cuda" veus 132 threads 1024 shared 232448 registers 65536'
        return f'vdevice.device @device kind "host" veus {LAYERS * self.veus} threads 1024 shared 262144 registers 0'


def _template(name: str) -> Template:
    return Template(files("rammer_ir.testing").joinpath(f"{name}.template.mlir").read_text(encoding="utf-8"))


def _gate(number: int, name: str) -> str:
    """Loads the sum of a gate of unit `%u`, and adds its bias."""
    index = ("%zero", "%one", "%two", "%three")[number]
    return f"""    %{name}_row = arith.muli {index}, %units : index
    %{name}_at = arith.addi %{name}_row, %u : index
    %{name}_sum = memref.load %sums[%{name}_at] : !sums
    %{name}_bias_row = arith.muli {index}, %padded : index
    %{name}_bias_at = arith.addi %{name}_bias_row, %unit : index
    %{name}_bias = memref.load %b[%{name}_bias_at] : memref<?xf32, "weights">
    %{name} = arith.addf %{name}_sum, %{name}_bias : f32"""


UPDATE = """    %unity = arith.constant 1.0 : f32
    %minus_i = arith.negf %i : f32
    %exp_i = math.exp %minus_i : f32
    %below_i = arith.addf %exp_i, %unity : f32
    %open_i = arith.divf %unity, %below_i : f32
    %minus_o = arith.negf %o : f32
    %exp_o = math.exp %minus_o : f32
    %below_o = arith.addf %exp_o, %unity : f32
    %open_o = arith.divf %unity, %below_o : f32
    %minus_f = arith.negf %f : f32
    %exp_f = math.exp %minus_f : f32
    %below_f = arith.addf %exp_f, %unity : f32
    %open_f = arith.divf %unity, %below_f : f32
    %candidate = math.tanh %g : f32
    %kept = arith.mulf %open_f, %cell : f32
    %new = arith.mulf %open_i, %candidate : f32
    %next = arith.addf %kept, %new : f32
    %bounded = math.tanh %next : f32
    %state = arith.mulf %open_o, %bounded : f32"""
"""The state update: from the gates and the cell to the next cell and the state."""

ON_CUDA = LstmPair(hidden=256, veus=13, steps=512, threads=640, kind="cuda")
ON_HOST = LstmPair(hidden=16, veus=2, steps=32, threads=64, kind="host")


def lower_pair(pair: LstmPair) -> LoweredModel:
    """The program, its memory planned, proved, with the weights of an ONNX model: `lstm_model` with two layers."""
    module = parse_module(new_context(), pair.text())
    run_passes(new_context(), module, parse_pass_pipeline("plan-memory,verify-program"))
    weights = WeightStore()
    for symbol, array in _weights(pair):
        weights.add(symbol, array)
    return LoweredModel(module, weights)


def pair_reference(x: Array) -> dict[str, Array]:
    """What onnxruntime makes of `x` of shape [n, hidden] by the same model: `y0` and `y1`, of the same shape."""
    n, hidden = x.shape
    outputs = run_onnxruntime(_model(hidden, n), {"x": x[:, np.newaxis]})
    return {"y0": outputs["h0"].reshape(n, hidden), "y1": outputs["y"].reshape(n, hidden)}


def _model(hidden: int, steps: int) -> onnx.ModelProto:
    """The model, with the states of its first layer as another output."""
    model = lstm_model(layers=LAYERS, steps=steps, hidden=hidden)
    first = onnx.ValueInfoProto.FromString(model.graph.output[0].SerializeToString())
    first.name = "h0"
    model.graph.output.append(first)
    return model


def _weights(pair: LstmPair) -> Iterable[tuple[str, Array]]:
    """Both matrices of a layer side by side and the sum of both biases, padded with zeros."""
    constants = {value.name: numpy_helper.to_array(value) for value in _model(pair.hidden, 1).graph.initializer}
    missing = pair.padded - pair.hidden
    for layer in range(LAYERS):
        matrices = [constants[f"{letter}{layer}"].reshape(len(GATES), pair.hidden, pair.hidden) for letter in "wr"]
        bias = constants[f"b{layer}"].reshape(2, len(GATES), pair.hidden).sum(axis=0)
        yield f"u{layer}", np.pad(np.concatenate(matrices, axis=-1), ((0, 0), (0, missing), (0, 0)))
        yield f"b{layer}", np.pad(bias, ((0, 0), (0, missing)))
