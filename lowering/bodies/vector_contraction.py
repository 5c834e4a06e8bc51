"""The body of a contraction for one core: see `convert-contraction-to-vectors` for its plan."""

from collections.abc import Sequence
from math import prod
from typing import cast

from xdsl.dialects import vector
from xdsl.dialects.builtin import FloatAttr, TensorType, VectorType, f32
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.block import BodyOp, MemorySpace
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.indexing.simplify import linearize
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.generic_code import GenericCode
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.row_staging import RowStaging
from rammer_ir.lowering.bodies.vector_epilogue import write_results
from rammer_ir.lowering.bodies.vector_panel import VectorPanel


class VectorContraction:
    """Writes the body of one contraction kernel. Its operands: tensors read, the table of taps, tensors written."""

    def __init__(self, view: KernelView, roles: ContractionAttr, panel: VectorPanel, builder: BodyBuilder) -> None:
        self.view = view
        self.roles = roles
        self.panel = panel
        self.builder = builder
        self.generic = view.generics[0]
        block_m, self.block_n, self.block_k = view.tiling.block
        self.block_m = -(-block_m // panel.rows) * panel.rows
        symbols = [*builder.coordinates(view.kernel.grid), *([builder.iteration] * view.kernel.loops)]
        self.code = GenericCode(view, builder, symbols)

    def build(self) -> BodyOp:
        write = self.builder.write
        sums = write.allocate([self.block_m, self.block_n], f32, MemorySpace.SHARED)
        staged = write.allocate([self.panel.rows, self.block_k], f32, MemorySpace.SHARED)
        self._clear(sums)
        rows = RowStaging(self.view, self.roles, self.code, self.block_m, self.block_k)
        rows.describe()
        chunks = self.builder.parameter(self.roles.chunks)
        tile_m = prod(self.generic.bounds[dim] for dim in self.roles.m)
        panels = self.builder.parameter(-(-tile_m // self.panel.rows))
        weights = self.builder.operand(self._operand(self.roles.w))
        first = self.builder.index(self._first_chunk(), [], self.code.symbols, ([], self.view.symbol_ranges))
        with write.loop(write.index(0), chunks) as chunk:
            address = write.plus(first, write.times(chunk, write.index(self.block_k * self.block_n)))
            terms = rows.start_chunk(chunk)
            with write.loop(write.index(0), panels) as panel:
                row = write.times(panel, write.index(self.panel.rows))
                with write.loop(write.index(0), write.index(self.panel.rows)) as number:
                    rows.stage(write.plus(row, number), [number], staged, terms)
                for column in range(0, self.block_n, self.panel.columns):
                    self._multiply(staged, weights, address, terms, sums, row, column)
        write_results(self.code, self.roles, sums)
        return self.builder.finish("contraction")

    def _operand(self, position: int) -> int:
        number = self.view.read_number(self.generic.inputs[position])
        assert number is not None, "a contraction reads operands of its kernel"
        return number

    def _clear(self, sums: SSAValue) -> None:
        write = self.builder.write
        kind = VectorType(f32, [self.panel.width])
        zero = write.add(vector.BroadcastOp(write.constant(FloatAttr(0.0, f32)), kind)).vector
        with write.loop(write.index(0), write.index(self.block_m)) as row:
            for column in range(0, self.block_n, self.panel.width):
                write.add(vector.StoreOp(zero, sums, [row, write.index(column)]))

    def _multiply(
        self,
        staged: SSAValue,
        weights: SSAValue,
        address: SSAValue,
        terms: SSAValue,
        sums: SSAValue,
        row: SSAValue,
        column: int,
    ) -> None:
        """Adds the products of a chunk to the sums of a panel, which are in registers meanwhile."""
        write = self.builder.write
        width = self.panel.width
        kind = VectorType(f32, [width])
        rows = [write.plus(row, write.index(line)) for line in range(self.panel.rows)]
        columns = [write.index(column + at * width) for at in range(self.panel.vectors)]
        places = [[line, at] for line in rows for at in columns]
        start = [write.add(vector.LoadOp(sums, place, kind)).result for place in places]

        def step(term: SSAValue, before: Sequence[SSAValue]) -> list[SSAValue]:
            at_term = write.plus(address, write.times(term, write.index(self.block_n)))
            factors = [write.add(vector.LoadOp(weights, [write.plus(at_term, at)], kind)).result for at in columns]
            after: list[SSAValue] = []
            for line in range(self.panel.rows):
                element = write.load(staged, write.index(line), term)
                spread = write.add(vector.BroadcastOp(element, kind)).vector
                for factor in factors:
                    after.append(write.add(vector.FMAOp(spread, factor, before[len(after)])).res)
            return after

        for place, total in zip(places, write.loop_carrying(terms, start, step), strict=True):
            write.add(vector.StoreOp(total, sums, place))

    def _first_chunk(self) -> AffineExpr:
        """The address of the task's first chunk of W: that of its loops' start."""
        w_map = self.generic.input_maps[self.roles.w].data
        shape = cast("TensorType[Attribute]", self.generic.inputs[self.roles.w].type).get_shape()
        linear = linearize(w_map, shape, *self.view.ranges(self.generic)).results[0]
        zeros = [AffineExpr.constant(0)] * len(self.generic.bounds)
        symbols = [AffineExpr.symbol(position) for position in range(w_map.num_symbols)]
        return linear.replace_dims_and_symbols(zeros, symbols)
