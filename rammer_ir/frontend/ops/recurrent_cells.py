"""
One step of a recurrent layer, for LSTM, GRU and RNN.

A step gets P, its row of x W^T plus biases [B, gates, H], the states before it [B, H], and R [gates, H, H].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from xdsl.builder import Builder
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import Read, Write, generic
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.ops.recurrent_activations import Activation


@dataclass(frozen=True)
class Sizes:
    """Steps T, batch B, input size I, hidden size H; and the element type."""

    steps: int
    batch: int
    inputs: int
    hidden: int
    element: Attribute

    @property
    def state(self) -> tuple[int, int]:
        return self.batch, self.hidden

    @property
    def state_type(self) -> TensorType[Attribute]:
        return TensorType(self.element, self.state)


@dataclass(frozen=True)
class StepValues:
    """
    What a step reads: P, the states before it, R, and the layer's further parameters [rows, H] (None: none).

    Those are an LSTM's peepholes (of the gates i, o, f), or a GRU's bias of the hidden gate where that is reset too.
    """

    inputs: SSAValue
    states: Sequence[SSAValue]
    recurrence: SSAValue
    further: SSAValue | None


class Cell(Protocol):
    """The equations of a kind of layer; the first of its `states` is the hidden one, its output."""

    gates: ClassVar[int]
    states: ClassVar[int]

    def step(self, builder: Builder, sizes: Sizes, values: StepValues) -> Sequence[SSAValue]:
        """Inserts the step's ops; gives the states behind it."""
        ...


def _products(
    builder: Builder, sizes: Sizes, state: SSAValue, recurrence: SSAValue, first: int, count: int
) -> SSAValue:
    """The state times the matrices of some gates: [B, count, H]."""
    batch, gate, unit, item = loop_dims(4)
    (products,) = generic(
        builder,
        [sizes.batch, count, sizes.hidden, sizes.hidden],
        [Read(state, [batch, item]), Read(recurrence, [gate + first, unit, item])],
        [Write(TensorType(sizes.element, (sizes.batch, count, sizes.hidden)), [batch, gate, unit], Combiner.ADD)],
        scalars.multiply,
    )
    return products


def _gates(tensor: SSAValue, gates: Sequence[int]) -> list[Read]:
    """Reads of gates of a tensor [B, gates, H], in loops over [B, H]."""
    batch, unit = loop_dims(2)
    return [Read(tensor, [batch, AffineExpr.constant(gate), unit]) for gate in gates]


def _rows(tensor: SSAValue | None, rows: int) -> list[Read]:
    """Reads of all rows of further parameters, in loops over [B, H]."""
    unit = loop_dims(2)[1]
    return [] if tensor is None else [Read(tensor, [AffineExpr.constant(row), unit]) for row in range(rows)]


@dataclass(frozen=True)
class RnnCell:
    """h' = f(P + h R^T)."""

    activations: Sequence[Activation]
    gates: ClassVar[int] = 1
    states: ClassVar[int] = 1

    def step(self, builder: Builder, sizes: Sizes, values: StepValues) -> Sequence[SSAValue]:
        products = _products(builder, sizes, values.states[0], values.recurrence, 0, 1)
        (activation,) = self.activations
        reads = [*_gates(values.inputs, [0]), *_gates(products, [0])]
        write = Write(sizes.state_type, loop_dims(2))
        return generic(builder, sizes.state, reads, [write], lambda p, q: activation(scalars.add(p, q)))


