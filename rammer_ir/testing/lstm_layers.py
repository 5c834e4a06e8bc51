"""
A program written by hand: two LSTM layers side by side, each on its own group of vEUs, weights pinned in shared memory.

It is what a scheduler of recurrences has to reach. Every vEU of a layer computes some hidden units of each step. Hidden
states pass from step to step, and from layer to layer, by words, each of which is its own flag; in another form, by
plain memory and events.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

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

LAYERS: Final = 2
GATES: Final = 4
"""Input, output, forget and cell gate, in this order, as in ONNX."""


@dataclass(frozen=True)
class LstmLayers:
    """
    The program's sizes: `parts` vEUs a layer, at most `steps` steps of `hidden` units, batch 1.

    `device` is the name of the device that it is for; bodies have `threads` threads of at most `registers` registers.
    With `by_events`, hidden states are plain memory. Its inputs are `x` [steps, hidden] and the length `steps`, its
    outputs the hidden states of both layers, `h0` and `y`, of the same shape.
    """

    hidden: int
    parts: int
    steps: int
    device: str
    threads: int
    registers: int = 0
    by_events: bool = False

    @property
    def veus(self) -> int:
        return LAYERS * self.parts

    @property
    def units(self) -> int:
        """Hidden units of a vEU; the last one may have fewer."""
        return -(-self.hidden // self.parts)

    @property
    def states(self) -> str:
        """The memory space of hidden states."""
        return "global" if self.by_events else "words"

    @property
    def text(self) -> str:
        """Weights, kernels, bodies and program, without places of its buffers and a description of the device."""
        layers = range(LAYERS)
        parts = [_types(self), *(_weights(layer) for layer in layers), _begin(self)]
        parts += [text for layer in layers for text in (_cell_kernel(self, layer), _cell_body(self, layer))]
        return "\n".join([*parts, _program(self)])


def lower_layers(layers: LstmLayers, pipeline: str) -> LoweredModel:
    """The program after a pipeline, such as `"set-device{device=host veus=4},plan-memory,verify-program"`."""
    context = new_context()
    module = parse_module(context, layers.text)
    run_passes(context, module, parse_pass_pipeline(pipeline))
    weights = WeightStore()
    for symbol, array in _layer_weights(_model(layers.hidden, steps=1)):
        weights.add(symbol, array)
    return LoweredModel(module, weights)


def reference(x: Array) -> dict[str, Array]:
    """What onnxruntime makes of `x` of shape [steps, hidden]: the outputs `h0` and `y`, of the same shape."""
    steps, hidden = x.shape
    outputs = run_onnxruntime(_model(hidden, steps), {"x": x[:, np.newaxis]})
    return {name: output.reshape(steps, hidden) for name, output in outputs.items()}


def _model(hidden: int, steps: int) -> onnx.ModelProto:
    """The model that the program computes, for one length, with the hidden states of both layers as outputs."""
    model = lstm_model(layers=LAYERS, steps=steps, hidden=hidden)
    first = onnx.ValueInfoProto.FromString(model.graph.output[0].SerializeToString())
    first.name = "h0"
    model.graph.output.append(first)
    return model


def _layer_weights(model: onnx.ModelProto) -> Iterable[tuple[str, Array]]:
    """Both matrices of a layer side by side, and the sum of both biases."""
    constants = {value.name: numpy_helper.to_array(value) for value in model.graph.initializer}
    for layer in range(LAYERS):
        hidden = constants[f"r{layer}"].shape[-1]
        matrices = [constants[f"{letter}{layer}"].reshape(GATES, hidden, hidden) for letter in "wr"]
        yield f"u{layer}", np.concatenate(matrices, axis=-1)
        yield f"b{layer}", constants[f"b{layer}"].reshape(2, GATES, hidden).sum(axis=0)


def _types(layers: LstmLayers) -> str:
    hidden, rows = layers.hidden, layers.steps + 1
    return f"""
!sequence = tensor<{layers.steps}x{hidden}xf32>
!states = tensor<{rows}x{hidden}xf32>
!cells = tensor<{hidden}xf32>
!weights = tensor<{GATES}x{hidden}x{2 * hidden}xf32>
!bias = tensor<{GATES}x{hidden}xf32>
!sums = tensor<{GATES}x{layers.units}xf32>

!global = memref<?xf32, "global">
!passed = memref<?xf32, "{layers.states}">
!read_only = memref<?xf32, "weights">
!pinned = memref<?xf32, "pinned">
!shared = memref<{2 * hidden}xf32, "shared">

