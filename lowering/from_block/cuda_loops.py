"""Parallel loops on a CUDA device: thread-strided, warp-strided, lane-strided."""

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType, IntegerAttr
from xdsl.ir import Block, Region, SSAValue
from xdsl.pattern_rewriter import PatternRewriter
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects import block, cuda
from rammer_ir.dialects.block import LaneReduceOp, ParallelOp, WarpReduceOp
from rammer_ir.dialects.rop import Combiner
from rammer_ir.locations import rewriter_at
from rammer_ir.lowering.from_block.combining import combine, neutral_value
from rammer_ir.lowering.from_block.cuda_roles import Roles
from rammer_ir.lowering.from_block.cuda_stores import store_once
from rammer_ir.lowering.from_block.structure import constant_index


def lower_thread_loop(op: ParallelOp, roles: Roles) -> None:
    """Each thread takes the iteration of its number, and every so-many-th after it while there are more."""
    _stride(op, roles.thread, roles.threads)


def lower_warp_loop(op: ParallelOp, roles: Roles) -> None:
    """Each warp takes the iteration of its number, and every so-many-th after it; one lane stores."""
    warps = roles.warps
    store_once(op, roles)
    for reduction in [nested for nested in op.body.walk() if isinstance(nested, WarpReduceOp)]:
        _lower_reduction(reduction, roles)
    _stride(op, roles.warp, warps)


def _stride(op: ParallelOp, first: SSAValue, step: int) -> None:
    rewriter = rewriter_at(op)
    rewriter.insertion_point = InsertPoint.before(op)
    _end_with_scf_yield(op.body.block)
    extent = constant_index(op.extent)
    if extent is not None and extent <= step:
        _at_most_once(op, first, rewriter, guarded=extent < step)
        return
    stride = rewriter.insert(arith.ConstantOp(IntegerAttr(step, IndexType())))
    loop = scf.ForOp(first, op.extent, stride, [], Rewriter.move_region_contents_to_new_regions(op.body))
    loop.attributes.update(op.attributes)
    rewriter.replace(op, loop)


def _at_most_once(op: ParallelOp, first: SSAValue, rewriter: PatternRewriter, *, guarded: bool) -> None:
    """Without a loop: no thread has more than one iteration."""
    body = op.body.block
    body.args[0].replace_all_uses_with(first)
    body.erase_arg(body.args[0])
    if guarded:
        inside = rewriter.insert(arith.CmpiOp(first, op.extent, "slt"))
        region = Rewriter.move_region_contents_to_new_regions(op.body)
        rewriter.replace(op, scf.IfOp(inside, [], region))
        return
    terminator = body.last_op
    assert terminator is not None
    rewriter.erase(terminator)
    rewriter.inline_block(body, InsertPoint.before(op))
    rewriter.erase(op)


def _end_with_scf_yield(body: Block) -> None:
    terminator = body.last_op
    assert isinstance(terminator, block.YieldOp)
    rewriter_at(terminator).replace(terminator, scf.YieldOp(*terminator.values))


def _lower_reduction(op: WarpReduceOp, roles: Roles) -> None:
    """Each lane combines every 32nd index from its own on; then lanes combine pairwise, in a fixed order."""
    rewriter = rewriter_at(op)
    rewriter.insertion_point = InsertPoint.before(op)
    start = rewriter.insert(neutral_value(op.combiner, op.result.type))
    stride = rewriter.insert(arith.ConstantOp(IntegerAttr(cuda.WARP_THREADS, IndexType())))
    loop = scf.ForOp(roles.lane, op.extent, stride, [start], _accumulating(op))
    loop.attributes.update(op.attributes)
    value: SSAValue = rewriter.insert(loop).results[0]
    value.name_hint = op.result.name_hint
    rewriter.replace(op, [], [_combine_lanes(rewriter, op.combiner, value, cuda.WARP_THREADS)])


def lower_lane_reduction(op: LaneReduceOp) -> None:
    """Lanes combine pairwise, in a fixed order; an iteration has the lane of its number."""
    rewriter = rewriter_at(op)
    rewriter.insertion_point = InsertPoint.before(op)
    rewriter.replace(op, [], [_combine_lanes(rewriter, op.combiner, op.value, op.lanes, op.step)])


def _combine_lanes(
    rewriter: PatternRewriter, combiner: Combiner, value: SSAValue, lanes: int, step: int = 1
) -> SSAValue:
    name = value.name_hint
    mask = lanes * step // 2
    while mask >= step:
        other = rewriter.insert(cuda.ShuffleOp(value, mask)).result
        other.name_hint = "other"
        value = rewriter.insert(combine(combiner, value, other)).results[0]
        value.name_hint = name
        mask //= 2
    return value


def _accumulating(op: WarpReduceOp) -> Region:
    """The body of a reduction, as that of a loop which carries the combination so far."""
    body = op.body.block
    so_far = body.insert_arg(op.result.type, 1)
    so_far.name_hint = "so_far"
    terminator = body.last_op
    assert isinstance(terminator, block.YieldOp)
    rewriter = rewriter_at(terminator)
    rewriter.insertion_point = InsertPoint.before(terminator)
    combined = rewriter.insert(combine(op.combiner, so_far, terminator.values[0]))
    rewriter.replace(terminator, scf.YieldOp(combined.results[0]))
    return Rewriter.move_region_contents_to_new_regions(op.body)
