"""Bodies in block form as Python closures: every op becomes one, with its operands as slots of a `BlockState`."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType, i1
from xdsl.ir import Block, Operation, SSAValue

from rammer_ir.dialects import block
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block_state import BlockState
from rammer_ir.interpreters.scalar_ops import scalar_function
from rammer_ir.locations import describe_op

Step = Callable[[BlockState], None]


class Code(NamedTuple):
    """A block: where its arguments go, what it does, and what its terminator yields."""

    arguments: tuple[int, ...]
    steps: tuple[Step, ...]
    results: tuple[int, ...]

    def run(self, state: BlockState, arguments: Sequence[Any]) -> list[Any]:
        """Run to the end; gives what is yielded."""
        values = state.values
        for slot, value in zip(self.arguments, arguments, strict=True):
            values[slot] = value
        for step in self.steps:
            step(state)
        return [values[slot] for slot in self.results]


class Compiler:
    """Makes code of blocks. `makers` say how an op becomes a step, by its class; other ops are scalar ones."""

    def __init__(self, makers: "Makers") -> None:
        self._makers = makers
        self._slots: dict[SSAValue, int] = {}

    @property
    def slots(self) -> int:
        """How many slots the code needs."""
        return len(self._slots)

    def slot(self, value: SSAValue) -> int:
        """Where a value lies."""
        return self._slots.setdefault(value, len(self._slots))

    def slots_of(self, values: Sequence[SSAValue]) -> tuple[int, ...]:
        """Where several values lie."""
        return tuple(self.slot(value) for value in values)

    def code(self, source: Block) -> Code:
        """The code of a block."""
        arguments = self.slots_of(source.args)
        steps = tuple(self._step(op) for op in source.ops if not isinstance(op, block.YieldOp | scf.YieldOp))
        last = source.last_op
        return Code(arguments, steps, () if last is None else self.slots_of(last.operands))

    def _step(self, op: Operation) -> Step:
        maker = self._makers.get(type(op))
        return _located(maker(self, op), op) if maker is not None else scalar_step(self, op)


Makers = dict[type[Operation], Callable[[Compiler, Any], Step]]


def _located(step: Step, op: Operation) -> Step:
    def run(state: BlockState) -> None:
        try:
            step(state)
        except RammerError as error:
            error.location = error.location or describe_op(op)
            raise

    return run


def _quotient(a: int, b: int) -> int:
    return a // b


_ON_INTS: dict[type[Operation], Callable[[int, int], int]] = {
    arith.AddiOp: operator.add,
    arith.SubiOp: operator.sub,
    arith.MuliOp: operator.mul,
    arith.DivUIOp: _quotient,
    arith.RemUIOp: operator.mod,
    arith.MinUIOp: min,
    arith.MaxUIOp: max,
    arith.MinSIOp: min,
    arith.MaxSIOp: max,
}
"""Operations on indices, with those on unsigned ones for numbers that are not negative."""

_DIRECT: dict[type[Operation], np.ufunc] = {
    arith.AddfOp: np.add,
    arith.SubfOp: np.subtract,
    arith.MulfOp: np.multiply,
    arith.MaximumfOp: np.maximum,
    arith.MinimumfOp: np.minimum,
}
"""Operations whose result has the dtype of the operands by itself."""


def scalar_step(compiler: Compiler, op: Operation) -> Step:
    """An op of `arith` or `math`, on numbers or on arrays with one number a lane."""
    operands, result = compiler.slots_of(op.operands), compiler.slot(op.results[0])
    if isinstance(op, arith.ConstantOp):
        value = _plain(scalar_function(op)(), op)
        return lambda state: state.values.__setitem__(result, value)
    if type(op) in _DIRECT:
        return _direct_step(_DIRECT[type(op)], operands, result)

    function = scalar_function(op)

    def run(state: BlockState) -> None:
        args = [np.asarray(state.get(slot)) for slot in operands]
        state.values[result] = _plain(function(*args), op)

    on_ints = _ON_INTS.get(type(op))
    if on_ints is not None and isinstance(op.results[0].type, IndexType):
        return _index_step(on_ints, operands, result, run)
    return run


def _plain(value: Any, op: Operation) -> Any:
    """An index or truth value that all lanes share as Python's int or bool."""
    if np.ndim(value) == 0:
        if isinstance(op.results[0].type, IndexType):
            return int(value)
        if op.results[0].type == i1:
            return bool(value)
    return value


def _direct_step(function: np.ufunc, operands: tuple[int, ...], result: int) -> Step:
    left, right = operands

    def run(state: BlockState) -> None:
        state.values[result] = function(state.get(left), state.get(right))

    return run


def _index_step(function: Callable[[int, int], int], operands: tuple[int, ...], result: int, otherwise: Step) -> Step:
    left, right = operands

    def run(state: BlockState) -> None:
        a, b = state.values[left], state.values[right]
        if isinstance(a, int) and isinstance(b, int) and a >= 0 and b > 0:
            state.values[result] = function(a, b)
        else:
            otherwise(state)

    return run