!sequence_in_memory = memref<{layers.steps}x{hidden}xf32>
!states_in_memory = memref<{rows}x{hidden}xf32, "{layers.states}">
!cells_in_memory = memref<{hidden}xf32, "global">
!weights_in_memory = memref<{GATES}x{hidden}x{2 * hidden}xf32, "weights">
!weights_of_veu = memref<{GATES}x{layers.units}x{2 * hidden}xf32, "pinned">
!bias_in_memory = memref<{GATES}x{hidden}xf32, "weights">
"""


def _weights(layer: int) -> str:
    return f'rop.weight @u{layer} : !weights hash "u{layer}"\nrop.weight @b{layer} : !bias hash "b{layer}"'


def _begin(layers: LstmLayers) -> str:
    """Kernel and body that make the states before the first step zero."""
    units = layers.units
    return f"""
rtask.kernel @begin grid [{layers.parts}] reads []
    writes [#rtask.box<(p) -> (0, p * {units}) by [1, {units}]>, #rtask.box<(p) -> (p * {units}) by [{units}]>] {{
^bb0(%p: index, %h: !states, %c: !cells):
  %h_after, %c_after = rop.generic bounds [{units}]
      maps [affine_map<(j)[p] -> (0, p * {units} + j)>, affine_map<(j)[p] -> (p * {units} + j)>]
      into(%h, %c : !states, !cells) at(%p) {{
    %zero = arith.constant 0.0 : f32
    rop.yield %zero, %zero : f32, f32
  }} -> !states, !cells
  rtask.yield %h_after, %c_after : !states, !cells
}} implementation @begin_block [{layers.hidden}, {units}]

block.body @begin_block threads {layers.threads} {{
^bb0(%part: index, %t: index, %h: !passed, %c: !global, %hidden: index, %units: index):
  %first = arith.muli %part, %units : index
  %left = arith.subi %hidden, %first : index
  %count = arith.minsi %left, %units : index
  block.parallel thread (%j) in %count {{
    %zero = arith.constant 0.0 : f32
    %unit = arith.addi %first, %j : index
    memref.store %zero, %h[%unit] : !passed
    memref.store %zero, %c[%unit] : !global
  }}
  block.yield
}}
"""


def _cell_kernel(layers: LstmLayers, layer: int) -> str:
    """One step of a layer: what a task reads and writes, and what it means."""
    hidden, units = layers.hidden, layers.units
    source, row = ("!states", "t + 1") if layer else ("!sequence", "t")
    sums = [f"affine_map<(j)[p, t] -> ({gate}, j)>" for gate in range(GATES)]
    biases = [f"affine_map<(j)[p, t] -> ({gate}, p * {units} + j)>" for gate in range(GATES)]
    return f"""
