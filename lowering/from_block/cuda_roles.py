"""Indices of threads, warps and lanes in a body, made where they are first needed: at its start."""

from functools import cached_property
from typing import Final

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects import block, cuda
from rammer_ir.locations import builder_at, location_of
from rammer_ir.lowering.from_block.structure import refuse


class Roles:
    """The indices of the compute role of one body, as values at the start of its compute region."""

    def __init__(self, body: block.BodyOp) -> None:
        self.body: Final = body
        self.threads: Final = body.threads

    @property
    def warps(self) -> int:
        """Warps of the compute role; raises CompileError if the last one is not full."""
        if self.threads % cuda.WARP_THREADS != 0:
            refuse(self.body, f"{self.threads} threads do not make whole warps of {cuda.WARP_THREADS}")
        return self.threads // cuda.WARP_THREADS

    @cached_property
    def thread(self) -> SSAValue:
        return self._first(cuda.ThreadIndexOp(), "thread")

    @cached_property
    def warp(self) -> SSAValue:
        return self._first(cuda.WarpIndexOp(), "warp")

    @cached_property
    def lane(self) -> SSAValue:
        return self._first(cuda.LaneIndexOp(), "lane")

    @cached_property
    def is_first_lane(self) -> SSAValue:
        """Whether this thread is the one of its warp that stores."""
        lane = self.lane
        zero = arith.ConstantOp(IntegerAttr(0, IndexType()))
        is_first = arith.CmpiOp(lane, zero, "eq")
        is_first.result.name_hint = "is_first_lane"
        assert isinstance(lane.owner, Operation)
        builder_at(InsertPoint.after(lane.owner), location_of(self.body)).insert([zero, is_first])
        return is_first.result

    def _first(self, op: cuda.ThreadIndexOp | cuda.WarpIndexOp | cuda.LaneIndexOp, name: str) -> SSAValue:
        builder_at(InsertPoint.at_start(self.body.compute.block), location_of(self.body)).insert(op)
        op.result.name_hint = name
        return op.result
