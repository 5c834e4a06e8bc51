"""The grouping of the base strategy: a launch for every run (what frameworks do, and Rammer's baseline)."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.vdevice import BarrierOp, ForOp, LaunchOp, RunOp
from rammer_ir.errors import PassError
from rammer_ir.locations import builder_at, describe_op, location_of
from rammer_ir.pass_api import Pass


@dataclass(frozen=True)
class SplitLaunches(Pass):
    """
    Makes every run a launch of its own, with the budget of the launch it stood in; loops move around their launches.

    Barriers go, since launches run one after another. Launches with groups, events or pins stay one thing: they are
    refused.
    """

    name = "split-launches"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for launch in [found for found in op.walk() if isinstance(found, LaunchOp)]:
            builder = builder_at(InsertPoint.before(launch), location_of(launch))
            for part in _split(launch, list(launch.body.block.ops)):
                builder.insert(part)
            launch.detach()
            launch.erase()


def _split(launch: LaunchOp, ops: Sequence[Operation]) -> list[Operation]:
    parts: list[Operation] = []
    for op in ops:
        match op:
            case RunOp():
                op.detach()
                parts.append(_launch_like(launch, op))
            case ForOp():
                body = op.body.block
                inside = _split(launch, list(body.ops))
                for other in list(body.ops):
                    other.detach()
                    other.erase()
                body.add_ops(inside)
                op.detach()
                parts.append(op)
            case BarrierOp():
                pass
            case _:
                raise PassError(f"a launch with {op.name} cannot be split", location=describe_op(op))
    return parts


def _launch_like(launch: LaunchOp, run: RunOp) -> LaunchOp:
    part = launch.with_same_budget(Region(Block([run])))
    part.location = run.location
    return part