rtask.kernel @cell{layer} grid [{layers.parts}] loops 1
    reads [#rtask.box<(p)[t] -> ({row}, 0) by [1, {hidden}]>, #rtask.box<(p)[t] -> (t, 0) by [1, {hidden}]>,
           #rtask.box<(p)[t] -> (0, p * {units}, 0) by [{GATES}, {units}, {2 * hidden}]>,
           #rtask.box<(p)[t] -> (0, p * {units}) by [{GATES}, {units}]>,
           #rtask.box<(p)[t] -> (p * {units}) by [{units}]>]
    writes [#rtask.box<(p)[t] -> (t + 1, p * {units}) by [1, {units}]>,
            #rtask.box<(p)[t] -> (p * {units}) by [{units}]>, #rtask.box<(p)[t] -> (t, p * {units}) by [1, {units}]>] {{
^bb0(%p: index, %t: index, %x: {source}, %before: !states, %u: !weights, %b: !bias, %c: !cells,
     %h: !states, %d: !cells, %y: !sequence):
  %sums = rop.generic bounds [{GATES}, {units}, {hidden}]
      maps [affine_map<(g, j, k)[p, t] -> ({row}, k)>, affine_map<(g, j, k)[p, t] -> (t, k)>,
            affine_map<(g, j, k)[p, t] -> (g, p * {units} + j, k)>,
            affine_map<(g, j, k)[p, t] -> (g, p * {units} + j, k + {hidden})>, affine_map<(g, j, k)[p, t] -> (g, j)>]
      reduce [add] ins(%x, %before, %u, %u : {source}, !states, !weights, !weights) at(%p, %t) {{
  ^bb1(%of_input: f32, %of_state: f32, %input_weight: f32, %state_weight: f32):
    %q = arith.mulf %of_input, %input_weight : f32
    %r = arith.mulf %of_state, %state_weight : f32
    %s = arith.addf %q, %r : f32
    rop.yield %s : f32
  }} -> !sums
  %h_after, %d_after, %y_after = rop.generic bounds [{units}]
      maps [{", ".join([*sums, *biases])}, affine_map<(j)[p, t] -> (p * {units} + j)>,
            affine_map<(j)[p, t] -> (t + 1, p * {units} + j)>, affine_map<(j)[p, t] -> (p * {units} + j)>,
            affine_map<(j)[p, t] -> (t, p * {units} + j)>]
      ins({", ".join(["%sums"] * GATES + ["%b"] * GATES)}, %c :
          {", ".join(["!sums"] * GATES + ["!bias"] * GATES)}, !cells)
      into(%h, %d, %y : !states, !cells, !sequence) at(%p, %t) {{
  ^bb2({", ".join(f"%{name}{gate}: f32" for name in ("sum", "bias") for gate in range(GATES))}, %cell: f32):
    {_update()}
    rop.yield %h_new, %c_new, %h_new : f32, f32, f32
  }} -> !states, !cells, !sequence
  rtask.yield %h_after, %d_after, %y_after : !states, !cells, !sequence
}} implementation @cell{layer}_block [{hidden}, {units}]
"""


def _update() -> str:
    """From `%sum0` .. `%sum3`, `%bias0` .. `%bias3` and `%cell` to `%h_new` and `%c_new`."""
    lines = ["%one = arith.constant 1.0 : f32"]
    for gate in range(GATES):
        lines.append(f"%gate{gate} = arith.addf %sum{gate}, %bias{gate} : f32")
    for gate in range(GATES - 1):
        lines += [
            f"%opposite{gate} = arith.negf %gate{gate} : f32",
            f"%power{gate} = math.exp %opposite{gate} : f32",
            f"%more{gate} = arith.addf %one, %power{gate} : f32",
            f"%open{gate} = arith.divf %one, %more{gate} : f32",
        ]
    lines += [
        "%candidate = math.tanh %gate3 : f32",
        "%kept = arith.mulf %open2, %cell : f32",
        "%added = arith.mulf %open0, %candidate : f32",
        "%c_new = arith.addf %kept, %added : f32",
        "%squashed = math.tanh %c_new : f32",
        "%h_new = arith.mulf %open1, %squashed : f32",
    ]
    return _lines(lines, 4)


def _cell_body(layers: LstmLayers, layer: int) -> str:
    """How a vEU does a step: the rows of input and state side by side in shared memory, then a warp for each unit."""
    source, row = ("!passed", "%next_row") if layer else ("!global", "%this_row")
    return f"""
block.body @cell{layer}_block threads {layers.threads} {{
^bb0(%part: index, %t: index, %x: {source}, %before: !passed, %u: !pinned, %b: !read_only, %c: !global,
     %h: !passed, %d: !global, %y: !global, %hidden: index, %units: index):
  %this_row = arith.muli %t, %hidden : index
  %next_row = arith.addi %this_row, %hidden : index
  %width = arith.addi %hidden, %hidden : index
  %first = arith.muli %part, %units : index
  %left = arith.subi %hidden, %first : index
  %count = arith.minsi %left, %units : index
  %staged = memref.alloca() : !shared
  block.parallel thread (%i) in %hidden {{
    %from_input = arith.addi {row}, %i : index
    %of_input = memref.load %x[%from_input] : {source}
    memref.store %of_input, %staged[%i] : !shared
    %from_state = arith.addi %this_row, %i : index
    %of_state = memref.load %before[%from_state] : !passed
    %behind = arith.addi %hidden, %i : index
    memref.store %of_state, %staged[%behind] : !shared
  }}
  block.barrier
  block.parallel warp (%j) in %count {{
    %unit = arith.addi %first, %j : index
    {"".join(_gate_sum(gate) for gate in range(GATES))}
    %cell = memref.load %c[%unit] : !global
    {_update()}
    %to_state = arith.addi %next_row, %unit : index
    memref.store %h_new, %h[%to_state] : !passed
    memref.store %c_new, %d[%unit] : !global
    %to_output = arith.addi %this_row, %unit : index
    memref.store %h_new, %y[%to_output] : !global
  }}
  block.yield
}}
"""


def _gate_sum(gate: int) -> str:
    return f"""
    %gate_number{gate} = arith.constant {gate} : index
    %rows_before{gate} = arith.muli %gate_number{gate}, %units : index
    %weight_row{gate} = arith.addi %rows_before{gate}, %j : index
    %weights{gate} = arith.muli %weight_row{gate}, %width : index
    %sum{gate} = block.warp_reduce add (%k) in %width -> f32 {{
      %place = arith.addi %weights{gate}, %k : index
      %weight = memref.load %u[%place] : !pinned
      %value = memref.load %staged[%k] : !shared
      %product = arith.mulf %weight, %value : f32
      block.yield %product : f32
    }}
    %biases_before{gate} = arith.muli %gate_number{gate}, %hidden : index
    %bias_place{gate} = arith.addi %biases_before{gate}, %unit : index
    %bias{gate} = memref.load %b[%bias_place{gate}] : !read_only
