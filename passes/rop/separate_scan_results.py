"""The states that steps of scans hand on are kept apart from the results that others read."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import OpResult, SSAValue, Use
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.rop import GenericOp, ScanOp, YieldOp, tensor_type
from rammer_ir.generics.copies import copy_generic
from rammer_ir.generics.parts import GenericParts, shape_of
from rammer_ir.locations import location_of, rewriter_at, set_location
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.program_form import constant_value


@dataclass(frozen=True)
class SeparateScanResults(Pass):
    """
    A scan whose rows of a state are read by something else than scans writes them twice.

    The step's generic gives the state once more, for a scanned result that all but scans read, its last row too, where
    the length of the scan is known. The rows that remain pass from step to step, and from scan to scan, and nowhere
    else: they may be in a memory that is made for that.
    """

    name = "separate-scan-results"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for scan in [found for found in op.walk() if isinstance(found, ScanOp)]:
            _separate(scan)


def _separate(scan: ScanOp) -> None:
    for position, value in enumerate(_yielded(scan)[: len(scan.carried)]):
        rows = _rows_of(scan, value)
        if rows is None or not isinstance(value, OpResult) or not isinstance(value.op, GenericOp):
            continue
        last = scan.last_values[position]
        others = [use for use in rows.uses if not _is_scanned(use)]
        has_last = bool(last.uses) and constant_value(scan.length) == shape_of(rows)[0]
        if (others or has_last) and not value.op.into and value.op.parent is scan.body.block:
            _write_twice(scan, position, rows, others)
            return


def _yielded(scan: ScanOp) -> Sequence[SSAValue]:
    last = scan.body.block.last_op
    assert isinstance(last, YieldOp)
    return last.values


def _rows_of(scan: ScanOp, value: SSAValue) -> SSAValue | None:
    """The scanned result that has a state's rows, the only one."""
    results = zip(_yielded(scan)[len(scan.carried) :], scan.scanned_results, strict=True)
    rows = [result for yielded, result in results if yielded is value]
    return rows[0] if len(rows) == 1 else None


def _is_scanned(use: Use) -> bool:
    """Whether a scan takes the tensor row by row."""
    op = use.operation
    return isinstance(op, ScanOp) and 1 <= use.index < 1 + len(op.scanned)


def _write_twice(scan: ScanOp, position: int, rows: SSAValue, others: Sequence[Use]) -> None:
    value = _yielded(scan)[position]
    assert isinstance(value, OpResult)
    copied = _given_again(value)
    last = scan.body.block.last_op
    assert isinstance(last, YieldOp)
    rewriter_at(last).replace(last, YieldOp(*last.values, copied))
    new = ScanOp(
        scan.length,
        scan.scanned,
        scan.carried,
        scan.captured,
        [*scan.result_types, rows.type],
        Rewriter.move_region_contents_to_new_regions(scan.body),
        reverse=scan.reverse is not None,
    )
    new.attributes = dict(scan.attributes)
    new.location = scan.location
    Rewriter.insert_op(new, InsertPoint.before(scan))
    for use in others:
        use.operation.operands[use.index] = new.res[-1]
    if constant_value(scan.length) == shape_of(rows)[0]:
        _read_last_row(new, scan.last_values[position], new.res[-1])
    Rewriter.replace_op(scan, [], new.res[:-1])


def _given_again(value: OpResult) -> SSAValue:
    """A further result of the generic that gives a value, equal to it."""
    generic = value.op
    assert isinstance(generic, GenericOp)
    parts = GenericParts.of(generic)
    parts.outputs.append(parts.outputs[value.index])
    last = generic.body.block.last_op
    assert last is not None
    last.operands = [*last.operands, last.operands[value.index]]
    new = parts.build(generic)
    Rewriter.replace_op(generic, new, new.res[:-1])
    return new.res[-1]


def _read_last_row(scan: ScanOp, last: SSAValue, rows: SSAValue) -> None:
    """Has those that read the state after the last step read the last row that was written."""
    if not last.uses:
        return
    shape = shape_of(last)
    row = 0 if scan.reverse is not None else shape_of(rows)[0] - 1
    dims = [AffineExpr.dimension(dim) for dim in range(len(shape))]
    read = AffineMap(len(shape), 0, (AffineExpr.constant(row), *dims))
    copy = copy_generic(shape, rows, read, AffineMap.identity(len(shape)), tensor_type(last))
    set_location(copy, location_of(scan))
    Rewriter.insert_op(copy, InsertPoint.after(scan))
    last.replace_all_uses_with(copy.res[0])
