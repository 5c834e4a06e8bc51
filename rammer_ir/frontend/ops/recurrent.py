"""
LSTM, GRU and RNN as `rop.scan`.

What does not depend on the step before is taken out of the loop: P = x W^T + Wb + Rb for all steps, one contraction
of shape [T, B, gates, H]. A step (`rammer_ir.frontend.ops.recurrent_cells`) adds h R^T to its row of P and updates the
state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from xdsl.builder import Builder
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import IndexType, IntegerAttr, TensorType, i1
from xdsl.ir import Block, Region, SSAValue
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.rop import Combiner, ScanOp, YieldOp
from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import as_integer, loop_index
from rammer_ir.frontend.generics import Read, Write, generic
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.contraction import contract
from rammer_ir.frontend.ops.recurrent_activations import activations_of
from rammer_ir.frontend.ops.recurrent_cells import Cell, GruCell, LstmCell, RnnCell, Sizes, StepValues
from rammer_ir.frontend.ops.views import reshaped, sliced, transposed
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

LENGTHS, PEEPHOLES = 4, 7
"""The numbers of the inputs with how many steps each sequence has, and with an LSTM's peepholes."""


@onnx_op("RNN", since=7)
def rnn(node: Node, build: GraphBuilder) -> list[Value | None]:
    """A layer of simple recurrence. Outputs: Y [T, directions, B, H] and Y_h [directions, B, H]."""
    reverse = _directions(node)
    activations = activations_of(node, ("tanh",), len(reverse))
    return _layer(node, build, reverse, [RnnCell(functions) for functions in activations])


@onnx_op("GRU", since=7)
def gru(node: Node, build: GraphBuilder) -> list[Value | None]:
    """A layer of gated recurrent units. Outputs as of `rnn`."""
    reverse = _directions(node)
    resets_product = node.integer("linear_before_reset", 0) != 0
    activations = activations_of(node, ("sigmoid", "tanh"), len(reverse))
    return _layer(node, build, reverse, [GruCell(functions, resets_product) for functions in activations])


@onnx_op("LSTM", since=7)
def lstm(node: Node, build: GraphBuilder) -> list[Value | None]:
    """
    A layer of long short-term memory. Outputs as of `rnn`, and Y_c [directions, B, H].

    `clip` bounds what goes into the gates; as in onnxruntime, not the cell state on its way to the output.
    """
    reverse = _directions(node)
    couples = node.integer("input_forget", 0) != 0
    activations = activations_of(node, ("sigmoid", "tanh", "tanh"), len(reverse), bounded=2)
    return _layer(node, build, reverse, [LstmCell(functions, couples) for functions in activations])


def _directions(node: Node) -> Sequence[bool]:
    """For each direction whether it is reverse."""
    known = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
    direction = node.string("direction", "forward").lower()
    if direction not in known:
        raise node.error(f"has a direction that is not known: {direction!r}")
    return known[direction]


def _layer(node: Node, build: GraphBuilder, reverse: Sequence[bool], cells: Sequence[Cell]) -> list[Value | None]:
    """The outputs of a layer with a cell for each direction; with layout 1, batches come first in all tensors."""
    is_batch_first = node.integer("layout", 0) == 1
    operand = node.input(0)
    if operand.rank != 3 or node.input(2).rank != 3:
        raise node.error("needs an input and weights of three dimensions")
    if is_batch_first:
        operand = transposed(build, operand, (1, 0, 2))
    steps, batch, inputs = operand.shape
    sizes = Sizes(steps, batch, inputs, node.input(2).shape[-1], operand.element_type)
    layer = _Layer(node, build, sizes, is_batch_first, cells)
    layer.check()
    results = [layer.run(operand, direction, is_reverse) for direction, is_reverse in enumerate(reverse)]
    return layer.outputs(results)


@dataclass(frozen=True)
class _Parameters:
    """
    One direction's: W [gates, H, I], R [gates, H, H], what is added to x W^T [gates, H] (or None), further ones (see
    `StepValues`), and the states before the first step.
    """

    weights: Value
    recurrence: Value
    bias: Value | None
    further: Value | None
    states: Sequence[Value]