"""


def _program(layers: LstmLayers) -> str:
    pinned = GATES * layers.units * 2 * layers.hidden * 4
    scratch = 2 * layers.hidden * 4
    numbers = range(LAYERS)
    events = [f"%ready{layer} = vdevice.event : !vdevice.event<{layers.parts}>" for layer in numbers]
    memory = [
        line
        for layer in numbers
        for line in (
            f"%u{layer} = vdevice.weight @u{layer} : !weights_in_memory",
            f"%b{layer} = vdevice.weight @b{layer} : !bias_in_memory",
            f"%h{layer} = vdevice.buffer : !states_in_memory",
            f"%c{layer} = vdevice.buffer : !cells_in_memory",
        )
    ]
    return f"""
vdevice.program @main on @{layers.device} inputs 1 names ["x", "h0", "y", "steps"]
    attributes {{vdevice.lengths = {{x = "steps", h0 = "steps", y = "steps"}}}} {{
^bb0(%x: !sequence_in_memory, %y0: !sequence_in_memory, %y1: !sequence_in_memory, %steps: index):
  {_lines(memory, 2)}
  vdevice.launch veus {layers.veus} threads {layers.threads} service 0 ring 0 x 0
      scratch {scratch} pinned {pinned} registers {layers.registers} {{
    {_lines(events if layers.by_events else [], 4)}
    {"".join(_group(layers, layer) for layer in numbers)}
  }}
}}
"""


def _lines(lines: Iterable[str], indent: int) -> str:
    return f"\n{' ' * indent}".join(lines)


def _group(layers: LstmLayers, layer: int) -> str:
    """A layer on its vEUs: weights once, then all steps."""
    parts = layers.parts
    source, kind = (f"%h{layer - 1}", "!states_in_memory") if layer else ("%x", "!sequence_in_memory")
    waits = [_wait(layers, layer, "t + 1"), *([_wait(layers, layer - 1, "t + 2")] if layer else [])]
    signal = f"signals(%ready{layer} affine_map<(p) -> (p)> : !vdevice.event<{parts}>)"
    return f"""
    vdevice.group [{layer * parts}, {(layer + 1) * parts}] {{
      %kept = vdevice.pin %u{layer}
          box <(p) -> (0, p * {layers.units}, 0) by [{GATES}, {layers.units}, {2 * layers.hidden}]>
          : !weights_in_memory -> !weights_of_veu
      vdevice.run @begin tasks [0, {parts}] place affine_map<(i) -> (i)>
          outs(%h{layer}, %c{layer} : !states_in_memory, !cells_in_memory) {signal if layers.by_events else ""}
      vdevice.for %t in %steps {{
        vdevice.run @cell{layer} tasks [0, {parts}] place affine_map<(i) -> (i)>
            ins({source}, %h{layer}, %kept, %b{layer}, %c{layer} :
                {kind}, !states_in_memory, !weights_of_veu, !bias_in_memory, !cells_in_memory)
            outs(%h{layer}, %c{layer}, %y{layer} : !states_in_memory, !cells_in_memory, !sequence_in_memory) at(%t)
            {f"waits({', '.join(waits)}) {signal}" if layers.by_events else ""}
      }}
    }}
    """


def _wait(layers: LstmLayers, layer: int, signals: str) -> str:
    """For all vEUs of a layer: their first signal says that the states before the first step are there."""
    return f"%ready{layer} affine_map<(p)[t] -> (0, {layers.parts}, {signals})> : !vdevice.event<{layers.parts}>"
