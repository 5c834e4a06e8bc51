"""The sums of products in a body of a recurrence: weights that stay, vectors staged, partial sums of threads."""

from collections.abc import Sequence
from itertools import product as combinations

from xdsl.dialects import math
from xdsl.dialects.builtin import FloatAttr, f32
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.block import CopyOp, LaneReduceOp, Level, MemorySpace
from rammer_ir.dialects.rop import Combiner, GenericOp
from rammer_ir.indexing.simplify import linearize
from rammer_ir.lowering.bodies.generic_code import GenericCode
from rammer_ir.lowering.bodies.recurrence_units import UnitLoops
from rammer_ir.tiling.recurrence import Product
from rammer_ir.tiling.recurrence_plan import PIECE, gates_of, rounds_of


class ProductCode:
    """
    Writes the code of one product of a step.

    A thread has weights [gates, rounds, piece], unless they are pinned, and sums [vectors, gates], its own or those of
    another product that its terms are added to. Vectors are staged in one of two places by the parity of the step; each
    has a row of `width` for each vector, a multiple of what all lanes take at once.
    """

    def __init__(self, units: UnitLoops, product: Product, added_to: "ProductCode | None") -> None:
        self.units = units
        self.write = units.builder.write
        self.product = product
        self.added_to = added_to
        self.gates = gates_of(product)
        self.length = product.generic.bounds[product.k]
        self.rounds = rounds_of(self.length, units.lanes)
        self.width = self.rounds * PIECE * units.lanes
        self.number = units.view.read_number(product.generic.inputs[product.w])
        is_pinned = self.number is not None and units.view.spaces[self.number] is MemorySpace.PINNED
        write, vectors = self.write, units.step.vectors
        self.weights = None if is_pinned else write.allocate([self.gates, self.rounds, PIECE], f32, MemorySpace.THREAD)
        own = added_to is None
        self.sums = write.allocate([vectors, self.gates], f32, MemorySpace.THREAD) if own else added_to.sums
        self.staged = write.allocate([2 * vectors * self.width], f32, MemorySpace.SHARED)

    @property
    def generic(self) -> GenericOp:
        return self.product.generic

    def prepare(self, code: GenericCode) -> None:
        """What is done once: weights are loaded, and there are zeros behind the vectors."""
        if self.weights is not None:
            self._load_weights(self.weights, code)
        self._clear_rest()

    def _load_weights(self, weights: SSAValue, code: GenericCode) -> None:
        """Each thread's weights; zeros beyond the end of a row, and for units that do not exist."""
        write, product = self.write, self.product
        extents = [write.index(self.generic.bounds[dim]) for dim in product.gates]
        length = write.index(self.length)
        with self.units.threads() as thread:
            unit, lane = self.units.place(thread)
            exists = self.units.exists(code, unit)
            base = self.units.dims(self.generic, unit)
            with write.loop(write.index(0), write.index(self.gates), unroll=True) as gate:
                for dim, index in zip(product.gates, write.decode(gate, extents), strict=True):
                    base[dim] = index
                with write.loop(write.index(0), write.index(self.rounds), unroll=True) as number:
                    first = self._first(number, lane)
                    with write.loop(write.index(0), write.index(PIECE), unroll=True) as place:
                        base[product.k] = k = write.plus(first, place)
                        value = write.choose(
                            write.all_of([*exists, write.less(k, length)]),
                            lambda: code.read(self.generic, product.w, base),
                            lambda: write.constant(FloatAttr(0.0, f32)),
                            f32,
                        )
                        write.store(value, weights, gate, number, place)

    def _first(self, number: SSAValue, lane: SSAValue) -> SSAValue:
        """Where a lane's piece of a round begins."""
        write = self.write
        return write.times(write.plus(write.times(number, write.index(self.units.lanes)), lane), write.index(PIECE))

    def _clear_rest(self) -> None:
        """Zeros behind the vectors: what is multiplied with no weights must be a number."""
        write, rest = self.write, self.width - self.length
        if rest:
            with write.parallel(Level.THREAD, write.index(2 * self.units.step.vectors * rest)) as i:
                row, place = write.divide(i, write.index(rest)), write.modulo(i, write.index(rest))
                place = write.plus(write.times(row, write.index(self.width)), write.index(self.length), place)
                write.store(write.constant(FloatAttr(0.0, f32)), self.staged, place)

    def _row(self, step: SSAValue, vector: int) -> SSAValue:
        """Where a vector is staged in a step."""
        write, vectors = self.write, self.units.step.vectors
        half = write.times(write.modulo(step, write.index(2)), write.index(vectors * self.width))
        return write.plus(half, write.index(vector * self.width))

    def stage(self, code: GenericCode, step: SSAValue) -> None:
        """Threads wait for the elements of the vectors, each for its own, and put them where all can read them."""
        write = self.write
        for number, vector in enumerate(self.units.vectors()):
            with write.parallel(Level.THREAD, write.index(self.length)) as k:
                dims = self.units.dims(self.generic, write.index(0), vector)
                dims[self.product.k] = k
                value = code.read(self.generic, self.product.x, dims)
                write.store(value, self.staged, write.plus(self._row(step, number), k))

    def multiply(self, step: SSAValue) -> None:
        """Each thread's part of the sums."""
        write = self.write
        with self.units.threads() as thread:
            unit, lane = self.units.place(thread)
            x = write.allocate([PIECE], f32, MemorySpace.THREAD)
            read = None if self.weights is not None else write.allocate([self.gates, PIECE], f32, MemorySpace.THREAD)
            for vector in range(self.units.step.vectors):
                if self.added_to is None:
                    self._clear_sums(vector)
                row = self._row(step, vector)
                with write.loop(write.index(0), write.index(self.rounds), unroll=True) as number:
                    first = self._first(number, lane)
                    if read is not None:
                        self._read_pinned(read, unit, first)
                    write.add(CopyOp(PIECE, self.staged, [write.plus(row, first)], x, [write.index(0)]))
                    for rest, gate in combinations(range(PIECE), range(self.gates)):
                        self._add_term(x, read, (vector, gate), number, rest)

    def _clear_sums(self, vector: int) -> None:
        zero = self.write.constant(FloatAttr(0.0, f32))
        for gate in range(self.gates):
            self.write.store(zero, self.sums, self.write.index(vector), self.write.index(gate))

    def _add_term(
        self, x: SSAValue, read: SSAValue | None, result: tuple[int, int], number: SSAValue, rest: int
    ) -> None:
        write, place = self.write, self.write.index(rest)
        gate = write.index(result[1])
        if self.weights is not None:
            weight = write.load(self.weights, gate, number, place)
        else:
            assert read is not None
            weight = write.load(read, gate, place)
        indices = (write.index(result[0]), gate)
        total = write.add(math.FmaOp(write.load(x, place), weight, write.load(self.sums, *indices))).result
        write.store(total, self.sums, *indices)

    def _read_pinned(self, read: SSAValue, unit: SSAValue, k: SSAValue) -> None:
        """A piece of the pinned weights for each gate: they lie as their box does."""
        write, view, product = self.write, self.units.view, self.product
        assert self.number is not None
        read_map = self.generic.input_maps[product.w].data
        zeros = [AffineExpr.constant(0)] * read_map.num_symbols
        loops = [AffineExpr.dimension(dim) for dim in range(read_map.num_dims)]
        in_box = read_map.replace_dims_and_symbols(loops, zeros, read_map.num_dims, 0)
        ranges = view.ranges(self.generic)[0]
        address = linearize(in_box, view.kernel.reads.data[self.number].sizes, ranges).results[0]
        dims = self.units.dims(self.generic, unit)
        dims[product.k] = k
        for gate, indices in enumerate(combinations(*(range(self.generic.bounds[dim]) for dim in product.gates))):
            for dim, index in zip(product.gates, indices, strict=True):
                dims[dim] = write.index(index)
            at = self.units.builder.index(address, dims, [], (ranges, []))
            place = [write.index(gate), write.index(0)]
            write.add(CopyOp(PIECE, self.units.builder.operand(self.number), [at], read, place))

    def totals(self) -> list[Sequence[SSAValue]]:
        """The sums of all lanes of a unit, for each vector and gate; zeros where they are another product's."""
        write, vectors = self.write, range(self.units.step.vectors)
        if self.added_to is not None:
            return [[write.constant(FloatAttr(0.0, f32))] * self.gates for _ in vectors]
        sums = [
            [write.load(self.sums, write.index(vector), write.index(gate)) for gate in range(self.gates)]
            for vector in vectors
        ]
        if self.units.lanes == 1:
            return [*sums]
        lanes = self.units.lanes
        return [[write.add(LaneReduceOp(Combiner.ADD, value, lanes)).result for value in row] for row in sums]