@dataclass(frozen=True)
class _Layer:
    node: Node
    build: GraphBuilder
    sizes: Sizes
    is_batch_first: bool
    cells: Sequence[Cell]

    @property
    def gates(self) -> int:
        return self.cells[0].gates

    @property
    def states(self) -> int:
        return self.cells[0].states

    def check(self) -> None:
        """Raises UnsupportedModelError for inputs of other shapes than the op takes."""
        node, sizes = self.node, self.sizes
        directions, rows = len(self.cells), self.gates * sizes.hidden
        state = (sizes.batch, directions) if self.is_batch_first else (directions, sizes.batch)
        wanted: dict[int, tuple[int, ...]] = {LENGTHS: (sizes.batch,), PEEPHOLES: (directions, 3 * sizes.hidden)}
        wanted |= {1: (directions, rows, sizes.inputs), 2: (directions, rows, sizes.hidden), 3: (directions, 2 * rows)}
        wanted |= {5 + number: (*state, sizes.hidden) for number in range(self.states)}
        for position, shape in wanted.items():
            value = node.optional_input(position) if position > 2 else node.input(position)
            if value is not None and value.shape != shape:
                raise node.error(f"has input {position} of shape {list(value.shape)}, not {list(shape)}")

    def run(self, operand: Value, direction: int, is_reverse: bool) -> list[Value]:
        """The last states [B, H], and the hidden state of all steps [T, B, H]."""
        build, sizes = self.build, self.sizes
        parameters = self._parameters(direction)
        inputs = self._input_products(operand, parameters)
        # Also where no one asks for it: then each step of the state, which all tasks read, has a place of its own.
        rows = TensorType(sizes.element, (sizes.steps, *sizes.state))
        length = build.builder.insert(ConstantOp(IntegerAttr(sizes.steps, IndexType()))).result
        captured = [parameters.recurrence, *([] if parameters.further is None else [parameters.further])]
        lasting = [] if self._lasting is None else [build.read(self._lasting)]
        scan = ScanOp(
            length,
            scanned=[build.read(inputs), *lasting],
            carried=[build.read(state) for state in parameters.states],
            captured=[build.read(value) for value in captured],
            result_types=[*([sizes.state_type] * self.states), rows],
            body=self._step(self.cells[direction], captured),
            reverse=is_reverse,
        )
        *last, hidden = (Value.of_ssa(build.label, result) for result in build.builder.insert(scan).results)
        return [*last, self._shown(hidden)]

    def _shown(self, hidden: Value) -> Value:
        """The hidden state of all steps, 0 where a sequence is over."""
        if self._lasting is None or not self.node.is_used(0):
            return hidden
        lasting = reshaped(self.build, self._lasting, (self.sizes.steps, self.sizes.batch, 1))

        def body(value: SSAValue, is_on: SSAValue) -> SSAValue:
            return scalars.select(is_on, value, scalars.constant_like(0, value))

        return self.build.pointwise([hidden, lasting], hidden.shape, body)

    @cached_property
    def _lasting(self) -> Value | None:
        """Whether each sequence still goes on in each step [T, B]; None if all go on to the end."""
        lengths, steps = self.node.optional_input(LENGTHS), self.sizes.steps
        if lengths is None or (lengths.constant is not None and bool(np.all(lengths.constant == steps))):
            return None

        def body(length: SSAValue) -> SSAValue:
            return scalars.compare("lt", as_integer(loop_index(0), length.type), length)

        return self.build.pointwise([lengths], (steps, self.sizes.batch), body, i1)

    def _parameters(self, direction: int) -> _Parameters:
        build, node, sizes = self.build, self.node, self.sizes

        def part(position: int, shape: Sequence[int]) -> Value:
            return reshaped(build, sliced(build, node.input(position), 0, direction, 1), shape)

        bias = further = None
        if node.optional_input(3) is not None:
            biases = part(3, (2, self.gates, sizes.hidden))
            bias, further = self._biases(biases, self.cells[direction])
        if node.optional_input(PEEPHOLES) is not None:
            further = part(PEEPHOLES, (3, sizes.hidden))
        return _Parameters(
            part(1, (self.gates, sizes.hidden, sizes.inputs)),
            part(2, (self.gates, sizes.hidden, sizes.hidden)),
            bias,
            further,
            [self._initial_state(5 + number, direction) for number in range(self.states)],
        )

    def _initial_state(self, position: int, direction: int) -> Value:
        given = self.node.optional_input(position)
        if given is None:
            return self._zeros
        part = sliced(self.build, given, 1 if self.is_batch_first else 0, direction, 1)
        return reshaped(self.build, part, self.sizes.state)

    @cached_property
    def _zeros(self) -> Value:
        return self.build.constant(np.zeros(self.sizes.state, self.node.input(0).dtype), "zeros")

    def _biases(self, biases: Value, cell: Cell) -> tuple[Value, Value | None]:
        """What is added to x W^T, of biases [2, gates, H]: Wb + Rb; but Rb of a GRU's last gate may be apart [1, H]."""
        build = self.build
        if not isinstance(cell, GruCell) or not cell.resets_product:
            return self._sum(biases), None
        apart = sliced(build, sliced(build, biases, 0, 1, 1), 1, 2, 1)
        summed = self._sum(sliced(build, biases, 1, 0, 2))
        alone = sliced(build, sliced(build, biases, 0, 0, 1), 1, 2, 1)
        hidden = self.sizes.hidden
        bias = self._joined(summed, reshaped(build, alone, (1, hidden)))
        return bias, reshaped(build, apart, (1, hidden))

    def _sum(self, biases: Value) -> Value:
        if biases.constant is not None:
            return self.build.constant(np.add(biases.constant[0], biases.constant[1]), "bias")
        return self.build.reduce(biases, [0], Combiner.ADD, keep_dims=False)

    def _joined(self, first: Value, second: Value) -> Value:
        if first.constant is not None and second.constant is not None:
            return self.build.constant(np.concatenate([first.constant, second.constant]), "biases")
        return self.build.concatenate([first, second], 0)

    def _input_products(self, operand: Value, parameters: _Parameters) -> Value:
        """x W^T + bias of [T, B, gates, H]."""
        build, sizes = self.build, self.sizes
        step, batch, gate, unit, item = loop_dims(5)
        shape = (sizes.steps, sizes.batch, self.gates, sizes.hidden)
        products = contract(
            build,
            [*shape, sizes.inputs],
            Read(build.read(operand), [step, batch, item]),
            Read(build.read(parameters.weights), [gate, unit, item]),
            shape,
            [step, batch, gate, unit],
        )
        if parameters.bias is None:
            return products
        return build.pointwise([products, parameters.bias], shape, scalars.add)

    def _step(self, cell: Cell, captured: Sequence[Value]) -> Region:
        """The scan's body: takes the step, its row of P, which sequences go on, the states, R and what is further."""
        sizes = self.sizes
        row = TensorType(sizes.element, (sizes.batch, self.gates, sizes.hidden))
        lasting = [] if self._lasting is None else [TensorType(i1, (sizes.batch,))]
        states = [sizes.state_type] * self.states
        block = Block(arg_types=[IndexType(), row, *lasting, *states, *(value.type for value in captured)])
        _, inputs, *rest = block.args
        goes_on, rest = rest[: len(lasting)], rest[len(lasting) :]
        recurrence, *further = rest[self.states :]
        builder = Builder(InsertPoint.at_end(block))
        before = rest[: self.states]
        following = cell.step(builder, sizes, StepValues(inputs, before, recurrence, further[0] if further else None))
        if goes_on:
            following = self._kept(builder, goes_on[0], following, before)
        builder.insert(YieldOp(*following, following[0]))
        return Region(block)

    def _kept(
        self, builder: Builder, goes_on: SSAValue, following: Sequence[SSAValue], before: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """The states of sequences that go on, and those before of others."""
        batch, unit = loop_dims(2)
        reads = [Read(goes_on, [batch]), *(Read(state, [batch, unit]) for state in (*following, *before))]

        def body(*elements: SSAValue) -> Sequence[SSAValue]:
            is_on, states = elements[0], elements[1:]
            pairs = zip(states[: self.states], states[self.states :], strict=True)
            return [scalars.select(is_on, after, ago) for after, ago in pairs]

        writes = [Write(self.sizes.state_type, [batch, unit])] * self.states
        return generic(builder, self.sizes.state, reads, writes, body)

    def outputs(self, results: Sequence[Sequence[Value]]) -> list[Value | None]:
        """Y, and Y_h and (of LSTM) Y_c, of what each direction gives."""
        build, sizes = self.build, self.sizes

        def final(position: int) -> Value:
            parts = [reshaped(build, result[position], (1, *sizes.state)) for result in results]
            joined = build.concatenate(parts, 0)
            return transposed(build, joined, (1, 0, 2)) if self.is_batch_first else joined

        def all_steps() -> Value:
            parts = [reshaped(build, result[-1], (sizes.steps, 1, *sizes.state)) for result in results]
            joined = build.concatenate(parts, 1)
            return transposed(build, joined, (2, 0, 1, 3)) if self.is_batch_first else joined

        last = [final(state) if self.node.is_used(1 + state) else None for state in range(self.states)]
        return [all_steps() if self.node.is_used(0) else None, *last]
