"""
The `pipeline_parallel` dialect: how ranks train one model together, as a list of instructions for each rank.

A model is cut into stages of consecutive states (DAPPLE, PPoPP 2021); a global batch of rows is cut into micro-batches.
Every stage has ranks of its own, each of which computes some rows of a micro-batch. Sends and receives only begin a
transfer; a pass waits for what it needs. A program that verifies runs to its end: see `verify_ranks`.
"""

from collections.abc import Sequence

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, StringAttr, SymbolNameConstraint, UnitAttr, i64
from xdsl.ir import Dialect, Operation, Region
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    lazy_traits_def,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.traits import HasParent, IsolatedFromAbove, NoTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.integers import integer, integers, values_of
from rammer_ir.dialects.pipeline_parallel_checks import verify_ranks
from rammer_ir.dialects.pipeline_parallel_instructions import (
    AllReduceOp,
    BackwardOp,
    ForwardOp,
    MessageOp,
    PassOp,
    Payload,
    PayloadAttr,
    ReceiveOp,
    SendOp,
)


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """
    One iteration over a global batch of `batch` rows: the stages, then what each of their ranks does.

    Example:
    ```mlir
    pipeline_parallel.program @train batch 2 {
      pipeline_parallel.stage 0 states [0, 3] ranks [0]
      pipeline_parallel.rank 0 stage 0 {
        pipeline_parallel.forward 0 rows [0, 2]
        pipeline_parallel.backward 0 rows [0, 2]
      }
    }
    ```
    """

    name = "pipeline_parallel.program"
    sym_name = prop_def(SymbolNameConstraint())
    batch_ = prop_def(IntegerAttr.constr(i64), prop_name="batch")
    body = region_def("single_block")
    traits = traits_def(SymbolOpInterface(), IsolatedFromAbove(), NoTerminator())
    assembly_format = "$sym_name `batch` $batch attr-dict-with-keyword $body"

    def __init__(self, name: str, batch: int, body: Region) -> None:
        super().__init__(properties={"sym_name": StringAttr(name), "batch": integer(batch)}, regions=[body])

    @property
    def batch(self) -> int:
        """Rows of the global batch."""
        return self.batch_.value.data

    @property
    def stages(self) -> "list[StageOp]":
        return [op for op in self.body.block.ops if isinstance(op, StageOp)]

    @property
    def ranks(self) -> "list[RankOp]":
        return [op for op in self.body.block.ops if isinstance(op, RankOp)]

    def verify_(self) -> None:
        if any(not isinstance(op, StageOp | RankOp) for op in self.body.block.ops):
            raise VerifyException("a program holds stages and ranks, and nothing else")
        self._verify_stages()
        of_rank = {rank: stage.number for stage in self.stages for rank in stage.ranks}
        given = {op.number: op.stage for op in self.ranks}
        if given != of_rank or len(self.ranks) != len(given):
            raise VerifyException("every rank of a stage has one list of instructions, and no other rank has any")
        verify_ranks(
            [stage.ranks for stage in self.stages], {op.number: op.instructions for op in self.ranks}, self.batch
        )

    def _verify_stages(self) -> None:
        stages = self.stages
        following = 0
        for number, stage in enumerate(stages):
            if stage.number != number or stage.states[0] != following:
                raise VerifyException("stages are numbered from 0 and hold all states in order")
            following = stage.states[1] + 1
        ranks = [rank for stage in stages for rank in stage.ranks]
        if not stages or len(set(ranks)) != len(ranks):
            raise VerifyException("a program has a stage at least, and a rank is of one stage")


@irdl_op_definition
class StageOp(IRDLOperation):
    """
    States of the model (both ends included) that `ranks` compute, each for rows of its own.

    With `recompute`, a rank keeps only the input of a micro-batch for the backward pass.

    Example:
    ```mlir
    pipeline_parallel.stage 0 states [0, 21] ranks [0, 1, 2, 3] recompute
    ```
    """

    name = "pipeline_parallel.stage"
    number_ = prop_def(IntegerAttr.constr(i64), prop_name="number")
    states_ = prop_def(DenseArrayBase.constr(i64), prop_name="states")
    ranks_ = prop_def(DenseArrayBase.constr(i64), prop_name="ranks")
    recompute_ = opt_prop_def(UnitAttr, prop_name="recompute")
    traits = lazy_traits_def(lambda: (HasParent(ProgramOp),))
    assembly_format = "$number `states` $states `ranks` $ranks (`recompute` $recompute^)? attr-dict"

    def __init__(self, number: int, states: tuple[int, int], ranks: Sequence[int], *, recompute: bool) -> None:
        super().__init__(
            properties={
                "number": integer(number),
                "states": integers(states),
                "ranks": integers(ranks),
                "recompute": UnitAttr() if recompute else None,
            }
        )

    @property
    def number(self) -> int:
        return self.number_.value.data

    @property
    def states(self) -> tuple[int, int]:
        """The first state and the last."""
        first, last = values_of(self.states_)
        return first, last

    @property
    def ranks(self) -> tuple[int, ...]:
        return values_of(self.ranks_)

    @property
    def recompute(self) -> bool:
        return self.recompute_ is not None

    def verify_(self) -> None:
        states = self.states_.get_values()
        if len(states) != 2 or not 0 <= states[0] <= states[1]:
            raise VerifyException("the states of a stage are a first and a last one")
        if not self.ranks or min(self.ranks) < 0:
            raise VerifyException("a stage has ranks, numbered from 0")


@irdl_op_definition
class RankOp(IRDLOperation):
    """
    What one process does in an iteration, in order.

    Example:
    ```mlir
    pipeline_parallel.rank 1 stage 1 {
      pipeline_parallel.receive activation 0 rows [0, 2] from 0
      pipeline_parallel.forward 0 rows [0, 2]
      pipeline_parallel.backward 0 rows [0, 2]
      pipeline_parallel.send gradient 0 rows [0, 2] to 0
    }
    ```
    """

    name = "pipeline_parallel.rank"
    number_ = prop_def(IntegerAttr.constr(i64), prop_name="number")
    stage_ = prop_def(IntegerAttr.constr(i64), prop_name="stage")
    body = region_def("single_block")
    traits = lazy_traits_def(lambda: (HasParent(ProgramOp), NoTerminator()))
    assembly_format = "$number `stage` $stage attr-dict-with-keyword $body"

    def __init__(self, number: int, stage: int, body: Region) -> None:
        super().__init__(properties={"number": integer(number), "stage": integer(stage)}, regions=[body])

    @property
    def number(self) -> int:
        return self.number_.value.data

    @property
    def stage(self) -> int:
        return self.stage_.value.data

    @property
    def instructions(self) -> list[Operation]:
        return list(self.body.block.ops)

    def verify_(self) -> None:
        if any(not isinstance(op, PassOp | MessageOp | AllReduceOp) for op in self.body.block.ops):
            raise VerifyException("a rank holds forward, backward, send, receive and all_reduce, and nothing else")


PipelineParallel = Dialect(
    "pipeline_parallel",
    [ProgramOp, StageOp, RankOp, ForwardOp, BackwardOp, SendOp, ReceiveOp, AllReduceOp],
    [PayloadAttr],
)

__all__ = [
    "AllReduceOp",
    "BackwardOp",
    "ForwardOp",
    "MessageOp",
    "PassOp",
    "Payload",
    "PayloadAttr",
    "PipelineParallel",
    "ProgramOp",
    "RankOp",
    "ReceiveOp",
    "SendOp",
    "StageOp",
]