@dataclass(frozen=True)
class LstmCell:
    """
    c' = f c + i c~ and h' = o act(c'), for gates i, o, f, c; with peepholes, gates depend on c too (o on c').

    With `couples`, f is 1 - i.
    """

    activations: Sequence[Activation]
    couples: bool
    gates: ClassVar[int] = 4
    states: ClassVar[int] = 2

    def step(self, builder: Builder, sizes: Sizes, values: StepValues) -> Sequence[SSAValue]:
        batch, unit = loop_dims(2)
        hidden, cell = values.states
        products = _products(builder, sizes, hidden, values.recurrence, 0, self.gates)
        every = range(self.gates)
        peepholes = _rows(values.further, 3)
        reads = [*_gates(values.inputs, every), *_gates(products, every), Read(cell, [batch, unit]), *peepholes]
        write = Write(sizes.state_type, [batch, unit])

        def body(*elements: SSAValue) -> Sequence[SSAValue]:
            sums = [scalars.add(elements[gate], elements[self.gates + gate]) for gate in every]
            return self._updated(sums, elements[2 * self.gates], elements[2 * self.gates + 1 :])

        return generic(builder, sizes.state, reads, [write, write], body)

    def _updated(self, sums: Sequence[SSAValue], cell: SSAValue, peepholes: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """h' and c' by the four gates' sums, c, and the peepholes of i, o, f (or none)."""
        gate, candidate, output = self.activations

        def with_peephole(number: int, state: SSAValue) -> SSAValue:
            if not peepholes:
                return sums[number]
            return scalars.add(sums[number], scalars.multiply(peepholes[number], state))

        entry = gate(with_peephole(0, cell))
        if self.couples:
            forget = scalars.subtract(scalars.constant_like(1, entry), entry)
        else:
            forget = gate(with_peephole(2, cell))
        next_cell = scalars.add(scalars.multiply(forget, cell), scalars.multiply(entry, candidate(sums[3])))
        return [scalars.multiply(gate(with_peephole(1, next_cell)), output(next_cell)), next_cell]


@dataclass(frozen=True)
class GruCell:
    """
    h' = (1 - z) h~ + z h, for gates z, r, h.

    h~ is g(P_h + (r h) R_h^T), or, where the reset comes after the product, g(P_h + r (h R_h^T + b)).
    """

    activations: Sequence[Activation]
    resets_product: bool
    gates: ClassVar[int] = 3
    states: ClassVar[int] = 1

    def step(self, builder: Builder, sizes: Sizes, values: StepValues) -> Sequence[SSAValue]:
        gate, candidate = self.activations
        dims = loop_dims(2)
        (hidden,) = values.states
        write = Write(sizes.state_type, dims)
        previous = Read(hidden, dims)
        if self.resets_product:
            products = _products(builder, sizes, hidden, values.recurrence, 0, 3)
            reads = [*_gates(values.inputs, range(3)), *_gates(products, range(3)), previous, *_rows(values.further, 1)]

            def body(*elements: SSAValue) -> SSAValue:
                inputs, (z, r, h), state, bias = elements[:3], elements[3:6], elements[6], elements[7:]
                reset = gate(scalars.add(inputs[1], r))
                inner = scalars.multiply(reset, scalars.add(h, bias[0]) if bias else h)
                new = candidate(scalars.add(inputs[2], inner))
                return _mixed(gate(scalars.add(inputs[0], z)), new, state)

            return generic(builder, sizes.state, reads, [write], body)
        products = _products(builder, sizes, hidden, values.recurrence, 0, 2)
        (kept,) = generic(
            builder,
            sizes.state,
            [*_gates(values.inputs, [1]), *_gates(products, [1]), previous],
            [write],
            lambda p, q, h: scalars.multiply(gate(scalars.add(p, q)), h),
        )
        inner = _products(builder, sizes, kept, values.recurrence, 2, 1)
        reads = [*_gates(values.inputs, [0, 2]), *_gates(products, [0]), *_gates(inner, [0]), previous]

        def update(*elements: SSAValue) -> SSAValue:
            z, p, q, h, state = elements
            return _mixed(gate(scalars.add(z, q)), candidate(scalars.add(p, h)), state)

        return generic(builder, sizes.state, reads, [write], update)


def _mixed(update: SSAValue, new: SSAValue, old: SSAValue) -> SSAValue:
    """(1 - update) new + update old."""
    rest = scalars.subtract(scalars.constant_like(1, update), update)
    return scalars.add(scalars.multiply(rest, new), scalars.multiply(update, old))
