"""The end of a contraction for one core: the element-wise rest is applied to the sums, and results are written."""

from collections.abc import Sequence
from typing import cast

from xdsl.ir import OpResult, SSAValue
from xdsl.ir.affine import AffineDimExpr

from rammer_ir.dialects.block import Level
from rammer_ir.dialects.rop import GenericOp
from rammer_ir.dialects.rtask import ContractionAttr
from rammer_ir.indexing.linear import linear_form
from rammer_ir.indexing.simplify import linearize
from rammer_ir.lowering.bodies.generic_code import GenericCode, Reader
from rammer_ir.lowering.bodies.loop_nest import LoopNest, Point


def write_results(code: GenericCode, roles: ContractionAttr, sums: SSAValue) -> None:
    """Writes the results of a contraction kernel, whose sums lie in an array of M x N."""
    view, write = code.view, code.builder.write
    first, root = view.generics[0], view.generics[-1]
    code.local[first.res[0]] = _reader(code, roles, sums)
    for generic in view.generics[1:-1]:
        for result in generic.res:
            code.local[result] = code.evaluate_in_place(cast("OpResult", result))
    nest = LoopNest(code, root, _order(code, root), code.limits(root, root.reduction_dims()), Level.THREAD)

    def element(point: Point) -> None:
        values = [_sum(code, roles, sums, point)] if root is first else code.evaluate(root, point)
        for value, result, map_attr in zip(values, root.res, root.output_maps, strict=True):
            write.store(value, _target(code, result), code.address(root, map_attr.data, result.type, point))

    nest.write([write.index(0)] * len(root.bounds), element)


def _order(code: GenericCode, root: GenericOp) -> list[int]:
    """The loops of the root that are not reduced: those along which results lie far apart outside."""
    reduced = root.reduction_dims()
    kept = [dim for dim, bound in enumerate(root.bounds) if bound > 1 and dim not in reduced]
    shape = root.res[0].type.get_shape()
    form = linear_form(linearize(root.output_maps[0].data, shape, *code.view.ranges(root)).results[0])
    strides = {} if form is None else form.dims
    return sorted(kept, key=lambda dim: -strides.get(dim, 0))


def _reader(code: GenericCode, roles: ContractionAttr, sums: SSAValue) -> Reader:
    """Reads the contraction's result, a tensor that is local to the task, at an index of that tensor."""
    first = code.view.generics[0]
    written = first.output_maps[0].data.results

    def read(indices: Sequence[SSAValue]) -> SSAValue:
        loops: list[SSAValue] = [code.builder.write.index(0)] * len(first.bounds)
        for expression, index in zip(written, indices, strict=True):
            if isinstance(expression, AffineDimExpr):
                loops[expression.position] = index
        return _sum(code, roles, sums, loops)

    return read


def _sum(code: GenericCode, roles: ContractionAttr, sums: SSAValue, loops: Sequence[SSAValue]) -> SSAValue:
    """The sum at an index of the contraction's loops."""
    write, bounds = code.builder.write, code.view.generics[0].bounds
    row = loops[roles.m[0]]
    for dim in roles.m[1:]:
        row = write.plus(write.times(row, code.builder.parameter(bounds[dim])), loops[dim])
    return write.load(sums, row, loops[roles.n])


def _target(code: GenericCode, value: SSAValue) -> SSAValue:
    """The operand that a result of the kernel is written into; the table of taps stands before them."""
    result = cast("OpResult", value)
    root = cast("GenericOp", result.op)
    written = code.view.kernel.written_arguments
    number = next(i for i, argument in enumerate(written) if argument is root.into[result.index])
    return code.builder.operand(len(code.view.kernel.reads) + 1 + number)
