"""
LSTM as `rop.scan`.

What does not depend on the step before is taken out of the loop: P = x W^T + Wb + Rb for all steps, one contraction
of shape [T, B, 4, H]. A step adds h R^T to its row of P and updates the state. The 4 gates are i, o, f, c.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.builder import Builder
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import IndexType, IntegerAttr, TensorType
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.ir.affine import AffineExpr
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.rop import Combiner, ScanOp, YieldOp
from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import Read, Write, generic
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.contraction import contract
from rammer_ir.frontend.ops.views import reshaped, sliced, transposed
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

GATES = 4
_DEFAULT_ACTIVATIONS = ("sigmoid", "tanh", "tanh")


@dataclass(frozen=True)
class _Sizes:
    """Steps T, batch B, input size I, hidden size H; and the element type."""

    steps: int
    batch: int
    inputs: int
    hidden: int
    element: Attribute

    @property
    def state(self) -> tuple[int, int]:
        return self.batch, self.hidden


@dataclass(frozen=True)
class _DirectionParameters:
    """One direction's: W [4, H, I], R [4, H, H], the sum of biases [4, H] (or None), h and c before the first step."""

    weights: Value
    recurrence: Value
    bias: Value | None
    hidden: Value
    cell: Value


@onnx_op("LSTM", since=7)
def lstm(node: Node, build: GraphBuilder) -> list[Value | None]:
    """
    A layer of long short-term memory, in one direction or both, with the default activations.

    Outputs: Y [T, directions, B, H] (batch first with layout 1), Y_h and Y_c [directions, B, H].
    """
    _refuse_variants(node)
    is_batch_first = node.integer("layout", 0) == 1
    operand = node.input(0)
    if operand.rank != 3:
        raise node.error("needs an input of three dimensions")
    if is_batch_first:
        operand = transposed(build, operand, (1, 0, 2))
    steps, batch, inputs = operand.shape
    hidden = node.input(2).shape[-1]
    sizes = _Sizes(steps, batch, inputs, hidden, operand.element_type)
    _check_lengths(node, sizes)
    is_reverse = _directions(node)
    _check_parameters(node, sizes, len(is_reverse))
    zeros = build.constant(np.zeros(sizes.state, operand.dtype), "zeros")
    results: list[list[Value]] = []
    for direction, reverse in enumerate(is_reverse):
        parameters = _parameters(node, build, sizes, zeros, direction, is_batch_first)
        results.append(_run_direction(node, build, operand, sizes, parameters, reverse))
    return _outputs(node, build, sizes, results, is_batch_first)


def _refuse_variants(node: Node) -> None:
    activations = node.strings("activations")
    if activations is not None and any(
        name.lower() != default for name, default in zip(activations, _DEFAULT_ACTIVATIONS * 2, strict=False)
    ):
        raise node.error(f"has activations {', '.join(activations)}: only Sigmoid, Tanh, Tanh are supported")
    if node.has("clip") or node.integer("input_forget", 0):
        raise node.error("has clip or input_forget, which are not supported")
    if node.optional_input(7) is not None:
        raise node.error("has peepholes, which are not supported")


def _check_lengths(node: Node, sizes: _Sizes) -> None:
    lengths = node.optional_integers(4, "sequence_lens")
    if lengths is not None and any(length != sizes.steps for length in lengths):
        raise node.error(f"has sequence_lens that are not all {sizes.steps}, which is not supported")


def _directions(node: Node) -> Sequence[bool]:
    """For each direction whether it is reverse."""
    known = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
    direction = node.string("direction", "forward").lower()
    if direction not in known:
        raise node.error(f"has a direction that is not known: {direction!r}")
    return known[direction]


def _check_parameters(node: Node, sizes: _Sizes, directions: int) -> None:
    rows = GATES * sizes.hidden
    wanted = {
        1: (directions, rows, sizes.inputs),
        2: (directions, rows, sizes.hidden),
        3: (directions, 2 * rows),
    }
    for position, shape in wanted.items():
        value = node.optional_input(position) if position == 3 else node.input(position)
        if value is not None and value.shape != shape:
            raise node.error(f"has input {position} of shape {list(value.shape)}, not {list(shape)}")


def _parameters(
    node: Node, build: GraphBuilder, sizes: _Sizes, zeros: Value, direction: int, is_batch_first: bool
) -> _DirectionParameters:
    def part(position: int, shape: Sequence[int]) -> Value:
        return reshaped(build, sliced(build, node.input(position), 0, direction, 1), shape)

    def state(position: int) -> Value:
        given = node.optional_input(position)
        if given is None:
            return zeros
        axis = 1 if is_batch_first else 0
        return reshaped(build, sliced(build, given, axis, direction, 1), sizes.state)

    bias = None
    if node.optional_input(3) is not None:
        bias = _sum_of_biases(build, part(3, (2, GATES, sizes.hidden)))
    return _DirectionParameters(
        part(1, (GATES, sizes.hidden, sizes.inputs)),
        part(2, (GATES, sizes.hidden, sizes.hidden)),
        bias,
        state(5),
        state(6),
    )


