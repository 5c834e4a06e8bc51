"""Bodies in block form to the `cuda` dialect: parallel loops are spread over the threads of the compute role."""

from collections.abc import Sequence

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, Region
from xdsl.pattern_rewriter import PatternRewriter
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects import block, cuda
from rammer_ir.dialects.block import Level, MemorySpace, ParallelOp, memory_space, memref_type
from rammer_ir.locations import location_of, rewriter_at, set_location
from rammer_ir.lowering.element_types import element_bytes
from rammer_ir.lowering.from_block.copies import copy_one_by_one, neighbours
from rammer_ir.lowering.from_block.cuda_loops import lower_lane_reduction, lower_thread_loop, lower_warp_loop
from rammer_ir.lowering.from_block.cuda_roles import Roles
from rammer_ir.lowering.from_block.functions import replace_bodies
from rammer_ir.lowering.from_block.structure import IN_ORDER_ATTRIBUTE, SERVICE_SUFFIX, check_body, check_converted
from rammer_ir.lowering.scratch import place_scratch
from rammer_ir.pass_api import Pass

_WIDEST_COPY = 16
"""Bytes of the widest load or store."""


class ConvertBlockToCuda(Pass):
    """
    Every `block.body` becomes a `cuda.func`, and its service region another.

    Shared arrays get offsets in scratch memory; loops over threads and warps stride over those of the role; at warp
    level one lane stores; reductions by a warp end in shuffles in a fixed order. The ring's ops stay.
    """

    name = "convert-block-to-cuda"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        replace_bodies(op, functions)


def functions(body: block.BodyOp) -> Sequence[cuda.FuncOp]:
    """
    The device functions of a body, whose regions they take over: the compute role's, then the service role's if any.

    Raises CompileError for what has no form on a CUDA device.
    """
    check_body(body)
    scratch = place_scratch(body)
    _lower_loops(body)
    for op in [op for op in body.walk() if op is not body]:
        _lower(op)
    name = body.sym_name.data
    result = [cuda.FuncOp(name, body.threads, scratch, _taken(body.compute))]
    if body.service is not None:
        result.append(cuda.FuncOp(name + SERVICE_SUFFIX, body.threads, 0, _taken(body.service), service=True))
    if IN_ORDER_ATTRIBUTE in body.attributes:
        result[0].attributes[IN_ORDER_ATTRIBUTE] = body.attributes[IN_ORDER_ATTRIBUTE]
    for function in result:
        set_location(function, location_of(body))
    check_converted(result, "cuda")
    return result


def _taken(region: Region) -> Region:
    return Rewriter.move_region_contents_to_new_regions(region)


def _lower_loops(body: block.BodyOp) -> None:
    roles = Roles(body)
    for op in [op for op in body.compute.walk() if isinstance(op, ParallelOp)]:
        if op.level is Level.WARP:
            lower_warp_loop(op, roles)
        else:
            lower_thread_loop(op, roles)


def _lower(op: Operation) -> None:
    """Replace one op that has a counterpart."""
    rewriter = rewriter_at(op)
    match op:
        case block.BarrierOp():
            rewriter.replace(op, cuda.BarrierOp())
        case block.LaneReduceOp():
            lower_lane_reduction(op)
        case block.RoundTf32Op():
            rewriter.replace(op, cuda.RoundTf32Op(op.value))
        case block.MmaOp():
            rewriter.replace(op, cuda.MmaOp(op.factors, op.x, op.w, op.sums))
        case block.CommitCopiesOp():
            rewriter.replace(op, cuda.CommitCopiesOp())
        case block.WaitCopiesOp():
            rewriter.replace(op, cuda.WaitCopiesOp(op.pending))
        case block.CopyAsyncOp():
            places = (op.source, op.source_indices, op.target, op.target_indices)
            rewriter.replace(op, cuda.CopyAsyncOp(op.elements, *places, op.predicate))
        case block.CopyOp():
            _lower_copy(op, rewriter)
        case block.YieldOp() if isinstance(op.parent_op(), block.BodyOp):
            rewriter.replace(op, cuda.ReturnOp())
        case _:
            pass


def _lower_copy(op: block.CopyOp, rewriter: PatternRewriter) -> None:
    """A copy in pieces of at most 16 bytes; words one by one."""
    rewriter.insertion_point = InsertPoint.before(op)
    places = (op.source, op.source_indices, op.target, op.target_indices)
    if op.elements == 1 or MemorySpace.WORDS in (memory_space(op.source), memory_space(op.target)):
        copy_one_by_one(rewriter, op.elements, *places)
    else:
        source_type = memref_type(op.source)
        piece = min(op.elements, _WIDEST_COPY // element_bytes(source_type.element_type))
        sources = neighbours(rewriter, op.source_indices, op.elements, piece)
        targets = neighbours(rewriter, op.target_indices, op.elements, piece)
        for source, target in zip(sources, targets, strict=True):
            rewriter.insert(cuda.CopyOp(piece, op.source, source, op.target, target))
    rewriter.erase(op)
