"""
The `block` dialect: what the threads of one vEU do together to compute one rTask (block form).

A body is a function of one task. Its level is that of a thread block: shared and per-thread arrays are declared,
thread- and warp-parallel loops stand between role barriers, and no thread index appears. The same body becomes CUDA C,
where parallel loops spread over the threads of the compute role, and C++, where they are serial.
"""

from xdsl.ir import Dialect

from rammer_ir.dialects.block_copies import CommitCopiesOp, CopyAsyncOp, CopyOp, WaitCopiesOp
from rammer_ir.dialects.block_memory import MemorySpace, memory_space, memref_type
from rammer_ir.dialects.block_mma import MmaOp, RoundTf32Op
from rammer_ir.dialects.block_reductions import LaneReduceOp, WarpReduceOp
from rammer_ir.dialects.block_ring import RingPushOp, RingReleaseOp, RingWaitOp
from rammer_ir.dialects.block_structure import BarrierOp, BodyOp, Level, LevelAttr, ParallelOp, StepsOp, YieldOp

BlockForm = Dialect(
    "block",
    [
        BodyOp,
        YieldOp,
        ParallelOp,
        StepsOp,
        WarpReduceOp,
        LaneReduceOp,
        RoundTf32Op,
        MmaOp,
        BarrierOp,
        CopyOp,
        CopyAsyncOp,
        CommitCopiesOp,
        WaitCopiesOp,
        RingPushOp,
        RingWaitOp,
        RingReleaseOp,
    ],
    [LevelAttr],
)

__all__ = [
    "BarrierOp",
    "BlockForm",
    "BodyOp",
    "CommitCopiesOp",
    "CopyAsyncOp",
    "CopyOp",
    "LaneReduceOp",
    "Level",
    "LevelAttr",
    "MemorySpace",
    "MmaOp",
    "ParallelOp",
    "RingPushOp",
    "RingReleaseOp",
    "RingWaitOp",
    "RoundTf32Op",
    "StepsOp",
    "WaitCopiesOp",
    "WarpReduceOp",
    "YieldOp",
    "memory_space",
    "memref_type",
]
