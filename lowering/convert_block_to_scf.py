"""Bodies in block form to functions with plain loops, as one thread of the host executes them."""

from collections.abc import Sequence
from typing import Final

from xdsl.context import Context
from xdsl.dialects import arith, func, scf
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp, StringAttr, UnitAttr, i64
from xdsl.ir import Block, Operation, Region
from xdsl.pattern_rewriter import PatternRewriter
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects import block
from rammer_ir.locations import builder_at, location_of, rewriter_at, set_location
from rammer_ir.lowering.from_block.combining import combine, neutral_value
from rammer_ir.lowering.from_block.copies import copy_one_by_one, fill_with_zeros
from rammer_ir.lowering.from_block.functions import replace_bodies
from rammer_ir.lowering.from_block.host_arrays import give_each_thread_its_row
from rammer_ir.lowering.from_block.structure import SERVICE_SUFFIX, check_body, check_converted
from rammer_ir.lowering.scratch import place_scratch
from rammer_ir.pass_api import Pass

THREADS_ATTRIBUTE: Final = "block.threads"
"""Attribute of a body's function: threads of the compute role it was written for."""

SCRATCH_ATTRIBUTE: Final = "block.scratch_bytes"
"""Attribute of a body's function: bytes of scratch memory it needs."""

INDEPENDENT_ATTRIBUTE: Final = "block.independent"
"""Attribute of a loop whose iterations do not depend on each other."""


REDUCTION_ATTRIBUTE: Final = "block.reduction"
"""Attribute of a loop that carries one value: the combiner, with which values may be combined in any order."""


class ConvertBlockToScf(Pass):
    """
    Every `block.body` becomes a `func.func`, and its service region another.

    Parallel loops become serial loops, barriers vanish, asynchronous copies become copies; an array that each thread
    has gets a row for each iteration of the loops that share it. The ring's ops stay.
    """

    name = "convert-block-to-scf"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        replace_bodies(op, functions)


def functions(body: block.BodyOp) -> Sequence[func.FuncOp]:
    """
    The functions of a body, whose regions they take over: the compute role's, then the service role's if any.

    Raises CompileError for what means something else when it is serial.
    """
    check_body(body)
    scratch = place_scratch(body)
    for op in [op for op in body.compute.walk() if isinstance(op, block.CopyOp | block.CopyAsyncOp)]:
        _lower_copy(op)
    if body.threads > 1:
        give_each_thread_its_row(body)
    for op in [op for op in body.walk() if op is not body]:
        _lower(op)
    result = [_function(body.sym_name.data, body.compute)]
    result[0].attributes[THREADS_ATTRIBUTE] = IntegerAttr(body.threads, i64)
    result[0].attributes[SCRATCH_ATTRIBUTE] = IntegerAttr(scratch, i64)
    if body.service is not None:
        result.append(_function(body.sym_name.data + SERVICE_SUFFIX, body.service))
    for function in result:
        set_location(function, location_of(body))
    check_converted(result, "scf")
    return result


def _function(name: str, region: Region) -> func.FuncOp:
    arguments = [argument.type for argument in region.block.args]
    return func.FuncOp(name, (arguments, []), Rewriter.move_region_contents_to_new_regions(region))


def _lower_copy(op: block.CopyOp | block.CopyAsyncOp) -> None:
    rewriter = rewriter_at(op)
    rewriter.insertion_point = InsertPoint.before(op)
    places = (op.source, op.source_indices, op.target, op.target_indices)
    predicate = op.predicate if isinstance(op, block.CopyAsyncOp) else None
    if predicate is None:
        copy_one_by_one(rewriter, op.elements, *places)
    else:
        choice = rewriter.insert(scf.IfOp(predicate, [], Region(Block()), Region(Block())))
        copying = builder_at(InsertPoint.at_end(choice.true_region.block), location_of(op))
        copy_one_by_one(copying, op.elements, *places)
        copying.insert(scf.YieldOp())
        filling = builder_at(InsertPoint.at_end(choice.false_region.block), location_of(op))
        fill_with_zeros(filling, op.elements, op.target, op.target_indices)
        filling.insert(scf.YieldOp())
    rewriter.erase(op)


def _lower(op: Operation) -> None:
    """Replace one op that has a serial counterpart, or none because there is nothing to do."""
    rewriter = rewriter_at(op)
    match op:
        case block.ParallelOp():
            _lower_loop(op, rewriter)
        case block.WarpReduceOp():
            _lower_reduction(op, rewriter)
        case block.BarrierOp() | block.CommitCopiesOp() | block.WaitCopiesOp():
            rewriter.erase(op)
        case block.YieldOp() if not isinstance(op.parent_op(), block.StepsOp):
            is_end = isinstance(op.parent_op(), block.BodyOp)
            rewriter.replace(op, func.ReturnOp() if is_end else scf.YieldOp(*op.values))
        case _:
            pass


def _lower_loop(op: block.ParallelOp, rewriter: PatternRewriter) -> None:
    zero, one = (rewriter.insert(arith.ConstantOp(IntegerAttr(value, IndexType()))) for value in (0, 1))
    loop = scf.ForOp(zero, op.extent, one, [], Rewriter.move_region_contents_to_new_regions(op.body))
    loop.attributes.update(op.attributes)
    loop.attributes[INDEPENDENT_ATTRIBUTE] = UnitAttr()
    rewriter.replace(op, loop)


def _lower_reduction(op: block.WarpReduceOp, rewriter: PatternRewriter) -> None:
    zero, one = (rewriter.insert(arith.ConstantOp(IntegerAttr(value, IndexType()))) for value in (0, 1))
    start = rewriter.insert(neutral_value(op.combiner, op.result.type))
    body = op.body.block
    so_far = body.insert_arg(op.result.type, 1)
    so_far.name_hint = "so_far"
    terminator = body.last_op
    assert isinstance(terminator, block.YieldOp)
    combined = combine(op.combiner, so_far, terminator.values[0])
    rewriter.insert(combined, InsertPoint.before(terminator))
    terminator.operands[0] = combined.results[0]
    region = Rewriter.move_region_contents_to_new_regions(op.body)
    loop = scf.ForOp(zero, op.extent, one, [start], region)
    loop.attributes.update(op.attributes)
    loop.attributes[REDUCTION_ATTRIBUTE] = StringAttr(op.combiner.value)
    rewriter.replace(op, loop)
