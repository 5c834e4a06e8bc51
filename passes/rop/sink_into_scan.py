"""What a scan could compute step by step moves into it."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Attribute, OpResult, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.rop import GenericOp, IndexOp, ScanOp, tensor_type
from rammer_ir.generics.parts import GenericParts, Input, Output, shape_of
from rammer_ir.pass_api import Pass


@dataclass(frozen=True)
class SinkIntoScan(Pass):
    """
    Moves generics into the scan that alone reads their result row by row, where they compute it row by row.

    The importer computes for all steps at once what does not depend on the step before, such as the product of an
    LSTM's inputs with their weights. In the scan, a step is only as late as its own inputs: where scans follow each
    other, steps of one may run beside later steps of the one before. This takes a read of the weights for each step.
    """

    name = "sink-into-scan"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for scan in [found for found in op.walk() if isinstance(found, ScanOp)]:
            current = scan
            while (position := _sinkable(current)) is not None:
                current = _sink(current, position)


def _sinkable(scan: ScanOp) -> int | None:
    """The position of a scanned tensor whose generic can move into the scan."""
    for position, value in enumerate(scan.scanned):
        if isinstance(value, OpResult) and isinstance(value.op, GenericOp) and _row_dim(value.op, scan) is not None:
            return position
    return None


def _row_dim(generic: GenericOp, scan: ScanOp) -> int | None:
    """The loop dimension that counts the rows of a generic's only result, if rows do not need each other."""
    if len(generic.res) != 1 or generic.into or generic.at or generic.parent is not scan.parent:
        return None
    if generic.extracted or any(isinstance(op, IndexOp) for op in generic.body.block.ops):
        return None
    (result,) = generic.res
    row = generic.output_maps[0].data.results[0]
    if len(list(result.uses)) != 1 or not isinstance(row, AffineDimExpr):
        return None
    if generic.bounds[row.position] != shape_of(result)[0]:
        return None
    tensors = zip((*generic.inputs, result), generic.maps.data, strict=True)
    is_by_row = all(_is_by_row(value, map_attr.data, row, shape_of(result)[0]) for value, map_attr in tensors)
    return row.position if is_by_row else None


def _is_by_row(value: SSAValue, affine_map: AffineMap, row: AffineDimExpr, rows: int) -> bool:
    """Whether a tensor is read, or written, at the row, or at the same place for all rows."""
    if not _mentions(affine_map.results, row):
        return True
    first, *rest = affine_map.results
    return first == row and not _mentions(rest, row) and shape_of(value)[0] == rows


def _mentions(expressions: Sequence[AffineExpr], dim: AffineExpr) -> bool:
    return any(part == dim for expression in expressions for part in expression.dfs())


def _sink(scan: ScanOp, position: int) -> ScanOp:
    """The scan with the generic of a scanned tensor in it; it scans and captures what the generic reads."""
    value = scan.scanned[position]
    assert isinstance(value, OpResult)
    generic = value.op
    assert isinstance(generic, GenericOp)
    row = _row_dim(generic, scan)
    assert row is not None
    is_scanned = [_mentions(m.data.results, AffineExpr.dimension(row)) for m in generic.input_maps]
    added = [v for v, by_row in zip(generic.inputs, is_scanned, strict=True) if by_row]
    captured = [v for v, by_row in zip(generic.inputs, is_scanned, strict=True) if not by_row]
    block = scan.body.block
    old = block.args[1 + position]
    slices = [block.insert_arg(_row_type(v), 1 + position + k) for k, v in enumerate(added)]
    kept = [block.insert_arg(v.type, len(block.args)) for v in captured]
    arguments = iter(slices), iter(kept)
    step = _of_one_row(generic, row, [next(arguments[not by_row]) for by_row in is_scanned])
    Rewriter.insert_op(step, InsertPoint.at_start(block))
    old.replace_all_uses_with(step.res[0])
    block.erase_arg(old)
    new = ScanOp(
        scan.length,
        [*scan.scanned[:position], *added, *scan.scanned[position + 1 :]],
        scan.carried,
        [*scan.captured, *captured],
        scan.result_types,
        scan.detach_region(scan.body),
        reverse=scan.reverse is not None,
    )
    new.attributes = dict(scan.attributes)
    new.location = scan.location
    Rewriter.replace_op(scan, new)
    generic.detach()
    generic.erase()
    return new


def _of_one_row(generic: GenericOp, row: int, values: Sequence[SSAValue]) -> GenericOp:
    """The generic for one row of its result, which loses its body; `values` take the place of its inputs."""
    parts = GenericParts.of(generic)
    dims = [AffineExpr.dimension(dim - (dim > row)) for dim in range(len(parts.bounds))]

    def narrowed(affine_map: AffineMap) -> AffineMap:
        by_row = _mentions(affine_map.results, AffineExpr.dimension(row))
        rest = AffineMap(len(dims), 0, affine_map.results[1:] if by_row else affine_map.results)
        return rest.replace_dims_and_symbols(dims, [], len(dims) - 1, 0)

    inputs = [Input(v, narrowed(part.map), part.pad) for v, part in zip(values, parts.inputs, strict=True)]
    (output,) = parts.outputs
    outputs = [Output(_row_type(generic.res[0]), narrowed(output.map), output.combiner, None)]
    bounds = (*parts.bounds[:row], *parts.bounds[row + 1 :])
    return GenericParts(bounds, inputs, outputs, []).build(generic)


def _row_type(value: SSAValue) -> TensorType[Attribute]:
    tensor = tensor_type(value)
    return TensorType(tensor.element_type, tensor.get_shape()[1:])