def _sum_of_biases(build: GraphBuilder, biases: Value) -> Value:
    """Wb + Rb of [2, 4, H]."""
    if biases.constant is not None:
        return build.constant(np.add(biases.constant[0], biases.constant[1]), "bias")
    return build.reduce(biases, [0], Combiner.ADD, keep_dims=False)


def _run_direction(
    node: Node, build: GraphBuilder, operand: Value, sizes: _Sizes, parameters: _DirectionParameters, is_reverse: bool
) -> list[Value]:
    """The last h and c [B, H], and if it is used, h of all steps [T, B, H]."""
    inputs = _input_products(build, operand, sizes, parameters)
    gives_all = node.is_used(0)
    state = TensorType(sizes.element, sizes.state)
    rows = [TensorType(sizes.element, (sizes.steps, *sizes.state))] if gives_all else []
    length = build.builder.insert(ConstantOp(IntegerAttr(sizes.steps, IndexType()))).result
    scan = ScanOp(
        length,
        scanned=[build.read(inputs)],
        carried=[build.read(parameters.hidden), build.read(parameters.cell)],
        captured=[build.read(parameters.recurrence)],
        result_types=[state, state, *rows],
        body=_step(sizes, build.read(parameters.recurrence).type, gives_all=gives_all),
        reverse=is_reverse,
    )
    return [Value.of_ssa(build.label, result) for result in build.builder.insert(scan).results]


def _input_products(build: GraphBuilder, operand: Value, sizes: _Sizes, parameters: _DirectionParameters) -> Value:
    """x W^T + Wb + Rb of [T, B, 4, H]."""
    step, batch, gate, unit, item = loop_dims(5)
    shape = (sizes.steps, sizes.batch, GATES, sizes.hidden)
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


def _step(sizes: _Sizes, recurrence: Attribute, *, gives_all: bool) -> Region:
    """The scan's body: takes the step, its row of P [B, 4, H], h and c [B, H], and R [4, H, H]."""
    state = TensorType(sizes.element, sizes.state)
    gates = TensorType(sizes.element, (sizes.batch, GATES, sizes.hidden))
    block = Block(arg_types=[IndexType(), gates, state, state, recurrence])
    _, inputs, hidden, cell, weights = block.args
    builder = Builder(InsertPoint.at_end(block))
    batch, gate, unit, item = loop_dims(4)
    (products,) = generic(
        builder,
        [sizes.batch, GATES, sizes.hidden, sizes.hidden],
        [Read(hidden, [batch, item]), Read(weights, [gate, unit, item])],
        [Write(gates, [batch, gate, unit], Combiner.ADD)],
        scalars.multiply,
    )
    next_hidden, next_cell = _updated_state(builder, sizes, inputs, products, cell)
    builder.insert(YieldOp(next_hidden, next_cell, *([next_hidden] if gives_all else [])))
    return Region(block)


def _updated_state(
    builder: Builder, sizes: _Sizes, inputs: SSAValue, products: SSAValue, cell: SSAValue
) -> Sequence[SSAValue]:
    """c' = f c + i c~ and h' = o tanh(c') in one generic; gives h' and c'."""
    batch, unit = loop_dims(2)
    state = TensorType(sizes.element, sizes.state)
    gates = [
        Read(tensor, [batch, AffineExpr.constant(gate), unit]) for tensor in (inputs, products) for gate in range(GATES)
    ]

    def body(*elements: SSAValue) -> Sequence[SSAValue]:
        sums = [scalars.add(elements[gate], elements[GATES + gate]) for gate in range(GATES)]
        entry, output, forget = (scalars.sigmoid(item) for item in sums[:3])
        candidate = scalars.hyperbolic_tangent(sums[3])
        kept = scalars.multiply(forget, elements[-1])
        next_cell = scalars.add(kept, scalars.multiply(entry, candidate))
        return [scalars.multiply(output, scalars.hyperbolic_tangent(next_cell)), next_cell]

    reads = [*gates, Read(cell, [batch, unit])]
    return generic(builder, sizes.state, reads, [Write(state, [batch, unit]), Write(state, [batch, unit])], body)


def _outputs(
    node: Node, build: GraphBuilder, sizes: _Sizes, results: Sequence[Sequence[Value]], is_batch_first: bool
) -> list[Value | None]:
    def final(position: int) -> Value:
        parts = [reshaped(build, result[position], (1, *sizes.state)) for result in results]
        joined = build.concatenate(parts, 0)
        return transposed(build, joined, (1, 0, 2)) if is_batch_first else joined

    def all_steps() -> Value:
        parts = [reshaped(build, result[2], (sizes.steps, 1, *sizes.state)) for result in results]
        joined = build.concatenate(parts, 1)
        return transposed(build, joined, (2, 0, 1, 3)) if is_batch_first else joined

    makers = (all_steps, lambda: final(0), lambda: final(1))
    return [make() if node.is_used(output) else None for output, make in enumerate(makers)]
