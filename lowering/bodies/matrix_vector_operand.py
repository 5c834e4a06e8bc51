"""Copies of the vectors of a matrix-vector product into shared memory."""

from collections.abc import Sequence
from math import prod
from typing import cast

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.block import BarrierOp, CommitCopiesOp, CopyAsyncOp, Level, WaitCopiesOp
from rammer_ir.dialects.rtask import MatrixVectorAttr
from rammer_ir.indexing.linear import LinearForm, linear_form
from rammer_ir.indexing.simplify import linearize
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.generic_code import GenericCode
from rammer_ir.lowering.bodies.kernel_view import KernelView
from rammer_ir.lowering.bodies.matrix_vector_shape import MatrixVectorShape
from rammer_ir.tiling.matrix_vector_tiles import PIECE


class VectorStaging:
    """
    Writes the copies of a panel of X: `panel_rows` elements of every vector, zero beyond K.

    Where K lies in X in one piece, `PIECE` elements are copied at once if they are aligned. Elsewhere each element's
    place is computed.
    """

    def __init__(
        self,
        view: KernelView,
        roles: MatrixVectorAttr,
        builder: BodyBuilder,
        shape: MatrixVectorShape,
        code: GenericCode,
    ) -> None:
        self.view = view
        self.roles = roles
        self.builder = builder
        self.shape = shape
        self.code = code
        self.generic = view.generics[0]
        self.terms = prod(self.generic.bounds[dim] for dim in roles.k)
        number = view.read_number(self.generic.inputs[roles.x])
        assert number is not None, "a matrix-vector product reads operands of its kernel"
        self.x = builder.operand(number)
        self.piece = self._piece()
        self.panel_rows = builder.parameter(shape.panel_rows)
        self.extents_m = [builder.parameter(self.generic.bounds[dim]) for dim in roles.m[1:]]
        self.extents_k = [builder.parameter(self.generic.bounds[dim]) for dim in roles.k[1:]] if not self.piece else []
        self.end = builder.parameter(self.terms)

    def write(self, staged: SSAValue, first: SSAValue) -> None:
        """Copies the panel that begins at row `first` of K, and has all threads wait for it."""
        write = self.builder.write
        width = self.piece or 1
        copies = self.builder.parameter(self.shape.panel_rows // width)
        with write.loop(write.index(0), write.index(self.shape.vectors)) as vector:
            loops = self._loops_of_vector(vector)
            target = write.times(vector, self.panel_rows)
            start = self._start(loops) if self.piece else None
            with write.parallel(Level.THREAD, copies) as copy:
                row = write.times(copy, write.index(width))
                k = write.plus(first, row)
                if start is not None:
                    address, inside = write.plus(start, k), [write.less(k, self.end)]
                else:
                    address, inside = self._place(loops, k)
                place = [write.plus(target, row)]
                write.add(CopyAsyncOp(width, self.x, [address], staged, place, write.all_of(inside)))
        write.add(CommitCopiesOp())
        write.add(WaitCopiesOp(0))
        write.add(BarrierOp())

    @property
    def _linear(self) -> AffineExpr:
        """The address in X."""
        return linearize(self._map, self._extents, *self.view.ranges(self.generic)).results[0]

    @property
    def _map(self):
        return self.generic.input_maps[self.roles.x].data

    @property
    def _extents(self) -> Sequence[int]:
        return cast("TensorType[Attribute]", self.generic.inputs[self.roles.x].type).get_shape()

    def _piece(self) -> int:
        """Elements that are copied at once, or 0 where K does not lie in X in one piece."""
        form = linear_form(self._linear)
        if form is None or self.code.unsure_dimensions(self.generic, self._map, self.generic.inputs[self.roles.x].type):
            return 0
        stride = 1
        for dim in reversed(self.roles.k):
            if self.generic.bounds[dim] > 1 and form.dims.get(dim, 0) != stride:
                return 0
            stride *= self.generic.bounds[dim]
        return PIECE if self._is_aligned(form) else 1

    def _is_aligned(self, form: LinearForm) -> bool:
        steps = [step for dim, step in form.dims.items() if dim not in self.roles.k]
        return all(step % PIECE == 0 for step in (self.terms, form.constant, *steps, *form.symbols.values()))

    def _loops_of_vector(self, vector: SSAValue) -> list[SSAValue]:
        write = self.builder.write
        loops: list[SSAValue] = [write.index(0)] * len(self.generic.bounds)
        extents = [write.index(0), *self.extents_m][: len(self.roles.m)]
        for dim, index in zip(self.roles.m, write.decode(vector, extents), strict=True):
            loops[dim] = index
        return loops

    def _start(self, loops: Sequence[SSAValue]) -> SSAValue:
        """The address of a vector's first element."""
        zeros = {dim: AffineExpr.constant(0) for dim in self.roles.k}
        dims = [zeros.get(dim, AffineExpr.dimension(dim)) for dim in range(len(self.generic.bounds))]
        symbols = [AffineExpr.symbol(position) for position in range(self._map.num_symbols)]
        start = self._linear.replace_dims_and_symbols(dims, symbols)
        return self.builder.index(start, loops, self.code.symbols, self.view.ranges(self.generic))

    def _place(self, loops: Sequence[SSAValue], k: SSAValue) -> tuple[SSAValue, list[SSAValue]]:
        """The address of an element, and the conditions for it to be one of X."""
        write = self.builder.write
        dims = list(loops)
        for dim, index in zip(self.roles.k, write.decode(k, [write.index(0), *self.extents_k]), strict=True):
            dims[dim] = index
        kind = self.generic.inputs[self.roles.x].type
        inside = [write.less(k, self.end), *self.code.in_range(self.generic, self._map, kind, dims)]
        return self.code.address(self.generic, self._map, kind, dims), inside
