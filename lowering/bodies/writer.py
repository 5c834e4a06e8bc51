"""Writes ops of a block-form body: index arithmetic, loops and memory accesses as short method calls."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from xdsl.builder import Builder
from xdsl.dialects import arith, memref, scf
from xdsl.dialects.builtin import (
    AnyFloat,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    StringAttr,
    UnitAttr,
    i32,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint
from xdsl.utils.hints import isa

from rammer_ir.dialects.block import Level, MemorySpace, ParallelOp, WarpReduceOp, YieldOp
from rammer_ir.dialects.rop import Combiner

OpT = TypeVar("OpT", bound=Operation)

SMALL = "block.small"
"""Attribute of an `arith.divui` whose dividend is below `MOST_SMALL`."""

MOST_SMALL = 2**21
"""Up to here a quotient is exact when computed with a reciprocal in float32 (`rammer::quotient`)."""

UNROLL = "block.unroll"
"""Attribute of an `scf.for` whose iterations are to be spelled out."""


class Writer:
    """Appends ops to a block; loops and conditions are context managers that move the place of writing inside."""

    def __init__(self, block: Block) -> None:
        self._builder = Builder(InsertPoint.at_end(block))
        self._constants: list[dict[int, SSAValue]] = [{}]

    def add(self, op: OpT) -> OpT:
        return self._builder.insert(op)

    @contextmanager
    def inside(self, block: Block) -> Generator[None]:
        """Write at the end of another block, nested in the current one."""
        outside = self._builder.insertion_point
        self._builder.insertion_point = InsertPoint.at_end(block)
        self._constants.append({})
        yield
        self._constants.pop()
        self._builder.insertion_point = outside

    def index(self, value: int) -> SSAValue:
        """A constant index; made once in the blocks around."""
        for known in self._constants:
            if value in known:
                return known[value]
        constant = self.add(arith.ConstantOp(IntegerAttr(value, IndexType()))).result
        self._constants[-1][value] = constant
        return constant

    def constant(self, value: FloatAttr | IntegerAttr) -> SSAValue:
        return self.add(arith.ConstantOp(value)).result

    def plus(self, *terms: SSAValue) -> SSAValue:
        total = terms[0]
        for term in terms[1:]:
            total = self.add(arith.AddiOp(total, term)).result
        return total

    def minus(self, left: SSAValue, right: SSAValue) -> SSAValue:
        return self.add(arith.SubiOp(left, right)).result

    def times(self, left: SSAValue, right: SSAValue) -> SSAValue:
        return self.add(arith.MuliOp(left, right)).result

    def divide(self, left: SSAValue, right: SSAValue) -> SSAValue:
        """The quotient of values that are not negative."""
        return self.add(arith.DivUIOp(left, right)).result

    def modulo(self, left: SSAValue, right: SSAValue) -> SSAValue:
        """The remainder of values that are not negative."""
        return self.add(arith.RemUIOp(left, right)).result

    def floor_divide(self, left: SSAValue, right: SSAValue) -> SSAValue:
        """The quotient, rounded down."""
        return self.add(arith.FloorDivSIOp(left, right)).result

    def less(self, left: SSAValue, right: SSAValue) -> SSAValue:
        return self.add(arith.CmpiOp(left, right, "slt")).result

    def in_range(self, value: SSAValue, extent: SSAValue) -> SSAValue:
        """Whether 0 <= value < extent, with one comparison of unsigned numbers."""
        return self.add(arith.CmpiOp(value, extent, "ult")).result

    def select(self, condition: SSAValue, then: SSAValue, otherwise: SSAValue) -> SSAValue:
        return self.add(arith.SelectOp(condition, then, otherwise)).result

    def all_of(self, conditions: Sequence[SSAValue]) -> SSAValue:
        result = conditions[0]
        for condition in conditions[1:]:
            result = self.add(arith.AndIOp(result, condition)).result
        return result

    def decode(self, linear: SSAValue, extents: Sequence[SSAValue]) -> list[SSAValue]:
        """A row-major linear index as one index for each extent; the first is not reduced by its own extent."""
        indices: list[SSAValue] = []
        rest = linear
        for extent in reversed(extents[1:]):
            indices.append(self.modulo(rest, extent))
            rest = self.divide(rest, extent)
        return [rest, *reversed(indices)] if extents else []

    def decode_small(self, linear: SSAValue, extents: Sequence[SSAValue]) -> list[SSAValue]:
        """The same of an index below `MOST_SMALL`, with fewer instructions."""
        indices: list[SSAValue] = []
        rest = linear
        for extent in reversed(extents[1:]):
            quotient = self.add(arith.DivUIOp(rest, extent))
            quotient.attributes[SMALL] = UnitAttr()
            indices.append(self.minus(rest, self.times(quotient.result, extent)))
            rest = quotient.result
        return [rest, *reversed(indices)] if extents else []

    def as_index(self, value: SSAValue) -> SSAValue:
        return self.add(arith.IndexCastOp(value, IndexType())).result

    def as_i32(self, value: SSAValue) -> SSAValue:
        return self.add(arith.IndexCastOp(value, i32)).result

    def allocate(self, shape: Sequence[int], element: Attribute, space: MemorySpace) -> SSAValue:
        return self.add(memref.AllocaOp.get(element, None, shape, memory_space=StringAttr(space.value))).memref

    def load(self, array: SSAValue, *indices: SSAValue) -> SSAValue:
        return self.add(memref.LoadOp.get(array, list(indices))).res

    def store(self, value: SSAValue, array: SSAValue, *indices: SSAValue) -> None:
        self.add(memref.StoreOp.get(value, array, list(indices)))

    @contextmanager
    def parallel(self, level: Level, extent: SSAValue) -> Generator[SSAValue]:
        """A parallel loop; gives its index."""
        loop = self.add(ParallelOp(level, extent))
        with self.inside(loop.body.block):
            yield loop.index
            self.add(YieldOp())

    @contextmanager
    def loop(self, first: SSAValue, last: SSAValue, *, unroll: bool = False) -> Generator[SSAValue]:
        """A serial loop over [first, last); gives its index."""
        block = Block(arg_types=[IndexType()])
        loop = self.add(scf.ForOp(first, last, self.index(1), [], Region(block)))
        if unroll:
            loop.attributes[UNROLL] = UnitAttr()
        with self.inside(block):
            yield block.args[0]
            self.add(scf.YieldOp())

    @contextmanager
    def unrolled(self, *extents: int) -> Generator[tuple[SSAValue, ...]]:
        """Unrolled loops, the last extent's innermost; gives their indices."""
        with ExitStack() as loops:
            first = self.index(0)
            yield tuple(loops.enter_context(self.loop(first, self.index(extent), unroll=True)) for extent in extents)

    def loop_carrying(
        self,
        extent: SSAValue,
        start: Sequence[SSAValue],
        step: Callable[[SSAValue, Sequence[SSAValue]], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """A serial loop over [0, extent) whose `step` takes the index and the values carried and gives the next."""
        block = Block(arg_types=[IndexType(), *(value.type for value in start)])
        loop = self.add(scf.ForOp(self.index(0), extent, self.index(1), list(start), Region(block)))
        with self.inside(block):
            self.add(scf.YieldOp(*step(block.args[0], block.args[1:])))
        return loop.results

    @contextmanager
    def when(self, condition: SSAValue) -> Generator[None]:
        block = Block()
        self.add(scf.IfOp(condition, [], Region(block)))
        with self.inside(block):
            yield
            self.add(scf.YieldOp())

    def either(self, condition: SSAValue, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """One of two things to do."""
        blocks = (Block(), Block())
        self.add(scf.IfOp(condition, [], Region(blocks[0]), Region(blocks[1])))
        for block, act in zip(blocks, (then, otherwise), strict=True):
            with self.inside(block):
                act()
                self.add(scf.YieldOp())

    def choose(
        self, condition: SSAValue, then: Callable[[], SSAValue], otherwise: Callable[[], SSAValue], kind: Attribute
    ) -> SSAValue:
        """One of two values, of which only the chosen one is computed."""
        blocks = (Block(), Block())
        choice = self.add(scf.IfOp(condition, [kind], Region(blocks[0]), Region(blocks[1])))
        for block, value in zip(blocks, (then, otherwise), strict=True):
            with self.inside(block):
                self.add(scf.YieldOp(value()))
        return choice.results[0]

    def warp_reduce(
        self, combiner: Combiner, extent: SSAValue, kind: Attribute, value: Callable[[SSAValue], SSAValue]
    ) -> SSAValue:
        reduction = self.add(WarpReduceOp(combiner, extent, kind))
        with self.inside(reduction.body.block):
            self.add(YieldOp(value(reduction.index)))
        return reduction.result


def neutral_element(combiner: Combiner, kind: Attribute) -> FloatAttr | IntegerAttr:
    """The start value of a combiner for an element type; raises ValueError where there is none."""
    if isinstance(kind, AnyFloat):
        floats = {
            Combiner.ADD: 0.0,
            Combiner.MULTIPLY: 1.0,
            Combiner.MAXIMUM: float("-inf"),
            Combiner.MINIMUM: float("inf"),
        }
        return FloatAttr(floats[combiner], kind)
    if isa(kind, IntegerType):
        low, high = (0, 1) if kind.width.data == 1 else (-(2 ** (kind.width.data - 1)), 2 ** (kind.width.data - 1) - 1)
        integers = {
            Combiner.ADD: 0,
            Combiner.MULTIPLY: 1,
            Combiner.MAXIMUM: low,
            Combiner.MINIMUM: high,
            Combiner.UNSIGNED_MAXIMUM: 0,
            Combiner.UNSIGNED_MINIMUM: -1,  # All bits are set.
        }
        return IntegerAttr(integers[combiner], kind)
    raise ValueError(f"no reduction over {kind}")
