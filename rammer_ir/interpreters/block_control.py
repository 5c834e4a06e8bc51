"""Control flow of bodies in block form: parallel and serial loops, conditions, reductions by warps."""

from typing import Any, cast

import numpy as np
from xdsl.dialects import scf

from rammer_ir.dialects import block
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block_code import Code, Compiler, Makers, Step
from rammer_ir.interpreters.block_lanes import WARP_LANES, Lanes, reduction_lanes, thread_lanes, warp_lanes
from rammer_ir.interpreters.block_state import BlockState
from rammer_ir.interpreters.element_types import dtype_of
from rammer_ir.interpreters.reductions import narrowed, reduce_axes


def _parallel(compiler: Compiler, op: block.ParallelOp) -> Step:
    extent, code = compiler.slot(op.extent), compiler.code(op.body.block)
    make = warp_lanes if op.level is block.Level.WARP else thread_lanes

    def run(state: BlockState) -> None:
        iterations = int(state.values[extent])
        if iterations > 0:
            with state.using(make(iterations, state.threads)):
                code.run(state, (np.arange(iterations),))

    return run


def _steps(compiler: Compiler, op: block.StepsOp) -> Step:
    body = op.parent_op()
    assert isinstance(body, block.BodyOp)
    loop, code = compiler.slot(body.compute.block.args[1]), compiler.code(op.body.block)

    def run(state: BlockState) -> None:
        first = state.values[loop]
        for step in range(first, first + state.steps):
            code.run(state, (step, first + state.steps))

    return run


def _for(compiler: Compiler, op: scf.ForOp) -> Step:
    bounds, starts = compiler.slots_of((op.lb, op.ub, op.step)), compiler.slots_of(op.iter_args)
    code, results = compiler.code(op.body.block), compiler.slots_of(op.results)

    def run(state: BlockState) -> None:
        first, last, step = (state.get(slot) for slot in bounds)
        carried = [state.values[slot] for slot in starts]
        if all(isinstance(bound, int) for bound in (first, last, step)):
            for index in range(first, last, step):
                carried = code.run(state, (index, *carried))
        else:
            carried = _run_for_each_lane(state, code, (first, last, step), carried)
        for slot, value in zip(results, carried, strict=True):
            state.values[slot] = value

    return run


def _run_for_each_lane(state: BlockState, code: Code, bounds: tuple[Any, Any, Any], carried: list[Any]) -> list[Any]:
    """A loop whose bounds differ by lane: as long as one is left, the others take no part."""
    index, last, step = bounds
    lanes = state.lanes.where(index < last)
    while not lanes.is_idle:
        with state.using(lanes):
            after = code.run(state, (index, *carried))
        carried = [_chosen(lanes, lanes.active, new, old) for new, old in zip(after, carried, strict=True)]
        index = index + step
        lanes = lanes.where(index < last)
    return carried


def _chosen(lanes: Lanes, condition: Any, yes: Any, no: Any) -> Any:
    if condition is None:
        return yes
    return cast("Any", np.where(condition, lanes.aligned(yes), lanes.aligned(no)))


def _if(compiler: Compiler, op: scf.IfOp) -> Step:
    condition, results = compiler.slot(op.cond), compiler.slots_of(op.results)
    branches = [
        Code((), (), ()) if region.first_block is None else compiler.code(region.block)
        for region in (op.true_region, op.false_region)
    ]

    def run(state: BlockState) -> None:
        holds = state.get(condition)
        if isinstance(holds, bool):
            found = branches[0 if holds else 1].run(state, ())
        else:
            found = _run_both(state, branches, holds)
        for slot, value in zip(results, found, strict=True):
            state.values[slot] = value

    return run


def _run_both(state: BlockState, branches: list[Code], holds: Any) -> list[Any]:
    """The branches that some lanes take, each for those lanes; the values that each lane gets from its own."""
    found: list[list[Any] | None] = []
    for code, condition in zip(branches, (holds, ~holds), strict=True):
        lanes = state.lanes.where(condition)
        with state.using(lanes):
            found.append(None if lanes.is_idle else code.run(state, ()))
    then, otherwise = found
    if then is None or otherwise is None:
        taken = then if otherwise is None else otherwise
        if taken is None:
            raise RammerError("a condition is evaluated where no thread is at work")
        return taken
    return [_chosen(state.lanes, holds, yes, no) for yes, no in zip(then, otherwise, strict=True)]


def _barrier(compiler: Compiler, op: block.BarrierOp) -> Step:
    def run(state: BlockState) -> None:
        state.epoch += 1

    return run


def _warp_reduce(compiler: Compiler, op: block.WarpReduceOp) -> Step:
    extent, code, result = compiler.slot(op.extent), compiler.code(op.body.block), compiler.slot(op.result)
    combiner, dtype = op.combiner, dtype_of(op.result.type)

    def run(state: BlockState) -> None:
        extents = np.asarray(state.get(extent))
        most = max(int(extents.max()), 1)
        indices = np.arange(most)[np.newaxis]
        lanes = reduction_lanes(state.lanes, most)
        lanes = lanes.where(indices < (extents if extents.ndim == 0 else extents[:, np.newaxis]))
        with state.using(lanes):
            (values,) = code.run(state, (indices,))
        whole = np.broadcast_to(lanes.aligned(values), lanes.shape)
        reduced = reduce_axes(whole, lanes.shape, (1,), combiner, where=lanes.active)
        state.values[result] = narrowed(reduced.reshape(state.lanes.shape), dtype)

    return run


def _lane_reduce(compiler: Compiler, op: block.LaneReduceOp) -> Step:
    value, result = compiler.slot(op.value), compiler.slot(op.result)
    combiner, dtype, lanes, step = op.combiner, dtype_of(op.result.type), op.lanes, op.step

    def run(state: BlockState) -> None:
        (iterations,) = state.lanes.shape
        if iterations % WARP_LANES:
            raise RammerError(f"lanes combine values in a loop of {iterations} iterations, no multiple of {WARP_LANES}")
        shape = (iterations // (lanes * step), lanes, step)
        values = np.broadcast_to(state.get(value), (iterations,)).reshape(shape)
        reduced = narrowed(reduce_axes(values, shape, (1,), combiner), dtype)
        state.values[result] = np.broadcast_to(reduced, shape).reshape(iterations)

    return run


CONTROL: Makers = {
    block.ParallelOp: _parallel,
    block.WarpReduceOp: _warp_reduce,
    block.LaneReduceOp: _lane_reduce,
    block.BarrierOp: _barrier,
    block.StepsOp: _steps,
    scf.ForOp: _for,
    scf.IfOp: _if,
}
